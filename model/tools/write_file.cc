#include "model/tools/write_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace halfwave::tools {

absl::Status WriteFile(const std::string& bytes, const std::string& path) {
  const std::string unfinished = path + ".part";
  std::ofstream file(unfinished, std::ios::binary);
  file << bytes;
  file.close();
  const std::string reason = std::strerror(errno);
  std::error_code error;
  if (file) std::filesystem::rename(unfinished, path, error);
  if (file && !error) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be written: ", error ? error.message() : reason));
}

}  // namespace halfwave::tools
