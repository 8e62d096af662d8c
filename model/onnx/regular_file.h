#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace halfwave {

// An open file with a size: no folder, pipe or device.
class RegularFile {
 public:
  // Does not wait, whatever is behind the name. NOT_FOUND, naming the path, if there is no such file, it is of another
  // kind, or it may not be read.
  static absl::StatusOr<RegularFile> Open(const std::filesystem::path& path);

  RegularFile(RegularFile&& other) noexcept;
  RegularFile& operator=(RegularFile&&) = delete;
  ~RegularFile();

  // When it was opened.
  int64_t size() const { return size_; }
  // The bytes read, fewer than asked for at the end of the file or after an error.
  int64_t ReadAt(int64_t offset, void* buffer, int64_t bytes) const;

 private:
  RegularFile(int descriptor, int64_t size) : descriptor_(descriptor), size_(size) {}

  int descriptor_;
  int64_t size_;
};

}  // namespace halfwave
