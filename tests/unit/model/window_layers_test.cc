// Convolutions and pools over a grid of windows, each against loops in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "model/layers/conv.h"
#include "model/layers/pool.h"
#include "model/tensor/aligned_buffer.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using kernels::Window;

// Fills in the output's size; it is below 1 if the window does not fit.
Window Sized(Window w) {
  const auto out = [](int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride) {
    const int64_t room = in + pads - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
  };
  for (size_t d = 0; d < 3; ++d) {
    w.out[d] = out(w.size[d], w.pads_begin[d] + w.pads_end[d], w.kernel[d], w.dilations[d], w.strides[d]);
  }
  return w;
}

std::string Describe(const Window& w) {
  std::string text = std::to_string(w.channels) + " channels; size, kernel, strides, dilations, pads, out: ";
  for (const auto& sizes : {w.size, w.kernel, w.strides, w.dilations, w.pads_begin, w.pads_end, w.out}) {
    for (const int64_t v : sizes) text += std::to_string(v) + " ";
  }
  return text;
}

// x: [rows, height, width, channels]; weights: ONNX's order; y: [rows, out_height, out_width, out].
std::vector<double> PlainConv(const Window& w, int64_t group, int64_t out, const std::vector<float>& weights,
                              const std::vector<float>& bias, int64_t rows, const std::vector<float>& x) {
  std::vector<double> y;
  const int64_t in = w.channels / group;
  for (int64_t position = 0; position < rows * w.positions(); ++position) {
    const int64_t row = position / w.positions();
    const int64_t oy = position % w.positions() / w.out[2], ox = position % w.out[2];
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias[o];
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky) {
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
          const int64_t py = oy * w.strides[1] - w.pads_begin[1] + ky * w.dilations[1];
          const int64_t px = ox * w.strides[2] - w.pads_begin[2] + kx * w.dilations[2];
          if (py < 0 || py >= w.size[1] || px < 0 || px >= w.size[2]) continue;
          for (int64_t i = 0; i < in; ++i) {
            const int64_t channel = o / (out / group) * in + i;
            sum += static_cast<double>(x[((row * w.size[1] + py) * w.size[2] + px) * w.channels + channel]) *
                   weights[((o * in + i) * w.kernel[1] + ky) * w.kernel[2] + kx];
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
  AlignedBuffer scratch(layer.ScratchElements(rows));
  std::fill_n(scratch.data(), scratch.size(), std::numeric_limits<float>::quiet_NaN());
  const float* inputs[] = {x.data()};
  layer.Run({rows, inputs, y.data(), scratch.data()});
  return y;
}

void CheckConv(const Window& w, int64_t group, int64_t out, int64_t rows) {
  const auto x = Noise(rows * w.image_elements(), 1);
  const auto weights = Noise(out * (w.channels / group) * w.kernel[1] * w.kernel[2], 2);
  const auto bias = Noise(out, 3);
  const auto expected = PlainConv(w, group, out, weights, bias, rows, x);
  const auto y = RunLayer(Conv(w, group, out, weights, bias), rows, x, expected.size());
  // One chain of rounded sums as long as there are weights for an output.
  const double allowed = 1e-7 * static_cast<double>(weights.size()) / static_cast<double>(out) + 1e-5;
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], allowed)
        << "element " << i << ", " << Describe(w) << "group " << group << " out " << out;
  }
}

TEST(Conv, IsTheSumOverItsWindowForEveryGeometry) {
  int checked = 0;
  for (const int64_t kernel : {1, 2, 3}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t pad : {0, 1, 2}) {
          for (const int64_t group : {1, 2, 4}) {
            const Window w = Sized({.channels = 4,
                                    .size = {1, 5, 8},
                                    .kernel = {1, kernel, 4 - kernel},
                                    .strides = {1, stride, 4 - stride},
                                    .dilations = {1, dilation, 3 - dilation},
                                    .pads_begin = {0, pad, 2 - pad},
                                    .pads_end = {0, pad / 2, pad}});
            if (w.out[1] < 1 || w.out[2] < 1) continue;
            CheckConv(w, group, 8, 3);
            ++checked;
          }
        }
      }
    }
  }
  EXPECT_GT(checked, 100);
}

Window Square(int64_t size, int64_t channels, int64_t kernel, int64_t pad = 0, int64_t stride = 1) {
  return Sized({.channels = channels,
                .size = {1, size, size},
                .kernel = {1, kernel, kernel},
                .strides = {1, stride, stride},
                .pads_begin = {0, pad, pad},
                .pads_end = {0, pad, pad}});
}

TEST(Conv, IsRightForChannelsAroundAVectorsWidth) {
  for (const int64_t in : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67}) {
    for (const int64_t out : {1, 3, 8, 17, 67}) CheckConv(Square(4, in, 3, 1), 1, out, 2);
  }
}

TEST(Conv, OneByOneReadsTheImageItselfAlsoInGroupsAndAtOneRow) {
  for (const int64_t rows : {1, 2, 7}) {
    for (const int64_t group : {1, 2, 6}) {
      const Conv layer(Square(5, 6, 1), group, 12, std::vector<float>(72 / group), std::vector<float>(12));
      EXPECT_EQ(layer.ScratchElements(1000), layer.ScratchElements(100)) << "columns would need more";
      CheckConv(Square(5, 6, 1), group, 12, rows);
    }
    CheckConv(Square(5, 6, 1, 0, 2), 1, 4, rows);  // strided: not the image itself
    CheckConv(Square(5, 6, 1, 1), 1, 4, rows);     // padded: neither
  }
}

TEST(Conv, ManyBlocksOfColumnsGiveWhatOneWould) {
  // 600 columns of depth 12,800 exceed a block of 4 Mi elements: two blocks, the second not full.
  const Window deep = Square(12, 512, 5, 2);
  ASSERT_GT(5 * deep.positions() * 25 * 512, 2 * Conv::kMaxColumnElements);
  ASSERT_NE(5 * deep.positions() % (Conv::kMaxColumnElements / (25 * 512)), 0);
  CheckConv(deep, 1, 3, 5);
  // Groups write into the same outputs from each block.
  const Window large = Square(700, 4, 3, 1);
  ASSERT_GT(large.positions() * 9 * 2, 2 * Conv::kMaxColumnElements);
  CheckConv(large, 2, 2, 1);
}

TEST(Conv, ScratchNeverFallsAsRowsGrow) {
  const Conv layer(Square(40, 64, 3, 1), 1, 1, std::vector<float>(64 * 9), {0});
  int64_t before = 0;
  for (int64_t rows = 1; rows < 40; ++rows) {
    EXPECT_GE(layer.ScratchElements(rows), before);
    EXPECT_LE(layer.ScratchElements(rows), Conv::kMaxColumnElements * 11 / 10);  // the product needs some as well
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
            Window w = Sized({.channels = channels,
                              .size = {1, 7, 5},
                              .kernel = {1, kernel, std::max<int64_t>(kernel - 1, 1)},
                              .strides = {1, stride, 4 - stride},
                              .dilations = {1, dilation, 1},
                              .pads_begin = {0, pad, 0},
                              .pads_end = {0, 0, kernel > 2 ? pad : 0}});
            check(w);
            if (w.out[1] * stride < w.size[1] + pad) {
              ++w.out[1];
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

Seen Look(const Window& w, const std::vector<float>& x, int64_t row, int64_t oy, int64_t ox, int64_t channel) {
  Seen seen;
  for (int64_t ky = 0; ky < w.kernel[1]; ++ky) {
    for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
      const int64_t py = oy * w.strides[1] - w.pads_begin[1] + ky * w.dilations[1];
      const int64_t px = ox * w.strides[2] - w.pads_begin[2] + kx * w.dilations[2];
      seen.padded += py < w.size[1] + w.pads_end[1] && px < w.size[2] + w.pads_end[2] ? 1 : 0;
      if (py < 0 || py >= w.size[1] || px < 0 || px >= w.size[2]) continue;
      const double value = x[((row * w.size[1] + py) * w.size[2] + px) * w.channels + channel];
      seen.largest = std::max(seen.largest, value);
      seen.sum += value;
      ++seen.inside;
    }
  }
  return seen;
}

void CheckPool(const Window& w, const Layer& layer, const std::function<double(const Seen&)>& expected) {
  constexpr int64_t kRows = 2;
  const auto x = Noise(kRows * w.image_elements(), 4, -2, -1);  // below zero: padding must not win
  const auto y = RunLayer(layer, kRows, x, kRows * w.positions() * w.channels);
  for (size_t i = 0; i < y.size(); ++i) {
    const auto position = static_cast<int64_t>(i) / w.channels;
    const Seen seen = Look(w, x, position / w.positions(), position % w.positions() / w.out[2], position % w.out[2],
                           static_cast<int64_t>(i) % w.channels);
    ASSERT_NEAR(y[i], expected(seen), 1e-6) << "element " << i << ", " << Describe(w);
  }
}

TEST(MaxPool, TakesTheLargestElementAndNeverPadding) {
  ForEachPoolWindow([](const Window& w) { CheckPool(w, MaxPool(w), [](const Seen& seen) { return seen.largest; }); });
}

TEST(MaxPool, NanWinsWhereverItStands) {
  const Window w = Square(3, 1, 3);
  for (size_t at = 0; at < 9; ++at) {
    auto x = Noise(9, 1);
    x[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(RunLayer(MaxPool(w), 1, x, 1)[0])) << "at " << at;
  }
}

TEST(AveragePool, DividesByTheElementsInTheImage) {
  ForEachPoolWindow([](const Window& w) {
    CheckPool(w, AveragePool(w, false),
              [](const Seen& seen) { return seen.sum / static_cast<double>(std::max<int64_t>(seen.inside, 1)); });
  });
}

TEST(AveragePool, DividesByTheElementsInThePaddedImageIfPaddingCounts) {
  ForEachPoolWindow([](const Window& w) {
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
