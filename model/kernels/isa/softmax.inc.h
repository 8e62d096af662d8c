// Softmax and its logarithm. Where the elements of a group lie together, lane l of a packet adds up elements l, l +
// kLanes, ... and the lanes are added pairwise; where they are apart, each lane is a group of its own. Which of the two
// depends on the shape alone.
#pragma once

#include "model/kernels/isa/elementwise.inc.h"

namespace halfwave::kernels {
namespace {

constexpr float kLargest = __FLT_MAX__;
constexpr float kInfinity = __builtin_inff();

inline Packet LogOfLanes(const Packet& x) {
  alignas(64) float lanes[kLanes];
  Store(lanes, x);
  for (float& lane : lanes) lane = __builtin_logf(lane);
  return LoadAligned(lanes);
}

// One value from the lanes, by a tree: (0, 4), (1, 5), ..., then (0, 2), (1, 3), then (0, 1).
template <typename Combine>
inline float OfLanes(const Packet& x, Combine combine) {
  alignas(64) float lanes[kLanes];
  Store(lanes, x);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] = combine(lanes[i], lanes[i + half]);
  }
  return lanes[0];
}

// Elements [i, i + kLanes) of a row; those beyond its end are `beyond`.
inline Packet LoadRow(const float* row, int64_t i, int64_t length, float beyond) {
  if (length - i >= kLanes) return Load(row + i);
  alignas(64) float part[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) part[lane] = i + lane < length ? row[i + lane] : beyond;
  return LoadAligned(part);
}

template <bool kLog>
inline Packet Shifted(const Packet& x, const Packet& max) {
  return Subtract(kLog ? x : Smaller(x, Broadcast(kLargest)), max);
}

// A NaN anywhere makes the sum one, and so every output.
template <bool kLog>
inline void SoftmaxOfRow(int64_t length, const float* x, float* y) {
  Packet maxima = Broadcast(-kInfinity);
  for (int64_t i = 0; i < length; i += kLanes) maxima = Larger(maxima, LoadRow(x, i, length, -kInfinity));
  float max = OfLanes(maxima, [](float a, float b) { return a < b ? b : a; });
  if (!kLog && max > kLargest) max = kLargest;
  const Packet shift = Broadcast(max);
  Packet sums = Broadcast(0);
  for (int64_t i = 0; i < length; i += kLanes) {
    Packet value = Exp(Shifted<kLog>(LoadRow(x, i, length, max), shift));
    if (length - i < kLanes) {
      alignas(64) float part[kLanes];
      Store(part, value);
      for (int64_t lane = length - i; lane < kLanes; ++lane) part[lane] = 0;
      value = LoadAligned(part);
    }
    sums = Add(sums, value);
    if (!kLog) StorePart(y + i, length - i, value);
  }
  const float sum = OfLanes(sums, [](float a, float b) { return a + b; });
  const Packet last = Broadcast(kLog ? __builtin_logf(sum) : sum);
  for (int64_t i = 0; i < length; i += kLanes) {
    const Packet value = LoadPart(kLog ? x + i : y + i, length - i);
    StorePart(y + i, length - i, kLog ? Subtract(Subtract(value, shift), last) : Divide(value, last));
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
    StorePart(y + k * stride, width, kLog ? Subtract(Subtract(value, max), last) : Divide(value, last));
  }
}

template <bool kLog>
void SoftmaxOf(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  for (int64_t group = 0; group < groups; ++group, x += length * stride, y += length * stride) {
    if (stride == 1) {
      SoftmaxOfRow<kLog>(length, x, y);
      continue;
    }
    for (int64_t offset = 0; offset < stride; offset += kLanes) {
      SoftmaxOfColumns<kLog>(length, stride, stride - offset, x + offset, y + offset);
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
