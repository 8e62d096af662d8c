// Files made to hurt. Each is loaded in a process of its own, so that one that succeeds fails its test alone.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "model/base/shape.h"
#include "model/onnx/outline.h"
#include "model/onnx/reader.h"
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

// The same within two seconds and half a gigabyte, however slow the machine.
void ExpectRefusedQuickly(const std::string& bytes) {
  const auto load = [&] {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they want terabytes of address space themselves
    const rlimit space = {rlim_t{1} << 29, rlim_t{1} << 29};
    setrlimit(RLIMIT_DATA, &space);
#endif
    const auto status = ParseOnnx(bytes).status();
    std::exit(!status.ok() && !status.message().empty() && status.message().size() < 10000 ? 0 : 3);
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "") << "exit code 3: it was read";
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

// A field of the wire format that holds bytes.
std::string Field(int number, const std::string& bytes) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7) field += static_cast<char>(size | 0x80);
  return field + static_cast<char>(size) + bytes;
}

TEST(HostileFile, ATerabyteIsDeclaredButNotThere) {
  for (int type = 1; type <= 16; ++type) {
    for (const bool raw : {false, true}) {
      for (const Shape& shape : {Shape{int64_t{1} << 38}, {1 << 20, 1 << 20}, {int64_t{1} << 61}}) {
        OnnxBuilder network;
        network.Input("x", {-1, 4}).Node("Relu", {"x"}, {"y"}).Output("y").Weight("w", shape, {});
        auto* tensor = network.proto().mutable_graph()->mutable_initializer(0);
        tensor->set_data_type(type);
        if (raw) tensor->set_raw_data("12345678");
        ExpectRefusedQuickly(network.Bytes());
      }
    }
  }
}

TEST(HostileFile, AFieldThatSaysItIsLongerThanTheFile) {
  const std::string end = "\xff\xff\xff\xff\x07";  // 2^31 - 1
  ExpectRefusedQuickly("\x3a" + end + "x");        // of the graph
  ExpectRefusedQuickly(Field(7, "\x2a" + end));    // of a weight
  ExpectRefusedQuickly(Field(7, Field(5, "\x4a" + end)));
  ExpectRefusedQuickly(Field(7, Field(5, "\x22" + end)));  // packed floats
}

TEST(HostileFile, GraphsNestedDeeply) {
  std::string graph;
  for (int depth = 0; depth < 20000; ++depth) {
    graph = Field(1, Field(5, Field(6, graph)));  // a node's attribute holds a graph
    if (graph.size() > 1 << 20) break;
  }
  ExpectRefusedQuickly(Field(7, graph));
  std::string type;
  for (int depth = 0; depth < 20000; ++depth) type = Field(4, Field(1, type));  // a sequence of sequences
  ExpectRefusedQuickly(Field(7, Field(11, Field(1, "x") + Field(2, type))));
  ExpectRefusedQuickly(std::string(100000, '\x0b'));  // groups, which no ONNX file has
}

TEST(HostileFile, AMillionNodesWithoutNamesOrOutputs) {
  std::string nodes;
  for (int i = 0; i < 1000000; ++i) nodes += Field(1, "");
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Output("y");
  std::string bytes = network.Bytes() + Field(7, nodes);
  const auto load = [&] {
    const auto status = ParseOnnx(bytes).status();
    std::exit(status.message().size() < 10000 ? 0 : 3);
  };
  EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "");
}

TEST(HostileFile, MillionsOfPartsOfTwoBytes) {
  const auto repeat = [](const std::string& field) {
    std::string all;
    for (int i = 0; i < 4000000; ++i) all += field;
    return all;
  };
  ExpectRefusedQuickly(Field(7, repeat(Field(1, ""))));                                // nodes
  ExpectRefusedQuickly(Field(7, Field(1, repeat(Field(1, "")))));                      // inputs of a node
  ExpectRefusedQuickly(Field(7, Field(1, repeat(Field(5, "")))));                      // attributes
  ExpectRefusedQuickly(Field(7, Field(5, repeat(Field(6, "")))));                      // texts of a tensor
  ExpectRefusedQuickly(Field(7, Field(1, Field(5, Field(6, repeat(Field(1, "")))))));  // nodes of a subgraph
  ExpectRefusedQuickly(repeat(Field(9, "")));                                          // what the schema does not have
}

TEST(HostileFile, AnOutlineIsBoundedToo) {
  std::string nodes;
  for (int i = 0; i < 4000000; ++i) nodes += Field(1, "");
  const std::string path = ::testing::TempDir() + "/many_nodes.onnx";
  std::ofstream(path, std::ios::binary) << Field(7, nodes);
  EXPECT_EQ(ReadOnnxOutline(path).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(HostileFile, ManyOutputsThatAreSequencesOfMaps) {
  OnnxBuilder network;
  network.Input("x", {-1, 4});
  for (int i = 0; i < 30000; ++i) {
    const std::string name = "z" + std::to_string(i);
    network.Node("ZipMap", {"missing"}, {name}).Output(name);
    network.proto().mutable_graph()->mutable_node(i)->set_domain("ai.onnx.ml");
    network.proto().mutable_graph()->mutable_output(i)->mutable_type()->mutable_sequence_type();
  }
  ExpectRefusedQuickly(network.Bytes());
}

TEST(HostileFile, NamesOfMegabytes) {
  const std::string name(5000000, 'n');
  for (const int place : {0, 1, 2, 3, 4, 5, 6}) {
    OnnxBuilder network;
    network.Input(place == 0 ? name : "x", {-1, 4});
    network.Node(place == 1 ? name : "Relu", {place == 2 ? name : "x"}, {place == 3 ? name : "y"},
                 {{place == 4 ? name : "alpha", int64_t{1}}});
    network.Output(place == 5 ? name : "y").Weight(place == 6 ? name : "w", {1}, {1});
    if (place == 1) network.proto().mutable_graph()->mutable_node(0)->clear_name();
    ExpectRefusedQuickly(network.Bytes());
  }
}

TEST(HostileFile, AnAttributeOfAnotherTypeThanItsOperatorWants) {
  const OnnxBuilder::AttributeValue values[] = {int64_t{1}, 1.0f, std::string("text"), std::vector<int64_t>{1, 2}};
  const std::pair<const char*, OnnxBuilder::AttributeValue> cases[] = {
      {"Flatten", 1.0f},           {"Flatten", std::string("axis")}, {"Flatten", std::vector<int64_t>{1}},
      {"Softmax", 1.0f},           {"Softmax", std::string("1")},    {"LogSoftmax", std::vector<int64_t>{1}},
      {"Concat", std::string("x")}};
  for (const auto& [op, value] : cases) {
    OnnxBuilder network;
    network.Input("x", {-1, 4}).Node(op, {"x"}, {"y"}, {{"axis", value}}).Output("y");
    ExpectRefusedCleanly(network.Bytes());
  }
  for (const auto& value : values) {  // a Constant whose tensor is none
    OnnxBuilder network;
    network.Input("x", {-1, 4}).Node("Constant", {}, {"c"}, {{"value", value}});
    network.Node("Add", {"x", "c"}, {"y"}).Output("y");
    ExpectRefusedCleanly(network.Bytes());
  }
}

TEST(HostileFile, AWeightThatIsNeeded) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Node("Gemm", {"x", "w", "b"}, {"y"}).Output("y");
  ExpectRefusedCleanly(network.Bytes());
}

// Found by fuzzing: rules that look at a dimension which is not there. Some of these networks may well be served.
TEST(HostileFile, InputsOfFewDimensions) {
  const std::pair<const char*, OnnxBuilder::Attributes> nodes[] = {
      {"Relu", {}},
      {"Flatten", {}},
      {"Transpose", {}},
      {"Softmax", {}},
      {"Concat", {{"axis", int64_t{0}}}},
      {"Squeeze", {}},
      {"Shape", {}},
      {"ReduceMean", {}},
      {"GlobalAveragePool", {}},
      {"AveragePool", {{"kernel_shape", std::vector<int64_t>{2, 2}}}},
      {"MatMul", {}},
      {"Gemm", {}},
      {"Conv", {}},
      {"BatchNormalization", {}}};
  for (const auto& [op, attributes] : nodes) {
    for (const int rank : {0, 1, 2}) {
      OnnxBuilder network;
      network.Input("x", Shape(rank, 1)).Weight("w", {1, 1}, {1}).Weight("s", {}, {1});
      network.Node(op, {"x", "w", "s", "s", "s"}, {"y"}, attributes).Node("Relu", {"x"}, {"z"}).Output("y").Output("z");
      network.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
      const auto load = [&] {
        LoadModel(network.Bytes()).status().IgnoreError();
        std::exit(0);
      };
      EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "") << op << " of rank " << rank;
    }
  }
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

// --- strange, but right ----------------------------------------------------------------------------------------------

TEST(StrangeFile, AnOutputMayBeAWeight) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Weight("w", {4}, {1, 2, 3, 4}).Node("Relu", {"x"}, {"y"}).Output("w").Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 4}));
  EXPECT_EQ(RunModel(*model, {{1, -1, 1, -1, 0, 0, 0, 5}}),
            (std::vector<std::vector<float>>{{1, 2, 3, 4, 1, 2, 3, 4}, {1, 0, 1, 0, 0, 0, 0, 5}}));
}

TEST(StrangeFile, TheMaskOfADropoutSaysThatNothingIsDropped) {
  for (const bool rewrite : {false, true}) {
    OnnxBuilder network;
    network.Input("x", {-1, 2}).Node("Dropout", {"x"}, {"y", "mask"}).Node("Not", {"mask"}, {"dropped"});
    network.Output("mask").Output("dropped").Output("y");
    const auto model = LoadModel(network.Bytes(), {.rewrite = rewrite});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->outputs()[0].type, DataType::kBool);
    EXPECT_EQ(RunModel(*model, {{1, -2, 3, 4}}),
              (std::vector<std::vector<float>>{{1, 1, 1, 1}, {0, 0, 0, 0}, {1, -2, 3, 4}}));
  }
}

TEST(HostileFile, AnOutputThatNoOperatorHas) {
  OnnxBuilder second;
  second.Input("x", {-1, 4}).Node("Relu", {"x"}, {"y", "mask"}).Output("mask");
  ExpectRefusedCleanly(second.Bytes());
  OnnxBuilder read;
  read.Input("x", {-1, 4}).Node("Relu", {"x"}, {"y", "mask"}).Node("Relu", {"mask"}, {"z"}).Output("z");
  ExpectRefusedCleanly(read.Bytes());
  OnnxBuilder left_out;
  left_out.Input("x", {-1, 4}).Node("Dropout", {"x"}, {"", "mask"}).Node("Relu", {"mask"}, {"z"}).Output("z");
  EXPECT_TRUE(LoadModel(left_out.Bytes()).ok());
}

// Each layer keeps its own copy of a weight: 1 MB in the file would become 1.5 GB.
TEST(HostileFile, OneWeightThatManyNodesShare) {
  OnnxBuilder network;
  network.Input("v0", {-1, 512}).Weight("w", {512, 512}, std::vector<float>(512 * 512, 0.001f));
  for (int i = 0; i < 1500; ++i) {
    network.Node("MatMul", {"v" + std::to_string(i), "w"}, {"v" + std::to_string(i + 1)});
  }
  network.Output("v1500");
  EXPECT_EQ(LoadModel(network.Bytes()).status().code(), absl::StatusCode::kResourceExhausted);
}

// What the standard forbids, and only the types tell: a bias or a factor of integers beside floats.
TEST(HostileFile, IntegersWhereFloatsBelong) {
  for (const char* op : {"Gemm", "MatMul", "Add", "Conv", "PRelu", "BatchNormalization"}) {
    SCOPED_TRACE(op);
    const bool is_conv = std::string(op) == "Conv";
    for (size_t of_integers = 1; of_integers <= 4; ++of_integers) {
      OnnxBuilder network;
      network.Input("x", is_conv ? Shape{-1, 2, 3, 3} : Shape{-1, 2});
      std::vector<std::string> inputs = {"x"};
      const size_t count = std::string(op) == "BatchNormalization" ? 5 : is_conv || std::string(op) == "Gemm" ? 3 : 2;
      for (size_t i = 1; i < count; ++i) {
        inputs.push_back("c" + std::to_string(i));
        const bool is_matrix = i == 1 && (is_conv || std::string(op) == "Gemm" || std::string(op) == "MatMul");
        const Shape shape = !is_matrix ? Shape{2} : is_conv ? Shape{2, 2, 1, 1} : Shape{2, 2};
        network.Weight(inputs.back(), shape, std::vector<float>(*NumElements(shape), 1.0f));
        if (i != of_integers) continue;
        auto& weight = *network.proto().mutable_graph()->mutable_initializer(static_cast<int>(i) - 1);
        weight.set_data_type(onnx::TensorProto::INT32);
        weight.clear_float_data();
        weight.clear_raw_data();
        for (int64_t j = 0; j < *NumElements(shape); ++j) weight.add_int32_data(1);
      }
      network.Node(op, inputs, {"y"}).Output("y");
      const auto load = [&] {
        const auto model = LoadModel(network.Bytes());
        if (model.ok()) RunModel(*model, {std::vector<float>(RowElements((*model)->inputs()[0].shape), 1.0f)});
        std::exit(0);
      };
      EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "") << "of integers: input " << of_integers;
    }
  }
}

TEST(HostileFile, AnInputThatIsOnlyNamedAndNeverFixed) {
  OnnxBuilder network;
  network.Input("x", {-1, 4}).Node("Relu", {""}, {"y"}).Output("y");
  ExpectRefusedCleanly(network.Bytes());
}

// A batch that is made free is proven on rows beside each other and alone; a file of 100 bytes can ask for the largest.
TEST(HostileFile, TheLargestRowIsProvenInFourTimesItsMemory) {
  OnnxBuilder network;
  network.Input("x", {1, 30'000'000}).Node("Erf", {"x"}, {"y"}).Output("y");
  const std::string bytes = network.Bytes();
  const auto load = [&] {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit space = {1'200'000'000, 1'200'000'000};
    setrlimit(RLIMIT_DATA, &space);
#endif
    std::exit(LoadModel(bytes).ok() ? 0 : 3);
  };
  EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "");
}

// The shape of a scalar is an empty list, and so is what comes of it.
TEST(HostileFile, ArithmeticOnTheShapeOfAScalar) {
  for (const char* op : {"Add", "Div", "Equal", "Mul"}) {
    OnnxBuilder network;
    network.Input("x", {}).IntWeight("one", {1}).IntWeight("none", {});
    network.Node("Shape", {"x"}, {"s"}).Node(op, {"s", "one"}, {"a"}).Node(op, {"one", "s"}, {"b"});
    network.Node(op, {"s", "none"}, {"c"}).Node("Concat", {"a", "b", "c"}, {"t"}, {{"axis", int64_t{0}}});
    network.Node("Cast", {"t"}, {"u"}, {{"to", int64_t{7}}}).Node("Reshape", {"x", "u"}, {"y"}).Output("y");
    const auto load = [&] {
      const auto model = LoadModel(network.Bytes());
      if (model.ok()) RunModel(*model, {{1.0f}});
      std::exit(0);
    };
    EXPECT_EXIT(load(), ::testing::ExitedWithCode(0), "") << op;
  }
}

// Numbers whose negation or sum with another no integer of 64 bits can hold.
TEST(HostileFile, IntegersAtTheEndOfTheirRange) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(RowSize(kLeast), kMost);
  EXPECT_EQ(RowSize(kLeast + 1), kMost);
  for (const int64_t amount : {kLeast, kMost}) {
    for (size_t i = 0; i < 4; ++i) {
      std::vector<int64_t> pads(4, 0);
      pads[i] = amount;
      OnnxBuilder network(9);
      network.Input("x", {-1, 3}).Node("Pad", {"x"}, {"y"}, {{"pads", pads}}).Output("y");
      ExpectRefusedCleanly(network.Bytes());
    }
    for (const auto& [start, limit, delta] : {std::tuple{amount, int64_t{0}, int64_t{1}}, {5, amount, amount}}) {
      OnnxBuilder network;
      network.Input("x", {-1, 3}).IntWeight("start", {start}).IntWeight("limit", {limit}).IntWeight("delta", {delta});
      network.Node("Range", {"start", "limit", "delta"}, {"r"}).Node("Gather", {"x", "r"}, {"y"}).Output("y");
      ExpectRefusedCleanly(network.Bytes());
    }
  }
}

}  // namespace
}  // namespace halfwave
