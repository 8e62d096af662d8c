#include "model/onnx/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <sstream>

#include "model/onnx/sha256.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;

std::string ReadZoo(const std::string& name) {
  std::ifstream file(ProjectRoot() / "model" / "zoo" / name, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// A little of everything a file can hold.
OnnxBuilder Small() {
  OnnxBuilder network;
  network.Input("x", {-1, 1, 4, 4})
      .Weight("k", {2, 1, 3, 3}, Noise(18, 1))
      .Weight("w", {8, 3}, Noise(24, 2))
      .IntWeight("t", {0, -1})
      .Node("Conv", {"x", "k"}, {"c"})
      .Node("Relu", {"c"}, {"r"})
      .Node("Reshape", {"r", "t"}, {"f"})
      .Node("Gemm", {"f", "w"}, {"g"})
      .Node("Softmax", {"g"}, {"y"})
      .Output("y")
      .Metadata("halfwave.labels", R"(["a","b","c"])");
  return network;
}

void ExpectRefused(const std::string& bytes, absl::StatusCode code, const std::vector<std::string>& words) {
  const absl::Status status = LoadModel(bytes).status();
  EXPECT_EQ(status.code(), code) << status;
  for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

// Loads what may be damaged, and runs it if it loads.
bool LoadsAndRuns(const std::string& bytes) {
  const auto model = LoadModel(bytes);
  if (!model.ok()) {
    EXPECT_FALSE(model.status().message().empty());
    return false;
  }
  std::vector<std::vector<float>> inputs;
  for (const GraphValue& input : (*model)->inputs()) {
    if (RowElements(input.shape) > 1 << 20) return true;
    inputs.emplace_back(RowElements(input.shape), 0.5f);
  }
  if ((*model)->plan().elements_per_row < 1 << 24) RunModel(*model, inputs);
  return true;
}

TEST(Reader, EveryPrefixOfAFileIsRefusedOrServes) {
  const std::string small = Small().Bytes();
  int loaded = 0;
  for (size_t length = 0; length < small.size(); ++length) loaded += LoadsAndRuns(small.substr(0, length)) ? 1 : 0;
  EXPECT_LT(loaded, 3) << "only a cut between the last fields leaves a whole model";
  EXPECT_TRUE(LoadsAndRuns(small));
}

TEST(Reader, EveryPrefixOfARealFileIsRefusedOrParses) {
  const std::string real = ReadZoo("digits_mlp.onnx");
  ASSERT_GT(real.size(), 30000u);
  // Every length near the ends, where the structure is, and a prime stride through the weights.
  for (size_t length = 0; length < real.size(); length += length < 500 || length + 2500 > real.size() ? 1 : 7) {
    const auto model = ParseOnnx(std::string_view(real).substr(0, length));
    EXPECT_TRUE(model.ok() || !model.status().message().empty());
  }
  EXPECT_TRUE(ParseOnnx(real).ok());
}

TEST(Reader, AnEmptyFileAndOneThatIsNotOnnxSaySo) {
  ExpectRefused("", absl::StatusCode::kDataLoss, {"not an ONNX model", "0 bytes"});
  ExpectRefused("This is a text.", absl::StatusCode::kDataLoss, {"not an ONNX model"});
}

TEST(Reader, SingleDamagedBytesNeverCrashIt) {
  constexpr uint32_t kSeed = 20240;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937 random(kSeed);
  const std::string small = Small().Bytes();
  int loaded = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = small;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
    loaded += LoadsAndRuns(damaged) ? 1 : 0;
  }
  EXPECT_GT(loaded, 0) << "a changed weight is still a model";
  const std::string real = ReadZoo("digits_mlp.onnx");
  for (int i = 0; i < 300; ++i) {
    std::string damaged = real;
    damaged[random() % 2 == 0 ? random() % damaged.size() : random() % 2000] ^= static_cast<char>(1 + random() % 255);
    LoadsAndRuns(damaged);
  }
}

TEST(Reader, UnsupportedOperatorsAndDomainsAreNamed) {
  OnnxBuilder network = Small();
  network.Node("LSTM", {"y"}, {"z"}, {{"name", std::string("memory")}}).Output("z");
  ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented,
                {"node 'memory'", "LSTM", "opset 13", "supported are"});
  OnnxBuilder foreign = Small();
  foreign.proto().mutable_graph()->mutable_node(1)->set_domain("com.microsoft");
  ExpectRefused(foreign.Bytes(), absl::StatusCode::kUnimplemented, {"node 'Relu_1'", "com.microsoft"});
  OnnxBuilder explicit_domain = Small();
  explicit_domain.proto().mutable_graph()->mutable_node(1)->set_domain("ai.onnx");
  EXPECT_TRUE(LoadModel(explicit_domain.Bytes()).ok());
}

TEST(Reader, OpsetsOutsideTheRangeAreRefused) {
  for (const int64_t opset : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0}, int64_t{5}, int64_t{29},
                              std::numeric_limits<int64_t>::max()}) {
    OnnxBuilder network = Small();
    network.proto().mutable_opset_import(0)->set_version(opset);
    ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented,
                  {"opset " + std::to_string(opset), "6 to 28", opset < 6 ? "opset 13 or later" : "an older one"});
  }
  for (const int64_t opset : {6, 28}) {
    OnnxBuilder network = Small();
    network.proto().mutable_opset_import(0)->set_version(opset);
    EXPECT_TRUE(ParseOnnx(network.Bytes()).ok()) << opset;
  }
  OnnxBuilder none = Small();
  none.proto().clear_opset_import();
  ExpectRefused(none.Bytes(), absl::StatusCode::kInvalidArgument, {"opset"});
}

TEST(Reader, WeightsThatAreNotFiniteAreRefused) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    OnnxBuilder network = Small();
    network.proto().mutable_graph()->mutable_initializer(1)->set_float_data(5, bad);
    ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'", "element 5"});
  }
  OnnxBuilder wide = Small();
  auto* weights = wide.proto().mutable_graph()->mutable_initializer(1);
  weights->set_data_type(onnx::TensorProto::DOUBLE);
  weights->clear_float_data();
  for (int i = 0; i < 24; ++i) weights->add_double_data(i == 7 ? 1e300 : 0.5);
  ExpectRefused(wide.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'", "element 7"});
}

TEST(Reader, ConstantsThatAreNotFiniteAreRefusedInEveryFormAConstantHas) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Node("Constant", {}, {"c"}).Node("Add", {"x", "c"}, {"y"}).Output("y");
  auto* attribute = network.proto().mutable_graph()->mutable_node(0)->add_attribute();
  attribute->set_name("value_float");
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(LoadModel(network.Bytes()).ok()) << "value_float";
  attribute->set_name("value_floats");
  attribute->set_type(onnx::AttributeProto::FLOATS);
  attribute->add_floats(std::numeric_limits<float>::infinity());
  EXPECT_FALSE(LoadModel(network.Bytes()).ok()) << "value_floats";
}

TEST(Reader, AttributesThatAreNotFiniteAreRefused) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Weight("w", {4, 1}, {1, 1, 1, 1});
  network.Node("Gemm", {"x", "w"}, {"y"}, {{"alpha", std::numeric_limits<float>::infinity()}}).Output("y");
  EXPECT_FALSE(LoadModel(network.Bytes()).ok());
}

TEST(Reader, WrongElementCountsAreRefusedNamingTheTensor) {
  for (const Shape& shape : {Shape{8, 4}, {25}, {8, 3, 2}, {0}, {1 << 20, 1 << 20}, {int64_t{1} << 61, 3}}) {
    OnnxBuilder network = Small();
    auto* weights = network.proto().mutable_graph()->mutable_initializer(1);
    weights->clear_dims();
    for (const int64_t dimension : shape) weights->add_dims(dimension);
    ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'"});
    weights->clear_float_data();
    weights->set_raw_data(std::string(24 * 4, '\0'));
    ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'"});
  }
  OnnxBuilder odd = Small();
  auto* weights = odd.proto().mutable_graph()->mutable_initializer(1);
  weights->clear_float_data();
  weights->set_raw_data(std::string(24 * 4 + 1, '\0'));
  ExpectRefused(odd.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'", "97 bytes"});
}

TEST(Reader, NegativeAndHugeDimensionsAreRefused) {
  for (const Shape& shape : {Shape{-1},
                             {8, -3},
                             {-8, -3},
                             {std::numeric_limits<int64_t>::max(), 2},
                             {std::numeric_limits<int64_t>::min()},
                             {int64_t{1} << 32, int64_t{1} << 32}}) {
    OnnxBuilder network = Small();
    auto* weights = network.proto().mutable_graph()->mutable_initializer(1);
    weights->clear_dims();
    for (const int64_t dimension : shape) weights->add_dims(dimension);
    ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"tensor 'w'", "negative or too large"});
  }
}

// A network whose input x has this shape; -1 is left open.
OnnxBuilder WithInput(const Shape& shape) {
  OnnxBuilder network;
  network.Node("Relu", {"x"}, {"y"}).Output("y");
  auto* input = network.proto().mutable_graph()->add_input();
  input->set_name("x");
  auto* tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape();
  for (const int64_t size : shape) {
    auto* dimension = tensor->mutable_shape()->add_dim();
    if (size != -1) dimension->set_dim_value(size);
  }
  return network;
}

TEST(Reader, InputsMustBeOfFixedSizeButForTheFirstDimension) {
  for (const Shape& shape : {Shape{-1, -1},
                             {-1, 0},
                             {0, 4},
                             {-1, -2},
                             {-2, 4},
                             {4, -1},
                             {0},
                             {-1, int64_t{1} << 40, int64_t{1} << 40},
                             {int64_t{1} << 40, int64_t{1} << 40},
                             {-1, std::numeric_limits<int64_t>::max()}}) {
    ExpectRefused(WithInput(shape).Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", ShapeToString(shape)});
  }
  OnnxBuilder shapeless = WithInput({});
  shapeless.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  ExpectRefused(shapeless.Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", "no shape"});
  ExpectRefused(WithInput(Shape(65, 1)).Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", "dimensions"});
}

TEST(Reader, InputsOfEveryRankAreRead) {
  for (const Shape& shape : {Shape{}, {-1}, {4}, {1, 4}, {-1, 1, 4, 4}, Shape(8, 2)}) {
    const auto model = ParseOnnx(WithInput(shape).Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->graph.inputs[0].shape, shape);
  }
  OnnxBuilder named = WithInput({-1, 4});  // "batch", "N", "unk__17": any name opens it
  auto* dimension = named.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  dimension->mutable_shape()->mutable_dim(0)->set_dim_param("unk__17");
  EXPECT_EQ(ParseOnnx(named.Bytes())->graph.inputs[0].shape, (Shape{kBatch, 4}));
  OnnxBuilder minus_one = WithInput({3, 4});
  dimension = minus_one.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  dimension->mutable_shape()->mutable_dim(0)->set_dim_value(-1);
  EXPECT_EQ(ParseOnnx(minus_one.Bytes())->graph.inputs[0].shape, (Shape{kBatch, 4}));
}

TEST(Reader, InputsAndOutputsSayTheirElementType) {
  const std::pair<onnx::TensorProto::DataType, DataType> types[] = {
      {onnx::TensorProto::FLOAT, DataType::kFloat},     {onnx::TensorProto::DOUBLE, DataType::kDouble},
      {onnx::TensorProto::FLOAT16, DataType::kFloat16}, {onnx::TensorProto::BFLOAT16, DataType::kBFloat16},
      {onnx::TensorProto::INT8, DataType::kInt8},       {onnx::TensorProto::INT16, DataType::kInt16},
      {onnx::TensorProto::INT32, DataType::kInt32},     {onnx::TensorProto::INT64, DataType::kInt64},
      {onnx::TensorProto::UINT8, DataType::kUint8},     {onnx::TensorProto::UINT16, DataType::kUint16},
      {onnx::TensorProto::UINT32, DataType::kUint32},   {onnx::TensorProto::UINT64, DataType::kUint64},
      {onnx::TensorProto::BOOL, DataType::kBool}};
  for (const auto& [onnx_type, type] : types) {
    OnnxBuilder network = WithInput({-1, 4});
    auto* graph = network.proto().mutable_graph();
    graph->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx_type);
    graph->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx_type);
    const auto model = ParseOnnx(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->graph.inputs[0].type, type);
    EXPECT_EQ(model->graph.outputs[0].type, type);
  }
}

TEST(Reader, TextIsAnOutputButNoInput) {
  OnnxBuilder text = WithInput({-1, 4});
  auto* graph = text.proto().mutable_graph();
  graph->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::STRING);
  EXPECT_EQ(ParseOnnx(text.Bytes())->graph.outputs[0].type, DataType::kString);
  graph->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::STRING);
  ExpectRefused(text.Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", "STRING"});
  graph->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(17);
  ExpectRefused(text.Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", "FLOAT8E4M3FN"});
}

TEST(Reader, OnlyZipMapMayGiveASequence) {
  OnnxBuilder network = WithInput({-1, 4});
  network.Output("z");
  auto* sequence = network.proto().mutable_graph()->mutable_output(1)->mutable_type()->mutable_sequence_type();
  sequence->mutable_elem_type()->mutable_map_type();
  network.Node("ZipMap", {"y"}, {"z"});
  ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented, {"output 'z'", "a sequence"});
  auto* node = network.proto().mutable_graph()->mutable_node(1);
  node->set_domain("ai.onnx.ml");
  auto* labels = node->add_attribute();
  labels->set_name("classlabels_strings");
  labels->set_type(onnx::AttributeProto::STRINGS);
  labels->add_strings("cat");
  labels->add_strings("dog");
  const auto model = ParseOnnx(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.outputs[1].name, "z");
  EXPECT_EQ(model->graph.outputs[1].type, DataType::kFloat);
  EXPECT_EQ(model->graph.nodes[1].domain, "ai.onnx.ml");
  EXPECT_EQ(std::get<Constant>(model->graph.nodes[1].attributes.at("classlabels_strings")).strings,
            (std::vector<std::string>{"cat", "dog"}));
  network.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
  ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented, {"input 'x'", "a sequence"});
}

TEST(Reader, QuantisedModelsAreRefusedAsSuch) {
  for (const char* op : {"QLinearConv", "QLinearMatMul", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
                         "ConvInteger", "MatMulInteger"}) {
    OnnxBuilder network = Small();
    network.Node(op, {"y"}, {"z"});
    ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented, {"node '", op, "quantised", "float model"});
  }
  OnnxBuilder microsoft = Small();
  microsoft.Node("QLinearAdd", {"y"}, {"z"});
  microsoft.proto().mutable_graph()->mutable_node(5)->set_domain("com.microsoft");
  ExpectRefused(microsoft.Bytes(), absl::StatusCode::kUnimplemented, {"QLinearAdd", "quantised"});
}

TEST(Reader, ControlFlowIsRefusedAsSuch) {
  for (const char* op : {"If", "Loop", "Scan"}) {
    OnnxBuilder network = Small();
    network.Node(op, {"y"}, {"z"});
    auto* body = network.proto().mutable_graph()->mutable_node(5)->add_attribute();
    body->set_name("body");
    body->set_type(onnx::AttributeProto::GRAPH);
    body->mutable_g();
    ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented, {"node '", op, "control flow"});
  }
}

TEST(Reader, OnlyFunctionsThatAreUsedAreRefused) {
  OnnxBuilder network = Small();
  auto* function = network.proto().add_functions();
  function->set_name("Swish");
  function->set_domain("mine");
  EXPECT_TRUE(ParseOnnx(network.Bytes()).ok());
  network.Node("Swish", {"y"}, {"z"});
  network.proto().mutable_graph()->mutable_node(5)->set_domain("mine");
  ExpectRefused(network.Bytes(), absl::StatusCode::kUnimplemented, {"Swish", "function", "'mine'", "inlined"});
}

TEST(Reader, DataOutsideTheFileAndSparseWeightsAreRefused) {
  OnnxBuilder external = Small();
  external.proto().mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  ExpectRefused(external.Bytes(), absl::StatusCode::kUnimplemented, {"tensor 'k'", "outside the file"});
  OnnxBuilder sparse = Small();
  sparse.proto().mutable_graph()->add_sparse_initializer();
  ExpectRefused(sparse.Bytes(), absl::StatusCode::kUnimplemented, {"sparse"});
}

TEST(Reader, NamesThatAreThereTwiceAreRefused) {
  OnnxBuilder weights = Small();
  weights.Weight("w", {8, 3}, Noise(24, 2));
  ExpectRefused(weights.Bytes(), absl::StatusCode::kInvalidArgument, {"'w'", "twice"});
  OnnxBuilder inputs = Small();
  inputs.Input("x", {-1, 1, 4, 4});
  EXPECT_FALSE(LoadModel(inputs.Bytes()).ok()) << "two inputs of one name";
  OnnxBuilder constant = Small();
  constant.Node("Constant", {}, {"w"});
  auto* value = constant.proto().mutable_graph()->mutable_node(5)->add_attribute();
  value->set_name("value_float");
  value->set_type(onnx::AttributeProto::FLOAT);
  ExpectRefused(constant.Bytes(), absl::StatusCode::kInvalidArgument, {"node 'Constant_5'", "'w'"});
}

TEST(Reader, WeightsListedAsInputsAreStillWeights) {
  OnnxBuilder network = Small();
  network.Input("k", {2, 1, 3, 3}).Input("w", {8, 3});
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ((*model)->inputs().size(), 1u);
  EXPECT_EQ((*model)->inputs()[0].name, "x");
}

TEST(Reader, AnOutputListedTwiceIsThereOnce) {
  OnnxBuilder network = Small();
  network.Output("y").Output("g").Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ((*model)->outputs().size(), 2u);
  EXPECT_EQ((*model)->outputs()[0].name, "y");
  EXPECT_EQ((*model)->outputs()[1].name, "g");
}

TEST(Reader, ANodeWithoutANameIsCalledAfterItsOutput) {
  OnnxBuilder network = Small();
  network.proto().mutable_graph()->mutable_node(1)->clear_name();
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->activations()[0].name, "r");
}

TEST(Reader, ConstantNodesAreWeightsWhereverTheyStand) {
  OnnxBuilder network;
  network.Input("x", {-1, 4})
      .Node("Reshape", {"s", "t"}, {"y"})
      .Node("Add", {"x", "c"}, {"s"})
      .Node("Constant", {}, {"c"})
      .Node("Constant", {}, {"t"})
      .Output("y");
  auto* c = network.proto().mutable_graph()->mutable_node(2)->add_attribute();
  c->set_name("value");
  c->set_type(onnx::AttributeProto::TENSOR);
  c->mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  c->mutable_t()->add_dims(4);
  for (const float value : {10.0f, 20.0f, 30.0f, 40.0f}) c->mutable_t()->add_float_data(value);
  auto* t = network.proto().mutable_graph()->mutable_node(3)->add_attribute();
  t->set_name("value_ints");
  t->set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : {-1, 2, 2}) t->add_ints(value);
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 2, 2}));
  EXPECT_EQ(RunModel(*model, {{1, 2, 3, 4}})[0], (std::vector<float>{11, 22, 33, 44}));
}

TEST(Reader, AConstantNodeMayHoldNumbersOrText) {
  OnnxBuilder network = Small();
  network.Node("Constant", {}, {"i"}, {{"value_int", int64_t{7}}})
      .Node("Constant", {}, {"is"}, {{"value_ints", std::vector<int64_t>{1, 2, 3}}})
      .Node("Constant", {}, {"half"}, {{"value_float", 0.5f}})
      .Node("Constant", {}, {"s"}, {{"value_string", std::string("text")}})
      .Node("Constant", {}, {"ss"});
  auto* texts = network.proto().mutable_graph()->mutable_node(9)->add_attribute();
  texts->set_name("value_strings");
  texts->set_type(onnx::AttributeProto::STRINGS);
  texts->add_strings("a");
  texts->add_strings("b");
  const auto model = ParseOnnx(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto& constants = model->graph.constants;
  EXPECT_EQ(constants.at("i").ints, (std::vector<int64_t>{7}));
  EXPECT_EQ(constants.at("i").shape, Shape{});
  EXPECT_EQ(constants.at("is").shape, Shape{3});
  EXPECT_EQ(constants.at("half").floats, (std::vector<float>{0.5f}));
  EXPECT_EQ(constants.at("s").type, DataType::kString);
  EXPECT_EQ(constants.at("s").strings, (std::vector<std::string>{"text"}));
  EXPECT_EQ(constants.at("ss").shape, Shape{2});
}

TEST(Reader, AConstantNodeOfAnotherFormIsRefusedNamingIt) {
  const OnnxBuilder::Attributes wrong[] = {{},
                                           {{"value", int64_t{1}}},
                                           {{"value_float", int64_t{1}}},
                                           {{"value_ints", 1.0f}},
                                           {{"other", int64_t{1}}},
                                           {{"value_int", int64_t{1}}, {"value_float", 1.0f}}};
  for (const auto& attributes : wrong) {
    OnnxBuilder network = Small();
    network.Node("Constant", {}, {"c"}, attributes);
    ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"node 'Constant_5'"});
  }
  OnnxBuilder sparse = Small();
  sparse.Node("Constant", {}, {"c"});
  auto* value = sparse.proto().mutable_graph()->mutable_node(5)->add_attribute();
  value->set_name("sparse_value");
  value->set_type(onnx::AttributeProto::SPARSE_TENSOR);
  value->mutable_sparse_tensor();
  ExpectRefused(sparse.Bytes(), absl::StatusCode::kUnimplemented, {"node 'Constant_5'", "sparse"});
}

TEST(Reader, AttributesOfTheFirstFilesDoNotSayTheirType) {
  OnnxBuilder network = Small();
  network.Node("LeakyRelu", {"g"}, {"l"}, {{"alpha", 0.25f}});
  network.proto().mutable_graph()->mutable_node(5)->mutable_attribute(0)->clear_type();
  const auto model = ParseOnnx(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(std::get<float>(model->graph.nodes[5].attributes.at("alpha")), 0.25f);
}

TEST(Reader, AnAttributeThatIsThereTwiceIsRefused) {
  OnnxBuilder network = Small();
  network.Node("LeakyRelu", {"g"}, {"l"}, {{"alpha", 0.25f}});
  auto* node = network.proto().mutable_graph()->mutable_node(5);
  *node->add_attribute() = node->attribute(0);
  ExpectRefused(network.Bytes(), absl::StatusCode::kInvalidArgument, {"node 'LeakyRelu_5'", "'alpha'", "twice"});
}

TEST(Reader, ModelsBeyondTheLimitAreRefusedNamingTheOption) {
  const std::string bytes = Small().Bytes();
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_TRUE(ParseOnnx(bytes, {.max_model_bytes = size}).ok());
  const auto status = ParseOnnx(bytes, {.max_model_bytes = size - 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(size) + " bytes"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max-model-bytes"));
}

TEST(Reader, SmallIntegersThatGrowInMemoryCountAsWhatTheyBecome) {
  OnnxBuilder network = Small();
  auto* tensor = network.proto().mutable_graph()->add_initializer();
  tensor->set_name("many");
  tensor->set_data_type(onnx::TensorProto::INT8);
  tensor->add_dims(100000);
  tensor->set_raw_data(std::string(100000, '\1'));
  EXPECT_TRUE(ParseOnnx(network.Bytes(), {.max_model_bytes = 900000}).ok());
  const auto status = ParseOnnx(network.Bytes(), {.max_model_bytes = 700000}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tensor 'many'"));
}

TEST(Reader, NamesMustBePlainText) {
  for (const std::string& name : {std::string("a\nb"), std::string("\xff\xfe"), std::string(5000, 'n'),
                                  std::string("a\0b", 3), std::string("\xed\xa0\x80"), std::string("\xc0\x80")}) {
    OnnxBuilder node = Small();
    node.proto().mutable_graph()->mutable_node(1)->set_name(name);
    ExpectRefused(node.Bytes(), absl::StatusCode::kInvalidArgument, {"node", "name"});
    OnnxBuilder input = Small();
    input.proto().mutable_graph()->mutable_input(0)->set_name(name);
    ExpectRefused(input.Bytes(), absl::StatusCode::kInvalidArgument, {"input", "name"});
    OnnxBuilder weight = Small();
    weight.proto().mutable_graph()->mutable_initializer(0)->set_name(name);
    const std::string message(ParseOnnx(weight.Bytes()).status().message());
    EXPECT_THAT(message, HasSubstr("tensor"));
    EXPECT_LT(message.size(), 600u) << "a long name does not make a long message";
  }
  OnnxBuilder other = Small();
  other.proto().mutable_graph()->mutable_node(1)->set_name("скрытый/слой 1");
  EXPECT_TRUE(ParseOnnx(other.Bytes()).ok());
}

TEST(Reader, MetadataOfAnyBytesComeOutAsText) {
  const auto model = ParseOnnx(Small().Metadata("author", "J\xf6rg \xc3\xb6").Bytes());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->graph.metadata.at("author"), "J?rg \xc3\xb6");
}

TEST(Reader, DoubleWeightsAndRawDataAreTheSameNumbers) {
  const auto plain = LoadModel(Small().Bytes());
  for (const bool raw : {false, true}) {
    for (const bool wide : {false, true}) {
      OnnxBuilder network = Small();
      auto* weights = network.proto().mutable_graph()->mutable_initializer(1);
      const std::vector<float> floats(weights->float_data().begin(), weights->float_data().end());
      const std::vector<double> doubles(floats.begin(), floats.end());
      weights->clear_float_data();
      weights->set_data_type(wide ? onnx::TensorProto::DOUBLE : onnx::TensorProto::FLOAT);
      if (raw && wide) weights->set_raw_data(doubles.data(), 24 * sizeof(double));
      if (raw && !wide) weights->set_raw_data(floats.data(), 24 * sizeof(float));
      if (!raw && wide) weights->mutable_double_data()->Add(doubles.begin(), doubles.end());
      if (!raw && !wide) weights->mutable_float_data()->Add(floats.begin(), floats.end());
      const auto model = LoadModel(network.Bytes());
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(RunModel(*model, {Noise(32, 9)}), RunModel(*plain, {Noise(32, 9)}));
    }
  }
}

class OnnxFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "reader_test_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

TEST_F(OnnxFile, TheSidecarWinsOverTheFile) {
  const auto path = Write("net.onnx", Small().Metadata("kept", "from the file").Bytes());
  Write("net.halfwave.json",
        R"({"halfwave.labels": ["d", "e", "f"], "halfwave.layout": "NCHW", "halfwave.input.width": 4})");
  const auto model = ReadOnnxFile(path);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.metadata.at("halfwave.labels"), R"(["d","e","f"])");
  EXPECT_EQ(model->graph.metadata.at("halfwave.layout"), "NCHW");
  EXPECT_EQ(model->graph.metadata.at("halfwave.input.width"), "4");
  EXPECT_EQ(model->graph.metadata.at("kept"), "from the file");
}

TEST_F(OnnxFile, ABrokenSidecarIsRefusedByItsName) {
  const auto path = Write("net.onnx", Small().Bytes());
  const std::string deep = "{\"a\":" + std::string(1000000, '[') + std::string(1000000, ']') + "}";
  for (const std::string& text : {std::string(), std::string("{"), std::string("[1]"), std::string("\"text\""),
                                  std::string("{\"a\": 1e999}"), deep}) {
    Write("net.halfwave.json", text);
    EXPECT_THAT(std::string(ReadOnnxFile(path).status().message()), HasSubstr("net.halfwave.json"))
        << text.substr(0, 20);
  }
}

TEST_F(OnnxFile, MessagesNameTheFile) {
  const auto absent = ReadOnnxFile(folder_ / "absent.onnx").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(absent.message()), HasSubstr("absent.onnx"));
  const auto broken = ReadOnnxFile(Write("broken.onnx", "no model")).status();
  EXPECT_EQ(broken.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(broken.message()), HasSubstr("broken.onnx"));
  EXPECT_EQ(ReadOnnxFile(folder_).status().code(), absl::StatusCode::kNotFound);
  ASSERT_EQ(mkfifo((folder_ / "pipe.onnx").c_str(), 0600), 0);
  EXPECT_EQ(ReadOnnxFile(folder_ / "pipe.onnx").status().code(), absl::StatusCode::kNotFound) << "and does not wait";
}

TEST_F(OnnxFile, AHugeFileIsRefusedBeforeItIsRead) {
  const auto path = Write("net.onnx", Small().Bytes());
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);  // takes no space
  const auto status = ReadOnnxFile(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1099511627776 bytes, more than the limit of 2147483648"));
  const auto beyond_protobuf = ReadOnnxFile(path, {.max_model_bytes = int64_t{1} << 50}).status();
  EXPECT_THAT(std::string(beyond_protobuf.message()), HasSubstr("external data"));
}

TEST_F(OnnxFile, TheHashIsThatOfTheFilesBytes) {
  EXPECT_EQ(Sha256Hex(MemoryBytes("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string bytes = Small().Bytes();
  EXPECT_EQ(ReadOnnxFile(Write("net.onnx", bytes))->sha256.get(), Sha256Hex(MemoryBytes(bytes)));
  const std::string real = ReadZoo("fashion_cnn.onnx");
  const auto file = ReadOnnxFile(ProjectRoot() / "model" / "zoo" / "fashion_cnn.onnx");
  EXPECT_EQ(file->sha256.get(), Sha256Hex(MemoryBytes(real))) << "over several blocks of the file";
}

}  // namespace
}  // namespace halfwave
