#pragma once

#include <cstdint>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/onnx/byte_source.h"

namespace halfwave {

// An open file with a size: no folder, pipe or device.
class RegularFile : public ByteSource {
 public:
  // Does not wait, whatever is behind the name. NOT_FOUND, naming the path, if there is no such file, it is of another
  // kind, or it may not be read.
  static absl::StatusOr<RegularFile> Open(const std::filesystem::path& path);

  RegularFile(RegularFile&& other) noexcept;
  RegularFile& operator=(RegularFile&&) = delete;
  ~RegularFile() override;

  // When it was opened.
  int64_t size() const override { return size_; }
  int64_t ReadAt(int64_t offset, void* buffer, int64_t bytes) const override;
  // Whether somebody has written to it since it was opened, as far as its size and time tell.
  bool HasChanged() const;

 private:
  RegularFile(int descriptor, int64_t size, int64_t modified)
      : descriptor_(descriptor), size_(size), modified_(modified) {}

  int descriptor_;
  int64_t size_;
  int64_t modified_;  // nanoseconds
};

}  // namespace halfwave
