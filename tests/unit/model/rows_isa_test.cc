// Functions of elements and rows, of each instruction set that this machine has: close to the plain reference, and with
// bits that depend on the row alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "model/kernels/isa.h"
#include "tests/support/noise.h"

namespace halfwave {
namespace {

using kernels::ElementFunction;
using kernels::KernelTable;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr ElementFunction kFunctions[] = {
    ElementFunction::kRelu,     ElementFunction::kLeakyRelu, ElementFunction::kElu,  ElementFunction::kSelu,
    ElementFunction::kCelu,     ElementFunction::kSigmoid,   ElementFunction::kTanh, ElementFunction::kGeluTanh,
    ElementFunction::kSoftplus, ElementFunction::kMish};

std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

const KernelTable& Reference() { return *kernels::Isas().back().table; }

class RowsIsa : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  void SetUp() override {
    for (const kernels::Isa& isa : kernels::Isas()) {
      if (isa.table == GetParam() && !isa.available) GTEST_SKIP() << "SKIPPED: no " << isa.table->name << " here";
    }
  }

  static std::vector<float> Map(const KernelTable& table, ElementFunction function, const std::vector<float>& x) {
    std::vector<float> y(x.size() + 1, 42.0f);
    table.rows.map(function, 1.5f, 1.25f, static_cast<int64_t>(x.size()), x.data(), y.data());
    EXPECT_EQ(y.back(), 42.0f) << "wrote behind " << x.size() << " elements";
    y.pop_back();
    return y;
  }

  static std::vector<float> Softmax(const KernelTable& table, bool log, int64_t groups, int64_t length, int64_t stride,
                                    const std::vector<float>& x) {
    std::vector<float> y(x.size() + 1, 42.0f);
    (log ? table.rows.log_softmax : table.rows.softmax)(groups, length, stride, x.data(), y.data());
    EXPECT_EQ(y.back(), 42.0f) << "wrote behind its output";
    y.pop_back();
    return y;
  }
};

TEST_P(RowsIsa, FunctionsOfElementsAreCloseToTheReferenceAlsoAtTheEnds) {
  std::vector<float> x = Noise(997, 3, -12, 12);
  const float ends[] = {0.0f, -0.0f, 1e-40f, -1e-40f, 1e-30f, -1e-30f, 88,        -88,        89,  -89,
                        104,  -104,  1000,   -1000,   3e38f,  -3e38f,  kInfinity, -kInfinity, kNan};
  x.insert(x.end(), std::begin(ends), std::end(ends));
  for (const ElementFunction function : kFunctions) {
    const auto got = Map(*GetParam(), function, x), want = Map(Reference(), function, x);
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(want[i])) {
        EXPECT_TRUE(std::isnan(got[i])) << static_cast<int>(function) << "(" << x[i] << ") is " << got[i];
      } else if (std::isinf(want[i])) {
        EXPECT_EQ(got[i], want[i]) << static_cast<int>(function) << "(" << x[i] << ")";
      } else {
        EXPECT_NEAR(got[i], want[i], 4e-6 * std::abs(want[i]) + 1e-8)
            << static_cast<int>(function) << "(" << x[i] << ")";
      }
    }
  }
}

TEST_P(RowsIsa, AnElementHasTheSameBitsWhereverItStands) {
  const auto x = Noise(67, 5, -12, 12);
  for (const ElementFunction function : kFunctions) {
    const auto all = Bits(Map(*GetParam(), function, x));
    for (size_t first = 0; first < x.size(); ++first) {
      for (const size_t count : {size_t{1}, size_t{3}, size_t{17}, x.size() - first}) {
        if (first + count > x.size()) continue;
        const std::vector<float> part(x.begin() + first, x.begin() + first + count);
        ASSERT_EQ(Bits(Map(*GetParam(), function, part)),
                  std::vector<uint32_t>(all.begin() + first, all.begin() + first + count))
            << "function " << static_cast<int>(function) << ", " << count << " from " << first;
      }
    }
  }
}

TEST_P(RowsIsa, SoftmaxIsCloseToTheReferenceAndSumsToOne) {
  for (const bool log : {false, true}) {
    for (const int64_t length : {1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 31, 33, 1000}) {
      for (const int64_t stride : {1, 2, 7, 16, 19}) {
        const int64_t groups = 3;
        const auto x = Noise(groups * length * stride, 4, -20, 20);
        const auto got = Softmax(*GetParam(), log, groups, length, stride, x);
        const auto want = Softmax(Reference(), log, groups, length, stride, x);
        for (size_t i = 0; i < x.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], 4e-6 * std::abs(want[i]) + 1e-6) << length << " elements " << stride << " apart";
        }
        if (log) continue;
        double sum = 0;
        for (int64_t k = 0; k < length; ++k) sum += got[k * stride];
        EXPECT_NEAR(sum, 1, 1e-6);
      }
    }
  }
}

TEST_P(RowsIsa, SoftmaxOfARowHasTheSameBitsInEveryBatchAtEveryPosition) {
  for (const bool log : {false, true}) {
    for (const int64_t length : {3, 10, 17, 64, 100}) {
      const auto row = Noise(length, 6, -5, 5);
      const auto alone = Bits(Softmax(*GetParam(), log, 1, length, 1, row));
      for (int64_t rows = 1; rows <= 130; ++rows) {
        auto x = Noise(rows * length, static_cast<unsigned>(rows), -90, 90);
        const int64_t at = (rows * 5 + 3) % rows;
        std::copy(row.begin(), row.end(), x.begin() + at * length);
        const auto y = Softmax(*GetParam(), log, rows, length, 1, x);
        ASSERT_EQ(Bits({y.begin() + at * length, y.begin() + (at + 1) * length}), alone)
            << "row " << at << " of " << rows;
      }
    }
  }
}

TEST_P(RowsIsa, SoftmaxNeverOverflowsAndPassesNanOn) {
  for (const int64_t length : {2, 9, 17}) {
    for (const int64_t stride : {1, 3}) {
      std::vector<float> x(length * stride, -3e38f);
      for (int64_t i = 0; i < stride; ++i) x[i] = kInfinity;
      const auto y = Softmax(*GetParam(), false, 1, length, stride, x);
      for (int64_t i = 0; i < length * stride; ++i) EXPECT_EQ(y[i], i < stride ? 1.0f : 0.0f);
      for (int64_t i = 0; i < stride; ++i) x[(length - 1) * stride + i] = kNan;
      for (const bool log : {false, true}) {
        for (const float value : Softmax(*GetParam(), log, 1, length, stride, x)) EXPECT_TRUE(std::isnan(value));
      }
    }
  }
}

std::vector<const KernelTable*> Tables() {
  std::vector<const KernelTable*> tables;
  for (const kernels::Isa& isa : kernels::Isas()) tables.push_back(isa.table);
  return tables;
}

INSTANTIATE_TEST_SUITE_P(, RowsIsa, ::testing::ValuesIn(Tables()), [](const auto& info) {
  std::string name = info.param->name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace halfwave
