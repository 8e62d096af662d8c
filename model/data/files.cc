#include "model/data/files.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

// Formats that people try and that are not read, with what their files begin with.
struct KnownFormat {
  absl::string_view magic;
  const char* name;
};
constexpr KnownFormat kOtherFormats[] = {{"\xFF\xD8\xFF", "a JPEG"},
                                         {"GIF8", "a GIF"},
                                         {"BM", "a BMP"},
                                         {"RIFF", "a WebP or another RIFF file"},
                                         {"%PDF", "a PDF"},
                                         {"II*", "a TIFF"},
                                         {"MM", "a TIFF"},
                                         {"PK\x03\x04", "a zip or .npz file"},
                                         {"P1", "a PBM"},
                                         {"P4", "a PBM"},
                                         {"P7", "a PAM"}};

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

// Two zeros, a type and a rank.
bool IsIdx(absl::string_view bytes) {
  return bytes.size() > 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 && bytes[3] >= 1;
}

absl::Status TooLarge() {
  return absl::InvalidArgumentError(
      absl::StrCat("expected at most ", kMaxFileBytes >> 20, " MiB, found a larger file; split it"));
}

absl::StatusOr<std::string> Unpack(absl::string_view packed) {
  z_stream stream = {};
  constexpr int kGzip = 16;  // added to the window's bits: with gzip's header and check sum
  if (inflateInit2(&stream, kGzip + MAX_WBITS) != Z_OK) return absl::InternalError("zlib cannot be used");
  const absl::Cleanup end = [&] { inflateEnd(&stream); };
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // which it only reads
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string bytes;
  std::vector<char> block(1 << 16);
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    const int result = inflate(&stream, Z_NO_FLUSH);
    bytes.append(block.data(), block.size() - stream.avail_out);
    if (bytes.size() > kMaxFileBytes) return TooLarge();
    if (result == Z_STREAM_END) return bytes;
    if (result != Z_OK) return absl::InvalidArgumentError("a gzip file that is damaged or cut off");
  }
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
  if (bytes.size() > kMaxFileBytes) return TooLarge();
  if (absl::StartsWith(bytes, "\x1F\x8B")) return Unpack(bytes);
  return bytes;
}

absl::StatusOr<FileKind> RecogniseFile(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\x89PNG")) return FileKind::kPng;
  if (absl::StartsWith(bytes, "\x93NUMPY")) return FileKind::kNpy;
  if (IsPnm(bytes)) return FileKind::kPnm;
  if (IsIdx(bytes)) return FileKind::kIdx;
  const char* found = nullptr;
  for (const KnownFormat& format : kOtherFormats) {
    if (absl::StartsWith(bytes, format.magic)) found = format.name;
  }
  if (found == nullptr && IsText(bytes)) return FileKind::kCsv;
  return absl::InvalidArgumentError(absl::StrCat("expected PNG, PGM, PPM, CSV, .npy or IDX, found ",
                                                 found != nullptr ? found : "other binary data",
                                                 "; convert it first, a picture for example to PNG"));
}

}  // namespace halfwave
