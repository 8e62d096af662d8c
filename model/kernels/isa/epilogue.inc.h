// What happens to outputs between registers and memory: an added +0, the activation, and counting.
#pragma once

#include "model/kernels/isa/packet.inc.h"

namespace halfwave::kernels {
namespace {

template <ActivationKind kKind>
inline Packet ActivateAs(const Packet& x, const Packet& a, const Packet& b) {
  if constexpr (kKind == ActivationKind::kRelu) return Max(x, Broadcast(0));  // x is not -0
  if constexpr (kKind == ActivationKind::kLeakyRelu) return Select(Less(x, Broadcast(0)), Multiply(a, x), x);
  if constexpr (kKind == ActivationKind::kClip) return Select(Less(x, a), a, Select(Less(b, x), b, x));
  return x;
}

inline Packet Activate(const Activation& activation, const Packet& x) {
  const Packet a = Broadcast(activation.a), b = Broadcast(activation.b);
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return ActivateAs<ActivationKind::kRelu>(x, a, b);
    case ActivationKind::kLeakyRelu:
      return ActivateAs<ActivationKind::kLeakyRelu>(x, a, b);
    case ActivationKind::kClip:
      return ActivateAs<ActivationKind::kClip>(x, a, b);
  }
  return x;
}

inline bool IsCounted(const UnitCounts& counts, int64_t row) {
  return counts.active != nullptr && (counts.skip == nullptr || counts.skip[row] == 0);
}

// Activates and stores `columns` sums of one row, whose first is unit `unit`. For what is rare: other activations, and
// rows that are not all counted.
[[gnu::noinline]] void FinishRow(const DenseCall& call, int64_t row, int64_t unit, int64_t columns, const float* sums) {
  const UnitCounts& counts = call.counts;
  const bool counted = IsCounted(counts, row);
  float* y = call.y + row * call.y_stride + unit;
  Counts zeros = {};
  for (int64_t j = 0; j < columns; j += kLanes) {
    const Packet sum = LoadAligned(sums + j), out = Activate(call.activation, sum);
    const int64_t width = Min(columns - j, kLanes);
    StorePart(y + j, width, out);
    if (!counted) continue;
    const Counts above = CountAbove(Counts{}, sum);
    AddPartTo(counts.active + unit + j, width, above);
    const Mask zero = call.activation.kind == ActivationKind::kRelu ? above == 0 : Equal(out, Broadcast(0));
    zeros = CountMask(zeros, zero & FirstLanes(width));
  }
  if (counted) *counts.zeros += SumOf(zeros);
}

// Rectifies, stores and counts packet `j` of a tile's sums, the first `width` lanes of which are real; `y` and `active`
// are those of the packet. Those above zero; lanes to spare are not.
template <bool kWhole, int kRows, int kPackets>
[[gnu::always_inline]] inline Counts FinishCounted(float* y, int64_t stride, int64_t width, uint32_t* active, int j,
                                                   const Packet (&sums)[kRows][kPackets]) {
  Counts above[2] = {};  // two chains: one would take its time
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const Packet out = Rectify(sums[r][j]);
    if constexpr (kWhole) Store(y + r * stride, out);
    if constexpr (!kWhole) StorePart(y + r * stride, width, out);
    above[r % 2] = CountAbove(above[r % 2], sums[r][j]);
  }
  const Counts all = above[0] + above[1];
  if constexpr (kWhole) AddTo(active, all);
  if constexpr (!kWhole) AddPartTo(active, width, all);
  return all;
}

// Finishes a tile of sums whose first column is unit `first_unit`, and stores `columns` of its kPackets * kLanes
// columns. Rows are kRows, from `first_row` on. All loops over sums are unrolled: an index that is not constant would
// keep them in memory.
template <int kRows, int kPackets>
[[gnu::always_inline]] inline void Finish(const DenseCall& call, int64_t first_row, int64_t first_unit, int64_t columns,
                                          Packet (&sums)[kRows][kPackets]) {
  const Packet zero = Broadcast(0);
  const UnitCounts& counts = call.counts;
  const ActivationKind kind = call.activation.kind;
  const int64_t stride = call.y_stride;
  float* const y = call.y + first_row * stride + first_unit;
  const bool whole = columns == kPackets * kLanes;
  if (whole && counts.active == nullptr && (kind == ActivationKind::kNone || kind == ActivationKind::kRelu)) {
    const Packet least = Broadcast(kind == ActivationKind::kRelu ? 0 : -__builtin_inff());
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < kPackets; ++j) Store(y + r * stride + j * kLanes, Max(Add(sums[r][j], zero), least));
    }
    return;
  }
  if (counts.active != nullptr && kind == ActivationKind::kRelu && counts.skip == nullptr) {
    uint32_t* const active = counts.active + first_unit;
    constexpr int64_t kLast = (kPackets - 1) * kLanes;  // only the last packet may have lanes to spare
    Counts above = {};
#pragma GCC unroll 8
    for (int j = 0; j < kPackets - 1; ++j) {
      above += FinishCounted<true>(y + j * kLanes, stride, kLanes, active + j * kLanes, j, sums);
    }
    above += whole ? FinishCounted<true>(y + kLast, stride, kLanes, active + kLast, kPackets - 1, sums)
                   : FinishCounted<false>(y + kLast, stride, columns - kLast, active + kLast, kPackets - 1, sums);
    *counts.zeros += static_cast<uint64_t>(kRows * columns) - SumOf(above);
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    alignas(64) float row[kPackets * kLanes];
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; ++j) Store(row + j * kLanes, Add(sums[r][j], zero));
    FinishRow(call, first_row + r, first_unit, columns, row);
  }
}

}  // namespace
}  // namespace halfwave::kernels
