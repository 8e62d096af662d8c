// The plain kernels at the end of the list: any processor runs them, and the others are compared with them.
#include <cmath>
#include <limits>

#include "model/kernels/isa/half.inc.h"
#include "model/kernels/isa/reference_image.h"
#include "model/kernels/isa/tables.h"

namespace halfwave::kernels {
namespace {

// Biases, and behind them one line of weights per input.
template <typename Weight>
int64_t PackedElements(int64_t in, int64_t out) {
  return out + FloatsFor<Weight>(in * out);
}

template <typename Weight>
void Pack(const DenseWeights* w, float* packed) {
  Weight* lines = reinterpret_cast<Weight*>(packed + w->out);
  const int64_t channels = w->in / w->positions;
  for (int64_t unit = 0; unit < w->out; ++unit) {
    packed[unit] = w->bias[unit];
    for (int64_t k = 0; k < w->in; ++k) {
      const int64_t input = k % channels * w->positions + k / channels;
      lines[k * w->out + unit] = ToWeight<Weight>(w->values[input * w->in_stride + unit * w->out_stride]);
    }
  }
}

int64_t ScratchElements(int64_t, int64_t) { return 0; }

template <typename Weight>
void Dense(const DenseCall* call) {
  const UnitCounts& counts = call->counts;
  const Weight* lines = reinterpret_cast<const Weight*>(call->packed + call->out);
  for (int64_t row = 0; row < call->rows; ++row) {
    const bool counted = counts.active != nullptr && (counts.skip == nullptr || counts.skip[row] == 0);
    for (int64_t unit = 0; unit < call->out; ++unit) {
      float sum = call->packed[unit];
      for (int64_t k = 0; k < call->in; ++k) {
        sum = std::fma(call->x[row * call->x_stride + k], ToFloat(lines[k * call->out + unit]), sum);
      }
      sum += 0.0f;
      const float out = ReferenceActivate(call->activation, sum);
      call->y[row * call->y_stride + unit] = out;
      if (!counted) continue;
      counts.active[unit] += sum > 0 ? 1 : 0;
      *counts.zeros += ReferenceIsZero(call->activation, out) ? 1 : 0;
    }
  }
}

float Element(ElementFunction function, float a, float b, float x) {
  const auto elu = [a](float v) { return v < 0 ? a * std::expm1(v) : v; };
  const auto softplus = [](float v) { return (v > 0 ? v : 0) + std::log1p(std::exp(-std::fabs(v))); };
  if (std::isnan(x)) return x;
  switch (function) {
    case ElementFunction::kRelu:
      return x < 0 ? 0 : x;
    case ElementFunction::kLeakyRelu:
      return x < 0 ? a * x : x;
    case ElementFunction::kElu:
      return elu(x);
    case ElementFunction::kSelu:
      return b * elu(x);
    case ElementFunction::kCelu:
      return x < 0 ? a * std::expm1(x / a) : x;
    case ElementFunction::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ElementFunction::kTanh:
      return std::tanh(x);
    case ElementFunction::kGeluTanh:
      return x / (1 + std::exp(-1.59576912160573071f * (x + 0.044715f * (x * x * x))));
    case ElementFunction::kSoftplus:
      return softplus(x);
    case ElementFunction::kMish:
      return (x > -100 ? x : -100) * std::tanh(softplus(x));
  }
  return x;
}

void Map(ElementFunction function, float a, float b, int64_t count, const float* x, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = Element(function, a, b, x[i]);
}

template <bool kLog>
void Softmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto limited = [](float value) { return !kLog && value > kLargest ? kLargest : value; };
  for (int64_t group = 0; group < groups * stride; ++group) {
    const int64_t start = group / stride * length * stride + group % stride;
    float max = -std::numeric_limits<float>::infinity();
    for (int64_t k = 0; k < length; ++k) max = limited(std::fmax(max, x[start + k * stride]));
    float sum = 0;
    for (int64_t k = 0; k < length; ++k) sum += std::exp(limited(x[start + k * stride]) - max);
    for (int64_t k = 0; k < length; ++k) {
      const float shifted = limited(x[start + k * stride]) - max;
      y[start + k * stride] = kLog ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  }
}

template <bool kHalf>
constexpr ConvKernels kConv = {ReferenceConvPackedElements<kHalf>, ReferenceConvPack<kHalf>,
                               ReferenceConvScratchElements, ReferenceConv<kHalf>};

}  // namespace

const KernelTable kReferenceKernels = {
    "reference",
    {PackedElements<float>, Pack<float>, ScratchElements, Dense<float>, /*panel=*/0},
    {PackedElements<Half>, Pack<Half>, ScratchElements, Dense<Half>, /*panel=*/0},
    {Map, Softmax<false>, Softmax<true>},
    {kConv<false>,
     kConv<true>,
     kConv<false>,
     kConv<true>,
     {ReferenceDepthwisePackedElements, ReferenceDepthwisePack, ReferenceConvScratchElements, ReferenceDepthwise},
     ReferenceMaxPool}};

}  // namespace halfwave::kernels
