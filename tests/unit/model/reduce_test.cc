// Functions of many elements, against loops over indices in double precision.
#include "model/layers/reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using kernels::Reduction;
using Shape = std::vector<int64_t>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double Plain(Reduction reduction, const std::vector<double>& values) {
  double sum = 0, squares = 0, absolute = 0, product = 1, exponentials = 0;
  double largest = -kInfinity, smallest = kInfinity;
  for (const double v : values) {
    sum += v, squares += v * v, absolute += std::abs(v), product *= v, exponentials += std::exp(v);
    largest = std::max(largest, v), smallest = std::min(smallest, v);
  }
  const std::map<Reduction, double> results = {{Reduction::kSum, sum},
                                               {Reduction::kMean, sum / static_cast<double>(values.size())},
                                               {Reduction::kMax, largest},
                                               {Reduction::kMin, smallest},
                                               {Reduction::kProd, product},
                                               {Reduction::kL1, absolute},
                                               {Reduction::kL2, std::sqrt(squares)},
                                               {Reduction::kLogSum, std::log(sum)},
                                               {Reduction::kLogSumExp, std::log(exponentials)},
                                               {Reduction::kSumSquare, squares}};
  return results.at(reduction);
}

constexpr Reduction kAll[] = {Reduction::kSum,       Reduction::kMean,     Reduction::kMax, Reduction::kMin,
                              Reduction::kProd,      Reduction::kL1,       Reduction::kL2,  Reduction::kLogSum,
                              Reduction::kLogSumExp, Reduction::kSumSquare};

TEST(Reduce, FollowsItsFormulaOverEverySetOfAxes) {
  constexpr int64_t kRows = 2;
  for (const Shape& shape : std::vector<Shape>{{}, {1}, {17}, {3, 5}, {2, 1, 7}, {3, 5, 2, 7}, {3, 0}, {0, 3}}) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    const auto x = Noise(kRows * elements, 1, -0.5f, 2);
    for (int set = 0; set < 1 << shape.size(); ++set) {
      Shape axes;
      int64_t outputs = 1;
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        if ((set >> axis & 1) != 0) {
          axes.push_back(static_cast<int64_t>(axis));
        } else {
          outputs *= shape[axis];
        }
      }
      std::vector<std::vector<double>> gathered(kRows * outputs);
      for (int64_t i = 0; i < kRows * elements; ++i) {
        int64_t rest = i % elements, out = 0, stride = 1;
        for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
          if ((set >> axis & 1) != 0) continue;
          out += rest % shape[axis] * stride;
          stride *= shape[axis];
        }
        gathered[i / elements * outputs + out].push_back(x[i]);
      }
      for (const Reduction reduction : kAll) {
        const auto y = RunLayer(Reduce(reduction, shape, axes), kRows, {x}, outputs);
        ASSERT_EQ(y.size(), gathered.size());
        for (size_t i = 0; i < y.size(); ++i) {
          const double want = Plain(reduction, gathered[i]);
          if (std::isfinite(want)) {
            ASSERT_NEAR(y[i], want, 1e-6 * std::max(1.0, std::abs(want))) << static_cast<int>(reduction);
          } else {
            ASSERT_TRUE(y[i] == want || (std::isnan(want) && std::isnan(y[i]))) << static_cast<int>(reduction);
          }
        }
      }
    }
  }
}

float ReduceAll(Reduction reduction, const std::vector<float>& x) {
  const Shape shape = {static_cast<int64_t>(x.size())}, axes = {0};
  return RunLayer(Reduce(reduction, shape, axes), 1, {x}, 1)[0];
}

TEST(Reduce, NanWinsWhereverItStands) {
  for (const Reduction reduction : kAll) {
    for (size_t at = 0; at < 5; ++at) {
      auto x = Noise(5, 1, 1, 2);
      x[at] = kNan;
      EXPECT_TRUE(std::isnan(ReduceAll(reduction, x))) << static_cast<int>(reduction) << " at " << at;
    }
  }
}

TEST(Reduce, LosesNothingInALongSum) {
  std::vector<float> x(3'000'000, 0.1f);
  EXPECT_NEAR(ReduceAll(Reduction::kSum, x), 3e6 * static_cast<double>(0.1f), 0.1);
  EXPECT_NEAR(ReduceAll(Reduction::kMean, x), 0.1f, 1e-8);
}

TEST(Reduce, LogSumExpNeitherOverflowsNorVanishes) {
  EXPECT_FLOAT_EQ(ReduceAll(Reduction::kLogSumExp, {1000, 1000}), 1000 + std::log(2.0f));
  EXPECT_FLOAT_EQ(ReduceAll(Reduction::kLogSumExp, {-1000, -1000}), -1000 + std::log(2.0f));
  EXPECT_EQ(ReduceAll(Reduction::kLogSumExp, {kInfinity, 1}), kInfinity);
  EXPECT_EQ(ReduceAll(Reduction::kLogSumExp, {-kInfinity, -kInfinity}), -kInfinity);
}

// Calls check(groups, length, stride, x), x with many ties.
template <typename Check>
void ForEachAxis(Check check) {
  for (const int64_t groups : {0, 1, 3}) {
    for (const int64_t length : {1, 2, 5, 17}) {
      for (const int64_t stride : {1, 2, 7}) {
        auto x = Noise(2 * groups * length * stride, 1, -3, 3);
        for (float& v : x) v = std::round(v);
        check(groups, length, stride, x);
      }
    }
  }
}

TEST(ArgMax, NamesTheFirstOrLastOfTheBest) {
  ForEachAxis([](int64_t groups, int64_t length, int64_t stride, const std::vector<float>& x) {
    for (const bool smallest : {false, true}) {
      for (const bool last : {false, true}) {
        const auto y = RunLayer(ArgMax(groups, length, stride, smallest, last), 2, {x}, groups * stride);
        for (int64_t i = 0; i < 2 * groups * stride; ++i) {
          int64_t want = 0;
          for (int64_t k = 1; k < length; ++k) {
            const auto at = [&](int64_t j) { return x[(i / stride * length + j) * stride + i % stride]; };
            const float gain = smallest ? at(want) - at(k) : at(k) - at(want);
            if (gain > 0 || (last && gain == 0)) want = k;
          }
          ASSERT_EQ(y[i], want);
        }
      }
    }
  });
}

TEST(TopK, OrdersByValueAndThenByIndex) {
  ForEachAxis([](int64_t groups, int64_t length, int64_t stride, const std::vector<float>& x) {
    for (int64_t k = 0; k <= length; k += 1 + length / 3) {
      for (const bool largest : {false, true}) {
        const auto values =
            RunLayer(TopK(groups, length, stride, k, largest, TopK::Output::kValues), 2, {x}, groups * k * stride);
        const auto indices =
            RunLayer(TopK(groups, length, stride, k, largest, TopK::Output::kIndices), 2, {x}, groups * k * stride);
        for (int64_t i = 0; i < 2 * groups * stride; ++i) {
          std::vector<std::pair<float, int64_t>> order;
          for (int64_t j = 0; j < length; ++j) {
            const float value = x[(i / stride * length + j) * stride + i % stride];
            order.emplace_back(largest ? -value : value, j);
          }
          std::sort(order.begin(), order.end());
          for (int64_t j = 0; j < k; ++j) {
            const int64_t out = (i / stride * k + j) * stride + i % stride;
            ASSERT_EQ(values[out], largest ? -order[j].first : order[j].first);
            ASSERT_EQ(indices[out], order[j].second);
          }
        }
      }
    }
  });
}

TEST(TopK, NanIsLargerThanEveryNumber) {
  const std::vector<float> x = {1, kNan, kInfinity, kNan, -kInfinity, 2};
  const auto indices = [&](bool largest) {
    return RunLayer(TopK(1, 6, 1, 6, largest, TopK::Output::kIndices), 1, {x}, 6);
  };
  EXPECT_EQ(indices(true), (std::vector<float>{1, 3, 2, 5, 0, 4}));
  EXPECT_EQ(indices(false), (std::vector<float>{4, 0, 5, 2, 1, 3}));
  EXPECT_EQ(RunLayer(ArgMax(1, 6, 1, false, false), 1, {x}, 1), std::vector<float>{1});
  EXPECT_EQ(RunLayer(ArgMax(1, 6, 1, true, true), 1, {x}, 1), std::vector<float>{3});
}

TEST(Hardmax, IsOneAtTheFirstLargestAlsoInPlace) {
  ForEachAxis([](int64_t groups, int64_t length, int64_t stride, const std::vector<float>& x) {
    const auto best = RunLayer(ArgMax(groups, length, stride, false, false), 2, {x}, groups * stride);
    std::vector<float> y = x;
    kernels::Hardmax(2 * groups, length, stride, y.data(), y.data());
    for (size_t i = 0; i < y.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      ASSERT_EQ(y[i], at / stride % length == best[at / (length * stride) * stride + at % stride] ? 1 : 0);
    }
  });
}

TEST(CumSum, AddsUpFromEitherEndWithOrWithoutItselfAlsoInPlace) {
  ForEachAxis([](int64_t groups, int64_t length, int64_t stride, const std::vector<float>& x) {
    for (const bool exclusive : {false, true}) {
      for (const bool reverse : {false, true}) {
        std::vector<float> y = x;
        kernels::CumSum(2 * groups, length, stride, exclusive, reverse, y.data(), y.data());
        for (int64_t i = 0; i < 2 * groups * length * stride; ++i) {
          const int64_t at = i / stride % length;
          float want = 0;
          for (int64_t k = 0; k < length; ++k) {
            const bool before = reverse ? k > at : k < at;
            if (before || (k == at && !exclusive)) want += x[i + (k - at) * stride];
          }
          ASSERT_EQ(y[i], want);
        }
      }
    }
  });
}

}  // namespace
}  // namespace halfwave
