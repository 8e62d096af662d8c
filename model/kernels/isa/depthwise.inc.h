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

int64_t DepthwiseScratchElements(const ConvShape* s) { return RoundUp(s->channels, kLanes); }

inline Packet LoadChannels(const float* p, int64_t columns) {
  if (columns >= kLanes) return Load(p);
  alignas(64) float part[kLanes] = {};
  for (int64_t i = 0; i < columns; ++i) part[i] = p[i];
  return LoadAligned(part);
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
      sum = MultiplyAdd(LoadChannels(image + (y * s.width + x) * s.channels, columns), weights, sum);
    }
  }
  return sum;
}

// kCount neighbouring outputs of a 3x3 window; lines [begin, end) of it are inside the image. The window of the first
// begins at column `left`, to which `corner` points. In the same order as SumWindow.
template <int kStride, int kCount, bool kEdge>
[[gnu::always_inline]] inline void SumNeighbours(const ConvShape& s, const float* corner, int64_t left,
                                                 const float* packed, int64_t begin, int64_t end,
                                                 Packet (&sums)[kCount][1]) {
  const Packet bias = LoadAligned(packed);
#pragma GCC unroll 4
  for (int n = 0; n < kCount; ++n) sums[n][0] = bias;
  for (int64_t i = begin; i < end; ++i) {
    const float* line = corner + i * s.width * s.channels;
    const float* w = packed + (1 + i * 3) * kLanes;
    const Packet weights[3] = {LoadAligned(w), LoadAligned(w + kLanes), LoadAligned(w + 2 * kLanes)};
#pragma GCC unroll 16
    for (int x = 0; x < (kCount - 1) * kStride + 3; ++x) {
      if (kEdge && (left + x < 0 || left + x >= s.width)) continue;
      const Packet pixel = Load(line + x * s.channels);
#pragma GCC unroll 4
      for (int n = 0; n < kCount; ++n) {
        const int j = x - n * kStride;
        if (j >= 0 && j < 3) sums[n][0] = MultiplyAdd(pixel, weights[j], sums[n][0]);
      }
    }
  }
}

// Where one register of channels of one image is, and what has to be done with it.
struct DepthwiseCall {
  const ConvShape* shape;
  const float* x;
  const float* packed;
  float* y;
  int64_t channel, columns;
  Finisher* finisher;
};

template <int kStride, int kCount, bool kEdge>
inline void RunNeighbours(const DepthwiseCall& call, int64_t oy, int64_t ox) {
  const ConvShape& s = *call.shape;
  const int64_t top = oy * s.stride_height - s.pad_top, left = ox * kStride - s.pad_left;
  const int64_t begin = top < 0 ? -top : 0, end = s.height - top < 3 ? s.height - top : 3;
  Packet sums[kCount][1];
  SumNeighbours<kStride, kCount, kEdge>(s, call.x + (top * s.width + left) * s.channels, left, call.packed, begin, end,
                                        sums);
  float* y = call.y + (oy * s.out_width + ox) * s.channels;
  FinishTile(
      *call.finisher, call.channel, kLanes, [&](int r) { return y + r * s.channels; }, sums);
}

template <int kStride>
inline void RunThreeByThree(const DepthwiseCall& call) {
  const ConvShape& s = *call.shape;
  for (int64_t oy = 0; oy < s.out_height; ++oy) {
    int64_t ox = 0;
    for (; ox + kNeighbours <= s.out_width; ox += kNeighbours) {
      const int64_t left = ox * kStride - s.pad_left;
      if (left >= 0 && left + (kNeighbours - 1) * kStride + 3 <= s.width) {
        RunNeighbours<kStride, kNeighbours, false>(call, oy, ox);
      } else {
        RunNeighbours<kStride, kNeighbours, true>(call, oy, ox);
      }
    }
    for (; ox < s.out_width; ++ox) RunNeighbours<kStride, 1, true>(call, oy, ox);
  }
}

inline void RunDepthwiseChannels(const DepthwiseCall& call) {
  const ConvShape& s = *call.shape;
  if (s.kernel_height == 3 && s.kernel_width == 3 && s.dilation_height == 1 && s.dilation_width == 1 &&
      call.columns == kLanes) {
    if (s.stride_width == 1) return RunThreeByThree<1>(call);
    if (s.stride_width == 2) return RunThreeByThree<2>(call);
  }
  for (int64_t oy = 0; oy < s.out_height; ++oy) {
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
  const float* x = call->x;
  float* y = call->y;
  for (int64_t row = 0; row < call->rows; ++row) {
    Finisher finisher = BeginRow(call->activation, call->counts, row, channels, call->scratch);
    for (int64_t image = 0; image < call->images; ++image) {
      for (int64_t channel = 0; channel < s.channels; channel += kLanes) {
        const int64_t columns = s.channels - channel < kLanes ? s.channels - channel : kLanes;
        RunDepthwiseChannels(
            {&s, x + channel, call->packed + (steps + 1) * channel, y + channel, channel, columns, &finisher});
      }
      x += s.height * s.width * s.channels;
      y += s.out_height * s.out_width * s.out_channels;
    }
    EndRow(finisher, s.channels, call->counts);
  }
}

// The larger one; NaN, if one is.
inline Packet LargerOrNan(const Packet& a, const Packet& b) {
  const Packet larger = Select(Less(a, b), b, a);
  return Select(Equal(b, b), larger, b);
}

void RunMaxPool(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const float* x = call->x;
  float* y = call->y;
  for (int64_t image = 0; image < call->rows * call->images; ++image, x += s.height * s.width * s.channels) {
    for (int64_t oy = 0; oy < s.out_height; ++oy) {
      const int64_t top = oy * s.stride_height - s.pad_top;
      for (int64_t ox = 0; ox < s.out_width; ++ox, y += s.channels) {
        const int64_t left = ox * s.stride_width - s.pad_left;
        for (int64_t c = 0; c < s.channels; c += kLanes) {
          const int64_t columns = s.channels - c;
          Packet best = Broadcast(-__builtin_inff());
          bool any = false;
          for (int64_t i = 0; i < s.kernel_height; ++i) {
            const int64_t py = top + i * s.dilation_height;
            if (py < 0 || py >= s.height) continue;
            for (int64_t j = 0; j < s.kernel_width; ++j) {
              const int64_t px = left + j * s.dilation_width;
              if (px < 0 || px >= s.width) continue;
              any = true;
              best = LargerOrNan(best, LoadChannels(x + (py * s.width + px) * s.channels + c, columns));
            }
          }
          if (!any) best = Broadcast(-3.402823466e+38f);
          if (columns >= kLanes) {
            Store(y + c, best);
          } else {
            alignas(64) float part[kLanes];
            Store(part, best);
            for (int64_t k = 0; k < columns; ++k) y[c + k] = part[k];
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
