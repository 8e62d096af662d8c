// Each kernel against the formula in double precision, at sizes around the width of a vector register.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/kernels/count.h"
#include "model/kernels/elementwise.h"
#include "model/kernels/matmul.h"
#include "model/kernels/strided_copy.h"
#include "model/kernels/transpose.h"
#include "model/kernels/window.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

constexpr int64_t kSizes[] = {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67};
constexpr int64_t kSizesAndNone[] = {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(MatMul, AZeroDoesNotHideNan) {
  const std::vector<float> a = {kNan, 1}, b = {0, 0};
  float y = 0;
  kernels::MatMul(1, 2, 1, a.data(), b.data(), &y);
  EXPECT_TRUE(std::isnan(y));
}

struct Function {
  const char* name;
  std::function<void(int64_t, const float*, float*)> kernel;
  std::function<double(double)> formula;
};

const std::vector<Function>& Functions() {
  const auto elu = [](double alpha) { return [=](double x) { return x < 0 ? alpha * std::expm1(x) : x; }; };
  static const auto& functions = *new std::vector<Function>{
      {"Relu", kernels::Relu, [](double x) { return x < 0 ? 0 : x; }},
      {"LeakyRelu", [](int64_t n, const float* x, float* y) { kernels::LeakyRelu(n, 0.01f, x, y); },
       [](double x) { return x < 0 ? 0.01f * x : x; }},
      {"Elu", [](int64_t n, const float* x, float* y) { kernels::Elu(n, 1.5f, x, y); }, elu(1.5)},
      {"Selu", [](int64_t n, const float* x, float* y) { kernels::Selu(n, 1.5f, 1.25f, x, y); },
       [=](double x) { return 1.25 * elu(1.5)(x); }},
      {"Sigmoid", kernels::Sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Tanh", kernels::Tanh, [](double x) { return std::tanh(x); }},
      {"Celu", [](int64_t n, const float* x, float* y) { kernels::Celu(n, 1.5f, x, y); },
       [](double x) { return x < 0 ? 1.5 * std::expm1(x / 1.5) : x; }},
      {"Gelu", kernels::Gelu, [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }},
      {"GeluTanh", kernels::GeluTanh,
       [](double x) { return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }},
      {"HardSigmoid", [](int64_t n, const float* x, float* y) { kernels::HardSigmoid(n, 0.25f, 0.375f, x, y); },
       [](double x) { return x < -1.5  ? 0
                             : x > 2.5 ? 1
                                       : 0.25 * x + 0.375; }},
      {"HardSwish", kernels::HardSwish, [](double x) { return x * std::max(0.0, std::min(1.0, x / 6 + 0.5)); }},
      {"Mish", kernels::Mish,
       [](double x) { return x * std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)))); }},
      {"Softplus", kernels::Softplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
      {"Softsign", kernels::Softsign, [](double x) { return x / (1 + std::abs(x)); }},
      {"ThresholdedRelu", [](int64_t n, const float* x, float* y) { kernels::ThresholdedRelu(n, 1.5f, x, y); },
       [](double x) { return x > 1.5 ? x : 0; }},
      {"Clip", [](int64_t n, const float* x, float* y) { kernels::Clip(n, -1, 2, x, y); },
       [](double x) { return std::min(2.0, std::max(-1.0, x)); }}};
  return functions;
}

TEST(Activation, FollowsItsFormulaAtEverySizeAndInPlace) {
  for (const Function& f : Functions()) {
    for (const int64_t size : kSizesAndNone) {
      const auto x = Noise(size, 7, -6, 6);
      std::vector<float> y(size + 1, 42.0f), in_place = x;
      f.kernel(size, x.data(), y.data());
      f.kernel(size, in_place.data(), in_place.data());
      for (int64_t i = 0; i < size; ++i) {
        EXPECT_NEAR(y[i], f.formula(x[i]), 1e-6 * std::max(1.0, std::abs(f.formula(x[i]))))
            << f.name << "(" << x[i] << ")";
        EXPECT_EQ(y[i], in_place[i]) << f.name;
      }
      EXPECT_EQ(y[size], 42.0f) << f.name << " wrote behind " << size << " elements";
    }
  }
}

// The same argument fills a vector register and its tail.
TEST(Activation, LargeAndTinyArgumentsNeitherOverflowNorLoseThemselves) {
  const std::vector<float> arguments = {0.0f,  1e-8f,  -1e-8f, 1e-30f, -1e-30f, 5,     -5,     10,    -10,
                                        17,    -17,    20,     -20,    88,      -88,   89,     -89,   104,
                                        -104,  1000,   -1000,  1e30f,  -1e30f,  3e38f, -3e38f, 0.25f, -0.25f,
                                        1e-3f, -1e-3f, -9.5f,  9.5f,   -16,     16};
  for (const Function& f : Functions()) {
    for (const float argument : arguments) {
      const std::vector<float> x(19, argument);
      std::vector<float> y(x.size());
      f.kernel(19, x.data(), y.data());
      const double want = f.formula(argument);
      if (std::abs(want) > std::numeric_limits<float>::max()) continue;  // Selu may scale past the largest float
      for (const float value : y) {
        EXPECT_NEAR(value, want, 2e-6 * std::abs(want) + 1e-8) << f.name << "(" << argument << ")";
      }
    }
  }
}

TEST(Activation, InfinitiesGoWhereTheFormulaSays) {
  for (const Function& f : Functions()) {
    for (const float argument : {kInfinity, -kInfinity}) {
      if (std::string_view(f.name) == "LeakyRelu" && argument < 0) continue;
      const std::vector<float> x(19, argument);
      std::vector<float> y(x.size());
      f.kernel(19, x.data(), y.data());
      const double want = f.formula(argument);
      if (std::isnan(want)) continue;  // infinity times zero, or divided by itself
      for (const float value : y) {
        if (std::isinf(want)) {
          EXPECT_EQ(value, want) << f.name << "(" << argument << ")";
        } else {
          EXPECT_NEAR(value, want, 1e-6) << f.name << "(" << argument << ")";
        }
      }
    }
  }
}

TEST(Activation, NanStaysNanThroughEveryOne) {
  for (const Function& f : Functions()) {
    const std::vector<float> x(19, kNan);
    std::vector<float> y(x.size(), 0.0f);
    f.kernel(19, x.data(), y.data());
    for (size_t i = 0; i < y.size(); ++i) EXPECT_TRUE(std::isnan(y[i])) << f.name << ", element " << i << ": " << y[i];
  }
}

TEST(Clip, TheUpperBoundWinsOverALowerOneAboveIt) {
  const std::vector<float> x = {-5, 0, 2.5f, 5, 7, -7, 1};
  std::vector<float> y(x.size());
  kernels::Clip(static_cast<int64_t>(x.size()), 3, 2, x.data(), y.data());
  EXPECT_EQ(y, std::vector<float>(x.size(), 2.0f));
}

TEST(RowWise, EveryElementOfARowHasItsOwnConstant) {
  for (const int64_t rows : kSizesAndNone) {
    for (const int64_t elements : kSizes) {
      const auto x = Noise(rows * elements, 1), a = Noise(elements, 2), b = Noise(elements, 3);
      std::vector<float> scaled = x;
      kernels::ScaleRows(rows, elements, a.data(), b.data(), scaled.data(), scaled.data());
      for (int64_t i = 0; i < rows * elements; ++i) {
        const double v = x[i], scale = a[i % elements], shift = b[i % elements];
        EXPECT_NEAR(scaled[i], scale * v + shift, 1e-6);
      }
    }
  }
}

TEST(LogSoftmax, IsTheLogarithmOfSoftmaxAndKeepsWhatWouldRoundToZero) {
  for (const int64_t groups : {int64_t{0}, int64_t{1}, int64_t{3}}) {
    for (const int64_t length : kSizes) {
      for (const int64_t stride : {1, 2, 7, 8}) {
        const auto x = Noise(groups * length * stride, 5, -300, 300);
        std::vector<float> y(x.size());
        kernels::LogSoftmax(groups, length, stride, x.data(), y.data());
        for (int64_t g = 0; g < groups; ++g) {
          for (int64_t s = 0; s < stride; ++s) {
            const auto at = [&](int64_t i) { return (g * length + i) * stride + s; };
            double sum = 0;
            for (int64_t i = 0; i < length; ++i) sum += std::exp(static_cast<double>(x[at(i)]));
            for (int64_t i = 0; i < length; ++i) {
              ASSERT_NEAR(y[at(i)], x[at(i)] - std::log(sum), 1e-4) << length << " by " << stride;
            }
          }
        }
      }
    }
  }
}

TEST(GlobalMaxPool, TakesTheLargestOverAllPositionsAndNanWins) {
  for (const int64_t channels : kSizes) {
    for (const int64_t positions : kSizes) {
      auto x = Noise(2 * positions * channels, 1);
      x[(positions - 1) * channels] = kNan;  // of image 0, channel 0
      std::vector<float> y(2 * channels);
      kernels::GlobalMaxPool(2, positions, channels, x.data(), y.data());
      EXPECT_TRUE(std::isnan(y[0]));
      for (int64_t i = 1; i < 2 * channels; ++i) {
        float want = -kInfinity;
        for (int64_t p = 0; p < positions; ++p) {
          want = std::max(want, x[(i / channels * positions + p) * channels + i % channels]);
        }
        EXPECT_EQ(y[i], want);
      }
    }
  }
}

TEST(StridedCopy, GathersByOffsetAndStridesRowByRow) {
  const auto x = Noise(2 * 24, 1);                                      // rows of [2, 3, 4]
  const std::vector<int64_t> shape = {2, 2, 3}, strides = {-2, 12, 4};  // dimensions 2, 0, 1; the first backwards
  std::vector<float> y(2 * 12);
  kernels::StridedCopy(2, 24, shape, strides, 3, x.data(), y.data());
  for (int64_t row = 0, i = 0; row < 2; ++row) {
    for (int64_t a = 0; a < 2; ++a) {
      for (int64_t b = 0; b < 2; ++b) {
        for (int64_t c = 0; c < 3; ++c, ++i) EXPECT_EQ(y[i], x[row * 24 + b * 12 + c * 4 + 3 - 2 * a]);
      }
    }
  }
}

TEST(Softmax, IsTheShareOfEachExponential) {
  for (const int64_t groups : {int64_t{0}, int64_t{1}, int64_t{3}}) {
    for (const int64_t length : kSizes) {
      for (const int64_t stride : {1, 2, 7, 8}) {
        const auto x = Noise(groups * length * stride, 5, -8, 8);
        std::vector<float> y(x.size());
        kernels::Softmax(groups, length, stride, x.data(), y.data());
        for (int64_t g = 0; g < groups; ++g) {
          for (int64_t s = 0; s < stride; ++s) {
            const auto at = [&](int64_t i) { return (g * length + i) * stride + s; };
            double sum = 0;
            for (int64_t i = 0; i < length; ++i) sum += std::exp(static_cast<double>(x[at(i)]));
            for (int64_t i = 0; i < length; ++i) {
              ASSERT_NEAR(y[at(i)], std::exp(static_cast<double>(x[at(i)])) / sum, 1e-6) << length << " by " << stride;
            }
          }
        }
      }
    }
  }
}

TEST(Softmax, SumsToOneHoweverLargeTheLogits) {
  for (const int64_t length : kSizes) {
    for (const float scale : {0.0f, 1.0f, 100.0f, 1e10f, 1.5e38f}) {
      for (const float shift : {0.0f, 1.5e38f, -1.5e38f}) {
        auto y = Noise(length, 3);
        for (float& value : y) value = value * scale + shift;
        kernels::Softmax(1, length, 1, y.data(), y.data());
        double sum = 0;
        for (const float value : y) sum += value;
        EXPECT_NEAR(sum, 1, 1e-6) << length << " logits times " << scale << " plus " << shift;
      }
    }
  }
}

TEST(TransposeImages, SwapsRowsAndColumnsOfEachImage) {
  for (const int64_t images : {0, 1, 3}) {
    for (const int64_t rows : kSizes) {
      for (const int64_t columns : kSizes) {
        const auto x = Noise(images * rows * columns, 1);
        std::vector<float> y(x.size());
        kernels::TransposeImages(images, rows, columns, x.data(), y.data());
        for (int64_t i = 0; i < images * rows * columns; ++i) {
          const int64_t image = i / (rows * columns), row = i / columns % rows, column = i % columns;
          ASSERT_EQ(y[(image * columns + column) * rows + row], x[i]) << rows << "x" << columns;
        }
      }
    }
  }
}

TEST(CountActive, CountsRowsOnWhichAUnitIsPositiveSomewhere) {
  for (const int64_t rows : kSizesAndNone) {
    for (const int64_t units : kSizes) {
      for (const int64_t positions : {1, 2, 9, 17}) {
        // [rows, positions, units], mostly below zero, with exact zeros among it
        auto x = Noise(rows * units * positions, 11, -1, 0.1f);
        for (size_t i = 0; i < x.size(); i += 5) x[i] = 0;
        std::vector<uint8_t> skip(rows), seen(units, 99);
        for (int64_t r = 0; r < rows; ++r) skip[r] = r % 3 == 1 ? 7 : 0;
        for (const bool skipping : {false, true}) {
          std::vector<uint32_t> active(units, 1000), expected(units, 1000), row_major(units, 1000);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t u = 0; u < units; ++u) {
              bool positive = false;
              for (int64_t p = 0; p < positions; ++p) positive |= x[(r * positions + p) * units + u] > 0;
              expected[u] += positive && !(skipping && skip[r] != 0) ? 1 : 0;
            }
          }
          const uint8_t* mask = skipping ? skip.data() : nullptr;
          kernels::CountActive(rows, 1, units, positions, true, mask, x.data(), seen.data(), active.data());
          EXPECT_EQ(active, expected) << rows << " rows, " << units << " units, " << positions << " positions";
          std::vector<float> turned(x.size());
          kernels::TransposeImages(rows, positions, units, x.data(), turned.data());
          kernels::CountActive(rows, 1, units, positions, false, mask, turned.data(), seen.data(), row_major.data());
          EXPECT_EQ(row_major, expected) << "row-major";
        }
      }
    }
  }
}

TEST(CountActive, NanIsNotActiveAndDoesNotHideWhatIs) {
  const std::vector<float> x = {kNan, kNan, -1, 2};  // two positions of two units
  std::vector<uint8_t> seen(2);
  std::vector<uint32_t> active(2, 0);
  kernels::CountActive(1, 1, 2, 2, true, nullptr, x.data(), seen.data(), active.data());
  EXPECT_EQ(active, (std::vector<uint32_t>{0, 1}));
}

TEST(CountZeros, CountsExactZerosOfBothSignsInRowsThatAreNotSkipped) {
  const std::vector<float> x = {0, 1, -0.0f, 0, 0, 1e-40f, -1, 0, kNan};
  const std::vector<uint8_t> skip = {0, 1, 0};
  EXPECT_EQ(kernels::CountZeros(3, 3, nullptr, x.data()), 5u);
  EXPECT_EQ(kernels::CountZeros(3, 3, skip.data(), x.data()), 3u);
  EXPECT_EQ(kernels::CountZeros(0, 3, nullptr, x.data()), 0u);
}

TEST(CountOutside, CountsWhatIsBeyondEitherLimit) {
  const std::vector<float> x = {-2, -1, 0, 1, 2, 3};
  const std::vector<uint8_t> skip = {1, 0};
  EXPECT_EQ(kernels::CountOutside(2, 3, -1, 1, nullptr, x.data()), 3u);
  EXPECT_EQ(kernels::CountOutside(2, 3, -1, 1, skip.data(), x.data()), 2u);
}

}  // namespace
}  // namespace halfwave
