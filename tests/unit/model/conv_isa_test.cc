// The kernels over images of each instruction set that this machine has, against the plain reference: at sizes around
// their tiles, with everything that happens to an output, and bit for bit at any batch size and position.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "model/kernels/elementwise.h"
#include "model/kernels/isa.h"
#include "model/layers/image_conv.h"
#include "model/tensor/aligned_buffer.h"
#include "tests/support/noise.h"
#include "tests/unit/model/bits.h"

namespace halfwave {
namespace {

using kernels::Activation;
using kernels::ActivationKind;
using kernels::ConvCall;
using kernels::ConvKernels;
using kernels::ConvShape;
using kernels::KernelTable;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const KernelTable& Reference() { return *kernels::Isas().back().table; }

// Each set but the reference that this machine has.
std::vector<const KernelTable*> FastTables() {
  std::vector<const KernelTable*> tables;
  for (const kernels::Isa& isa : kernels::Isas()) {
    if (isa.available && isa.table != &Reference()) tables.push_back(isa.table);
  }
  return tables;
}

const ConvKernels& KernelsOf(const KernelTable& table, ConvAlgorithm algorithm) {
  return algorithm == ConvAlgorithm::kDirect     ? table.image.direct
         : algorithm == ConvAlgorithm::kWinograd ? table.image.winograd
                                                 : table.image.depthwise;
}

ConvShape Shape(int64_t height, int64_t width, int64_t channels, int64_t out_channels, int64_t kernel,
                int64_t stride = 1, int64_t pad = 0, int64_t dilation = 1) {
  const auto out = [&](int64_t size) { return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1; };
  return {height, width,  channels, out(height), out(width), out_channels, kernel,
          kernel, stride, stride,   dilation,    dilation,   pad,          pad};
}

std::string Describe(const ConvShape& s) {
  std::string text;
  for (const int64_t v : {s.height, s.width, s.channels, s.out_channels, s.kernel_height, s.kernel_width,
                          s.stride_height, s.dilation_height, s.pad_top, s.pad_left}) {
    text += std::to_string(v) + " ";
  }
  return text + "(height width channels out kernel kernel stride dilation pad pad)";
}

struct Result {
  std::vector<float> y;
  std::vector<uint32_t> active;
  uint64_t zeros = 0;
};

struct Data {
  std::vector<float> x, weights, bias;
};

Data MakeData(const ConvShape& s, ConvAlgorithm algorithm, int64_t images, uint32_t seed = 1) {
  const int64_t depth = (algorithm == ConvAlgorithm::kDepthwise ? 1 : s.channels) * s.kernel_height * s.kernel_width;
  return {Noise(images * s.height * s.width * s.channels, seed), Noise(s.out_channels * depth, 2),
          Noise(s.out_channels, 3, -0.5, 0.5)};
}

AlignedBuffer Pack(const ConvKernels& kernels, const ConvShape& s, const Data& data) {
  AlignedBuffer packed(kernels.packed_elements(&s) + 1);
  packed.data()[packed.size() - 1] = kNan;
  kernels.pack(&s, data.weights.data(), data.bias.data(), packed.data());
  EXPECT_TRUE(std::isnan(packed.data()[packed.size() - 1])) << "wrote behind the weights";
  return packed;
}

Result Convolve(const ConvKernels& kernels, const AlignedBuffer& packed, const ConvShape& s, const Data& data,
                Activation activation = {ActivationKind::kRelu, 0, 0}, int64_t images = 1,
                const std::vector<uint8_t>& skip = {}, const std::vector<float>& summand = {}, int64_t parts = 1,
                bool pooled = false) {
  AlignedBuffer scratch(kernels.scratch_elements(&s) + 1);
  std::fill_n(scratch.data(), scratch.size(), kNan);
  const int64_t image_in = s.height * s.width * s.channels, image_out = s.out_height * s.out_width * s.out_channels;
  const int64_t rows = static_cast<int64_t>(data.x.size()) / image_in / images;
  Result result;
  result.active.assign(s.out_channels + 1, 0);
  result.y.assign(rows * images * image_out / (pooled ? 4 : 1) + 1, 42.0f);
  ConvCall call = {&s,
                   rows,
                   images,
                   data.x.data(),
                   packed.data(),
                   result.y.data(),
                   scratch.data(),
                   activation,
                   {result.active.data(), &result.zeros, skip.empty() ? nullptr : skip.data()},
                   summand.empty() ? nullptr : summand.data()};
  call.parts = parts;
  call.pooled = pooled;
  for (call.part = 0; call.part < parts; ++call.part) kernels.run(&call);
  EXPECT_EQ(result.y.back(), 42.0f) << "wrote behind its output";
  EXPECT_EQ(result.active.back(), 0u) << "counted behind its channels";
  EXPECT_TRUE(std::isnan(scratch.data()[scratch.size() - 1])) << "wrote behind its scratch";
  result.y.pop_back();
  return result;
}

Result Convolve(const KernelTable& table, ConvAlgorithm algorithm, const ConvShape& s, const Data& data,
                Activation activation = {ActivationKind::kRelu, 0, 0}, int64_t images = 1,
                const std::vector<uint8_t>& skip = {}, const std::vector<float>& summand = {}, int64_t parts = 1,
                bool pooled = false) {
  const ConvKernels& kernels = KernelsOf(table, algorithm);
  return Convolve(kernels, Pack(kernels, s, data), s, data, activation, images, skip, summand, parts, pooled);
}

// Bit for bit where ORDER.md promises it. Winograd's arithmetic is another, and an instruction set that does not fuse
// rounds in between.
void ExpectAgrees(ConvAlgorithm algorithm, const ConvShape& s, int64_t rows, int64_t images = 1,
                  Activation activation = {ActivationKind::kRelu, 0, 0}, const std::vector<uint8_t>& skip = {}) {
  const Data data = MakeData(s, algorithm, rows * images);
  const Result expected = Convolve(Reference(), algorithm, s, data, activation, images, skip);
  float peak = 1;
  for (const float value : Convolve(Reference(), algorithm, s, data, {}, images).y)
    peak = std::max(peak, std::abs(value));
  const float allowed = peak * (algorithm == ConvAlgorithm::kWinograd ? 2e-5f : 2e-6f);
  for (const KernelTable* table : FastTables()) {
    SCOPED_TRACE(std::string(table->name) + ": " + Describe(s));
    const Result got = Convolve(*table, algorithm, s, data, activation, images, skip);
    int64_t zeros = 0;
    const bool same_bits = algorithm != ConvAlgorithm::kWinograd && std::string(table->name) != "x86-64-v2";
    for (size_t i = 0; i < got.y.size(); ++i) {
      if (same_bits) {
        ASSERT_EQ(std::bit_cast<uint32_t>(got.y[i]), std::bit_cast<uint32_t>(expected.y[i])) << "element " << i;
      } else {
        ASSERT_NEAR(got.y[i], expected.y[i], allowed) << "element " << i;
      }
    }
    for (size_t i = 0; i < got.y.size(); ++i) {
      const bool skipped = !skip.empty() && skip[i / (got.y.size() / rows)] != 0;
      zeros += got.y[i] == 0 && !skipped ? 1 : 0;
    }
    EXPECT_EQ(got.zeros, static_cast<uint64_t>(zeros));
    // Rounding may lift a unit over zero or press it below: not on this noise, which is of few samples.
    EXPECT_EQ(got.active, expected.active);
  }
}

TEST(ConvKernels, AreTheReferenceForEveryGeometry) {
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t pad : {0, 1, 2}) {
        for (const int64_t dilation : {1, 2}) {
          if (9 + 2 * pad < dilation * (kernel - 1) + 1) continue;
          ExpectAgrees(ConvAlgorithm::kDirect, Shape(9, 11, 3, 19, kernel, stride, pad, dilation), 2);
          ExpectAgrees(ConvAlgorithm::kDepthwise, Shape(9, 11, 19, 19, kernel, stride, pad, dilation), 2);
        }
      }
    }
  }
}

TEST(ConvKernels, AreTheReferenceAroundTheirTiles) {
  for (const int64_t width : {1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 16, 17, 25, 31, 48, 49}) {
    ExpectAgrees(ConvAlgorithm::kDirect, Shape(3, width, 5, 33, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kWinograd, Shape(3, width, 5, 33, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kDepthwise, Shape(3, width, 33, 33, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kDepthwise, Shape(3, width, 33, 33, 3, 2, 1), 1);
  }
}

TEST(ConvKernels, AreTheReferenceForChannelsAroundAVectorsWidth) {
  for (const int64_t channels : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 49, 64, 67, 80}) {
    ExpectAgrees(ConvAlgorithm::kDirect, Shape(5, 6, channels, 10, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kDirect, Shape(5, 6, 3, channels, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kDirect, Shape(5, 6, 10, channels, 1), 1);
    ExpectAgrees(ConvAlgorithm::kWinograd, Shape(5, 6, channels, 10, 3, 1, 1), 1);
    ExpectAgrees(ConvAlgorithm::kWinograd, Shape(5, 6, 3, channels, 3, 1, 0), 1);
    ExpectAgrees(ConvAlgorithm::kDepthwise, Shape(5, 6, channels, channels, 3, 1, 1), 1);
  }
}

TEST(ConvKernels, WinogradIsTheReferenceForManyTilesAndEveryPadding) {
  for (const int64_t pad : {0, 1, 2, 3}) ExpectAgrees(ConvAlgorithm::kWinograd, Shape(13, 14, 8, 16, 3, 1, pad), 7);
  ExpectAgrees(ConvAlgorithm::kWinograd, Shape(8, 8, 96, 80, 3, 1, 1), 30);  // two blocks, the second not full
}

TEST(ConvKernels, SeeNothingThroughPaddingLargerThanTheImage) {
  ExpectAgrees(ConvAlgorithm::kDirect, Shape(1, 1, 4, 8, 3, 1, 4), 2);
  ExpectAgrees(ConvAlgorithm::kDepthwise, Shape(1, 1, 16, 16, 3, 1, 4), 2);
  ExpectAgrees(ConvAlgorithm::kWinograd, Shape(1, 1, 16, 16, 3, 1, 4), 2);
}

TEST(ConvKernels, ApplyActivationsAndCountOverTheImagesOfARowThatIsNotSkipped) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd, ConvAlgorithm::kDepthwise}) {
    for (const int64_t channels : {16, 21}) {
      const ConvShape shape = Shape(6, 7, channels, channels, 3, 1, 1);
      for (const Activation& activation :
           {Activation{ActivationKind::kNone, 0, 0}, Activation{ActivationKind::kRelu, 0, 0},
            Activation{ActivationKind::kLeakyRelu, 0.25f, 0}, Activation{ActivationKind::kClip, 0, 0.75f}}) {
        ExpectAgrees(algorithm, shape, 3, 2, activation);
        ExpectAgrees(algorithm, shape, 5, 1, activation, {0, 1, 0, 0, 255});
      }
    }
  }
}

TEST(ConvKernels, AddASummandBeforeTheActivation) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd, ConvAlgorithm::kDepthwise}) {
    for (const int64_t channels : {16, 21}) {
      const ConvShape shape = Shape(8, 7, channels, channels, 3, 1, 1);
      const Data data = MakeData(shape, algorithm, 6);
      const std::vector<float> summand = Noise(6 * 8 * 7 * channels, 4, -2, 2);
      for (const Activation& activation :
           {Activation{ActivationKind::kNone, 0, 0}, Activation{ActivationKind::kRelu, 0, 0},
            Activation{ActivationKind::kClip, 0, 0.75f}}) {
        const Result expected = Convolve(Reference(), algorithm, shape, data, activation, 2, {}, summand);
        for (const KernelTable* table : FastTables()) {
          SCOPED_TRACE(std::string(table->name) + ": " + Describe(shape));
          const Result got = Convolve(*table, algorithm, shape, data, activation, 2, {}, summand);
          for (size_t i = 0; i < got.y.size(); ++i) ASSERT_NEAR(got.y[i], expected.y[i], 2e-4) << "element " << i;
          EXPECT_EQ(got.active, expected.active);
        }
      }
    }
  }
}

TEST(ConvKernels, AUnitThatIsNeverPositiveIsNotCounted) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd, ConvAlgorithm::kDepthwise}) {
    const ConvShape shape = Shape(8, 8, 32, 32, 3, 1, 1);
    Data data = MakeData(shape, algorithm, 3);
    data.bias[5] = data.bias[31] = -1000;
    for (const kernels::Isa& isa : kernels::Isas()) {
      if (!isa.available) continue;
      const Result result = Convolve(*isa.table, algorithm, shape, data);
      EXPECT_EQ(result.active[5], 0u) << isa.table->name;
      EXPECT_EQ(result.active[31], 0u) << isa.table->name;
      EXPECT_EQ(result.active[6], 3u) << isa.table->name;
    }
  }
}

TEST(ConvKernels, ARowsBitsDoNotDependOnTheBatchNorOnItsPlace) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd, ConvAlgorithm::kDepthwise}) {
    for (const ConvShape& shape : {Shape(9, 10, 24, 24, 3, 1, 1), Shape(8, 8, 40, 40, 3, 1, 1)}) {
      constexpr int64_t kRows = 29;
      const Data data = MakeData(shape, algorithm, kRows);
      const int64_t in = shape.height * shape.width * shape.channels;
      for (const KernelTable* table : FastTables()) {
        const Result all = Convolve(*table, algorithm, shape, data);
        const int64_t out = static_cast<int64_t>(all.y.size()) / kRows;
        for (int64_t first = 0; first < kRows; ++first) {
          for (const int64_t count : {int64_t{1}, int64_t{2}, kRows - first}) {
            if (first + count > kRows) continue;
            Data part = data;
            part.x.assign(data.x.begin() + first * in, data.x.begin() + (first + count) * in);
            const Result alone = Convolve(*table, algorithm, shape, part);
            for (int64_t i = 0; i < count * out; ++i) {
              ASSERT_EQ(std::bit_cast<uint32_t>(alone.y[i]), std::bit_cast<uint32_t>(all.y[first * out + i]))
                  << table->name << ", row " << first << " of " << count << ", element " << i << ", "
                  << Describe(shape);
            }
          }
        }
      }
    }
  }
}

TEST(MaxPoolKernel, IsTheReferenceAlsoForNanInfinityAndWindowsThatSeeNothing) {
  for (const int64_t channels : {1, 3, 8, 16, 17, 64, 67}) {
    for (const int64_t kernel : {1, 2, 3}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (const int64_t dilation : {1, 4}) {
          const ConvShape shape = Shape(7, 8, channels, channels, kernel, stride, kernel - 1, dilation);
          if (shape.out_height < 1 || shape.out_width < 1) continue;
          std::vector<float> x = Noise(3 * 7 * 8 * channels, 5);
          x[4] = x[x.size() / 2] = kNan;
          for (size_t i = 100; i < std::min<size_t>(x.size(), 130); ++i) {
            x[i] = -std::numeric_limits<float>::infinity();
          }
          const auto pool = [&](const KernelTable& table) {
            std::vector<float> y(3 * shape.out_height * shape.out_width * channels + 1, 42.0f);
            const ConvCall call = {&shape, 3, 1, x.data(), nullptr, y.data(), nullptr, {}, {}};
            table.image.max_pool(&call);
            return y;
          };
          const std::vector<float> expected = pool(Reference());
          for (const KernelTable* table : FastTables()) {
            const std::vector<float> got = pool(*table);
            for (size_t i = 0; i < got.size(); ++i) {
              ASSERT_TRUE(got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i])))
                  << table->name << ": " << got[i] << " for " << expected[i] << " at " << i << ", " << Describe(shape);
            }
          }
        }
      }
    }
  }
}

TEST(ConvKernels, PoolToTheSameBitsAndCountsAsAPoolBehindThem) {
  constexpr int64_t kImages = 6;
  std::vector<const KernelTable*> tables = FastTables();
  tables.push_back(&Reference());
  const std::pair<ConvAlgorithm, ConvShape> cases[] = {{ConvAlgorithm::kWinograd, Shape(8, 12, 16, 16, 3, 1, 1)},
                                                       {ConvAlgorithm::kWinograd, Shape(6, 10, 12, 33, 3, 1, 1)},
                                                       {ConvAlgorithm::kWinograd, Shape(4, 8, 16, 21, 3, 1, 0)},
                                                       {ConvAlgorithm::kWinograd, Shape(26, 30, 13, 48, 3, 1, 1)},
                                                       {ConvAlgorithm::kDirect, Shape(28, 28, 1, 20, 5, 1, 2)},
                                                       {ConvAlgorithm::kDirect, Shape(8, 6, 12, 33, 1)},
                                                       {ConvAlgorithm::kDirect, Shape(9, 13, 16, 85, 3, 2, 1, 2)},
                                                       {ConvAlgorithm::kDirect, Shape(4, 2, 5, 300, 3, 1, 1)}};
  for (const auto& [algorithm, shape] : cases) {
    const ConvShape pool = {shape.out_height,
                            shape.out_width,
                            shape.out_channels,
                            shape.out_height / 2,
                            shape.out_width / 2,
                            shape.out_channels,
                            2,
                            2,
                            2,
                            2,
                            1,
                            1,
                            0,
                            0};
    Data data = MakeData(shape, algorithm, kImages);
    data.x[data.x.size() / 2] = kNan;
    data.bias[3] = -1000;
    for (const Activation& activation :
         {Activation{ActivationKind::kNone, 0, 0}, Activation{ActivationKind::kRelu, 0, 0},
          Activation{ActivationKind::kLeakyRelu, 0.25f, 0}, Activation{ActivationKind::kClip, 0, 0.75f}}) {
      for (const KernelTable* table : tables) {
        SCOPED_TRACE(std::string(table->name) + ": " + Describe(shape));
        for (const auto& [images, parts, skip] :
             {std::tuple<int64_t, int64_t, std::vector<uint8_t>>{1, 1, {}}, {2, 3, {0, 1, 0}}, {6, 2, {}}}) {
          const auto convolve = [&](bool pooled) {
            return Convolve(*table, algorithm, shape, data, activation, images, skip, {}, parts, pooled);
          };
          const Result apart = convolve(false), together = convolve(true);
          std::vector<float> y(together.y.size());
          const ConvCall call = {&pool, kImages, 1, apart.y.data(), nullptr, y.data(), nullptr, {}, {}};
          table->image.max_pool(&call);
          EXPECT_EQ(Bits(together.y), Bits(y));
          EXPECT_EQ(together.active, apart.active);
          EXPECT_EQ(together.zeros, apart.zeros);
        }
      }
    }
  }
}

// What is packed is rounded, transformed by Winograd or not, and the sums are those of floats that hold the same.
TEST(ConvKernels, HalfSizeWeightsGiveTheBitsOfWhatTheyRoundTo) {
  const auto rounded = [](const AlignedBuffer& from) {
    AlignedBuffer to(static_cast<int64_t>(from.size()));
    kernels::RoundToHalf(static_cast<int64_t>(from.size()), from.data(), to.data());
    return to;
  };
  const auto expect_same = [&](const char* name, const ConvKernels& halves, const ConvKernels& floats,
                               const ConvShape& shape, int64_t rows, int64_t parts) {
    SCOPED_TRACE(name + (": " + Describe(shape)));
    Data data = MakeData(shape, ConvAlgorithm::kDirect, rows);
    for (float& bias : data.bias) bias = std::round(bias * 64) / 64;
    const Activation relu = {ActivationKind::kRelu, 0, 0};
    const Result got = Convolve(halves, Pack(halves, shape, data), shape, data, relu, 1, {}, {}, parts);
    const Result want = Convolve(floats, rounded(Pack(floats, shape, data)), shape, data, relu, 1, {}, {}, parts);
    EXPECT_EQ(Bits(got.y), Bits(want.y));
    EXPECT_EQ(got.active, want.active);
    EXPECT_EQ(got.zeros, want.zeros);
  };
  for (const kernels::Isa& isa : kernels::Isas()) {
    if (!isa.available) continue;
    const kernels::ImageKernels& image = isa.table->image;
    for (const int64_t channels : {1, 3, 8, 15, 16, 17, 33, 64, 80}) {
      for (const int64_t width : {1, 6, 14, 33}) {
        for (const int64_t parts : {1, 3}) {
          const char* name = isa.table->name;
          expect_same(name, image.direct_half, image.direct, Shape(5, width, 5, channels, 3, 1, 1), 2, parts);
          expect_same(name, image.direct_half, image.direct, Shape(5, width, channels, 10, 1), 2, parts);
          expect_same(name, image.winograd_half, image.winograd, Shape(5, width, channels, 40, 3, 1, 1), 2, parts);
          expect_same(name, image.winograd_half, image.winograd, Shape(5, width, 5, channels, 3, 1, 1), 9, parts);
        }
      }
    }
  }
}

TEST(ConvKernels, MorePartsThanThereIsWorkGiveTheSame) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kDepthwise, ConvAlgorithm::kWinograd}) {
    const int64_t kernel = algorithm == ConvAlgorithm::kDirect ? 1 : 3;
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 3}, {2, 2}}) {
      const ConvShape shape = Shape(height, width, 16, 16, kernel, 1, kernel / 2);
      const Data data = MakeData(shape, algorithm, 1);
      for (const KernelTable* table : FastTables()) {
        SCOPED_TRACE(std::string(table->name) + ": " + Describe(shape));
        const std::vector<float> whole = Convolve(*table, algorithm, shape, data).y;
        EXPECT_EQ(Convolve(*table, algorithm, shape, data, {ActivationKind::kRelu, 0, 0}, 1, {}, {}, 7).y, whole);
      }
    }
  }
}

TEST(ImageConv, ChoosesByTheShapeAlone) {
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 64, 64, 3, 1, 1), 1), ConvAlgorithm::kWinograd);
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 64, 64, 3, 1, 1), 64), ConvAlgorithm::kDepthwise);
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 3, 64, 3, 1, 1), 1), ConvAlgorithm::kDirect);      // few channels
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 64, 64, 3, 2, 1), 1), ConvAlgorithm::kDirect);     // strides
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 64, 64, 3, 1, 2, 2), 1), ConvAlgorithm::kDirect);  // dilations
  EXPECT_EQ(ImageConv::Choose(Shape(32, 32, 64, 64, 5, 1, 2), 1), ConvAlgorithm::kDirect);
  EXPECT_EQ(ImageConv::Choose(Shape(5, 5, 64, 64, 3, 1, 1), 1), ConvAlgorithm::kDirect);  // tiles mostly empty
}

}  // namespace
}  // namespace halfwave
