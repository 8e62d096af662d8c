#include "model/onnx/tensor_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace halfwave {
namespace {

using onnx::TensorProto;
using ::testing::HasSubstr;

TensorProto Tensor(TensorProto::DataType type, int64_t count) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(type);
  tensor.add_dims(count);
  return tensor;
}

template <typename T>
TensorProto Raw(TensorProto::DataType type, const std::vector<T>& values) {
  TensorProto tensor = Tensor(type, static_cast<int64_t>(values.size()));
  tensor.set_raw_data(values.data(), values.size() * sizeof(T));
  return tensor;
}

void ExpectError(const TensorProto& tensor, absl::StatusCode code, const std::vector<std::string>& words) {
  const auto status = ReadTensor(tensor).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("tensor 'w'"));
  for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

// The value of a half by its definition (IEEE 754, binary16).
double HalfByDefinition(int bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction / 1024, -14) : std::ldexp(1 + fraction / 1024, exponent - 15);
  return bits >> 15 ? -magnitude : magnitude;
}

TEST(TensorReader, EveryFiniteHalfHasItsValueRawAndTyped) {
  std::vector<uint16_t> halves;
  for (int bits = 0; bits < 1 << 16; ++bits) {
    if ((bits >> 10 & 31) != 31) halves.push_back(static_cast<uint16_t>(bits));
  }
  TensorProto typed = Tensor(TensorProto::FLOAT16, static_cast<int64_t>(halves.size()));
  for (const uint16_t bits : halves) typed.add_int32_data(bits);
  for (const TensorProto& tensor : {typed, Raw(TensorProto::FLOAT16, halves)}) {
    const auto constant = ReadTensor(tensor);
    ASSERT_TRUE(constant.ok()) << constant.status();
    EXPECT_EQ(constant->type, DataType::kFloat16);
    for (size_t i = 0; i < halves.size(); ++i) {
      ASSERT_EQ(constant->floats[i], HalfByDefinition(halves[i])) << halves[i];
      ASSERT_EQ(std::signbit(constant->floats[i]), halves[i] >> 15 != 0) << halves[i];
    }
  }
}

TEST(TensorReader, BrainFloatsAreTheUpperHalvesOfFloats) {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, -2.5f, 0x1.fep127f, 0x1p-126f, 0x1p-133f};
  std::vector<uint16_t> upper;
  TensorProto typed = Tensor(TensorProto::BFLOAT16, static_cast<int64_t>(values.size()));
  for (const float value : values) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    upper.push_back(static_cast<uint16_t>(bits >> 16));
    typed.add_int32_data(upper.back());
  }
  for (const TensorProto& tensor : {typed, Raw(TensorProto::BFLOAT16, upper)}) {
    const auto constant = ReadTensor(tensor);
    ASSERT_TRUE(constant.ok()) << constant.status();
    EXPECT_EQ(constant->type, DataType::kBFloat16);
    EXPECT_EQ(constant->floats, values);
  }
}

TEST(TensorReader, NumbersThatNoFloat32HoldsAreRefused) {
  for (const int bits : {0x7C00, 0xFC00, 0x7C01, 0x7E00}) {
    TensorProto half = Tensor(TensorProto::FLOAT16, 1);
    half.add_int32_data(bits);
    ExpectError(half, absl::StatusCode::kInvalidArgument, {"element 0"});
  }
  ExpectError(Raw<uint16_t>(TensorProto::BFLOAT16, {0, 0x7F80}), absl::StatusCode::kInvalidArgument, {"element 1"});
  ExpectError(Raw<double>(TensorProto::DOUBLE, {0, 1, -1e39}), absl::StatusCode::kInvalidArgument,
              {"element 2", "-inf as a float32"});
  EXPECT_EQ(ReadTensor(Raw<double>(TensorProto::DOUBLE, {1e-60, 3.4e38}))->floats[1], 3.4e38f);
}

template <typename T>
void ExpectIntegers(TensorProto::DataType onnx_type, DataType type) {
  const std::vector<T> values = {0, 1, std::numeric_limits<T>::min(),
                                 static_cast<T>(std::min<uint64_t>(std::numeric_limits<T>::max(), INT64_MAX))};
  TensorProto typed = Tensor(onnx_type, static_cast<int64_t>(values.size()));
  for (const T value : values) {
    if (sizeof(T) == 8 && std::is_signed_v<T>) {
      typed.add_int64_data(static_cast<int64_t>(value));
    } else if (sizeof(T) >= 4 && !std::is_signed_v<T>) {
      typed.add_uint64_data(value);
    } else {
      typed.add_int32_data(static_cast<int32_t>(value));
    }
  }
  for (const TensorProto& tensor : {typed, Raw(onnx_type, values)}) {
    const auto constant = ReadTensor(tensor);
    ASSERT_TRUE(constant.ok()) << constant.status();
    EXPECT_EQ(constant->type, type);
    EXPECT_EQ(constant->ints, std::vector<int64_t>(values.begin(), values.end()));
    EXPECT_TRUE(constant->floats.empty());
  }
}

TEST(TensorReader, IntegersOfEveryWidthRawAndTyped) {
  ExpectIntegers<int8_t>(TensorProto::INT8, DataType::kInt8);
  ExpectIntegers<int16_t>(TensorProto::INT16, DataType::kInt16);
  ExpectIntegers<int32_t>(TensorProto::INT32, DataType::kInt32);
  ExpectIntegers<int64_t>(TensorProto::INT64, DataType::kInt64);
  ExpectIntegers<uint8_t>(TensorProto::UINT8, DataType::kUint8);
  ExpectIntegers<uint16_t>(TensorProto::UINT16, DataType::kUint16);
  ExpectIntegers<uint32_t>(TensorProto::UINT32, DataType::kUint32);
  ExpectIntegers<uint64_t>(TensorProto::UINT64, DataType::kUint64);
}

TEST(TensorReader, TruthValuesAreZeroOrOne) {
  const auto constant = ReadTensor(Raw<uint8_t>(TensorProto::BOOL, {0, 1, 255}));
  ASSERT_TRUE(constant.ok());
  EXPECT_EQ(constant->type, DataType::kBool);
  EXPECT_EQ(constant->ints, (std::vector<int64_t>{0, 1, 1}));
}

TEST(TensorReader, IntegersBeyondTheirTypeAreRefused) {
  const std::pair<TensorProto::DataType, int32_t> wrong[] = {
      {TensorProto::INT8, 128},    {TensorProto::INT8, -129}, {TensorProto::UINT8, -1}, {TensorProto::UINT8, 256},
      {TensorProto::INT16, 32768}, {TensorProto::UINT16, -1}, {TensorProto::BOOL, 256}, {TensorProto::FLOAT16, 65536}};
  for (const auto& [type, value] : wrong) {
    TensorProto tensor = Tensor(type, 1);
    tensor.add_int32_data(value);
    ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"element 0", std::to_string(value)});
  }
  ExpectError(Raw<uint64_t>(TensorProto::UINT64, {uint64_t{1} << 63}), absl::StatusCode::kInvalidArgument,
              {"element 0", "9223372036854775808"});
}

TEST(TensorReader, TextIsKeptAsText) {
  TensorProto tensor = Tensor(TensorProto::STRING, 2);
  tensor.add_string_data("cat");
  tensor.add_string_data("J\xf6rg");
  const auto constant = ReadTensor(tensor);
  ASSERT_TRUE(constant.ok()) << constant.status();
  EXPECT_EQ(constant->type, DataType::kString);
  EXPECT_EQ(constant->strings, (std::vector<std::string>{"cat", "J?rg"}));
  tensor.add_string_data("one too many");
  ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"2 elements, found 3"});
  tensor.set_raw_data("xx");
  ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"raw"});
}

TEST(TensorReader, OtherElementTypesAreRefusedByName) {
  const std::pair<int, const char*> types[] = {{0, "UNDEFINED"}, {14, "COMPLEX64"},  {17, "FLOAT8E4M3FN"},
                                               {22, "INT4"},     {23, "FLOAT4E2M1"}, {29, "29"},
                                               {-1, "-1"},       {12345, "12345"}};
  for (const auto& [type, name] : types) {
    TensorProto tensor = Tensor(TensorProto::FLOAT, 1);
    tensor.set_data_type(type);
    tensor.set_raw_data("0123");
    ExpectError(tensor, absl::StatusCode::kUnimplemented, {name, "float32"});
  }
}

TEST(TensorReader, AScalarAndAnEmptyTensorAreRead) {
  TensorProto scalar = Tensor(TensorProto::FLOAT, 0);
  scalar.clear_dims();
  scalar.add_float_data(3);
  EXPECT_EQ(ReadTensor(scalar)->floats, (std::vector<float>{3}));
  EXPECT_EQ(ReadTensor(Tensor(TensorProto::FLOAT, 0))->shape, Shape{0});
  TensorProto raw = Tensor(TensorProto::INT64, 0);
  raw.set_raw_data("");
  EXPECT_TRUE(ReadTensor(raw)->ints.empty());
}

TEST(TensorReader, ATerabyteThatIsNotThereIsRefusedForEveryType) {
  for (int type = TensorProto::FLOAT; type <= TensorProto::BFLOAT16; ++type) {
    if (!ToDataType(type)) continue;
    TensorProto tensor = Tensor(static_cast<TensorProto::DataType>(type), int64_t{1} << 40);
    ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"1099511627776 elements"});
    if (type == TensorProto::STRING) continue;
    tensor.set_raw_data("0123456789abcdef");
    ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"1099511627776 elements", "found 16 bytes"});
  }
}

TEST(TensorReader, TooManyDimensionsAreRefused) {
  TensorProto tensor = Tensor(TensorProto::FLOAT, 1);
  for (int i = 0; i < 64; ++i) tensor.add_dims(1);
  tensor.add_float_data(1);
  ExpectError(tensor, absl::StatusCode::kInvalidArgument, {"65 dimensions"});
}

}  // namespace
}  // namespace halfwave
