// Normalisations, against their formulas in double precision.
#include "model/layers/normalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using Values = std::vector<double>;
constexpr int64_t kRows = 2;
constexpr int64_t kSizes[] = {1, 2, 3, 7, 8, 17, 67};

double Mean(const Values& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double Variance(const Values& values) {
  Values squares;
  for (const double v : values) squares.push_back((v - Mean(values)) * (v - Mean(values)));
  return Mean(squares);
}

double MeanSquare(const Values& values) {
  Values squares;
  for (const double v : values) squares.push_back(v * v);
  return Mean(squares);
}

// Elements far from zero compared with how they differ: a variance of squares would lose it.
std::vector<float> Offset(int64_t count) { return Noise(count, 1, 1000, 1002); }

// The layer's output against want(element index, its value, all values of its group).
void Check(const Layer& layer, const std::vector<float>& x, const std::function<int64_t(int64_t)>& group_of,
           const std::function<double(int64_t, double, const Values&)>& want) {
  const auto y = RunLayer(layer, kRows, {x}, x.size() / kRows);
  ASSERT_EQ(y.size(), x.size());
  std::map<int64_t, Values> groups;
  for (size_t i = 0; i < x.size(); ++i) groups[group_of(static_cast<int64_t>(i))].push_back(x[i]);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const double expected = want(at, x[i], groups[group_of(at)]);
    ASSERT_NEAR(y[i], expected, 2e-6 * std::max(1.0, std::abs(expected))) << "element " << i;
  }
  if (!layer.WorksInPlace()) return;
  auto in_place = x;
  const float* inputs[] = {in_place.data()};
  layer.Run({kRows, inputs, in_place.data(), nullptr});
  EXPECT_EQ(in_place, y);
}

TEST(LayerNorm, StandardisesTheLastDimensionAndScalesEachElement) {
  for (const int64_t groups : {0, 1, 3}) {
    for (const int64_t length : kSizes) {
      const auto x = Offset(kRows * groups * length), scale = Noise(length, 2), bias = Noise(length, 3);
      for (const bool affine : {false, true}) {
        const auto none = std::vector<float>();
        const auto group_of = [&](int64_t i) { return i / length; };
        const auto finish = [&](int64_t i, double v) { return affine ? v * scale[i % length] + bias[i % length] : v; };
        Check(LayerNorm(LayerNorm::Kind::kMeanAndVariance, groups, length, 1e-3f, affine ? scale : none,
                        affine ? bias : none),
              x, group_of, [&](int64_t i, double v, const Values& group) {
                return finish(i, (v - Mean(group)) / std::sqrt(Variance(group) + 1e-3f));
              });
        Check(LayerNorm(LayerNorm::Kind::kRootMeanSquare, groups, length, 1e-3f, affine ? scale : none,
                        affine ? bias : none),
              x, group_of, [&](int64_t i, double v, const Values& group) {
                return finish(i, v / std::sqrt(MeanSquare(group) + 1e-3f));
              });
      }
    }
  }
}

TEST(LayerNorm, OfEqualElementsIsTheBias) {
  const LayerNorm layer(LayerNorm::Kind::kMeanAndVariance, 1, 3, 1e-5f, {2, 3, 4}, {5, 6, 7});
  EXPECT_EQ(RunLayer(layer, 1, {{0.1f, 0.1f, 0.1f}}, 3), (std::vector<float>{5, 6, 7}));
}

TEST(GroupNorm, StandardisesEachGroupOfChannelsOfEachImage) {
  constexpr int64_t kImages = 3, kChannels = 6;
  const auto scale = Noise(kChannels, 2), bias = Noise(kChannels, 3);
  for (const int64_t groups : {1, 2, 3, 6}) {
    for (const int64_t positions : kSizes) {
      Check(
          GroupNorm(groups, kChannels, positions, 1e-3f, scale, bias, kImages),
          Offset(kRows * kImages * kChannels * positions),
          [&](int64_t i) { return i / (kChannels / groups * positions); },
          [&](int64_t i, double v, const Values& group) {
            const int64_t channel = i / positions % kChannels;
            return (v - Mean(group)) / std::sqrt(Variance(group) + 1e-3f) * scale[channel] + bias[channel];
          });
    }
  }
}

TEST(MeanVarianceNorm, StandardisesOverAnyAxes) {
  const std::vector<int64_t> shape = {3, 5, 2, 7};
  for (int set = 0; set < 16; ++set) {
    std::vector<int64_t> axes;
    for (int axis = 0; axis < 4; ++axis) {
      if ((set >> axis & 1) != 0) axes.push_back(axis);
    }
    Check(
        MeanVarianceNorm(shape, axes), Offset(kRows * 210),
        [&](int64_t i) {
          int64_t group = i / 210, rest = i % 210, stride = kRows;
          for (size_t axis = 4; axis-- > 0; rest /= shape[axis]) {
            if ((set >> axis & 1) == 0) group += rest % shape[axis] * stride;
            stride *= shape[axis];
          }
          return group;
        },
        [](int64_t, double v, const Values& group) { return (v - Mean(group)) / (std::sqrt(Variance(group)) + 1e-9); });
  }
}

TEST(LocalResponseNorm, DividesByTheChannelsAround) {
  constexpr int64_t kImages = 2;
  for (const int64_t channels : {1, 2, 5, 9}) {
    for (const int64_t positions : kSizes) {
      for (const int64_t size : {1, 2, 3, 4, 5, 20}) {
        const auto x = Noise(kRows * kImages * channels * positions, 1, -5, 5);
        Check(
            LocalResponseNorm(channels, positions, size, 0.5f, 0.75f, 2, kImages), x, [](int64_t i) { return i; },
            [&](int64_t i, double v, const Values&) {
              double squares = 0;
              for (int64_t c = 0; c < channels; ++c) {
                const int64_t distance = c - i / positions % channels;
                if (distance < -((size - 1) / 2) || distance > size / 2) continue;
                const double near = x[i + distance * positions];
                squares += near * near;
              }
              return v / std::pow(2 + 0.5 / static_cast<double>(size) * squares, 0.75);
            });
      }
    }
  }
}

TEST(LpNorm, MakesEachNormOneAndLeavesZeros) {
  for (const int64_t groups : {0, 1, 3}) {
    for (const int64_t length : kSizes) {
      for (const int64_t stride : {1, 2, 7}) {
        for (const int p : {1, 2}) {
          const auto x = Noise(groups * length * stride, 1);
          auto y = x;
          kernels::LpNorm(groups, length, stride, p, y.data(), y.data());
          for (int64_t i = 0; i < groups * length * stride; ++i) {
            double sum = 0;
            for (int64_t k = 0; k < length; ++k) {
              const double v = x[i / (length * stride) * length * stride + k * stride + i % stride];
              sum += p == 1 ? std::abs(v) : v * v;
            }
            ASSERT_NEAR(y[i], x[i] / (p == 1 ? sum : std::sqrt(sum)), 1e-6);
          }
        }
      }
    }
  }
  std::vector<float> zeros(3, 0.0f);
  kernels::LpNorm(1, 3, 1, 2, zeros.data(), zeros.data());
  EXPECT_EQ(zeros, std::vector<float>(3, 0.0f));
}

}  // namespace
}  // namespace halfwave
