// Products of two operands, against loops in double precision.
#include "model/layers/matmul.h"

#include <gtest/gtest.h>

#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using Shape = std::vector<int64_t>;

int64_t Elements(const Shape& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

void Check(const Shape& batch, const Shape& a_batch, const Shape& b_batch, int64_t m, int64_t k, int64_t n) {
  const int64_t in_a = Elements(a_batch) * m * k, in_b = Elements(b_batch) * k * n, out = Elements(batch) * m * n;
  for (const int64_t rows : {0, 1, 3}) {
    for (const int owned : {0, 1, 2}) {  // none, a, b
      const auto a = Noise(owned == 1 ? in_a : rows * in_a, 1), b = Noise(owned == 2 ? in_b : rows * in_b, 2);
      const Operand left =
          owned == 1 ? Operand::Constant(a, a_batch, batch, m * k) : Operand::Computed(a_batch, batch, m * k);
      const Operand right =
          owned == 2 ? Operand::Constant(b, b_batch, batch, k * n) : Operand::Computed(b_batch, batch, k * n);
      std::vector<std::vector<float>> inputs;
      if (owned != 1) inputs.push_back(a);
      if (owned != 2) inputs.push_back(b);
      const auto y = RunLayer(MatMul(batch, m, k, n, left, right), rows, inputs, out);
      ASSERT_EQ(y.size(), rows * out);
      for (int64_t i = 0; i < rows * out; ++i) {
        int64_t rest = i % out / (m * n), from_a = owned == 1 ? 0 : i / out * in_a,
                from_b = owned == 2 ? 0 : i / out * in_b;
        int64_t stride_a = m * k, stride_b = k * n;
        for (size_t axis = batch.size(); axis-- > 0; rest /= batch[axis]) {
          const auto step = [&](const Shape& shape, int64_t& stride) {
            if (batch.size() - axis > shape.size()) return int64_t{0};
            const int64_t size = shape[shape.size() - (batch.size() - axis)];
            const int64_t offset = size == 1 ? 0 : rest % batch[axis] * stride;
            stride *= size;
            return offset;
          };
          from_a += step(a_batch, stride_a);
          from_b += step(b_batch, stride_b);
        }
        double sum = 0;
        for (int64_t j = 0; j < k; ++j) {
          sum += static_cast<double>(a[from_a + i % (m * n) / n * k + j]) * b[from_b + j * n + i % n];
        }
        ASSERT_NEAR(y[i], sum, 1e-5) << m << "x" << k << "x" << n;
      }
    }
  }
}

TEST(MatMul, MultipliesMatricesOfEverySize) {
  for (const int64_t m : {0, 1, 2, 7, 17}) {
    for (const int64_t k : {0, 1, 3, 8, 31}) {
      for (const int64_t n : {0, 1, 5, 16, 67}) Check({}, {}, {}, m, k, n);
    }
  }
}

TEST(MatMul, StretchesTheLeadingDimensionsOfEitherSide) {
  Check({3}, {3}, {}, 2, 3, 5);
  Check({3}, {}, {3}, 2, 3, 5);
  Check({3}, {1}, {3}, 2, 3, 5);
  Check({2, 3}, {2, 3}, {2, 3}, 4, 7, 1);
  Check({2, 3}, {2, 1}, {3}, 1, 7, 4);
  Check({2, 3, 5}, {3, 1}, {2, 1, 5}, 3, 2, 3);
  Check({2, 0}, {2, 1}, {0}, 3, 2, 3);
}

TEST(MatMul, IsOnePieceHoweverLongTheSum) {
  constexpr int64_t kDepth = 200'003;
  std::vector<float> a(2 * kDepth), b(kDepth);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i / 1000 % 7);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i / 10'000 % 5);
  for (const int64_t rows : {1, 2}) {
    const auto y = RunLayer(
        MatMul({}, rows, kDepth, 1, Operand::Computed({}, {}, rows * kDepth), Operand::Constant(b, {}, {}, kDepth)), 1,
        {a}, rows);
    for (int64_t row = 0; row < rows; ++row) {
      float want = 0;  // below 2^24: exact in any order
      for (int64_t k = 0; k < kDepth; ++k) want += a[row * kDepth + k] * b[k];
      EXPECT_EQ(y[row], want);
    }
  }
}

}  // namespace
}  // namespace halfwave
