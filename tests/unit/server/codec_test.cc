#include "server/rpc/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "model/onnx/reader.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A model of two inputs, "a" [batch, 3] and "b" [batch, 3], and two outputs, their sum and its ReLU.
class Codec : public testing::Test {
 protected:
  Codec() {
    const auto model = LoadModel(OnnxBuilder()
                                     .Input("a", {-1, 3})
                                     .Input("b", {-1, 3})
                                     .Node("Add", {"a", "b"}, {"sum"})
                                     .Node("Relu", {"sum"}, {"positive"})
                                     .Output("sum")
                                     .Output("positive")
                                     .Bytes());
    ModelVersionOptions options;
    options.scheduler.max_batch_rows = 4;
    version_ = std::make_unique<ModelVersion>("adder", "1", "hash", *model, options, metrics_);
    for (const char* name : {"a", "b"}) {
      auto* input = request_.add_inputs();
      input->set_name(name);
      input->set_datatype("FP32");
      input->add_shape(2);
      input->add_shape(3);
      const float values[6] = {1, 2, 3, 4, 5, 6};
      request_.add_raw_input_contents(values, sizeof(values));
    }
  }

  std::string Refusal(bool allow_non_finite = false) {
    const auto decoded = DecodeRows(request_, *version_, allow_non_finite);
    EXPECT_TRUE(absl::IsInvalidArgument(decoded.status())) << decoded.status();
    return std::string(decoded.status().message());
  }

  void SetRaw(int input, std::vector<float> values) {
    request_.set_raw_input_contents(input, values.data(), values.size() * sizeof(float));
  }

  Metrics metrics_;
  std::unique_ptr<ModelVersion> version_;
  inference::ModelInferRequest request_;
};

TEST_F(Codec, RawRowsAreUsedWhereTheyLie) {
  const auto decoded = DecodeRows(request_, *version_, false);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->rows, 2);
  EXPECT_EQ(decoded->inputs[1], request_.raw_input_contents(1).data());
  EXPECT_TRUE(decoded->finite);
}

TEST_F(Codec, InputsMayComeInAnyOrder) {
  std::swap(*request_.mutable_inputs(0), *request_.mutable_inputs(1));
  const auto decoded = DecodeRows(request_, *version_, false);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->inputs[0], request_.raw_input_contents(1).data());
}

TEST_F(Codec, TypedContentsAreTaken) {
  request_.clear_raw_input_contents();
  for (auto& input : *request_.mutable_inputs()) {
    for (int i = 0; i < 6; ++i) input.mutable_contents()->add_fp32_contents(static_cast<float>(i));
  }
  EXPECT_TRUE(DecodeRows(request_, *version_, false).ok());
}

TEST_F(Codec, RawAndTypedContentsAtOnceAreRefused) {
  request_.mutable_inputs(1)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("both raw and typed")));
}

TEST_F(Codec, AnUnknownInputIsNamedWithThoseThereAre) {
  request_.mutable_inputs(0)->set_name("c");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'c'"), HasSubstr("expected a, b")));
}

TEST_F(Codec, AMissingInputIsNamed) {
  request_.mutable_inputs()->RemoveLast();
  request_.mutable_raw_input_contents()->RemoveLast();
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("is missing")));
}

TEST_F(Codec, ADoubledInputIsNamed) {
  request_.mutable_inputs(1)->set_name("a");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'a'"), HasSubstr("twice")));
}

TEST_F(Codec, AWrongDatatypeSaysWhatWasExpectedAndWhatCame) {
  request_.mutable_inputs(1)->set_datatype("FP64");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("expected datatype FP32"), HasSubstr("'FP64'")));
}

TEST_F(Codec, AWrongShapeSaysWhatWasExpectedAndWhatCame) {
  request_.mutable_inputs(0)->set_shape(1, 4);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'a'"), HasSubstr("expected [-1,3]"), HasSubstr("found [2,4]")));
  request_.mutable_inputs(0)->clear_shape();
  EXPECT_THAT(Refusal(), HasSubstr("found []"));
}

TEST_F(Codec, BatchesOutsideTheBoundsAreRefused) {
  for (const int64_t rows : {int64_t{0}, int64_t{-1}, int64_t{5}, std::numeric_limits<int64_t>::max()}) {
    request_.mutable_inputs(0)->set_shape(0, rows);
    EXPECT_THAT(Refusal(), HasSubstr("expected a batch of 1 to 4 rows"));
  }
}

TEST_F(Codec, InputsOfDifferentBatchesAreRefused) {
  request_.mutable_inputs(1)->set_shape(0, 1);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("has 1 rows, but input 'a' has 2")));
}

TEST_F(Codec, AWrongNumberOfBytesIsRefused) {
  request_.mutable_raw_input_contents(1)->pop_back();
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("expected 24 bytes"), HasSubstr("found 23")));
}

TEST_F(Codec, AWrongNumberOfRawEntriesIsRefused) {
  request_.add_raw_input_contents("");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("each of the 2 inputs"), HasSubstr("found 3")));
}

TEST_F(Codec, TypedContentsOfAnotherTypeOrNumberAreRefused) {
  request_.clear_raw_input_contents();
  for (int i = 0; i < 6; ++i) request_.mutable_inputs(0)->mutable_contents()->add_fp64_contents(1);
  EXPECT_THAT(Refusal(), HasSubstr("fp32_contents alone"));
  request_.mutable_inputs(0)->mutable_contents()->clear_fp64_contents();
  request_.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(Refusal(), HasSubstr("expected 6 values in fp32_contents, found 1"));
}

TEST_F(Codec, NonFiniteValuesAreRefusedWithTheirPlaceUnlessAllowed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    SetRaw(1, {0, 0, 0, 0, bad, 0});
    EXPECT_THAT(Refusal(), AllOf(HasSubstr("'b'"), HasSubstr("value 1 of row 1")));
    const auto decoded = DecodeRows(request_, *version_, true);
    ASSERT_TRUE(decoded.ok());
    EXPECT_FALSE(decoded->finite);
  }
}

TEST_F(Codec, OutputsComeInTheOrderAsked) {
  request_.add_outputs()->set_name("positive");
  request_.add_outputs()->set_name("sum");
  const auto outputs = DecodeOutputs(request_, *version_);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(*outputs, (std::vector<size_t>{1, 0}));
}

TEST_F(Codec, NoOutputsAskedForMeansAllOfThem) {
  EXPECT_EQ(*DecodeOutputs(request_, *version_), (std::vector<size_t>{0, 1}));
}

TEST_F(Codec, AnUnknownOrDoubledOutputIsRefused) {
  request_.add_outputs()->set_name("sum");
  request_.add_outputs()->set_name("sum");
  EXPECT_THAT(DecodeOutputs(request_, *version_).status().message(), HasSubstr("asked for twice"));
  request_.mutable_outputs(1)->set_name("nothing");
  EXPECT_THAT(DecodeOutputs(request_, *version_).status().message(),
              AllOf(HasSubstr("'nothing'"), HasSubstr("expected sum, positive")));
}

// A model of two inputs, "a" [batch, 2] of INT64 and "b" [batch, 1] of FP64, and the outputs ReLU(a) of INT64 and
// the label whose index is ReLU(b).
class TypedCodec : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Load({-1, 1}).ok());
    const int64_t a[6] = {-1, 1, -2, 2, -3, 3};
    const double b[3] = {-1, 0, 1};
    AddInput("a", "INT64", {3, 2}, {reinterpret_cast<const char*>(a), sizeof(a)});
    AddInput("b", "FP64", {3, 1}, {reinterpret_cast<const char*>(b), sizeof(b)});
  }

  absl::Status Load(const Shape& shape_of_b) {
    OnnxBuilder network;
    network.Input("a", {-1, 2}).Input("b", shape_of_b).Node("Relu", {"a"}, {"positive"}).Output("positive");
    network.Node("Relu", {"b"}, {"place"}).Node("Cast", {"place"}, {"index"}, {{"to", int64_t{7}}});
    network.Node("ArrayFeatureExtractor", {"classes", "index"}, {"picked"}).IntWeight("shape", shape_of_b);
    network.Node("Reshape", {"picked", "shape"}, {"label"}).Output("label");
    onnx::GraphProto& graph = *network.proto().mutable_graph();
    graph.mutable_node(3)->set_domain("ai.onnx.ml");
    onnx::TensorProto& classes = *graph.add_initializer();
    classes.set_name("classes");
    classes.set_data_type(onnx::TensorProto::STRING);
    classes.add_dims(2);
    classes.add_string_data("cat");
    classes.add_string_data("dog");
    auto file = ParseOnnx(network.Bytes());
    if (!file.ok()) return file.status();
    file->graph.inputs[0].type = DataType::kInt64;
    file->graph.inputs[1].type = DataType::kDouble;
    const auto model = Model::Create(std::move(file->graph), {});
    if (!model.ok()) return model.status();
    ModelVersionOptions options;
    options.scheduler.max_batch_rows = 4;
    version_ = std::make_unique<ModelVersion>("typed", "1", "hash", *model, options, metrics_);
    return absl::OkStatus();
  }

  void AddInput(const char* name, const char* datatype, const Shape& shape, const std::string& raw) {
    auto* input = request_.add_inputs();
    input->set_name(name);
    input->set_datatype(datatype);
    input->mutable_shape()->Add(shape.begin(), shape.end());
    request_.add_raw_input_contents(raw);
  }

  inference::ModelInferResponse Infer() {
    auto rows = DecodeRows(request_, *version_, false);
    EXPECT_TRUE(rows.ok()) << rows.status();
    inference::ModelInferResponse response;
    if (!rows.ok()) return response;
    const DecodedRows decoded = *std::move(rows);
    InferenceRequest inference;
    inference.rows = decoded.rows;
    inference.inputs = decoded.inputs;
    inference.bytes = decoded.bytes;
    inference.done = [&](absl::StatusOr<InferenceRequest::Outputs> values) {
      ASSERT_TRUE(values.ok()) << values.status();
      EncodeResponse(request_, *version_, decoded.rows, *DecodeOutputs(request_, *version_), *values, response);
    };
    EXPECT_TRUE(version_->Submit(std::move(inference)).ok());
    version_->Drain(absl::InfiniteFuture());
    return response;
  }

  Metrics metrics_;
  std::unique_ptr<ModelVersion> version_;
  inference::ModelInferRequest request_;
};

TEST_F(TypedCodec, RowsGoThroughTheModelAndComeBackInTheTypesOfItsOutputs) {
  const inference::ModelInferResponse response = Infer();
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).datatype(), "INT64");
  const int64_t positive[6] = {0, 1, 0, 2, 0, 3};
  EXPECT_EQ(response.raw_output_contents(0), std::string(reinterpret_cast<const char*>(positive), sizeof(positive)));
  EXPECT_EQ(response.outputs(1).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(1).shape(), testing::ElementsAre(3, 1));
  const std::string labels("\3\0\0\0cat\3\0\0\0cat\3\0\0\0dog", 21);
  EXPECT_EQ(response.raw_output_contents(1), labels);
}

TEST_F(TypedCodec, OnlyTheModelsOwnTypeIsTaken) {
  for (const char* datatype : {"FP32", "INT32", "int64", ""}) {
    request_.mutable_inputs(0)->set_datatype(datatype);
    const auto decoded = DecodeRows(request_, *version_, false);
    EXPECT_TRUE(absl::IsInvalidArgument(decoded.status()));
    EXPECT_THAT(decoded.status().message(), AllOf(HasSubstr("'a'"), HasSubstr("expected datatype INT64"),
                                                  HasSubstr(absl::StrCat("'", datatype, "'"))));
  }
}

TEST_F(TypedCodec, ErrorsInTheValuesNameTheInput) {
  request_.mutable_raw_input_contents(0)->pop_back();
  EXPECT_THAT(DecodeRows(request_, *version_, false).status().message(),
              AllOf(HasSubstr("'a' of model 'typed'"), HasSubstr("expected 48 bytes (6 INT64 values), found 47")));
}

TEST_F(TypedCodec, AnFp64BeyondTheRangeOfFloatIsRefusedAsNotFinite) {
  const double b[3] = {0, 1e39, 0};
  request_.set_raw_input_contents(1, b, sizeof(b));
  EXPECT_THAT(DecodeRows(request_, *version_, false).status().message(),
              AllOf(HasSubstr("'b'"), HasSubstr("value 0 of row 1 is NaN or infinite")));
  const auto allowed = DecodeRows(request_, *version_, true);
  ASSERT_TRUE(allowed.ok()) << allowed.status();
  EXPECT_FALSE(allowed->finite);
}

TEST_F(TypedCodec, AConvertedRequestCountsForWhatItHoldsInTheMessageAndBeside) {
  EXPECT_EQ(DecodeRows(request_, *version_, false)->bytes, 9 * sizeof(int64_t) + 9 * sizeof(float));
}

TEST_F(TypedCodec, InputsAndOutputsOfRankOneHaveOneValueARow) {
  ASSERT_TRUE(Load({-1}).ok());
  EXPECT_THAT(DecodeRows(request_, *version_, false).status().message(),
              AllOf(HasSubstr("'b'"), HasSubstr("expected [-1], found [3,1]")));
  request_.mutable_inputs(1)->mutable_shape()->RemoveLast();
  EXPECT_THAT(Infer().outputs(1).shape(), testing::ElementsAre(3));
  request_.mutable_inputs(1)->clear_shape();
  EXPECT_THAT(DecodeRows(request_, *version_, false).status().message(), HasSubstr("found []"));
}

}  // namespace
}  // namespace halfwave
