#include "model/kernels/isa/reference_image.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "model/kernels/isa/half.inc.h"

namespace halfwave::kernels {
namespace {

template <bool kHalf>
using Stored = std::conditional_t<kHalf, Half, float>;

int64_t Steps(const ConvShape& s) { return s.kernel_height * s.kernel_width; }

// Biases, and behind them the weights in their order.
template <typename Weight>
void PackInOrder(int64_t out, int64_t depth, const float* weights, const float* bias, float* packed) {
  std::copy_n(bias, out, packed);
  std::transform(weights, weights + out * depth, reinterpret_cast<Weight*>(packed + out), ToWeight<Weight>);
}

// Calls visit(step, pixel) for each pixel that the window at (oy, ox) sees.
template <typename Visit>
void ForEachPixel(const ConvShape& s, const float* image, int64_t oy, int64_t ox, Visit visit) {
  for (int64_t i = 0; i < s.kernel_height; ++i) {
    const int64_t y = oy * s.stride_height - s.pad_top + i * s.dilation_height;
    for (int64_t j = 0; j < s.kernel_width; ++j) {
      const int64_t x = ox * s.stride_width - s.pad_left + j * s.dilation_width;
      if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
      visit(i * s.kernel_width + j, image + (y * s.width + x) * s.channels);
    }
  }
}

// Calls visit(image, oy, ox, output) for each position of all images; those of 2x2 share an output if they are pooled.
template <typename Visit>
void ForEachPosition(const ConvCall& call, int64_t begin, int64_t end, Visit visit) {
  const ConvShape& s = *call.shape;
  const int64_t side = call.pooled ? 2 : 1;
  for (int64_t image = begin; image < end; ++image) {
    for (int64_t oy = 0; oy < s.out_height; ++oy) {
      for (int64_t ox = 0; ox < s.out_width; ++ox) {
        const int64_t line = image * (s.out_height / side) + oy / side;
        visit(call.x + image * s.height * s.width * s.channels, oy, ox,
              call.y + (line * (s.out_width / side) + ox / side) * s.out_channels);
      }
    }
  }
}

// The first channel of a part; that of the part behind the last is the number of channels.
int64_t FirstChannel(const ConvCall& call, int64_t part) { return call.shape->out_channels * part / call.parts; }

// sum(image, oy, ox, channel) with its bias, finished and counted as the contract says.
template <typename Sum>
void Finish(const ConvCall& call, Sum sum) {
  const UnitCounts& counts = call.counts;
  const int64_t begin = FirstChannel(call, call.part), end = FirstChannel(call, call.part + 1);
  for (int64_t row = 0; row < call.rows; ++row) {
    const bool counted = counts.active != nullptr && (counts.skip == nullptr || counts.skip[row] == 0);
    for (int64_t channel = begin; channel < end; ++channel) {
      bool active = false;
      ForEachPosition(call, row * call.images, (row + 1) * call.images,
                      [&](const float* image, int64_t oy, int64_t ox, float* y) {
                        float value = sum(image, oy, ox, channel) + 0.0f;
                        if (call.summand != nullptr) value += call.summand[y - call.y + channel];
                        const float out = ReferenceActivate(call.activation, value);
                        const bool first = !call.pooled || (oy % 2 == 0 && ox % 2 == 0);
                        if (first || out > y[channel] || std::isnan(out)) y[channel] = out;
                        active = active || value > 0;
                        if (counted) *counts.zeros += ReferenceIsZero(call.activation, out) ? 1 : 0;
                      });
      if (counted) counts.active[channel] += active ? 1 : 0;
    }
  }
}

}  // namespace

template <bool kHalf>
int64_t ReferenceConvPackedElements(const ConvShape* shape) {
  return shape->out_channels + FloatsFor<Stored<kHalf>>(shape->out_channels * shape->channels * Steps(*shape));
}
template <bool kHalf>
void ReferenceConvPack(const ConvShape* shape, const float* weights, const float* bias, float* packed) {
  PackInOrder<Stored<kHalf>>(shape->out_channels, shape->channels * Steps(*shape), weights, bias, packed);
}
int64_t ReferenceDepthwisePackedElements(const ConvShape* shape) { return shape->channels * (1 + Steps(*shape)); }
void ReferenceDepthwisePack(const ConvShape* shape, const float* weights, const float* bias, float* packed) {
  PackInOrder<float>(shape->channels, Steps(*shape), weights, bias, packed);
}
int64_t ReferenceConvScratchElements(const ConvShape*) { return 0; }

template <bool kHalf>
void ReferenceConv(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const auto* weights = reinterpret_cast<const Stored<kHalf>*>(call->packed + s.out_channels);
  Finish(*call, [&](const float* image, int64_t oy, int64_t ox, int64_t channel) {
    float sum = call->packed[channel];
    ForEachPixel(s, image, oy, ox, [&](int64_t step, const float* pixel) {
      for (int64_t c = 0; c < s.channels; ++c) {
        sum = std::fma(pixel[c], ToFloat(weights[(channel * s.channels + c) * Steps(s) + step]), sum);
      }
    });
    return sum;
  });
}

template int64_t ReferenceConvPackedElements<false>(const ConvShape*);
template int64_t ReferenceConvPackedElements<true>(const ConvShape*);
template void ReferenceConvPack<false>(const ConvShape*, const float*, const float*, float*);
template void ReferenceConvPack<true>(const ConvShape*, const float*, const float*, float*);
template void ReferenceConv<false>(const ConvCall*);
template void ReferenceConv<true>(const ConvCall*);

void ReferenceDepthwise(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const float* weights = call->packed + s.channels;
  Finish(*call, [&](const float* image, int64_t oy, int64_t ox, int64_t channel) {
    float sum = call->packed[channel];
    ForEachPixel(s, image, oy, ox, [&](int64_t step, const float* pixel) {
      sum = std::fma(pixel[channel], weights[channel * Steps(s) + step], sum);
    });
    return sum;
  });
}

void ReferenceMaxPool(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const int64_t begin = FirstChannel(*call, call->part), end = FirstChannel(*call, call->part + 1);
  ForEachPosition(*call, 0, call->rows * call->images, [&](const float* image, int64_t oy, int64_t ox, float* y) {
    for (int64_t channel = begin; channel < end; ++channel) {
      bool any = false;
      float best = std::numeric_limits<float>::lowest();
      ForEachPixel(s, image, oy, ox, [&](int64_t, const float* pixel) {
        const float value = pixel[channel];
        if (!any || value > best || std::isnan(value)) best = value;
        any = true;
      });
      y[channel] = best;
    }
  });
}

bool ReferenceIsZero(const Activation& activation, float output) {
  return activation.kind == ActivationKind::kRelu ? !(output > 0) : output == 0;
}

float ReferenceActivate(const Activation& activation, float x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;
    case ActivationKind::kLeakyRelu:
      return x < 0 ? activation.a * x : x;
    case ActivationKind::kClip:
      return x < activation.a ? activation.a : x > activation.b ? activation.b : x;
  }
  return x;
}

}  // namespace halfwave::kernels
