// Convolutions and pools over a grid of windows, each against loops in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/layers/conv2d.h"
#include "model/layers/pool.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using kernels::Window2d;

// Fills in the output's size; it is below 1 if the window does not fit.
Window2d Sized(Window2d w) {
  const auto out = [](int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride) {
    const int64_t room = in + pads - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
  };
  w.out_height = out(w.height, w.pad_top + w.pad_bottom, w.kernel_height, w.dilation_y, w.stride_y);
  w.out_width = out(w.width, w.pad_left + w.pad_right, w.kernel_width, w.dilation_x, w.stride_x);
  return w;
}

std::string Describe(const Window2d& w) {
  std::string text;
  for (const int64_t v : {w.height, w.width, w.channels, w.kernel_height, w.kernel_width, w.stride_y, w.stride_x,
                          w.dilation_y, w.dilation_x, w.pad_top, w.pad_left, w.pad_bottom, w.pad_right}) {
    text += std::to_string(v) + " ";
  }
  return "height, width, channels, kernel, stride, dilation, pads: " + text;
}

// x: [rows, height, width, channels]; weights: ONNX's order; y: [rows, out_height, out_width, out].
std::vector<double> PlainConv(const Window2d& w, int64_t group, int64_t out, const std::vector<float>& weights,
                              const std::vector<float>& bias, int64_t rows, const std::vector<float>& x) {
  std::vector<double> y;
  const int64_t in = w.channels / group;
  for (int64_t position = 0; position < rows * w.positions(); ++position) {
    const int64_t row = position / w.positions();
    const int64_t oy = position % w.positions() / w.out_width, ox = position % w.out_width;
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias[o];
      for (int64_t ky = 0; ky < w.kernel_height; ++ky) {
        for (int64_t kx = 0; kx < w.kernel_width; ++kx) {
          const int64_t py = oy * w.stride_y - w.pad_top + ky * w.dilation_y;
          const int64_t px = ox * w.stride_x - w.pad_left + kx * w.dilation_x;
          if (py < 0 || py >= w.height || px < 0 || px >= w.width) continue;
          for (int64_t i = 0; i < in; ++i) {
            const int64_t channel = o / (out / group) * in + i;
            sum += static_cast<double>(x[((row * w.height + py) * w.width + px) * w.channels + channel]) *
                   weights[((o * in + i) * w.kernel_height + ky) * w.kernel_width + kx];
          }
        }
      }
      y.push_back(sum);
    }
  }
  return y;
}

std::vector<float> RunLayer(const Layer& layer, int64_t rows, const std::vector<float>& x, size_t outputs) {
  std::vector<float> y(outputs, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> scratch(layer.ScratchElements(rows), std::numeric_limits<float>::quiet_NaN());
  const float* inputs[] = {x.data()};
  layer.Run({rows, inputs, y.data(), scratch.data()});
  return y;
}

void CheckConv(const Window2d& w, int64_t group, int64_t out, int64_t rows) {
  const auto x = Noise(rows * w.image_elements(), 1);
  const auto weights = Noise(out * (w.channels / group) * w.kernel_height * w.kernel_width, 2);
  const auto bias = Noise(out, 3);
  const auto expected = PlainConv(w, group, out, weights, bias, rows, x);
  const auto y = RunLayer(Conv2d(w, group, out, weights, bias), rows, x, expected.size());
  const double allowed = 1e-6 * std::sqrt(static_cast<double>(weights.size())) + 1e-5;
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], allowed)
        << "element " << i << ", " << Describe(w) << "group " << group << " out " << out;
  }
}

TEST(Conv2d, IsTheSumOverItsWindowForEveryGeometry) {
  int checked = 0;
  for (const int64_t kernel : {1, 2, 3}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t pad : {0, 1, 2}) {
          for (const int64_t group : {1, 2, 4}) {
            const Window2d w = Sized({.height = 5,
                                      .width = 8,
                                      .channels = 4,
                                      .kernel_height = kernel,
                                      .kernel_width = 4 - kernel,
                                      .stride_y = stride,
                                      .stride_x = 4 - stride,
                                      .dilation_y = dilation,
                                      .dilation_x = 3 - dilation,
                                      .pad_top = pad,
                                      .pad_left = 2 - pad,
                                      .pad_bottom = pad / 2,
                                      .pad_right = pad,
                                      .out_height = 0,
                                      .out_width = 0});
            if (w.out_height < 1 || w.out_width < 1) continue;
            CheckConv(w, group, 8, 3);
            ++checked;
          }
        }
      }
    }
  }
  EXPECT_GT(checked, 100);
}

Window2d Square(int64_t size, int64_t channels, int64_t kernel, int64_t pad = 0, int64_t stride = 1) {
  return Sized({.height = size,
                .width = size,
                .channels = channels,
                .kernel_height = kernel,
                .kernel_width = kernel,
                .stride_y = stride,
                .stride_x = stride,
                .dilation_y = 1,
                .dilation_x = 1,
                .pad_top = pad,
                .pad_left = pad,
                .pad_bottom = pad,
                .pad_right = pad,
                .out_height = 0,
                .out_width = 0});
}

TEST(Conv2d, IsRightForChannelsAroundAVectorsWidth) {
  for (const int64_t in : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67}) {
    for (const int64_t out : {1, 3, 8, 17, 67}) CheckConv(Square(4, in, 3, 1), 1, out, 2);
  }
}

TEST(Conv2d, OneByOneReadsTheImageItselfAlsoInGroupsAndAtOneRow) {
  for (const int64_t rows : {1, 2, 7}) {
    for (const int64_t group : {1, 2, 6}) {
      EXPECT_EQ(Conv2d(Square(5, 6, 1), group, 12, std::vector<float>(72 / group), std::vector<float>(12))
                    .ScratchElements(rows),
                0);
      CheckConv(Square(5, 6, 1), group, 12, rows);
    }
    CheckConv(Square(5, 6, 1, 0, 2), 1, 4, rows);  // strided: not the image itself
    CheckConv(Square(5, 6, 1, 1), 1, 4, rows);     // padded: neither
  }
}

TEST(Conv2d, ManyBlocksOfColumnsGiveWhatOneWould) {
  // 600 columns of depth 12,800 exceed a block of 4 Mi elements: two blocks, the second not full.
  const Window2d deep = Square(12, 512, 5, 2);
  ASSERT_GT(5 * deep.positions() * 25 * 512, 2 * Conv2d::kMaxColumnElements);
  ASSERT_NE(5 * deep.positions() % (Conv2d::kMaxColumnElements / (25 * 512)), 0);
  CheckConv(deep, 1, 3, 5);
  // Groups write into the same outputs from each block.
  const Window2d large = Square(700, 4, 3, 1);
  ASSERT_GT(large.positions() * 9 * 2, 2 * Conv2d::kMaxColumnElements);
  CheckConv(large, 2, 2, 1);
}

TEST(Conv2d, ScratchNeverFallsAsRowsGrow) {
  const Conv2d layer(Square(40, 64, 3, 1), 1, 1, std::vector<float>(64 * 9), {0});
  int64_t before = 0;
  for (int64_t rows = 1; rows < 40; ++rows) {
    EXPECT_GE(layer.ScratchElements(rows), before);
    EXPECT_LE(layer.ScratchElements(rows), Conv2d::kMaxColumnElements);
    before = layer.ScratchElements(rows);
  }
}

// Calls check for each pooling window of a grid; the last output may hang over the edge, as ceil_mode makes it.
template <typename Check>
void ForEachPoolWindow(Check check) {
  for (const int64_t channels : {1, 3, 8, 17}) {
    for (const int64_t kernel : {1, 2, 3}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (const int64_t dilation : {1, 2}) {
          for (const int64_t pad : {0, 1}) {
            if (pad >= kernel) continue;
            Window2d w = Sized({.height = 7,
                                .width = 5,
                                .channels = channels,
                                .kernel_height = kernel,
                                .kernel_width = std::max<int64_t>(kernel - 1, 1),
                                .stride_y = stride,
                                .stride_x = 4 - stride,
                                .dilation_y = dilation,
                                .dilation_x = 1,
                                .pad_top = pad,
                                .pad_left = 0,
                                .pad_bottom = 0,
                                .pad_right = kernel > 2 ? pad : 0,
                                .out_height = 0,
                                .out_width = 0});
            check(w);
            if (w.out_height * stride < w.height + pad) {
              ++w.out_height;
              check(w);
            }
          }
        }
      }
    }
  }
}

// Largest, sum, elements seen and elements of the padded image, of one window.
struct Seen {
  double largest = std::numeric_limits<float>::lowest(), sum = 0;
  int64_t inside = 0, padded = 0;
};

Seen Look(const Window2d& w, const std::vector<float>& x, int64_t row, int64_t oy, int64_t ox, int64_t channel) {
  Seen seen;
  for (int64_t ky = 0; ky < w.kernel_height; ++ky) {
    for (int64_t kx = 0; kx < w.kernel_width; ++kx) {
      const int64_t py = oy * w.stride_y - w.pad_top + ky * w.dilation_y;
      const int64_t px = ox * w.stride_x - w.pad_left + kx * w.dilation_x;
      seen.padded += py < w.height + w.pad_bottom && px < w.width + w.pad_right ? 1 : 0;
      if (py < 0 || py >= w.height || px < 0 || px >= w.width) continue;
      const double value = x[((row * w.height + py) * w.width + px) * w.channels + channel];
      seen.largest = std::max(seen.largest, value);
      seen.sum += value;
      ++seen.inside;
    }
  }
  return seen;
}

void CheckPool(const Window2d& w, const Layer& layer, const std::function<double(const Seen&)>& expected) {
  constexpr int64_t kRows = 2;
  const auto x = Noise(kRows * w.image_elements(), 4, -2, -1);  // below zero: padding must not win
  const auto y = RunLayer(layer, kRows, x, kRows * w.positions() * w.channels);
  for (size_t i = 0; i < y.size(); ++i) {
    const auto position = static_cast<int64_t>(i) / w.channels;
    const Seen seen = Look(w, x, position / w.positions(), position % w.positions() / w.out_width,
                           position % w.out_width, static_cast<int64_t>(i) % w.channels);
    ASSERT_NEAR(y[i], expected(seen), 1e-6) << "element " << i << ", " << Describe(w) << "out " << w.out_height;
  }
}

TEST(MaxPool, TakesTheLargestElementAndNeverPadding) {
  ForEachPoolWindow([](const Window2d& w) { CheckPool(w, MaxPool(w), [](const Seen& seen) { return seen.largest; }); });
}

TEST(MaxPool, NanWinsWhereverItStands) {
  const Window2d w = Square(3, 1, 3);
  for (size_t at = 0; at < 9; ++at) {
    auto x = Noise(9, 1);
    x[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(RunLayer(MaxPool(w), 1, x, 1)[0])) << "at " << at;
  }
}

TEST(AveragePool, DividesByTheElementsInTheImage) {
  ForEachPoolWindow([](const Window2d& w) {
    CheckPool(w, AveragePool(w, false),
              [](const Seen& seen) { return seen.sum / static_cast<double>(std::max<int64_t>(seen.inside, 1)); });
  });
}

TEST(AveragePool, DividesByTheElementsInThePaddedImageIfPaddingCounts) {
  ForEachPoolWindow([](const Window2d& w) {
    CheckPool(w, AveragePool(w, true), [](const Seen& seen) { return seen.sum / static_cast<double>(seen.padded); });
  });
}

TEST(GlobalAveragePool, IsTheMeanOverAllPositions) {
  for (const int64_t channels : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67}) {
    for (const int64_t positions : {1, 2, 49, 67}) {
      const auto x = Noise(3 * positions * channels, 1);
      const auto y = RunLayer(GlobalAveragePool(positions, channels), 3, x, 3 * channels);
      for (size_t i = 0; i < y.size(); ++i) {
        double sum = 0;
        for (int64_t p = 0; p < positions; ++p) sum += x[(i / channels * positions + p) * channels + i % channels];
        EXPECT_NEAR(y[i], sum / static_cast<double>(positions), 1e-6);
      }
    }
  }
}

}  // namespace
}  // namespace halfwave
