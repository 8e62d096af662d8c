// The dense layers of each instruction set that this machine has, against the plain reference: at sizes around the
// tiles, with everything an epilogue does, and bit for bit at any batch size.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/kernels/isa.h"
#include "model/tensor/aligned_buffer.h"
#include "tests/support/noise.h"
#include "tests/unit/model/bits.h"

namespace halfwave {
namespace {

using kernels::Activation;
using kernels::ActivationKind;
using kernels::DenseCall;
using kernels::KernelTable;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr int64_t kMostRows = 300;

// One layer, packed for one instruction set.
class PackedDense {
 public:
  PackedDense(const KernelTable& table, int64_t in, int64_t out, const std::vector<float>& weights,
              const std::vector<float>& bias)
      : PackedDense(table.dense, in, out, weights, bias) {}
  PackedDense(const kernels::DenseKernels& kernels, int64_t in, int64_t out, const std::vector<float>& weights,
              const std::vector<float>& bias)
      : kernels_(kernels),
        in_(in),
        out_(out),
        packed_(kernels.packed_elements(in, out)),
        scratch_(kernels.scratch_elements(kMostRows, in)) {
    const kernels::DenseWeights unpacked = {in, out, weights.data(), out, 1, 1, bias.data()};
    kernels.pack(&unpacked, packed_.data());
  }

  struct Result {
    std::vector<float> y;
    std::vector<uint32_t> active;
    uint64_t zeros = 0;
  };

  // y has `gap` more columns than outputs, which must stay what they were.
  Result Run(const std::vector<float>& x, Activation activation = {}, const std::vector<uint8_t>& skip = {},
             int64_t gap = 0) {
    const int64_t rows = static_cast<int64_t>(x.size()) / in_;
    std::vector<float> wide(rows * (out_ + gap) + 1, 42.0f);
    Result result;
    result.active.resize(out_);
    DenseCall call = {};
    call.rows = rows, call.in = in_, call.out = out_;
    call.x = x.data(), call.x_stride = in_;
    call.packed = packed_.data();
    call.y = wide.data(), call.y_stride = out_ + gap;
    call.scratch = scratch_.data();
    call.activation = activation;
    call.counts = {result.active.data(), &result.zeros, skip.empty() ? nullptr : skip.data()};
    kernels_.run(&call);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < out_ + gap; ++i) {
        const float value = wide[row * (out_ + gap) + i];
        if (i < out_) {
          result.y.push_back(value);
        } else {
          EXPECT_EQ(value, 42.0f) << "wrote behind row " << row;
        }
      }
    }
    EXPECT_EQ(wide.back(), 42.0f) << "wrote behind the last row";
    return result;
  }

 private:
  const kernels::DenseKernels& kernels_;
  int64_t in_, out_;
  AlignedBuffer packed_, scratch_;
};

// Noise of which about `share` is exactly zero, some of it negative.
std::vector<float> SparseNoise(int64_t count, unsigned seed, double share) {
  std::vector<float> values = Noise(count, seed);
  std::mt19937 random(seed);
  for (float& value : values) {
    if (random() < share * 4294967296.0) value = random() % 2 == 0 ? 0.0f : -0.0f;
  }
  return values;
}

class DenseIsa : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  void SetUp() override {
    for (const kernels::Isa& isa : kernels::Isas()) {
      if (isa.table == GetParam() && !isa.available) GTEST_SKIP() << "SKIPPED: no " << isa.table->name << " here";
    }
    fused_ = std::string_view(GetParam()->name) != "x86-64-v2";
  }

  // The same chain of fused operations has the same bits; without them, it is close.
  void ExpectAsReference(const std::vector<float>& got, const std::vector<float>& want) const {
    if (fused_) {
      EXPECT_EQ(Bits(got), Bits(want));
      return;
    }
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
      EXPECT_NEAR(got[i], want[i], 1e-5 * std::max(10.0f, std::abs(want[i])));
    }
  }

  bool fused_ = true;
};

const KernelTable& Reference() { return *kernels::Isas().back().table; }

TEST_P(DenseIsa, ComputesWhatThePlainReferenceDoes) {
  for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25, 239, 300}) {
    for (const int64_t in : {1, 2, 7, 64, 383, 384, 577, 1153}) {
      for (const int64_t out : {1, 3, 8, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 259}) {
        if (rows * in * out > 4'000'000) continue;
        const auto w = Noise(in * out, 2), bias = Noise(out, 3);
        const auto x = SparseNoise(rows * in, 1, rows % 2 == 0 ? 0.0 : 0.8);
        const auto got = PackedDense(*GetParam(), in, out, w, bias).Run(x, {}, {}, 5);
        const auto want = PackedDense(Reference(), in, out, w, bias).Run(x);
        SCOPED_TRACE(testing::Message() << rows << " rows, " << in << " to " << out);
        ExpectAsReference(got.y, want.y);
        if (fused_) {
          EXPECT_EQ(got.active, want.active);
          EXPECT_EQ(got.zeros, want.zeros);
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(DenseIsa, AppliesEachActivationAndCountsTheRowsThatAreNotSkipped) {
  const Activation activations[] = {{ActivationKind::kNone, 0, 0},
                                    {ActivationKind::kRelu, 0, 0},
                                    {ActivationKind::kLeakyRelu, 0.25f, 0},
                                    {ActivationKind::kClip, 0, 0.5f},
                                    {ActivationKind::kClip, -0.25f, 0.5f}};
  for (const Activation& activation : activations) {
    for (const int64_t rows : {1, 2, 5, 9, 20}) {
      for (const int64_t out : {1, 10, 16, 67, 300}) {
        const int64_t in = 40;
        // Whole numbers: some sums are zero, and they are the same with and without fused operations.
        auto x = Noise(rows * in, 4, -2, 2), w = Noise(in * out, 5, -2, 2), bias = Noise(out, 6, -2, 2);
        for (auto* values : {&x, &w, &bias}) {
          for (float& value : *values) value = std::trunc(value);
        }
        x[0] = kNan;
        if (rows > 1) x[in] = kInfinity;
        std::vector<uint8_t> skip(rows);
        for (int64_t row = 0; row < rows; ++row) skip[row] = row % 3 == 1 ? 1 : 0;
        for (const std::vector<uint8_t>& skipped : {skip, {}}) {
          const auto got = PackedDense(*GetParam(), in, out, w, bias).Run(x, activation, skipped, 1);
          const auto want = PackedDense(Reference(), in, out, w, bias).Run(x, activation, skipped);
          SCOPED_TRACE(testing::Message() << rows << " rows to " << out << " with activation "
                                          << static_cast<int>(activation.kind) << ", " << skipped.size() << " marks");
          EXPECT_EQ(Bits(got.y), Bits(want.y));
          EXPECT_EQ(got.active, want.active);
          EXPECT_EQ(got.zeros, want.zeros);
        }
      }
    }
  }
}

void ExpectEachRowAsAlone(const kernels::DenseKernels& kernels, const std::vector<int64_t>& ins,
                          const std::vector<int64_t>& outs) {
  for (const int64_t in : ins) {
    for (const int64_t out : outs) {
      PackedDense layer(kernels, in, out, Noise(in * out, 2), Noise(out, 3));
      for (const double zeros : {0.0, 0.5, 0.95}) {
        const auto row = SparseNoise(in, 7, zeros);
        const auto alone = Bits(layer.Run(row).y);
        for (int64_t rows = 1; rows <= 130; ++rows) {
          const int64_t position = (rows * 5 + 3) % rows;
          // The others are dense in one batch and sparse in the next, so that each path meets the row.
          auto x = SparseNoise(rows * in, static_cast<unsigned>(rows), rows % 3 == 0 ? 0.97 : 0.1);
          for (const int64_t at : {int64_t{0}, position, rows - 1})
            std::copy(row.begin(), row.end(), x.begin() + at * in);
          const auto y = layer.Run(x).y;
          for (const int64_t at : {int64_t{0}, position, rows - 1}) {
            ASSERT_EQ(Bits({y.begin() + at * out, y.begin() + (at + 1) * out}), alone)
                << in << " to " << out << ", row " << at << " of " << rows;
          }
        }
      }
    }
  }
}

// The promise itself: ORDER.md.
TEST_P(DenseIsa, ARowHasTheSameBitsInEveryBatchAtEveryPosition) {
  ExpectEachRowAsAlone(GetParam()->dense, {5, 130, 800}, {10, 70, 140});
}

TEST_P(DenseIsa, ARowHasTheSameBitsInEveryBatchWithHalfSizeWeights) {
  ExpectEachRowAsAlone(GetParam()->dense_half, {200}, {90});
}

// More weights than are read from the cache, in either format.
TEST_P(DenseIsa, ComputesWhatThePlainReferenceDoesWithMillionsOfWeights) {
  constexpr int64_t kIn = 1100, kOut = 1927, kRows = 8;
  if (GetParam() == &Reference()) return;
  const auto w = Noise(kIn * kOut, 2, -0.1f, 0.1f), bias = Noise(kOut, 3), x = Noise(kRows * kIn, 4);
  for (const bool half : {false, true}) {
    const auto kernels = [half](const KernelTable& table) { return half ? table.dense_half : table.dense; };
    const kernels::DenseKernels reference = kernels(Reference()), fast = kernels(*GetParam());
    const std::vector<float> want = PackedDense(reference, kIn, kOut, w, bias).Run(x).y;
    PackedDense layer(fast, kIn, kOut, w, bias);
    for (int64_t rows = 1; rows <= kRows; ++rows) {
      SCOPED_TRACE(testing::Message() << rows << " rows");
      const std::vector<float> y = layer.Run({x.begin(), x.begin() + rows * kIn}).y;
      ExpectAsReference(y, {want.begin(), want.begin() + rows * kOut});
    }
  }
}

void ExpectPackedTheSame(const kernels::DenseKernels& dense) {
  for (const int64_t in : {1, 31, 32, 33, 70}) {
    for (const int64_t out : {1, 7, 16, 31, 127, 128, 130, 257}) {
      const auto w = Noise(in * out, 12), bias = Noise(out, 13);
      const auto pack = [&](const std::vector<float>& values, int64_t in_stride, int64_t out_stride,
                            int64_t positions) {
        const kernels::DenseWeights unpacked = {in, out, values.data(), in_stride, out_stride, positions, bias.data()};
        AlignedBuffer packed(dense.packed_elements(in, out));
        std::ranges::fill(packed.span(), 0.0f);
        dense.pack(&unpacked, packed.data());
        return std::vector<float>(packed.data(), packed.data() + packed.size());
      };
      std::vector<float> transposed(in * out);
      for (int64_t i = 0; i < in * out; ++i) transposed[i % out * in + i / out] = w[i];
      const std::vector<float> want = pack(w, out, 1, 1);
      ASSERT_EQ(pack(transposed, 1, in, 1), want) << in << " to " << out;
      for (const int64_t positions : {2, 3, 4, 7, 10}) {
        if (in % positions != 0) continue;
        // The same weights, channel by channel.
        std::vector<float> apart(in * out), apart_transposed(in * out);
        for (int64_t k = 0; k < in; ++k) {
          const int64_t channels = in / positions, place = k % channels * positions + k / channels;
          for (int64_t o = 0; o < out; ++o) {
            apart[place * out + o] = apart_transposed[o * in + place] = w[k * out + o];
          }
        }
        ASSERT_EQ(pack(apart, out, 1, positions), want) << in << " to " << out << ", positions: " << positions;
        ASSERT_EQ(pack(apart_transposed, 1, in, positions), want) << in << " to " << out << ", " << positions;
      }
    }
  }
}

TEST_P(DenseIsa, WeightsThatLieTheOtherWayRoundArePackedTheSame) {
  ExpectPackedTheSame(GetParam()->dense);
  ExpectPackedTheSame(GetParam()->dense_half);
}

TEST_P(DenseIsa, ZerosOfEitherSignDenormalsAndInfinitiesGoWhereTheReferenceSends) {
  const float special[] = {0.0f, -0.0f, 1e-40f, -1e-40f,   1e-30f,     -1e-30f, 1,
                           -1,   3e38f, -3e38f, kInfinity, -kInfinity, kNan};
  for (const int64_t rows : {1, 2, 3, 4, 6, 8, 13}) {
    for (const double zeros : {0.1, 0.9}) {
      const int64_t in = 70, out = 75;
      auto x = SparseNoise(rows * in, 8, zeros), w = Noise(in * out, 9), bias = Noise(out, 10);
      std::mt19937 random(11);
      for (int64_t i = 0; i < rows * in; ++i) {
        if (x[i] != 0 && random() % 8 == 0) x[i] = special[random() % (rows % 2 == 0 ? 8 : std::size(special))];
      }
      for (float& value : w) {
        if (random() % 4 == 0) value = special[random() % 8];
      }
      for (float& value : bias) value = special[random() % 6];
      const auto got = PackedDense(*GetParam(), in, out, w, bias).Run(x);
      const auto want = PackedDense(Reference(), in, out, w, bias).Run(x);
      ExpectAsReference(got.y, want.y);
    }
  }
}

TEST_P(DenseIsa, AnOutputOfMinusZeroIsNeverSeen) {
  const std::vector<float> w = {-1, 1}, bias = {-0.0f};
  PackedDense layer(*GetParam(), 2, 1, w, bias);
  for (const auto& x : {std::vector<float>{0, 0}, {-0.0f, 0}, {0, -0.0f}, {1, 1}}) {
    EXPECT_EQ(Bits(layer.Run(x).y), Bits({0.0f}));
  }
}

// The nearest number that half precision has, a tie to the one whose last bit is 0; from its definition.
float NearestHalf(float value) {
  static const auto& magnitudes = *new std::vector<double>([] {
    std::vector<double> all;
    for (int bits = 0; bits < 0x7c00; ++bits) {
      const int exponent = bits >> 10, fraction = bits & 0x3ff;
      all.push_back(exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
    }
    return all;
  }());
  const double magnitude = std::abs(static_cast<double>(value));
  const size_t above = std::lower_bound(magnitudes.begin(), magnitudes.end(), magnitude) - magnitudes.begin();
  size_t nearest = std::min(above, magnitudes.size() - 1);
  if (nearest > 0) {
    const double up = magnitudes[nearest] - magnitude, down = magnitude - magnitudes[nearest - 1];
    if (down < up || (down == up && nearest % 2 == 1)) --nearest;
  }
  return std::copysign(static_cast<float>(magnitudes[nearest]), value);
}

std::vector<float> NearestHalves(std::vector<float> values) {
  for (float& value : values) value = NearestHalf(value);
  return values;
}

TEST_P(DenseIsa, AHalfSizeWeightIsTheNearestATieTheEvenOne) {
  std::vector<float> w = {0, 65504, 65519.99f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, 0x1.8p-24f, 0x1.002p-14f, 1e-40f};
  for (int bits = 0; bits < 0x7bff; bits += 7) {
    const float low =
        NearestHalf(bits < 0x400 ? std::ldexp(bits, -24) : std::ldexp(1024 + bits % 1024, bits / 1024 - 25));
    const float up = bits % 1024 == 0 ? low : low + std::ldexp(1.0f, std::max(bits >> 10, 1) - 25);
    const float tie = (low + up) / 2;
    for (const float value : {low, tie, std::nextafter(tie, 0.0f), std::nextafter(tie, 1e9f)}) w.push_back(value);
  }
  for (const float value : std::vector<float>(w)) w.push_back(-value);
  const int64_t out = static_cast<int64_t>(w.size());
  const std::vector<float> bias(out, 0.0f);
  const auto got = PackedDense(GetParam()->dense_half, 1, out, w, bias).Run({1});
  for (int64_t i = 0; i < out; ++i) ASSERT_EQ(got.y[i], NearestHalf(w[i])) << std::hexfloat << w[i];
}

// The sums are the same chain: what a layer of floats makes of the rounded weights, to the bit.
TEST_P(DenseIsa, HalfSizeWeightsGiveTheBitsOfTheirValuesAsFloats) {
  const Activation relu = {ActivationKind::kRelu, 0, 0};
  for (const int64_t in : {1, 64, 577}) {
    for (const int64_t out : {1, 3, 8, 10, 16, 17, 31, 33, 47, 63, 64, 65, 79, 95, 111, 127, 129, 259}) {
      const auto w = Noise(in * out, 2), bias = Noise(out, 3);
      PackedDense halves(GetParam()->dense_half, in, out, w, bias);
      PackedDense floats(GetParam()->dense, in, out, NearestHalves(w), bias);
      for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 25, 64}) {
        for (const double zeros : {0.0, 0.9}) {
          const auto x = SparseNoise(rows * in, 1, zeros);
          const auto got = halves.Run(x, relu, {}, 5), want = floats.Run(x, relu);
          ASSERT_EQ(Bits(got.y), Bits(want.y)) << rows << " rows of " << in << " to " << out;
          ASSERT_EQ(got.active, want.active);
          ASSERT_EQ(got.zeros, want.zeros);
        }
      }
    }
  }
}

std::vector<const KernelTable*> Tables() {
  std::vector<const KernelTable*> tables;
  for (const kernels::Isa& isa : kernels::Isas()) tables.push_back(isa.table);
  return tables;
}

INSTANTIATE_TEST_SUITE_P(, DenseIsa, ::testing::ValuesIn(Tables()), [](const auto& info) {
  std::string name = info.param->name;
  for (char& letter : name) letter = letter == '-' ? '_' : letter;
  return name;
});

}  // namespace
}  // namespace halfwave
