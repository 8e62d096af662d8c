// A model of whole numbers that answers a label and probabilities, from file to terminal: server and client in this
// process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/commands/models.h"
#include "client/commands/predict.h"
#include "client/inference_client.h"
#include "server/app.h"
#include "tests/support/onnx_builder.h"

namespace halfwave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// x: INT64 [batch, 2]; label: INT64 [batch], the larger of the two; probabilities: [batch, 2], their softmax.
std::string ModelBytes() {
  OnnxBuilder builder;
  builder.Input("x", {-1, 2})
      .Weight("w", {2, 2}, {1, 0, 0, 1})
      .Node("Cast", {"x"}, {"numbers"}, {{"to", int64_t{onnx::TensorProto::FLOAT}}})
      .Node("MatMul", {"numbers", "w"}, {"scores"})
      .Node("Softmax", {"scores"}, {"probabilities"}, {{"axis", int64_t{1}}})
      .Node("ArgMax", {"probabilities"}, {"label"}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}})
      .Output("label")
      .Output("probabilities");
  onnx::GraphProto& graph = *builder.proto().mutable_graph();
  for (onnx::ValueInfoProto* value : {graph.mutable_input(0), graph.mutable_output(0)}) {
    value->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
  }
  return builder.Bytes();
}

class TypedModel : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/halfwave_typed_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::ofstream(folder_ + "/typed.onnx", std::ios::binary) << ModelBytes();
    Options options;
    options.model = folder_ + "/typed.onnx";
    options.grpc = "127.0.0.1:0";
    options.http = "127.0.0.1:0";
    app_ = std::make_unique<App>(options);
    const absl::Status status = app_->Start();
    ASSERT_TRUE(status.ok()) << status;
    common_.server = absl::StrCat("127.0.0.1:", app_->grpc_port());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::unique_ptr<App> app_;
  client::CommonOptions common_;
  std::ostringstream out_;
  std::ostringstream err_;
  client::Streams streams_{out_, err_, client::Style{}};
};

TEST_F(TypedModel, RowsAreTakenAndAnsweredInTheModelsTypes) {
  client::InferenceClient client(common_.server, absl::Seconds(20));
  const std::vector<float> rows = {0, 3, 5, 1, -2, -2};
  const auto output = client.Infer({"typed", "", "x", {3, 2}, rows, "INT64"});
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(output->labels, ElementsAre("1", "0", "0"));
  EXPECT_THAT(output->shape, ElementsAre(3, 2));
  EXPECT_NEAR(output->values[1], 0.952574, 1e-5);
  const auto refused = client.Infer({"typed", "", "x", {3, 2}, rows, "FP32"});
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("expected datatype INT64, found 'FP32'"));
}

TEST_F(TypedModel, TheClientShowsLabelAndProbability) {
  std::ofstream(folder_ + "/t.csv") << "label,a,b\n1,0,3\n1,5,1\n";
  client::PredictOptions options;
  options.common = common_;
  options.files = {folder_ + "/t.csv"};
  EXPECT_EQ(client::RunPredict(options, streams_), client::kOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("row  label  class"));
  EXPECT_THAT(out_.str(), HasSubstr("accuracy 50.00 % (1 right)"));
}

TEST_F(TypedModel, MetadataNameTheTypes) {
  EXPECT_EQ(client::RunModels(common_, streams_), client::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("x [-1, 2] INT64  label [-1] INT64; probabilities [-1, 2]"));
}

}  // namespace
}  // namespace halfwave
