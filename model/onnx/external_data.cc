#include "model/onnx/external_data.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/regular_file.h"
#include "model/onnx/text.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string location;
  int64_t offset = 0;
  std::optional<int64_t> length;  // to the end of the file if not given
};

absl::Status Refuse(const onnx::TensorProto& tensor, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name(), "': ", what));
}

absl::StatusOr<Place> ReadPlace(const onnx::TensorProto& tensor) {
  Place place;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    int64_t number = 0;
    if (!absl::SimpleAtoi(entry.value(), &number) || number < 0) {
      return Refuse(tensor, absl::StrCat("its external data have the ", entry.key(), " '",
                                         ToUtf8(entry.value().substr(0, 64)), "', which is no size in bytes"));
    }
    if (entry.key() == "offset") place.offset = number;
    if (entry.key() == "length") place.length = number;
  }
  HALFWAVE_RETURN_IF_ERROR(CheckName("an external data file", place.location));
  return place;
}

bool IsBelow(const fs::path& folder, const fs::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// Where the location really is, all symbolic links followed.
absl::StatusOr<fs::path> FindFile(const onnx::TensorProto& tensor, const fs::path& location, const fs::path& folder) {
  const bool climbs = std::find(location.begin(), location.end(), "..") != location.end();
  std::error_code error;
  const fs::path home = fs::canonical(folder.empty() ? "." : folder, error);
  const fs::path file = error ? fs::path() : fs::weakly_canonical(home / location, error);
  if (location.empty() || location.is_absolute() || climbs || error || !IsBelow(home, file)) {
    return Refuse(tensor, absl::StrCat("its external data are in '", location.string(),
                                       "'; only a file in the model's own folder is read"));
  }
  return file;
}

}  // namespace

absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& tensor, int64_t bytes, const fs::path& folder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Place place, ReadPlace(tensor));
  HALFWAVE_ASSIGN_OR_RETURN(const fs::path path, FindFile(tensor, place.location, folder));
  const auto file = RegularFile::Open(path);
  if (!file.ok()) {
    return absl::NotFoundError(absl::StrCat("tensor '", tensor.name(), "' keeps its data in the file '", place.location,
                                            "', which is not beside the model (", file.status().message(),
                                            "); copy it there"));
  }
  const int64_t available = std::max<int64_t>(file->size() - place.offset, 0);
  const int64_t length = place.length.value_or(available);
  if (length != bytes || length > available) {
    return Refuse(tensor, absl::StrCat("its shape needs ", bytes, " bytes; its external data are ", length,
                                       " bytes from ", place.offset, " in '", place.location, "', which has ",
                                       file->size(), "; copy or export both files again"));
  }
  std::string data(bytes, '\0');
  if (file->ReadAt(place.offset, data.data(), bytes) != bytes) {
    return absl::DataLossError(absl::StrCat("tensor '", tensor.name(), "': cannot read '", place.location, "'"));
  }
  return data;
}

}  // namespace halfwave
