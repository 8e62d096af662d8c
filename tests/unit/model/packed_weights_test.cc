// What layers keep of their weights, against what the file holds: the bound on memory that a served model promises.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/kernels/isa.h"
#include "model/layers/image_conv.h"
#include "model/layers/packed_dense.h"

namespace halfwave {
namespace {

class PackedWeights : public ::testing::TestWithParam<const kernels::KernelTable*> {
 protected:
  void SetUp() override { ASSERT_TRUE(kernels::SelectIsa(GetParam()->name).ok()); }
  void TearDown() override { ASSERT_TRUE(kernels::SelectIsa().ok()); }
};

std::vector<const kernels::KernelTable*> AvailableTables() {
  std::vector<const kernels::KernelTable*> tables;
  for (const kernels::Isa& isa : kernels::Isas()) {
    if (isa.available) tables.push_back(isa.table);
  }
  return tables;
}

TEST_P(PackedWeights, OfADenseLayerTakeAtMostATenthMoreThanInTheFile) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{784, 512}, {2048, 2048}, {2048, 1000}, {333, 777}}) {
    const PackedDense layer(in, out, std::vector<float>(in * out, 1).data(), false, std::vector<float>(out, 1).data());
    const int64_t in_file = (in * out + out) * static_cast<int64_t>(sizeof(float));
    EXPECT_GE(static_cast<int64_t>(layer.bytes()), in_file);
    EXPECT_LE(static_cast<double>(layer.bytes()), 1.1 * static_cast<double>(in_file)) << in << " to " << out;
  }
}

TEST_P(PackedWeights, OfADenseLayerInHalfPrecisionTakeLittleMoreThanHalf) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{784, 512}, {2048, 2048}, {2048, 1000}, {333, 777}}) {
    const PackedDense layer(in, out, std::vector<float>(in * out, 1).data(), false, std::vector<float>(out, 1).data(),
                            WeightFormat::kHalf);
    const int64_t in_file = (in * out + out) * static_cast<int64_t>(sizeof(float));
    EXPECT_LE(static_cast<double>(layer.bytes()), 0.55 * static_cast<double>(in_file)) << in << " to " << out;
  }
}

kernels::Window SameSize(int64_t channels, int64_t size) {
  kernels::Window window;
  window.channels = channels;
  window.size = window.out = {1, size, size};
  window.kernel = {1, 3, 3};
  window.pads_begin = window.pads_end = {0, 1, 1};
  return window;
}

TEST_P(PackedWeights, OfAConvolutionByWinogradTakeAtMostWhatItsTransformMakesOfThem) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{64, 64}, {64, 128}, {96, 112}, {256, 256}}) {
    const ImageConv layer(SameSize(in, 32), 1, out, std::vector<float>(9 * in * out, 1), std::vector<float>(out, 1));
    ASSERT_EQ(layer.algorithm(), ConvAlgorithm::kWinograd);
    const int64_t in_file = (9 * in * out + out) * static_cast<int64_t>(sizeof(float));
    EXPECT_LE(static_cast<double>(layer.WeightBytes()), 4.1 * static_cast<double>(in_file)) << in << " to " << out;
  }
}

TEST_P(PackedWeights, OfAConvolutionInHalfPrecisionTakeLittleMoreThanHalfOfFloats) {
  for (const int64_t side : {3, 32}) {  // direct, and by Winograd
    const auto bytes = [&](WeightFormat format) {
      const std::vector<float> weights(9 * 64 * 96, 1), bias(96, 1);
      return ImageConv(SameSize(64, side), 1, 96, weights, bias, 1, format).WeightBytes();
    };
    EXPECT_LE(static_cast<double>(bytes(WeightFormat::kHalf)), 0.51 * static_cast<double>(bytes(WeightFormat::kFloat)));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, PackedWeights, ::testing::ValuesIn(AvailableTables()), [](const auto& info) {
  std::string name = info.param->name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace halfwave
