// Functions of one element, against the library's in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/kernels/elementwise.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

using Kernel = std::function<void(int64_t, const float*, float*)>;

struct Function {
  const char* name;
  Kernel kernel;
  std::function<double(double)> formula;
};

const std::vector<Function>& Functions() {
  static const auto& functions = *new std::vector<Function>{
      {"Abs", kernels::Abs, [](double x) { return std::abs(x); }},
      {"Ceil", kernels::Ceil, [](double x) { return std::ceil(x); }},
      {"Floor", kernels::Floor, [](double x) { return std::floor(x); }},
      {"Round", kernels::Round, [](double x) { return std::isinf(x) ? x : x - std::remainder(x, 1.0); }},
      {"Truncate", kernels::Truncate, [](double x) { return x < 0 ? std::ceil(x) : std::floor(x); }},
      {"Sign", kernels::Sign, [](double x) { return x > 0   ? 1
                                                    : x < 0 ? -1
                                                            : x; }},
      {"Negate", kernels::Negate, [](double x) { return -x; }},
      {"Reciprocal", kernels::Reciprocal, [](double x) { return 1 / x; }},
      {"Sqrt", kernels::Sqrt, [](double x) { return std::sqrt(x); }},
      {"Exp", kernels::Exp, [](double x) { return std::exp(x); }},
      {"Log", kernels::Log, [](double x) { return std::log(x); }},
      {"Erf", kernels::Erf, [](double x) { return std::erf(x); }},
      {"Sin", kernels::Sin, [](double x) { return std::sin(x); }},
      {"Cos", kernels::Cos, [](double x) { return std::cos(x); }},
      {"Tan", kernels::Tan, [](double x) { return std::tan(x); }},
      {"Asin", kernels::Asin, [](double x) { return std::asin(x); }},
      {"Acos", kernels::Acos, [](double x) { return std::acos(x); }},
      {"Atan", kernels::Atan, [](double x) { return std::atan(x); }},
      {"Sinh", kernels::Sinh, [](double x) { return std::sinh(x); }},
      {"Cosh", kernels::Cosh, [](double x) { return std::cosh(x); }},
      {"Asinh", kernels::Asinh, [](double x) { return std::asinh(x); }},
      {"Acosh", kernels::Acosh, [](double x) { return std::acosh(x); }},
      {"Atanh", kernels::Atanh, [](double x) { return std::atanh(x); }},
      {"Shrink", [](int64_t n, const float* x, float* y) { kernels::Shrink(n, 0.25f, 1.5f, x, y); },
       [](double x) { return std::abs(x) <= 1.5 ? 0
                             : x < 0            ? x + 0.25
                                                : x - 0.25; }},
      {"Swish", [](int64_t n, const float* x, float* y) { kernels::Swish(n, 0.75f, x, y); },
       [](double x) { return x / (1 + std::exp(-0.75 * x)); }}};
  return functions;
}

TEST(Unary, FollowsItsFormulaAtEverySizeAndInPlace) {
  for (const Function& f : Functions()) {
    for (const int64_t size : {0, 1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 67, 1009}) {
      const auto x = Noise(size, 7, -6, 6);
      std::vector<float> y(size + 1, 42.0f), in_place = x;
      f.kernel(size, x.data(), y.data());
      f.kernel(size, in_place.data(), in_place.data());
      EXPECT_EQ(y[size], 42.0f) << f.name << " wrote behind " << size << " elements";
      for (int64_t i = 0; i < size; ++i) {
        const double want = f.formula(x[i]);
        if (std::isnan(want)) {
          EXPECT_TRUE(std::isnan(y[i]) && std::isnan(in_place[i])) << f.name << "(" << x[i] << ")";
        } else {
          EXPECT_NEAR(y[i], want, 1e-6 * std::abs(want)) << f.name << "(" << x[i] << ")";
          EXPECT_EQ(y[i], in_place[i]) << f.name;
        }
      }
    }
  }
}

TEST(Unary, GoesWhereTheFormulaSaysAtTheEndsOfTheRange) {
  for (const Function& f : Functions()) {
    for (const float argument :
         {0.0f,       -0.0f,      0.5f,  1.0f,    -1.0f,    1.5f,      2.5f,      -0.5f,      -2.5f,
          88.0f,      -88.0f,     89.0f, -100.0f, -104.0f,  1e-8f,     -1e-8f,    1e-30f,     kDenormal,
          -kDenormal, 8388609.0f, 1e30f, -1e30f,  kLargest, -kLargest, kInfinity, -kInfinity, kNan}) {
      const std::vector<float> x(19, argument);
      std::vector<float> y(x.size());
      f.kernel(19, x.data(), y.data());
      const double want = f.formula(argument);
      for (const float value : y) {
        if (std::isnan(want)) {
          EXPECT_TRUE(std::isnan(value)) << f.name << "(" << argument << "): " << value;
        } else if (std::abs(want) > kLargest) {
          EXPECT_EQ(value, want < 0 ? -kInfinity : kInfinity) << f.name << "(" << argument << ")";
        } else {
          EXPECT_NEAR(value, want, 1e-6 * std::abs(want) + 2 * kDenormal) << f.name << "(" << argument << ")";
        }
      }
    }
  }
}

std::vector<float> Apply(const Kernel& kernel, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  kernel(static_cast<int64_t>(x.size()), x.data(), y.data());
  return y;
}

TEST(Unary, TruthsAreOneAndZero) {
  const std::vector<float> x = {0, -0.0f, 1, -3, kDenormal, kNan, kInfinity, -kInfinity};
  EXPECT_EQ(Apply(kernels::Not, x), (std::vector<float>{1, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(Apply(kernels::ToBool, x), (std::vector<float>{0, 0, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(Apply(kernels::IsNan, x), (std::vector<float>{0, 0, 0, 0, 0, 1, 0, 0}));
  const auto is_inf = [](bool negative, bool positive) {
    return [=](int64_t n, const float* in, float* y) { kernels::IsInf(n, negative, positive, in, y); };
  };
  EXPECT_EQ(Apply(is_inf(true, true), x), (std::vector<float>{0, 0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(Apply(is_inf(false, true), x), (std::vector<float>{0, 0, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(Apply(is_inf(true, false), x), (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1}));
}

// The nearest number with `digits` bits behind the first one, of a format whose smallest normal is 2^smallest.
double Nearest(double x, int digits, int smallest, double largest) {
  if (x == 0 || std::isinf(x)) return x;
  const double step = std::ldexp(1.0, std::max(std::ilogb(x), smallest) - digits);
  const double rounded = x - std::remainder(x, step);
  if (std::abs(rounded) > largest) return std::copysign(std::numeric_limits<double>::infinity(), x);
  return rounded;
}

TEST(Unary, RoundsToShorterFormatsAsTheirDefinitionSays) {
  std::vector<float> x = {0,
                          1,
                          65504,
                          65519,
                          65520,
                          -65520,
                          1e30f,
                          3.4e38f,
                          kLargest,
                          kInfinity,
                          1 + 0x1p-11f,
                          1 + 3 * 0x1p-11f,
                          1 + 0x1p-8f,
                          1 + 3 * 0x1p-8f,
                          0x1p-24f,
                          0x1p-25f,
                          0x1.8p-25f,
                          0x1p-14f,
                          1.3f * 0x1p-17f,
                          kDenormal,
                          0x1p-133f,
                          0x1p-134f,
                          0x1.8p-134f,
                          0x1.23p-130f};
  for (const float value : Noise(500, 3)) x.push_back(value * 70000);
  for (const float value : Noise(500, 4)) x.push_back(value * 1e-5f);
  for (const float value : Noise(500, 5)) x.push_back(value * 1e-38f);
  const auto half = Apply(kernels::RoundToHalf, x), brain = Apply(kernels::RoundToBFloat16, x);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(half[i], Nearest(x[i], 10, -14, 65504)) << x[i];
    EXPECT_EQ(brain[i], Nearest(x[i], 7, -126, 0x1.fep127)) << x[i];
  }
  EXPECT_TRUE(std::isnan(Apply(kernels::RoundToHalf, {kNan})[0]));
  EXPECT_TRUE(std::isnan(Apply(kernels::RoundToBFloat16, {kNan})[0]));
}

}  // namespace
}  // namespace halfwave
