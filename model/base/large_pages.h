#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace halfwave {

inline constexpr size_t kLargePage = size_t{1} << 21;

// Asks the system to give the whole large pages inside this memory as such, when they are first touched: a fault for
// each page of 4 KiB costs more than filling it. For memory that will be used to the end; does nothing where the system
// has no large pages.
inline void PreferLargePages(void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kLargePage - 1) / kLargePage * kLargePage;
  const uintptr_t end = (begin + bytes) / kLargePage * kLargePage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

}  // namespace halfwave
