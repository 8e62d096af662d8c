// Bytes with a size that are read by position: a file, or memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace halfwave {

// Any number of threads may read at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual int64_t size() const = 0;
  // The bytes read, fewer than asked for at the end or after an error.
  virtual int64_t ReadAt(int64_t offset, void* buffer, int64_t bytes) const = 0;
};

// Somebody else's memory.
class MemoryBytes : public ByteSource {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  int64_t ReadAt(int64_t offset, void* buffer, int64_t bytes) const override {
    const int64_t got = std::clamp<int64_t>(size() - offset, 0, bytes);
    if (got > 0) std::memcpy(buffer, bytes_.data() + offset, got);
    return got;
  }

 private:
  std::string_view bytes_;
};

// A source from front to back, for the parser; what the parser skips is not read.
class SourceStream : public google::protobuf::io::CopyingInputStream {
 public:
  explicit SourceStream(const ByteSource& source) : source_(source) {}
  int Read(void* buffer, int size) override {
    const int64_t got = source_.ReadAt(position_, buffer, std::min<int64_t>(size, source_.size() - position_));
    position_ += got;
    return static_cast<int>(got);
  }
  int Skip(int count) override {
    const int64_t skipped = std::min<int64_t>(count, source_.size() - position_);
    position_ += skipped;
    return static_cast<int>(skipped);
  }

 private:
  const ByteSource& source_;
  int64_t position_ = 0;
};

}  // namespace halfwave
