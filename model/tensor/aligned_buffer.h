// Uninitialised floats on a cache-line boundary. Pages that are never touched take no memory.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace halfwave {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size)
      : data_(static_cast<float*>(::operator new[](size * sizeof(float), std::align_val_t(kAlignment)))), size_(size) {}

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<float> span() { return {data(), size_}; }

 private:
  struct Free {
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t(kAlignment)); }
  };

  std::unique_ptr<float[], Free> data_;
  size_t size_ = 0;
};

}  // namespace halfwave
