// Functions of stretched operands, against a walk over indices.
#include "model/layers/broadcast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using kernels::BinaryOp;
using Shape = std::vector<int64_t>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t Elements(const Shape& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

// Where element `index` of a row of `output` comes from in an operand of `shape`.
int64_t Source(int64_t index, const Shape& shape, const Shape& output) {
  int64_t source = 0, stride = 1;
  for (size_t i = output.size(), j = shape.size(); j > 0;) {
    --i, --j;
    source += (shape[j] == 1 ? 0 : index % output[i]) * stride;
    index /= output[i];
    stride *= shape[j];
  }
  return source;
}

struct Shapes {
  Shape output, a, b;
};

const std::vector<Shapes>& AllShapes() {
  static const auto& shapes = *new std::vector<Shapes>{{{}, {}, {}},
                                                       {{1}, {1}, {}},
                                                       {{7}, {7}, {7}},
                                                       {{17}, {17}, {1}},
                                                       {{17}, {}, {17}},
                                                       {{1, 1, 5}, {5}, {1, 1, 1}},
                                                       {{3, 5}, {3, 5}, {5}},
                                                       {{3, 5}, {3, 1}, {5}},
                                                       {{3, 5}, {3, 5}, {3, 1}},
                                                       {{3, 5}, {1, 5}, {3, 5}},
                                                       {{2, 3, 5, 7}, {2, 3, 5, 7}, {3, 1, 1}},
                                                       {{2, 3, 5, 7}, {2, 1, 5, 1}, {3, 1, 7}},
                                                       {{2, 3, 5, 7}, {1, 5, 1}, {2, 3, 5, 7}},
                                                       {{3, 4, 67}, {67}, {3, 1, 67}},
                                                       {{0}, {0}, {1}},
                                                       {{3, 0}, {3, 1}, {0}},
                                                       {{3, 0}, {3, 0}, {1}}};
  return shapes;
}

// Every shape, number of rows, and operand as input or constant, of one operation.
void CheckEverywhere(BinaryOp op, const std::function<float(float, float)>& formula, bool integers) {
  const auto values = [&](size_t count, uint32_t seed) {
    auto noise = Noise(count, seed, -6, 6);
    for (float& value : noise) value = integers ? std::round(value) : value;
    return noise;
  };
  for (const auto& [output, a_shape, b_shape] : AllShapes()) {
    const int64_t elements = Elements(output), in_a = Elements(a_shape), in_b = Elements(b_shape);
    for (const int64_t rows : {0, 1, 2, 5}) {
      for (const int owned : {0, 1, 2}) {  // none, a, b
        const auto a = values(owned == 1 ? in_a : rows * in_a, 1), b = values(owned == 2 ? in_b : rows * in_b, 2);
        const Broadcast layer(op, output,
                              owned == 1 ? Operand::Constant(a, a_shape, output) : Operand::Computed(a_shape, output),
                              owned == 2 ? Operand::Constant(b, b_shape, output) : Operand::Computed(b_shape, output));
        std::vector<std::vector<float>> inputs;
        if (owned != 1) inputs.push_back(a);
        if (owned != 2) inputs.push_back(b);
        const auto y = RunLayer(layer, rows, inputs, elements);
        ASSERT_EQ(y.size(), rows * elements);
        for (int64_t i = 0; i < rows * elements; ++i) {
          const int64_t row = elements == 0 ? 0 : i / elements;
          const float left = a[(owned == 1 ? 0 : row * in_a) + Source(i % elements, a_shape, output)];
          const float right = b[(owned == 2 ? 0 : row * in_b) + Source(i % elements, b_shape, output)];
          const float want = formula(left, right);
          if (std::isnan(want)) {
            ASSERT_TRUE(std::isnan(y[i]));
          } else {
            ASSERT_EQ(y[i], want) << "operation " << static_cast<int>(op) << " of " << left << " and " << right;
          }
        }
        const bool whole = (owned == 1 ? in_b : in_a) == elements;
        ASSERT_TRUE(elements == 0 || layer.WorksInPlace() == whole);
        if (!layer.WorksInPlace()) continue;
        std::vector<const float*> pointers;
        for (const auto& input : inputs) pointers.push_back(input.data());
        layer.Run({rows, pointers, inputs[0].data(), nullptr});
        for (size_t i = 0; i < y.size(); ++i) ASSERT_TRUE(inputs[0][i] == y[i] || std::isnan(y[i]));
      }
    }
  }
}

TEST(Broadcast, ComputesEveryOperationForEveryPairOfShapes) {
  const auto truth = [](bool value) { return value ? 1.0f : 0.0f; };
  CheckEverywhere(BinaryOp::kAdd, std::plus<float>(), false);
  CheckEverywhere(BinaryOp::kSubtract, std::minus<float>(), false);
  CheckEverywhere(BinaryOp::kMultiply, std::multiplies<float>(), false);
  CheckEverywhere(BinaryOp::kDivide, std::divides<float>(), false);
  CheckEverywhere(
      BinaryOp::kPow, [](float a, float b) { return std::pow(a, b); }, true);
  CheckEverywhere(
      BinaryOp::kPRelu, [](float a, float b) { return a < 0 ? a * b : a; }, false);
  CheckEverywhere(
      BinaryOp::kMin, [](float a, float b) { return a < b ? a : b; }, false);
  CheckEverywhere(
      BinaryOp::kMax, [](float a, float b) { return a > b ? a : b; }, false);
  CheckEverywhere(
      BinaryOp::kFmod, [](float a, float b) { return std::fmod(a, b); }, false);
  CheckEverywhere(
      BinaryOp::kFloorMod,
      [](float a, float b) {
        return b == 0 ? kNan : static_cast<float>(a - b * std::floor(static_cast<double>(a) / b));
      },
      true);
  CheckEverywhere(
      BinaryOp::kAnd, [&](float a, float b) { return truth(a != 0 && b != 0); }, true);
  CheckEverywhere(
      BinaryOp::kOr, [&](float a, float b) { return truth(a != 0 || b != 0); }, true);
  CheckEverywhere(
      BinaryOp::kXor, [&](float a, float b) { return truth((a != 0) != (b != 0)); }, true);
  CheckEverywhere(
      BinaryOp::kEqual, [&](float a, float b) { return truth(a == b); }, true);
  CheckEverywhere(
      BinaryOp::kGreater, [&](float a, float b) { return truth(a > b); }, true);
  CheckEverywhere(
      BinaryOp::kGreaterOrEqual, [&](float a, float b) { return truth(a >= b); }, true);
  CheckEverywhere(
      BinaryOp::kLess, [&](float a, float b) { return truth(a < b); }, true);
  CheckEverywhere(
      BinaryOp::kLessOrEqual, [&](float a, float b) { return truth(a <= b); }, true);
  CheckEverywhere(
      BinaryOp::kTruncDivide, [](float a, float b) { return std::trunc(a / b); }, true);
}

float Apply(BinaryOp op, float a, float b) {
  const Shape shape = {19};
  const Broadcast layer(op, shape, Operand::Computed(shape, shape), Operand::Computed(shape, shape));
  const auto y = RunLayer(layer, 1, {std::vector<float>(19, a), std::vector<float>(19, b)}, 19);
  for (const float value : y) EXPECT_TRUE(value == y[0] || std::isnan(y[0])) << value << " differs from " << y[0];
  return y[0];
}

TEST(Broadcast, NanWinsOverAnyMinimumOrMaximum) {
  for (const BinaryOp op : {BinaryOp::kMin, BinaryOp::kMax}) {
    for (const float other : {1.0f, kInfinity, -kInfinity, kNan}) {
      EXPECT_TRUE(std::isnan(Apply(op, kNan, other)));
      EXPECT_TRUE(std::isnan(Apply(op, other, kNan)));
    }
  }
}

TEST(Broadcast, ComparesWithNanAsNeitherMoreNorLessNorEqual) {
  for (const BinaryOp op :
       {BinaryOp::kEqual, BinaryOp::kGreater, BinaryOp::kGreaterOrEqual, BinaryOp::kLess, BinaryOp::kLessOrEqual}) {
    EXPECT_EQ(Apply(op, kNan, 1), 0);
    EXPECT_EQ(Apply(op, 1, kNan), 0);
  }
}

TEST(Broadcast, RemaindersTakeTheSignTheirNameSays) {
  EXPECT_EQ(Apply(BinaryOp::kFmod, -7, 3), -1);
  EXPECT_EQ(Apply(BinaryOp::kFmod, 7, -3), 1);
  EXPECT_EQ(Apply(BinaryOp::kFloorMod, -7, 3), 2);
  EXPECT_EQ(Apply(BinaryOp::kFloorMod, 7, -3), -2);
  EXPECT_EQ(Apply(BinaryOp::kFloorMod, -6, 3), 0);
}

TEST(Broadcast, DividesIntegersTowardsZero) {
  EXPECT_EQ(Apply(BinaryOp::kTruncDivide, -7, 2), -3);
  EXPECT_EQ(Apply(BinaryOp::kTruncDivide, 16777215, 4096), 4095);
}

TEST(Select, TakesFromTheSideTheConditionNames) {
  const Shape output = {2, 3, 5};
  const std::vector<Shape> shapes = {{2, 3, 5}, {3, 1}, {5}, {}, {2, 1, 1}};
  constexpr int64_t kRows = 3;
  for (const Shape& c_shape : shapes) {
    for (const Shape& a_shape : shapes) {
      for (const Shape& b_shape : shapes) {
        for (int owned = 0; owned < 8; ++owned) {
          std::vector<std::vector<float>> inputs, all;
          std::vector<Operand> operands;
          for (const Shape* shape : {&c_shape, &a_shape, &b_shape}) {
            const bool constant = (owned >> all.size() & 1) != 0;
            auto values = Noise(Elements(*shape) * (constant ? 1 : kRows), static_cast<uint32_t>(all.size()));
            if (all.empty()) std::transform(values.begin(), values.end(), values.begin(), std::roundf);
            all.push_back(values);
            operands.push_back(constant ? Operand::Constant(values, *shape, output)
                                        : Operand::Computed(*shape, output));
            if (!constant) inputs.push_back(values);
          }
          const auto y = RunLayer(Select(output, operands[0], operands[1], operands[2]), kRows, inputs, 30);
          ASSERT_EQ(y.size(), 30 * kRows);
          for (int64_t i = 0; i < 30 * kRows; ++i) {
            const auto at = [&](int which, const Shape& shape) {
              return all[which][i / 30 * operands[which].row_stride + Source(i % 30, shape, output)];
            };
            ASSERT_EQ(y[i], at(0, c_shape) != 0 ? at(1, a_shape) : at(2, b_shape));
          }
        }
      }
    }
  }
}

TEST(MergeLoops, LeavesOneLoopWhereTheStridesAllow) {
  const Shape shape = {2, 1, 3, 5};
  const Operand whole = Operand::Computed(shape, shape), scalar = Operand::Computed({}, shape);
  const Operand channel = Operand::Computed(Shape{3, 1}, shape);
  EXPECT_EQ(kernels::MergeLoops<2>(shape, {whole.strides, whole.strides}).size(), 1u);
  EXPECT_EQ(kernels::MergeLoops<2>(shape, {whole.strides, scalar.strides}).size(), 1u);
  EXPECT_EQ(kernels::MergeLoops<2>(shape, {whole.strides, channel.strides}).size(), 3u);
}

}  // namespace
}  // namespace halfwave
