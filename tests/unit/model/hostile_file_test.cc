// Files made to hurt. Each is loaded in a process of its own, so that one that succeeds fails its test alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

// Whether the file is refused with a status; anything else, a crash and an exception included, fails the test.
void ExpectRefusedCleanly(const std::string& bytes) {
  const auto load = [&] {
    const auto status = LoadModel(bytes).status();
    std::exit(!status.ok() && !status.message().empty() ? 0 : 3);
  };
  EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "") << "exit code 3: it was served";
}

void AddConstant(OnnxBuilder& network, const std::string& name, const Shape& shape) {
  network.Node("Constant", {}, {name});
  auto* node = network.proto().mutable_graph()->mutable_node(network.proto().graph().node_size() - 1);
  auto* attribute = node->add_attribute();
  attribute->set_name("value");
  attribute->set_type(onnx::AttributeProto::TENSOR);
  attribute->mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t dimension : shape) attribute->mutable_t()->add_dims(dimension);
  for (int64_t i = 0; i < *NumElements(shape); ++i) attribute->mutable_t()->add_float_data(1);
}

TEST(HostileFile, AnOutputFromANodeWithoutInputs) {
  for (const char* op : {"Identity", "Dropout", "Flatten", "Reshape"}) {
    OnnxBuilder network;
    network.Input("x", {-1, 4}).Node(op, {}, {"y"}).Output("y");
    ExpectRefusedCleanly(network.Bytes());
  }
}

TEST(HostileFile, AConstantNodeThatTakesTheNameOfAnInput) {
  OnnxBuilder network;
  network.Input("x", {-1, 4});
  AddConstant(network, "x", {3, 5, 7, 2, 2});
  network.Node("Add", {"x", "x"}, {"y"}).Output("y");
  ExpectRefusedCleanly(network.Bytes());
}

TEST(HostileFile, ASelfTestOfMoreRowsThanThereIsMemory) {
  const std::string rows[] = {"4611686018427387904", "9223372036854775807", "1152921504606846976", "1099511627776"};
  for (const std::string& count : rows) {
    OnnxBuilder network;
    network.Input("x", {-1, 4}).Node("Relu", {"x"}, {"y"}).Output("y");
    const std::string tensor = "{\"shape\":[" + count + ",0],\"data\":[]}";
    network.Metadata("halfwave.selftest", "{\"inputs\":{\"x\":" + tensor + "},\"outputs\":{\"y\":" + tensor + "}}");
    ExpectRefusedCleanly(network.Bytes());
  }
}

TEST(HostileFile, AnInputTooLargeToHold) {
  for (const int exponent : {40, 58, 60, 61, 62}) {
    for (const int64_t batch : {-1, 1}) {  // a fixed batch is run at load
      OnnxBuilder network;
      network.Input("x", {batch, 1, int64_t{1} << exponent, 1}).Node("GlobalAveragePool", {"x"}, {"y"}).Output("y");
      ExpectRefusedCleanly(network.Bytes());
      OnnxBuilder through;
      through.Input("x", {batch, int64_t{1} << exponent}).Output("x");
      ExpectRefusedCleanly(through.Bytes());
    }
  }
}

TEST(HostileFile, ManyHugeInputsThatAddUp) {
  OnnxBuilder network;
  for (int i = 0; i < 8; ++i) network.Input("x" + std::to_string(i), {-1, int64_t{1} << 60});
  network.Input("x", {-1, 4}).Node("Relu", {"x"}, {"y"}).Output("y");
  ExpectRefusedCleanly(network.Bytes());
}

TEST(HostileFile, AGraphThatFeedsOnItself) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Node("Add", {"x", "b"}, {"a"}).Node("Relu", {"a"}, {"b"}).Output("b");
  ExpectRefusedCleanly(network.Bytes());
}

TEST(HostileFile, AnOutputThatIsAWeightOrASecondOutput) {
  OnnxBuilder weight;
  weight.Input("x", {-1, 4}).Weight("w", {4}, {1, 2, 3, 4}).Node("Relu", {"x"}, {"y"}).Output("w");
  ExpectRefusedCleanly(weight.Bytes());
  OnnxBuilder mask;
  mask.Input("x", {-1, 4}).Node("Dropout", {"x"}, {"y", "mask"}).Node("Relu", {"mask"}, {"z"}).Output("z");
  ExpectRefusedCleanly(mask.Bytes());
  OnnxBuilder second;
  second.Input("x", {-1, 4}).Node("Dropout", {"x"}, {"y", "mask"}).Output("mask");
  ExpectRefusedCleanly(second.Bytes());
}

TEST(HostileFile, AnInputThatIsOnlyNamedAndNeverFixed) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Node("Relu", {""}, {"y"}).Output("y");
  ExpectRefusedCleanly(network.Bytes());
}

}  // namespace
}  // namespace halfwave
