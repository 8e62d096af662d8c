// Windows in one, two and three dimensions, over rows of several images, against loops in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/layers/conv.h"
#include "model/layers/pool.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using kernels::Window;
using Sizes = Window::Sizes;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kRows = 2, kImages = 3;

void ForEachOf(const Sizes& sizes, const std::function<void(const Sizes&)>& visit) {
  for (int64_t z = 0; z < sizes[0]; ++z) {
    for (int64_t y = 0; y < sizes[1]; ++y) {
      for (int64_t x = 0; x < sizes[2]; ++x) visit({z, y, x});
    }
  }
}

int64_t Index(const Sizes& sizes, const Sizes& at) { return (at[0] * sizes[1] + at[1]) * sizes[2] + at[2]; }

// Where step k of the window at `out` looks; false for padding.
bool Look(const Window& w, const Sizes& out, const Sizes& k, Sizes& at) {
  bool inside = true;
  for (size_t d = 0; d < 3; ++d) {
    at[d] = out[d] * w.strides[d] + k[d] * w.dilations[d] - w.pads_begin[d];
    inside = inside && at[d] >= 0 && at[d] < w.size[d];
  }
  return inside;
}

// Windows of every number of dimensions, with strides, dilations and uneven padding.
std::vector<Window> Windows(int64_t channels) {
  std::vector<Window> windows;
  for (size_t dimensions = 1; dimensions <= 3; ++dimensions) {
    for (const int64_t kernel : {1, 2, 3}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (const int64_t dilation : {1, 2}) {
          for (const int64_t pad : {0, 1}) {
            Window w;
            w.channels = channels;
            for (size_t d = 3 - dimensions; d < 3; ++d) {
              const auto step = static_cast<int64_t>(d);
              w.size[d] = 4 + step;
              w.kernel[d] = d == 1 ? 4 - kernel : kernel;
              w.strides[d] = d == 1 ? 4 - stride : stride;
              w.dilations[d] = d == 2 ? dilation : 3 - dilation;
              w.pads_begin[d] = d == 0 ? 1 - pad : pad;
              w.pads_end[d] = pad;
              const int64_t room = w.size[d] + w.pads_begin[d] + w.pads_end[d] - (w.kernel[d] - 1) * w.dilations[d] - 1;
              w.out[d] = room < 0 ? 0 : room / w.strides[d] + 1;
            }
            if (w.positions() > 0) windows.push_back(w);
          }
        }
      }
    }
  }
  EXPECT_GT(windows.size(), 60u);
  return windows;
}

TEST(Volume, ConvolvesInOneTwoAndThreeDimensions) {
  for (const int64_t group : {1, 2}) {
    for (const Window& w : Windows(4)) {
      constexpr int64_t kOut = 6;
      const int64_t in = w.channels / group;
      const auto x = Noise(kRows * kImages * w.image_elements(), 1), weights = Noise(kOut * in * w.steps(), 2);
      const auto bias = Noise(kOut, 3);
      const auto y = RunLayer(Conv(w, group, kOut, weights, bias, kImages), kRows, {x}, kImages * w.positions() * kOut);
      ASSERT_EQ(y.size(), kRows * kImages * w.positions() * kOut);
      for (int64_t image = 0; image < kRows * kImages; ++image) {
        ForEachOf(w.out, [&](const Sizes& out) {
          for (int64_t o = 0; o < kOut; ++o) {
            double sum = bias[o];
            ForEachOf(w.kernel, [&](const Sizes& k) {
              Sizes at;
              if (!Look(w, out, k, at)) return;
              for (int64_t i = 0; i < in; ++i) {
                const int64_t pixel = (image * w.image_positions() + Index(w.size, at)) * w.channels;
                sum += static_cast<double>(x[pixel + o / (kOut / group) * in + i]) *
                       weights[(o * in + i) * w.steps() + Index(w.kernel, k)];
              }
            });
            ASSERT_NEAR(y[(image * w.positions() + Index(w.out, out)) * kOut + o], sum, 1e-5);
          }
        });
      }
    }
  }
}

// A convolution and its transposition are the same sums with input and output exchanged.
TEST(ConvTranspose, AddsEachInputToWhatTheWindowAtItWouldSee) {
  for (const int64_t group : {1, 2}) {
    for (Window w : Windows(6)) {
      constexpr int64_t kIn = 4;
      const int64_t out = w.channels, group_out = out / group;
      w.size[2] += 1;  // output padding: nothing reaches it
      const Sizes large = w.size, small = w.out;
      Window turned = w;
      turned.channels = kIn;
      std::swap(turned.size, turned.out);
      const int64_t inputs = Window::Product(small), outputs = Window::Product(large);
      const auto x = Noise(kRows * kImages * inputs * kIn, 1), weights = Noise(kIn * group_out * w.steps(), 2);
      const auto bias = Noise(out, 3);
      std::vector<double> want;
      for (int64_t i = 0; i < kRows * kImages * outputs * out; ++i) want.push_back(bias[i % out]);
      for (int64_t image = 0; image < kRows * kImages; ++image) {
        ForEachOf(small, [&](const Sizes& from) {
          ForEachOf(w.kernel, [&](const Sizes& k) {
            Sizes at;
            if (!Look(w, from, k, at)) return;
            for (int64_t i = 0; i < kIn; ++i) {
              for (int64_t o = 0; o < group_out; ++o) {
                want[(image * outputs + Index(large, at)) * out + i / (kIn / group) * group_out + o] +=
                    static_cast<double>(x[(image * inputs + Index(small, from)) * kIn + i]) *
                    weights[(i * group_out + o) * w.steps() + Index(w.kernel, k)];
              }
            }
          });
        });
      }
      const auto y =
          RunLayer(ConvTranspose(turned, group, out, weights, bias, kImages), kRows, {x}, kImages * outputs * out);
      ASSERT_EQ(y.size(), want.size());
      for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], want[i], 1e-5);
    }
  }
}

// Calls check(output element, elements the window sees, their indices, elements of the padded image it sees).
template <typename Check>
void CheckPool(const Window& w, const Layer& layer, bool column_major, Check check) {
  auto x = Noise(kRows * kImages * w.image_elements(), 4, -4, 4);
  for (float& value : x) value = std::round(value);  // many ties
  const auto y = RunLayer(layer, kRows, {x}, kImages * w.positions() * w.channels);
  ASSERT_EQ(y.size(), kRows * kImages * w.positions() * w.channels);
  for (int64_t image = 0; image < kRows * kImages; ++image) {
    ForEachOf(w.out, [&](const Sizes& out) {
      for (int64_t c = 0; c < w.channels; ++c) {
        std::vector<double> seen;
        std::vector<int64_t> indices;
        int64_t padded = 0;
        ForEachOf(w.kernel, [&](const Sizes& k) {
          Sizes at;
          const bool inside = Look(w, out, k, at);
          bool in_padded = true;
          for (size_t d = 0; d < 3; ++d) in_padded = in_padded && at[d] < w.size[d] + w.pads_end[d];
          padded += in_padded ? 1 : 0;
          if (!inside) return;
          const Sizes turned = {at[2], at[1], at[0]}, turned_size = {w.size[2], w.size[1], w.size[0]};
          indices.push_back((image % kImages * w.channels + c) * w.image_positions() +
                            (column_major ? Index(turned_size, turned) : Index(w.size, at)));
          seen.push_back(x[(image * w.image_positions() + Index(w.size, at)) * w.channels + c]);
        });
        check(y[(image * w.positions() + Index(w.out, out)) * w.channels + c], seen, indices, padded);
      }
    });
  }
}

TEST(Volume, PoolsInOneTwoAndThreeDimensions) {
  using Values = std::vector<double>;
  using Indices = std::vector<int64_t>;
  for (const Window& w : Windows(3)) {
    CheckPool(w, MaxPool(w, kImages), false, [](float y, const Values& seen, const Indices&, int64_t) {
      ASSERT_EQ(y, seen.empty() ? std::numeric_limits<float>::lowest() : *std::max_element(seen.begin(), seen.end()));
    });
    for (const bool column_major : {false, true}) {
      CheckPool(w, MaxPoolIndices(w, column_major, kImages), column_major,
                [](float y, const Values& seen, const Indices& indices, int64_t) {
                  const auto best = std::max_element(seen.begin(), seen.end()) - seen.begin();
                  ASSERT_EQ(y, seen.empty() ? -1 : indices[best]);
                });
    }
    for (const bool count_padding : {false, true}) {
      CheckPool(w, AveragePool(w, count_padding, kImages), false,
                [&](float y, const Values& seen, const Indices&, int64_t padded) {
                  double sum = 0;
                  for (const double value : seen) sum += value;
                  const auto count = count_padding ? padded : static_cast<int64_t>(seen.size());
                  ASSERT_NEAR(y, sum / static_cast<double>(std::max<int64_t>(count, 1)), 1e-6);
                });
    }
    for (const float p : {1.0f, 2.0f, 3.0f}) {
      CheckPool(w, LpPool(w, p, kImages), false, [&](float y, const Values& seen, const Indices&, int64_t) {
        double sum = 0;
        for (const double value : seen) sum += std::pow(std::abs(value), p);
        ASSERT_NEAR(y, std::pow(sum, 1.0 / p), 1e-5);
      });
    }
  }
}

// The example of the ONNX operator specification: 2 x 2 windows of steps 2 over 1..25.
TEST(MaxPoolIndices, CountRowsOrColumnsFirst) {
  Window w;
  w.size = {1, 5, 5};
  w.kernel = w.strides = {1, 2, 2};
  w.out = {1, 2, 2};
  std::vector<float> x(25);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  EXPECT_EQ(RunLayer(MaxPoolIndices(w, false), 1, {x}, 4), (std::vector<float>{6, 8, 16, 18}));
  EXPECT_EQ(RunLayer(MaxPoolIndices(w, true), 1, {x}, 4), (std::vector<float>{6, 16, 8, 18}));
  x[0] = x[6] = kNan;
  EXPECT_EQ(RunLayer(MaxPoolIndices(w, false), 1, {x}, 4)[0], 0) << "the first NaN wins";
}

TEST(GlobalPools, TakeEachImageOfARowAlone) {
  for (const int64_t channels : {1, 3, 17}) {
    for (const int64_t positions : {1, 7, 64}) {
      const auto x = Noise(kRows * kImages * positions * channels, 1);
      const auto mean = RunLayer(GlobalAveragePool(positions, channels, kImages), kRows, {x}, kImages * channels);
      const auto max = RunLayer(GlobalMaxPool(positions, channels, kImages), kRows, {x}, kImages * channels);
      const auto cubic = RunLayer(GlobalLpPool(positions, channels, 3, kImages), kRows, {x}, kImages * channels);
      for (int64_t i = 0; i < kRows * kImages * channels; ++i) {
        double sum = 0, largest = -1, cubes = 0;
        for (int64_t p = 0; p < positions; ++p) {
          const double value = x[(i / channels * positions + p) * channels + i % channels];
          sum += value;
          largest = std::max(largest, value);
          cubes += std::pow(std::abs(value), 3);
        }
        ASSERT_NEAR(mean[i], sum / static_cast<double>(positions), 1e-6);
        ASSERT_EQ(max[i], largest);
        ASSERT_NEAR(cubic[i], std::cbrt(cubes), 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace halfwave
