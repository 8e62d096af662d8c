// Uninitialised floats on a cache-line boundary. Pages that are never touched take no memory.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "model/base/large_pages.h"

namespace halfwave {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size)
      : data_(static_cast<float*>(::operator new[](size * sizeof(float), std::align_val_t(kAlignment))),
              Free{kAlignment}),
        size_(size) {}

  // For what is read over and over: large memory comes in large pages, where the system has them.
  static AlignedBuffer InLargePages(size_t size) {
    const size_t bytes = (size * sizeof(float) + kLargePage - 1) / kLargePage * kLargePage;
    if (size * sizeof(float) < kLargePage) return AlignedBuffer(size);
    AlignedBuffer buffer;
    buffer.data_ = Memory(static_cast<float*>(::operator new[](bytes, std::align_val_t(kLargePage))), Free{kLargePage});
    buffer.size_ = size;
    PreferLargePages(buffer.data(), bytes);
    return buffer;
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<float> span() { return {data(), size_}; }

 private:
  struct Free {
    size_t alignment;
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t(alignment)); }
  };
  using Memory = std::unique_ptr<float[], Free>;

  Memory data_{nullptr, Free{kAlignment}};
  size_t size_ = 0;
};

}  // namespace halfwave
