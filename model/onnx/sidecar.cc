#include "model/onnx/sidecar.h"

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/regular_file.h"
#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

constexpr int64_t kMaxBytes = int64_t{64} << 20;
constexpr int kMaxDepth = 32;  // writing a value calls itself for each level

}  // namespace

absl::Status ReadSidecar(const std::filesystem::path& path, std::map<std::string, std::string>& metadata) {
  HALFWAVE_ASSIGN_OR_RETURN(const RegularFile file, RegularFile::Open(path));
  if (file.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " has ", file.size(), " bytes; at most ", kMaxBytes, " are read"));
  }
  std::string text(file.size(), '\0');
  text.resize(file.ReadAt(0, text.data(), file.size()));
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const nlohmann::json json = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep || !json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is not a JSON object of metadata keys",
                                                   too_deep ? ": it is nested too deeply" : ""));
  }
  for (const auto& [key, value] : json.items()) {
    metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return absl::OkStatus();
}

}  // namespace halfwave
