// Kernels that work channel by channel, a register of channels at a time: depthwise convolution and maximum.
#pragma once

#include "model/kernels/isa/conv.inc.h"

namespace halfwave::kernels {
namespace {

// Output positions that share what they see.
constexpr int kNeighbours = 4;

int64_t DepthwisePackedElements(const ConvShape* s) {
  return (s->kernel_height * s->kernel_width + 1) * RoundUp(s->channels, kLanes);
}

// Per register of channels: the bias, then step by step.
void PackDepthwise(const ConvShape* s, const float* weights, const float* bias, float* packed) {
  const int64_t steps = s->kernel_height * s->kernel_width;
  for (int64_t first = 0; first < s->channels; first += kLanes) {
    for (int64_t step = -1; step < steps; ++step) {
      for (int64_t c = first; c < first + kLanes; ++c) {
        *packed++ = c >= s->channels ? 0 : step < 0 ? bias[c] : weights[c * steps + step];
      }
    }
  }
}

int64_t DepthwiseScratchElements(const ConvShape* s) {
  return RoundUp(s->channels, kLanes) + (s->width + 1) * s->channels + kLanes;
}

// One output anywhere, with any window.
inline Packet SumWindow(const ConvShape& s, const float* image, const float* packed, int64_t oy, int64_t ox,
                        int64_t columns) {
  Packet sum = LoadAligned(packed);
  for (int64_t i = 0; i < s.kernel_height; ++i) {
    const int64_t y = oy * s.stride_height - s.pad_top + i * s.dilation_height;
    if (y < 0 || y >= s.height) continue;
    for (int64_t j = 0; j < s.kernel_width; ++j) {
      const int64_t x = ox * s.stride_width - s.pad_left + j * s.dilation_width;
      if (x < 0 || x >= s.width) continue;
      const Packet weights = LoadAligned(packed + (1 + i * s.kernel_width + j) * kLanes);
      sum = MultiplyAdd(LoadPart(image + (y * s.width + x) * s.channels, columns), weights, sum);
    }
  }
  return sum;
}

// Where one register of channels of one image is, and what has to be done with it.
struct DepthwiseCall {
  const ConvShape* shape;
  const float* x;
  const float* packed;
  float* y;
  int64_t channel, columns;
  const float* zeros;  // a line of the image, of all channels
  Finisher* finisher;
  Share lines;  // of the output
};

// What happens to the sums of a 3x3 window.
enum class Finish3x3 { kStored, kCounted, kAny };

// kCount neighbouring outputs of a 3x3 window from column ox on, in the same order as SumWindow, of three lines of the
// image. The first column of the first output is outside if kLeft, the last one of the last if kRight.
template <int kStride, int kCount, bool kLeft, bool kRight, Finish3x3 kFinish>
[[gnu::always_inline]] inline void RunNeighbours(const DepthwiseCall& call, const float* const (&lines)[3], int64_t ox,
                                                 const Packet (&weights)[3][3], const Packet& bias, const Packet& least,
                                                 float* y, int64_t channels, Counts (&above)[2]) {
  constexpr int kColumns = (kCount - 1) * kStride + 3;
  const int64_t left = ox * kStride - call.shape->pad_left;
  Packet sums[kCount][1];
#pragma GCC unroll 4
  for (int n = 0; n < kCount; ++n) sums[n][0] = bias;
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const float* line = lines[i] + left * channels;
#pragma GCC unroll 16
    for (int x = 0; x < kColumns; ++x) {
      if ((kLeft && x == 0) || (kRight && x == kColumns - 1)) continue;
      const Packet pixel = Load(line + x * channels);
#pragma GCC unroll 4
      for (int n = 0; n < kCount; ++n) {
        const int j = x - n * kStride;
        if (j >= 0 && j < 3) sums[n][0] = MultiplyAdd(pixel, weights[i][j], sums[n][0]);
      }
    }
  }
  y += ox * channels;
  if constexpr (kFinish == Finish3x3::kAny) {
    FinishTile(
        *call.finisher, call.channel, kLanes, [&](int r) { return y + r * channels; }, sums);
    return;
  }
  const Packet zero = Broadcast(0);
#pragma GCC unroll 4
  for (int n = 0; n < kCount; ++n) {
    const Packet out = kFinish == Finish3x3::kCounted ? Rectify(sums[n][0]) : Max(Add(sums[n][0], zero), least);
    Store(y + n * channels, out);
    if constexpr (kFinish == Finish3x3::kCounted) above[n % 2] = CountAbove(above[n % 2], sums[n][0]);
  }
}

template <int kStride, Finish3x3 kFinish>
[[gnu::noinline]] void RunThreeByThree(const DepthwiseCall& call) {
  const ConvShape& s = *call.shape;
  const int64_t channels = s.channels, out_width = s.out_width;
  const Packet bias = LoadAligned(call.packed);
  const Packet least = Broadcast(call.finisher->activation.kind == ActivationKind::kRelu ? 0 : -__builtin_inff());
  Packet weights[3][3];
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) weights[i / 3][i % 3] = LoadAligned(call.packed + (1 + i) * kLanes);
  Counts above[2] = {};  // two chains: one would take its time
  float* y = call.y + call.lines.begin * out_width * channels;
  for (int64_t oy = call.lines.begin; oy < call.lines.end; ++oy, y += out_width * channels) {
    const float* lines[3];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      const int64_t line = oy * s.stride_height - s.pad_top + i;
      lines[i] = line < 0 || line >= s.height ? call.zeros : call.x + line * s.width * channels;
    }
    const auto run = [&](auto count, auto left, auto right, int64_t ox) {
      RunNeighbours<kStride, count.value, left.value, right.value, kFinish>(call, lines, ox, weights, bias, least, y,
                                                                            channels, above);
    };
    const auto run_where = [&](auto count, int64_t ox) {
      const bool left = ox<s.pad_left, right = (ox + count.value - 1) * kStride - s.pad_left + 3> s.width;
      if (left) {
        right ? run(count, Constant<true>{}, Constant<true>{}, ox)
              : run(count, Constant<true>{}, Constant<false>{}, ox);
      } else {
        right ? run(count, Constant<false>{}, Constant<true>{}, ox)
              : run(count, Constant<false>{}, Constant<false>{}, ox);
      }
    };
    int64_t ox = 0;
    for (; ox + kNeighbours <= out_width; ox += kNeighbours) run_where(Constant<kNeighbours>{}, ox);
    for (; ox < out_width; ++ox) run_where(Constant<1>{}, ox);
  }
  if constexpr (kFinish == Finish3x3::kCounted) {
    AddTo(call.finisher->above + call.channel, above[0] + above[1]);
    call.finisher->outputs += static_cast<uint64_t>((call.lines.end - call.lines.begin) * out_width * kLanes);
  }
}

template <int kStride>
void RunThreeByThree(const DepthwiseCall& call) {
  const Finisher& finisher = *call.finisher;
  const bool relu = finisher.activation.kind == ActivationKind::kRelu;
  const bool none = finisher.activation.kind == ActivationKind::kNone;
  if (finisher.summand == nullptr && relu && finisher.counted) {
    RunThreeByThree<kStride, Finish3x3::kCounted>(call);
  } else if (finisher.summand == nullptr && (relu || none) && !finisher.counted) {
    RunThreeByThree<kStride, Finish3x3::kStored>(call);
  } else {
    RunThreeByThree<kStride, Finish3x3::kAny>(call);
  }
}

// Whether RunNeighbours suits all windows. A single output may have but its outer columns outside, too.
inline bool IsThreeByThree(const ConvShape& s) {
  return s.kernel_height == 3 && s.kernel_width == 3 && s.dilation_height == 1 && s.dilation_width == 1 &&
         s.stride_width <= 2 && s.pad_left <= 1 && s.pad_top <= 2 &&
         (s.out_width - 1) * s.stride_width - s.pad_left + 2 <= s.width;
}

inline void RunDepthwiseChannels(const DepthwiseCall& call) {
  const ConvShape& s = *call.shape;
  if (call.columns == kLanes && IsThreeByThree(s)) {
    return s.stride_width == 1 ? RunThreeByThree<1>(call) : RunThreeByThree<2>(call);
  }
  for (int64_t oy = call.lines.begin; oy < call.lines.end; ++oy) {
    for (int64_t ox = 0; ox < s.out_width; ++ox) {
      Packet sum[1][1] = {{SumWindow(s, call.x, call.packed, oy, ox, call.columns)}};
      float* y = call.y + (oy * s.out_width + ox) * s.channels;
      FinishTile(
          *call.finisher, call.channel, call.columns, [&](int) { return y; }, sum);
    }
  }
}

void RunDepthwise(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const int64_t steps = s.kernel_height * s.kernel_width, channels = RoundUp(s.channels, kLanes);
  const Share rows = RowShare(*call), lines = LineShare(*call, s.out_height);
  float* const zeros = call->scratch + channels;
  __builtin_memset(zeros, 0, (s.width * s.channels + kLanes) * sizeof(float));
  const float* x = call->x + rows.begin * call->images * s.height * s.width * s.channels;
  float* y = call->y + rows.begin * call->images * s.out_height * s.out_width * s.out_channels;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    Finisher finisher = BeginRow(*call, row, channels, call->scratch);
    for (int64_t image = 0; image < call->images; ++image) {
      for (int64_t channel = 0; channel < s.channels; channel += kLanes) {
        const int64_t columns = s.channels - channel < kLanes ? s.channels - channel : kLanes;
        RunDepthwiseChannels({&s, x + channel, call->packed + (steps + 1) * channel, y + channel, channel, columns,
                              zeros, &finisher, lines});
      }
      x += s.height * s.width * s.channels;
      y += s.out_height * s.out_width * s.out_channels;
    }
    EndRow(finisher, s.channels, call->counts);
  }
}

// The positions first, first + step, ... of a window of so many steps that are inside [0, size).
struct Range {
  int64_t first, count;
};
inline Range Inside(int64_t start, int64_t step, int64_t steps, int64_t size) {
  const int64_t before = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t behind = start >= size ? 0 : (size - 1 - start) / step + 1;
  return {start + before * step, Max(Min(behind, steps) - before, 0)};
}

void RunMaxPool(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const float* x = call->x;
  const int64_t line = s.width * s.channels;
  const Share lines = ShareOf(*call, s.out_height, 1);
  for (int64_t image = 0; image < call->rows * call->images; ++image, x += s.height * line) {
    float* y = call->y + (image * s.out_height + lines.begin) * s.out_width * s.channels;
    for (int64_t oy = lines.begin; oy < lines.end; ++oy) {
      const Range down = Inside(oy * s.stride_height - s.pad_top, s.dilation_height, s.kernel_height, s.height);
      for (int64_t ox = 0; ox < s.out_width; ++ox, y += s.channels) {
        const Range across = Inside(ox * s.stride_width - s.pad_left, s.dilation_width, s.kernel_width, s.width);
        const bool any = down.count > 0 && across.count > 0;
        const float* corner = x + down.first * line + across.first * s.channels;
        if (down.count == 2 && across.count == 2) {
          const int64_t right = s.dilation_width * s.channels;
          for (int64_t c = 0; c < s.channels; c += kLanes) {
            const int64_t width = s.channels - c;
            StorePart(y + c, width, LargestOfFour(corner + c, right, s.dilation_height * line, width));
          }
          continue;
        }
        for (int64_t c = 0; c < s.channels; c += kLanes) {
          Packet best = Broadcast(any ? -__builtin_inff() : -3.402823466e+38f);
          for (int64_t i = 0; i < down.count; ++i) {
            const float* p = corner + i * s.dilation_height * line + c;
            for (int64_t j = 0; j < across.count; ++j, p += s.dilation_width * s.channels) {
              best = LargerOrNan(best, LoadPart(p, s.channels - c));
            }
          }
          StorePart(y + c, s.channels - c, best);
        }
      }
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
