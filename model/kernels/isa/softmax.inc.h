// Softmax and its logarithm. Where the elements of a group lie together, lane l of a packet adds up elements l, l +
// kLanes, ... and the lanes are added pairwise; where they are apart, each lane is a group of its own. Which of the two
// depends on the shape alone.
#pragma once

#include "model/kernels/isa/elementwise.inc.h"

namespace halfwave::kernels {
namespace {

constexpr float kLargest = __FLT_MAX__;
constexpr float kInfinity = __builtin_inff();

using Floats4 [[gnu::vector_size(16)]] = float;
using Floats8 [[gnu::vector_size(32)]] = float;

inline Packet LogOfLanes(const Packet& x) {
  alignas(64) float lanes[kLanes];
  Store(lanes, x);
  for (float& lane : lanes) lane = __builtin_logf(lane);
  return LoadAligned(lanes);
}

// One value from the lanes, by a tree: (0, 4), (1, 5), ..., then (0, 2), (1, 3), then (0, 1). `combine` takes two
// numbers, or two vectors of them.
template <typename Combine>
inline float OfFour(const Floats4& x, Combine combine) {
  return combine(combine(x[0], x[2]), combine(x[1], x[3]));
}
template <typename Combine>
inline float OfLanes(const Packet& x, Combine combine) {
#if defined(__AVX__)
#if defined(__AVX512F__)
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1));
  const auto eight = combine((Floats8)_mm512_castps512_ps256(x), (Floats8)high);
#else
  const auto eight = (Floats8)x;
#endif
  return OfFour(
      combine((Floats4)_mm256_castps256_ps128((__m256)eight), (Floats4)_mm256_extractf128_ps((__m256)eight, 1)),
      combine);
#else
  static_assert(kLanes == 4);
  return OfFour((Floats4)x, combine);
#endif
}

// Elements [i, i + kLanes) of a row; those beyond its end are `beyond`.
inline Packet LoadRow(const float* row, int64_t i, int64_t length, float beyond) {
  if (length - i >= kLanes) return Load(row + i);
  return Select(FirstLanes(length - i), LoadPart(row + i, length - i), Broadcast(beyond));
}

template <bool kLog>
inline Packet Shifted(const Packet& x, const Packet& max) {
  return Subtract(kLog ? x : Smaller(x, Broadcast(kLargest)), max);
}

// Lanes that reach beyond a row hold zeros.
inline Packet Within(int64_t width, const Packet& x) {
  return width < kLanes ? Select(FirstLanes(width), x, Broadcast(0)) : x;
}

template <bool kLog>
inline float MaxOfLanes(const Packet& maxima) {
  const float max = OfLanes(maxima, [](auto a, auto b) { return a < b ? b : a; });
  return !kLog && max > kLargest ? kLargest : max;
}

inline float SumOfLanes(const Packet& sums) {
  return OfLanes(sums, [](auto a, auto b) { return a + b; });
}

template <bool kLog>
inline Packet Finished(const Packet& value, const Packet& shift, const Packet& last) {
  return kLog ? Subtract(Subtract(value, shift), last) : Divide(value, last);
}

// A NaN anywhere makes the sum one, and so every output.
template <bool kLog>
inline void SoftmaxOfRow(int64_t length, const float* x, float* y) {
  Packet maxima = Broadcast(-kInfinity);
  for (int64_t i = 0; i < length; i += kLanes) maxima = Larger(maxima, LoadRow(x, i, length, -kInfinity));
  const float max = MaxOfLanes<kLog>(maxima);
  const Packet shift = Broadcast(max);
  Packet sums = Broadcast(0);
  for (int64_t i = 0; i < length; i += kLanes) {
    const Packet value = Within(length - i, Exp(Shifted<kLog>(LoadRow(x, i, length, max), shift)));
    sums = Add(sums, value);
    if (!kLog) StorePart(y + i, length - i, value);
  }
  const float sum = SumOfLanes(sums);
  const Packet last = Broadcast(kLog ? __builtin_logf(sum) : sum);
  for (int64_t i = 0; i < length; i += kLanes) {
    StorePart(y + i, length - i, Finished<kLog>(LoadPart(kLog ? x + i : y + i, length - i), shift, last));
  }
}

// The same of rows that fit into a packet each, as the heads of most networks do: none is read again, and all are read
// before the first is written, since a load waits for a store of part of a packet right before it.
template <bool kLog, int kRows>
inline void SoftmaxOfShortRows(int64_t length, const float* x, float* y) {
  Packet rows[kRows];
  for (int r = 0; r < kRows; ++r) rows[r] = LoadRow(x + r * length, 0, length, -kInfinity);
  for (int r = 0; r < kRows; ++r) {
    const float max = MaxOfLanes<kLog>(Larger(Broadcast(-kInfinity), rows[r]));
    const Packet shift = Broadcast(max);
    const Packet row = length < kLanes ? Select(FirstLanes(length), rows[r], shift) : rows[r];
    const Packet value = Within(length, Exp(Shifted<kLog>(row, shift)));
    const float sum = SumOfLanes(Add(Broadcast(0), value));
    const Packet last = Broadcast(kLog ? __builtin_logf(sum) : sum);
    rows[r] = Finished<kLog>(kLog ? row : value, shift, last);
  }
  for (int r = 0; r < kRows; ++r) StorePart(y + r * length, length, rows[r]);
}

template <bool kLog>
inline void SoftmaxOfRows(int64_t rows, int64_t length, const float* x, float* y) {
  constexpr int kTogether = 8;
  for (; length <= kLanes && rows >= kTogether; rows -= kTogether, x += kTogether * length, y += kTogether * length) {
    SoftmaxOfShortRows<kLog, kTogether>(length, x, y);
  }
  for (; rows > 0; --rows, x += length, y += length) {
    length <= kLanes ? SoftmaxOfShortRows<kLog, 1>(length, x, y) : SoftmaxOfRow<kLog>(length, x, y);
  }
}

// The same for up to kLanes groups side by side.
template <bool kLog>
inline void SoftmaxOfColumns(int64_t length, int64_t stride, int64_t width, const float* x, float* y) {
  Packet max = Broadcast(-kInfinity);
  for (int64_t k = 0; k < length; ++k) max = Larger(max, LoadPart(x + k * stride, width));
  if (!kLog) max = Smaller(max, Broadcast(kLargest));
  Packet sum = Broadcast(0);
  for (int64_t k = 0; k < length; ++k) {
    const Packet value = Exp(Shifted<kLog>(LoadPart(x + k * stride, width), max));
    sum = Add(sum, value);
    if (!kLog) StorePart(y + k * stride, width, value);
  }
  const Packet last = kLog ? LogOfLanes(sum) : sum;
  for (int64_t k = 0; k < length; ++k) {
    const Packet value = LoadPart((kLog ? x : y) + k * stride, width);
    StorePart(y + k * stride, width, Finished<kLog>(value, max, last));
  }
}

template <bool kLog>
void SoftmaxOf(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  if (stride == 1) return SoftmaxOfRows<kLog>(groups, length, x, y);
  for (int64_t group = 0; group < groups; ++group, x += length * stride, y += length * stride) {
    for (int64_t offset = 0; offset < stride; offset += kLanes) {
      SoftmaxOfColumns<kLog>(length, stride, stride - offset, x + offset, y + offset);
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
