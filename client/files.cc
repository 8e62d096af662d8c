#include "client/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace halfwave::client {
namespace {

// Formats that people try and that are not read, with what their files begin with.
struct KnownFormat {
  absl::string_view magic;
  const char* name;
};
constexpr KnownFormat kOtherFormats[] = {
    {"\xFF\xD8\xFF", "a JPEG"},  {"GIF8", "a GIF"}, {"BM", "a BMP"},  {"RIFF", "a WebP or another RIFF file"},
    {"%PDF", "a PDF"},           {"II*", "a TIFF"}, {"MM", "a TIFF"}, {"PK\x03\x04", "a zip or .npz file"},
    {"\x1F\x8B", "a gzip file"}, {"P1", "a PBM"},   {"P4", "a PBM"},  {"P7", "a PAM"}};

bool IsText(absl::string_view bytes) {
  constexpr size_t kLooked = 4096;
  const absl::string_view head = bytes.substr(0, kLooked);
  return std::none_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\r' && c != '\t';
  });
}

bool IsPnm(absl::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && absl::string_view("2356").find(bytes[1]) != absl::string_view::npos &&
         (absl::ascii_isspace(bytes[2]) || bytes[2] == '#');
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError("expected a file, found a folder");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(absl::StrCat("cannot be opened: ", std::strerror(errno)));
  std::string bytes;
  char block[1 << 16];
  while (bytes.size() <= kMaxFileBytes && (file.read(block, sizeof(block)), file.gcount() > 0)) {
    bytes.append(block, file.gcount());
  }
  if (file.bad()) return absl::InvalidArgumentError("cannot be read to its end");
  if (bytes.empty()) return absl::InvalidArgumentError("expected a picture or a table, found an empty file");
  if (bytes.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected at most ", kMaxFileBytes >> 20, " MiB, found a larger file; split it"));
  }
  return bytes;
}

absl::StatusOr<FileKind> RecogniseFile(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\x89PNG")) return FileKind::kPng;
  if (absl::StartsWith(bytes, "\x93NUMPY")) return FileKind::kNpy;
  if (IsPnm(bytes)) return FileKind::kPnm;
  const char* found = nullptr;
  for (const KnownFormat& format : kOtherFormats) {
    if (absl::StartsWith(bytes, format.magic)) found = format.name;
  }
  if (found == nullptr && IsText(bytes)) return FileKind::kCsv;
  return absl::InvalidArgumentError(absl::StrCat("expected PNG, PGM, PPM, CSV or .npy, found ",
                                                 found != nullptr ? found : "other binary data",
                                                 "; convert it first, a picture for example to PNG"));
}

}  // namespace halfwave::client
