// Every data type both ways, raw and typed, against bytes written by hand.
#include "server/rpc/tensor_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/tensor_values.h"

namespace halfwave {
namespace {

using inference::InferTensorContents;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <typename T>
std::string Raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inference::ModelInferRequest RawRequest(const std::string& raw) {
  inference::ModelInferRequest request;
  request.add_inputs();
  request.add_raw_input_contents(raw);
  return request;
}

std::vector<float> Floats(const char* values, int64_t count) {
  std::vector<float> floats(count);
  std::memcpy(floats.data(), values, count * sizeof(float));
  return floats;
}

std::vector<float> Decode(const inference::ModelInferRequest& request, DataType type, int64_t elements) {
  std::vector<float> converted;
  const auto values = DecodeValues(request, 0, type, elements, converted);
  EXPECT_TRUE(values.ok()) << DataTypeName(type) << ": " << values.status();
  return values.ok() ? Floats(*values, elements) : std::vector<float>{};
}

std::string Refusal(const inference::ModelInferRequest& request, DataType type, int64_t elements) {
  std::vector<float> converted;
  const auto values = DecodeValues(request, 0, type, elements, converted);
  EXPECT_TRUE(absl::IsInvalidArgument(values.status())) << DataTypeName(type) << ": " << values.status();
  return std::string(values.status().message());
}

// The raw contents of an output of shape [batch].
std::string Encode(DataType type, const std::vector<float>& values, const std::vector<std::string>& labels = {}) {
  inference::ModelInferResponse response;
  EncodeValues({"y", {kBatch}, type, labels}, static_cast<int64_t>(values.size()), values, response);
  EXPECT_EQ(response.outputs(0).name(), "y");
  EXPECT_EQ(response.outputs(0).datatype(), DataTypeName(type));
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(values.size()));
  return response.raw_output_contents(0);
}

template <typename T>
void ExpectIntegersBothWays(DataType type) {
  SCOPED_TRACE(DataTypeName(type));
  const T low = std::numeric_limits<T>::min();
  const T high = std::numeric_limits<T>::max();
  EXPECT_THAT(Decode(RawRequest(Raw<T>({0, 1, 100, low, high})), type, 5),
              ElementsAre(0, 1, 100, static_cast<float>(low), static_cast<float>(high)));
  EXPECT_EQ(Encode(type, {0, 1, 2.9F, 100, -1e30F, 1e30F, -kInfinity, kInfinity, kNan}),
            Raw<T>({0, 1, 2, 100, low, high, low, high, 0}));
  if constexpr (std::is_signed_v<T>) {
    EXPECT_EQ(Encode(type, {-2.9F, -100}), Raw<T>({-2, -100}));
  }
}

TEST(TensorCodec, IntegersOfEveryWidthComeAndGoAndStayWithinTheirLimits) {
  ExpectIntegersBothWays<int8_t>(DataType::kInt8);
  ExpectIntegersBothWays<int16_t>(DataType::kInt16);
  ExpectIntegersBothWays<int32_t>(DataType::kInt32);
  ExpectIntegersBothWays<int64_t>(DataType::kInt64);
  ExpectIntegersBothWays<uint8_t>(DataType::kUint8);
  ExpectIntegersBothWays<uint16_t>(DataType::kUint16);
  ExpectIntegersBothWays<uint32_t>(DataType::kUint32);
  ExpectIntegersBothWays<uint64_t>(DataType::kUint64);
}

TEST(TensorCodec, IntegersBeyondTheReachOfFloatAreRounded) {
  constexpr int64_t kExact = int64_t{1} << 24;
  EXPECT_THAT(Decode(RawRequest(Raw<int64_t>({kExact - 1, kExact + 1})), DataType::kInt64, 2),
              ElementsAre(16777215.0F, 16777216.0F));
}

TEST(TensorCodec, TruthValuesAreZeroAndOne) {
  EXPECT_THAT(Decode(RawRequest(Raw<uint8_t>({0, 1, 255})), DataType::kBool, 3), ElementsAre(0, 1, 1));
  EXPECT_EQ(Encode(DataType::kBool, {0, 1, -0.5F, 7, kNan}), Raw<uint8_t>({0, 1, 1, 1, 0}));
}

TEST(TensorCodec, Fp32StaysWhereItLies) {
  const std::vector<float> values = {1.5F, -2, kInfinity};
  const auto request = RawRequest(Raw(values));
  std::vector<float> converted;
  const auto decoded = DecodeValues(request, 0, DataType::kFloat, 3, converted);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, request.raw_input_contents(0).data());
  EXPECT_TRUE(converted.empty());
  EXPECT_EQ(Encode(DataType::kFloat, values), Raw(values));
}

TEST(TensorCodec, Fp64IsRoundedAndBecomesInfiniteBeyondTheRange) {
  EXPECT_THAT(Decode(RawRequest(Raw<double>({0.1, -2.5, 1e39, -1e39})), DataType::kDouble, 4),
              ElementsAre(0.1F, -2.5F, kInfinity, -kInfinity));
  EXPECT_EQ(Encode(DataType::kDouble, {0.1F, kInfinity}), Raw<double>({0.1F, kInfinity}));
}

TEST(TensorCodec, Fp16IsRoundedToTheNearestTiesToEven) {
  // One, the largest number, the least normal and the least subnormal one, -2, infinity.
  EXPECT_THAT(
      Decode(RawRequest(Raw<uint16_t>({0x3C00, 0x7BFF, 0x0400, 0x0001, 0xC000, 0x7C00})), DataType::kFloat16, 6),
      ElementsAre(1, 65504, 0x1p-14F, 0x1p-24F, -2, kInfinity));
  EXPECT_TRUE(std::isnan(Decode(RawRequest(Raw<uint16_t>({0x7E00})), DataType::kFloat16, 1)[0]));
  EXPECT_EQ(Encode(DataType::kFloat16, {1, 65504, 65519, 65520, -kInfinity, 0x1p-14F, 0x1p-24F, 0x1p-25F, 0x1.8p-24F,
                                        1 + 0x1p-11F, 1 + 0x3p-11F, -0.0F, 0x1.FFFp-15F}),
            Raw<uint16_t>({0x3C00, 0x7BFF, 0x7BFF, 0x7C00, 0xFC00, 0x0400, 0x0001, 0x0000, 0x0002, 0x3C00, 0x3C02,
                           0x8000, 0x0400}));
}

TEST(TensorCodec, EveryFp16ComesBackAsItWent) {
  std::vector<uint16_t> all;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const bool nan = (bits & 0x7C00) == 0x7C00 && (bits & 0x3FF) != 0;
    if (!nan) all.push_back(static_cast<uint16_t>(bits));
  }
  const auto count = static_cast<int64_t>(all.size());
  EXPECT_EQ(Encode(DataType::kFloat16, Decode(RawRequest(Raw(all)), DataType::kFloat16, count)), Raw(all));
}

TEST(TensorCodec, Bf16IsRoundedToTheNearestTiesToEven) {
  EXPECT_THAT(Decode(RawRequest(Raw<uint16_t>({0x3F80, 0xC000, 0x7F80})), DataType::kBFloat16, 3),
              ElementsAre(1, -2, kInfinity));
  EXPECT_EQ(Encode(DataType::kBFloat16, {1, 1 + 0x1p-8F, 1 + 0x3p-8F, kInfinity, 3.4e38F}),
            Raw<uint16_t>({0x3F80, 0x3F80, 0x3F82, 0x7F80, 0x7F80}));
  // The second would be an infinity without its lower bits.
  const std::string nans = Encode(DataType::kBFloat16, {kNan, std::bit_cast<float>(0x7F800001)});
  for (const float value : Decode(RawRequest(nans), DataType::kBFloat16, 2)) EXPECT_TRUE(std::isnan(value));
}

TEST(TensorCodec, LabelsGoWithTheirLengthAndAnIndexStaysWithinTheTable) {
  const auto bytes = [](const std::vector<std::string>& values) {
    std::string raw;
    for (const std::string& value : values) raw += Raw<uint32_t>({static_cast<uint32_t>(value.size())}) + value;
    return raw;
  };
  EXPECT_EQ(Encode(DataType::kString, {1, 0, 2, 7, -3, kNan}, {"cat", "", "d\xC3\xB6g"}),
            bytes({"", "cat", "d\xC3\xB6g", "d\xC3\xB6g", "cat", "cat"}));
  EXPECT_EQ(Encode(DataType::kString, {1}), bytes({""}));
}

TEST(TensorCodec, AnOutputOfHigherRankHasItsShapeBehindTheRows) {
  inference::ModelInferResponse response;
  EncodeValues({"y", {kBatch, 2, 3}, DataType::kInt8}, 1, std::vector<float>(6), response);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 2, 3));
  EXPECT_EQ(response.raw_output_contents(0).size(), 6);
}

// A field of typed contents, the types that use it, and how to add the value 1 to it.
struct TypedField {
  const char* name;
  std::vector<DataType> types;
  void (*add)(InferTensorContents* contents);
};
const std::vector<TypedField>& TypedFields() {
  static const auto* const kFields = new std::vector<TypedField>{
      {"fp32_contents", {DataType::kFloat}, [](auto* contents) { contents->add_fp32_contents(1); }},
      {"fp64_contents", {DataType::kDouble}, [](auto* contents) { contents->add_fp64_contents(1); }},
      {"int_contents",
       {DataType::kInt8, DataType::kInt16, DataType::kInt32},
       [](auto* contents) { contents->add_int_contents(1); }},
      {"int64_contents", {DataType::kInt64}, [](auto* contents) { contents->add_int64_contents(1); }},
      {"uint_contents",
       {DataType::kUint8, DataType::kUint16, DataType::kUint32},
       [](auto* contents) { contents->add_uint_contents(1); }},
      {"uint64_contents", {DataType::kUint64}, [](auto* contents) { contents->add_uint64_contents(1); }},
      {"bool_contents", {DataType::kBool}, [](auto* contents) { contents->add_bool_contents(true); }},
  };
  return *kFields;
}

TEST(TensorCodec, EveryTypeTakesItsOwnFieldOfTypedContentsAndNoOther) {
  for (const TypedField& own : TypedFields()) {
    for (const DataType type : own.types) {
      SCOPED_TRACE(DataTypeName(type));
      inference::ModelInferRequest request;
      InferTensorContents* contents = request.add_inputs()->mutable_contents();
      EXPECT_THAT(Refusal(request, type, 2), HasSubstr(absl::StrCat("expected 2 values in ", own.name, ", found 0")));
      own.add(contents);
      own.add(contents);
      EXPECT_THAT(Decode(request, type, 2), ElementsAre(1, 1));
      EXPECT_THAT(Refusal(request, type, 3), HasSubstr(absl::StrCat("expected 3 values in ", own.name, ", found 2")));
      for (const TypedField& other : TypedFields()) {
        if (&other == &own) continue;
        inference::ModelInferRequest wrong;
        other.add(wrong.add_inputs()->mutable_contents());
        EXPECT_THAT(Refusal(wrong, type, 1), HasSubstr(absl::StrCat(own.name, " alone"))) << other.name;
      }
    }
  }
}

TEST(TensorCodec, SixteenBitFloatsComeRawOnly) {
  for (const DataType type : {DataType::kFloat16, DataType::kBFloat16}) {
    inference::ModelInferRequest request;
    request.add_inputs();
    EXPECT_THAT(Refusal(request, type, 1), AllOf(HasSubstr("raw_input_contents"), HasSubstr("found none")));
    request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
    EXPECT_THAT(Refusal(request, type, 1), AllOf(HasSubstr(DataTypeName(type)), HasSubstr("found typed contents")));
  }
}

TEST(TensorCodec, ATypedValueThatItsTypeCannotHoldIsRefused) {
  inference::ModelInferRequest request;
  InferTensorContents* contents = request.add_inputs()->mutable_contents();
  for (const int value : {-128, 127, 128}) contents->add_int_contents(value);
  EXPECT_THAT(Refusal(request, DataType::kInt8, 3), HasSubstr("value 2 in int_contents does not fit INT8"));
  EXPECT_THAT(Decode(request, DataType::kInt16, 3), ElementsAre(-128, 127, 128));
  contents->Clear();
  contents->add_uint_contents(65536);
  EXPECT_THAT(Refusal(request, DataType::kUint16, 1), HasSubstr("does not fit UINT16"));
}

TEST(TensorCodec, AWrongNumberOfBytesIsRefusedForEveryType) {
  for (const char* name : {"FP32", "FP64", "FP16", "BF16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16",
                           "UINT32", "UINT64", "BOOL"}) {
    DataType type = DataType::kFloat;
    while (std::string(DataTypeName(type)) != name) type = static_cast<DataType>(static_cast<int>(type) + 1);
    const size_t bytes = FindValueType(name)->bytes;
    for (const size_t size : {size_t{0}, 3 * bytes - 1, 3 * bytes + 1}) {
      EXPECT_THAT(Refusal(RawRequest(std::string(size, '\0')), type, 3),
                  HasSubstr(absl::StrCat("expected ", 3 * bytes, " bytes (3 ", name, " values), found ", size)));
    }
  }
}

TEST(TensorCodec, RawAndTypedContentsAtOnceAreRefused) {
  auto request = RawRequest(Raw<int64_t>({1}));
  request.mutable_inputs(0)->mutable_contents()->add_int64_contents(1);
  EXPECT_THAT(Refusal(request, DataType::kInt64, 1), HasSubstr("both raw and typed"));
}

TEST(TensorCodec, StringsAreNoInput) {
  EXPECT_THAT(Refusal(RawRequest(std::string(8, '\0')), DataType::kString, 1), HasSubstr("BYTES are not supported"));
}

// What a client shows of labels: exactly what was sent, wherever it ends.
TEST(TensorValues, TextsAreExactAndStopWhereTheBytesDo) {
  EXPECT_THAT(FindValueType("INT64")->texts(Raw<int64_t>({-5, 9007199254740993})),
              ElementsAre("-5", "9007199254740993"));
  EXPECT_THAT(FindValueType("UINT8")->texts(Raw<uint8_t>({200})), ElementsAre("200"));
  EXPECT_THAT(FindValueType("BOOL")->texts(Raw<uint8_t>({1})), ElementsAre("1"));
  std::string raw;
  AppendBytes("cat", raw);
  AppendBytes("dog", raw);
  EXPECT_THAT(FindValueType("BYTES")->texts(raw), ElementsAre("cat", "dog"));
  raw.pop_back();
  EXPECT_THAT(FindValueType("BYTES")->texts(raw), ElementsAre("cat"));
  EXPECT_EQ(FindValueType("INT4"), nullptr);
}

}  // namespace
}  // namespace halfwave
