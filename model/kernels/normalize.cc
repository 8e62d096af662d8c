#include "model/kernels/normalize.h"

#include <algorithm>
#include <cmath>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

struct Statistics {
  double mean = 0, variance = 0;
};

// each(visit) calls visit(element) for every element.
template <typename Each>
Statistics Measure(double count, Each each) {
  Statistics result;
  each([&](double v) { result.mean += v; });
  result.mean /= count;
  each([&](double v) { result.variance += (v - result.mean) * (v - result.mean); });
  result.variance /= count;
  return result;
}

Statistics Measure(int64_t count, const float* x) {
  return Measure(static_cast<double>(count), [=](auto visit) { std::for_each(x, x + count, visit); });
}

// y = (x - mean) * factor * scale[i] + bias[i]
void Rescale(int64_t count, double mean, double factor, const float* scale, const float* bias, const float* x,
             float* y) {
  for (int64_t i = 0; i < count; ++i) {
    const double value = (x[i] - mean) * factor;
    y[i] = static_cast<float>(value * (scale == nullptr ? 1 : scale[i]) + (bias == nullptr ? 0 : bias[i]));
  }
}

}  // namespace

void LayerNorm(int64_t groups, int64_t length, float epsilon, const float* scale, const float* bias, const float* x,
               float* y) {
  for (int64_t group = 0; group < groups; ++group, x += length, y += length) {
    const Statistics s = Measure(length, x);
    Rescale(length, s.mean, 1 / std::sqrt(s.variance + epsilon), scale, bias, x, y);
  }
}

void Moments(int64_t groups, int64_t length, float epsilon, const float* x, float* mean, float* inverse_deviation) {
  for (int64_t group = 0; group < groups; ++group, x += length) {
    const Statistics s = Measure(length, x);
    if (mean != nullptr) mean[group] = static_cast<float>(s.mean);
    if (inverse_deviation != nullptr)
      inverse_deviation[group] = static_cast<float>(1 / std::sqrt(s.variance + epsilon));
  }
}

void RmsNorm(int64_t groups, int64_t length, float epsilon, const float* scale, const float* bias, const float* x,
             float* y) {
  for (int64_t group = 0; group < groups; ++group, x += length, y += length) {
    double squares = 0;
    for (int64_t i = 0; i < length; ++i) squares += static_cast<double>(x[i]) * x[i];
    Rescale(length, 0, 1 / std::sqrt(squares / static_cast<double>(length) + epsilon), scale, bias, x, y);
  }
}

void GroupNorm(int64_t images, int64_t groups, int64_t channels, int64_t positions, float epsilon, const float* scale,
               const float* bias, const float* x, float* y) {
  const int64_t group_channels = channels / groups, elements = group_channels * positions;
  for (int64_t group = 0; group < images * groups; ++group) {
    const Statistics s = Measure(elements, x);
    const double factor = 1 / std::sqrt(s.variance + epsilon);
    for (int64_t i = 0; i < group_channels; ++i, x += positions, y += positions) {
      const int64_t channel = group % groups * group_channels + i;
      for (int64_t k = 0; k < positions; ++k) {
        y[k] = static_cast<float>((x[k] - s.mean) * factor * scale[channel] + bias[channel]);
      }
    }
  }
}

void MeanVarianceNorm(int64_t rows, int64_t row_elements, std::span<const Loop<1>> kept,
                      std::span<const Loop<1>> reduced, const float* x, float* y) {
  constexpr double kEpsilon = 1e-9;
  double count = 1;
  for (const Loop<1>& loop : reduced) count *= static_cast<double>(loop.size);
  const auto normalize = [&](const float* first) {
    // Calls visit for every element of the group that begins at `first`.
    const auto each = [&](auto visit) {
      auto inner = [&](const Loop<1>& loop, const std::array<const float*, 1>& data) {
        for (int64_t i = 0; i < loop.size; ++i) visit(data[0][i * loop.strides[0]]);
      };
      ForEachInnerLoop<1>(reduced, {first}, inner);
    };
    const Statistics s = Measure(count, each);
    const double factor = 1 / (std::sqrt(s.variance) + kEpsilon);
    auto write = [&](const Loop<1>& loop, const std::array<const float*, 1>& data) {
      float* out = y + (data[0] - x);
      for (int64_t i = 0; i < loop.size; ++i) {
        const int64_t at = i * loop.strides[0];
        out[at] = static_cast<float>((data[0][at] - s.mean) * factor);
      }
    };
    ForEachInnerLoop<1>(reduced, {first}, write);
  };
  auto visit = [&](const Loop<1>& loop, const std::array<const float*, 1>& data) {
    for (int64_t i = 0; i < loop.size; ++i) normalize(data[0] + i * loop.strides[0]);
  };
  for (int64_t row = 0; row < rows; ++row) ForEachInnerLoop<1>(kept, {x + row * row_elements}, visit);
}

void LocalResponseNorm(int64_t images, int64_t channels, int64_t positions, int64_t size, float alpha, float beta,
                       float bias, const float* x, float* y) {
  using Array = Eigen::ArrayXf;
  for (int64_t image = 0; image < images; ++image, x += channels * positions) {
    for (int64_t channel = 0; channel < channels; ++channel, y += positions) {
      Eigen::Map<Array> out(y, positions);
      out.setZero();
      const int64_t end = std::min(channels, channel + size / 2 + 1);
      for (int64_t near = std::max<int64_t>(0, channel - (size - 1) / 2); near < end; ++near) {
        out += Eigen::Map<const Array>(x + near * positions, positions).square();
      }
      const float* in = x + channel * positions;
      const float share = alpha / static_cast<float>(size);
      for (int64_t i = 0; i < positions; ++i) y[i] = in[i] / std::pow(bias + share * y[i], beta);
    }
  }
}

void LpNorm(int64_t groups, int64_t length, int64_t stride, int p, const float* x, float* y) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t offset = 0; offset < stride; ++offset) {
      const int64_t start = group * length * stride + offset;
      double sum = 0;
      for (int64_t i = 0; i < length; ++i) {
        const double value = x[start + i * stride];
        sum += p == 1 ? std::abs(value) : value * value;
      }
      const double norm = p == 1 ? sum : std::sqrt(sum);
      for (int64_t i = 0; i < length; ++i) {
        const int64_t at = start + i * stride;
        y[at] = norm == 0 ? 0.0f : static_cast<float>(x[at] / norm);
      }
    }
  }
}

}  // namespace halfwave::kernels
