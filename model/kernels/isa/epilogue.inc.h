// What happens to outputs between registers and memory: an added +0, the activation, and counting.
#pragma once

#include "model/kernels/isa/packet.inc.h"

namespace halfwave::kernels {
namespace {

template <ActivationKind kKind>
inline Packet Activate(const Packet& x, const Packet& a, const Packet& b) {
  if constexpr (kKind == ActivationKind::kRelu) return Select(Less(x, Broadcast(0)), Broadcast(0), x);
  if constexpr (kKind == ActivationKind::kLeakyRelu) return Select(Less(x, Broadcast(0)), Multiply(a, x), x);
  if constexpr (kKind == ActivationKind::kClip) return Select(Less(x, a), a, Select(Less(b, x), b, x));
  return x;
}

// Finishes a tile of sums whose first column is unit `first_unit`, and stores `columns` of its kPackets * kLanes
// columns. Rows are kRows, from `first_row` on.
template <ActivationKind kKind, int kRows, int kPackets>
inline void FinishAs(const DenseCall& call, int64_t first_row, int64_t first_unit, int64_t columns,
                     Packet (&sums)[kRows][kPackets]) {
  const Packet a = Broadcast(call.activation.a), b = Broadcast(call.activation.b), zero = Broadcast(0);
  const UnitCounts& counts = call.counts;
  float* y = call.y + first_row * call.y_stride + first_unit;
  PacketOfInts zeros = NoCounts();
  uint64_t zeros_in_part = 0;
#pragma GCC unroll 8
  for (int j = 0; j < kPackets; ++j) {
    const int64_t width = columns - j * kLanes;
    if (width >= kLanes) {
      PacketOfInts active = NoCounts();
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Packet sum = Add(sums[r][j], zero);
        const Packet out = Activate<kKind>(sum, a, b);
        Store(y + r * call.y_stride + j * kLanes, out);
        if (counts.active != nullptr && (counts.skip == nullptr || counts.skip[first_row + r] == 0)) {
          active = CountMask(active, Less(zero, sum));
          zeros = CountMask(zeros, Equal(out, zero));
        }
      }
      if (counts.active != nullptr) AddTo(counts.active + first_unit + j * kLanes, active);
      continue;
    }
    for (int r = 0; r < kRows; ++r) {
      alignas(64) float sum[kLanes], out[kLanes];
      const Packet value = Add(sums[r][j], zero);
      Store(sum, value);
      Store(out, Activate<kKind>(value, a, b));
      const bool counted = counts.active != nullptr && (counts.skip == nullptr || counts.skip[first_row + r] == 0);
      for (int64_t i = 0; i < width; ++i) {
        y[r * call.y_stride + j * kLanes + i] = out[i];
        if (!counted) continue;
        counts.active[first_unit + j * kLanes + i] += sum[i] > 0 ? 1 : 0;
        zeros_in_part += out[i] == 0 ? 1 : 0;
      }
    }
  }
  if (counts.active != nullptr) *counts.zeros += zeros_in_part + SumOf(zeros);
}

template <int kRows, int kPackets>
inline void Finish(const DenseCall& call, int64_t first_row, int64_t first_unit, int64_t columns,
                   Packet (&sums)[kRows][kPackets]) {
  switch (call.activation.kind) {
    case ActivationKind::kNone:
      return FinishAs<ActivationKind::kNone>(call, first_row, first_unit, columns, sums);
    case ActivationKind::kRelu:
      return FinishAs<ActivationKind::kRelu>(call, first_row, first_unit, columns, sums);
    case ActivationKind::kLeakyRelu:
      return FinishAs<ActivationKind::kLeakyRelu>(call, first_row, first_unit, columns, sums);
    case ActivationKind::kClip:
      return FinishAs<ActivationKind::kClip>(call, first_row, first_unit, columns, sums);
  }
}

}  // namespace
}  // namespace halfwave::kernels
