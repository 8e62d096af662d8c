// DESIGN's promise: for one program, instruction set and model, a row's bits do not depend on its batch, its place in
// it, the number of threads or other traffic. Each network is fed batches of every size from 1 to 130, in which every
// place is taken once, by rows that are mixed anew each time; the answer for a row must be, to the bit, the one it got
// alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "model/engine/session.h"
#include "model/kernels/isa.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kMaxRows = 130;
constexpr double kAnyWork = 1;  // is worth a thread

// Appends layers with random weights, one after the other.
class Chain {
 public:
  explicit Chain(const Ints& row, int64_t opset = 13) : network_(opset) {
    Ints shape = {-1};
    shape.insert(shape.end(), row.begin(), row.end());
    network_.Input("x", shape);
  }
  Chain& Then(const std::string& op, const OnnxBuilder::Attributes& attributes = {},
              const std::vector<std::string>& more_inputs = {}) {
    std::vector<std::string> inputs = {at_};
    inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
    at_ = "v" + std::to_string(++names_);
    network_.Node(op, inputs, {at_}, attributes);
    return *this;
  }
  Chain& Gemm(int64_t in, int64_t out) { return Then("Gemm", {}, {Weight({in, out}, in), Weight({out}, 1)}); }
  // shape: of the weights, as ONNX wants them.
  Chain& Conv(const Ints& shape, OnnxBuilder::Attributes attributes = {}) {
    const bool same = shape.size() == 4 && shape[2] == 3 && attributes.count("pads") == 0;
    if (same) attributes["pads"] = Ints{1, 1, 1, 1};
    const int64_t fan_in = *NumElements(shape) / shape[0];
    return Then("Conv", attributes, {Weight(shape, fan_in), Weight({shape[0]}, 1)});
  }
  std::string Weight(const Ints& shape, int64_t fan_in) {
    const std::string name = "w" + std::to_string(++names_);
    const float limit = 1.7f / std::sqrt(static_cast<float>(fan_in));
    network_.Weight(name, shape, Noise(*NumElements(shape), static_cast<uint32_t>(names_), -limit, limit));
    return name;
  }
  const std::string& at() const { return at_; }
  void Return(const std::string& value) { at_ = value; }
  OnnxBuilder& network() { return network_; }
  std::string Bytes() {
    network_.Output(at_);
    return network_.Bytes();
  }

 private:
  OnnxBuilder network_;
  std::string at_ = "x";
  int names_ = 0;
};

std::string Perceptron() {
  return Chain({150}).Gemm(150, 200).Then("Relu").Gemm(200, 121).Then("Relu").Gemm(121, 10).Then("Softmax").Bytes();
}

// Winograd's algorithm, a first layer of few channels, pools.
std::string Pictures() {
  return Chain({3, 12, 12})
      .Conv({16, 3, 3, 3})
      .Then("Relu")
      .Conv({20, 16, 3, 3})
      .Then("Relu")
      .Then("MaxPool", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
      .Conv({24, 20, 3, 3})
      .Then("Relu")
      .Then("Flatten")
      .Gemm(24 * 36, 10)
      .Then("Softmax")
      .Bytes();
}

// Layers wide enough to be shared by their outputs, where threads work on one row.
std::string WideLayers() {
  return Chain({3, 6, 6})
      .Conv({70, 3, 3, 3})
      .Then("Relu")
      .Conv({136, 70, 3, 3})
      .Then("Relu")
      .Then("MaxPool", {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
      .Conv({136, 1, 3, 3}, {{"group", int64_t{136}}})
      .Conv({72, 136, 1, 1})
      .Then("Relu")
      .Then("Flatten")
      .Gemm(72 * 9, 300)
      .Then("Relu")
      .Gemm(300, 10)
      .Bytes();
}

// Depthwise-separable blocks with a way around them.
std::string Residual() {
  Chain chain({3, 9, 9});
  chain.Conv({24, 3, 3, 3}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}).Then("Relu");
  for (int block = 0; block < 2; ++block) {
    const std::string around = chain.at();
    chain.Conv({24, 1, 3, 3}, {{"group", int64_t{24}}}).Then("Relu").Conv({24, 24, 1, 1}).Then("Add", {}, {around});
    chain.Then("Relu");
  }
  return chain.Then("GlobalAveragePool").Then("Flatten").Gemm(24, 7).Then("LogSoftmax").Bytes();
}

std::string Exponentials() {
  Chain chain({3, 7, 5}, 18);
  chain.Conv({13, 3, 3, 3});
  for (const char* op : {"Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Mish", "Softsign", "HardSwish",
                         "HardSigmoid", "LeakyRelu", "Exp", "Erf"}) {
    chain.Then(op).Conv({13, 13, 1, 1});
  }
  chain.Then("Softmax", {{"axis", int64_t{1}}}).Then("Flatten").Gemm(13 * 35, 50).Then("Sigmoid").Gemm(50, 3);
  return chain.Then("Softmax").Bytes();
}

std::string Normalizations() {
  Chain chain({12, 6, 5}, 17);
  const std::string scale = chain.Weight({6, 5}, 1), bias = chain.Weight({6, 5}, 1), channel = chain.Weight({12}, 1);
  chain.Then("LRN", {{"size", int64_t{3}}}).Then("InstanceNormalization", {}, {channel, channel});
  chain.Then("LayerNormalization", {{"axis", int64_t{2}}}, {scale, bias}).Then("MeanVarianceNormalization");
  chain.Then("LpNormalization", {{"axis", int64_t{1}}}).Then("AveragePool", {{"kernel_shape", Ints{2, 3}}});
  chain.Then("ReduceLogSumExp", {{"axes", Ints{3}}, {"keepdims", int64_t{0}}});
  chain.Then("ReduceMean", {{"axes", Ints{2}}, {"keepdims", int64_t{0}}}).Then("ReduceL2", {{"axes", Ints{1}}});
  return chain.Bytes();
}

// Convolutions in groups, over volumes, and transposed.
std::string RareConvolutions() {
  Chain chain({6, 5, 7});
  chain.Conv({10, 3, 3, 3}, {{"group", int64_t{2}}}).Then("Relu");
  chain.Then("ConvTranspose", {{"strides", Ints{2, 2}}}, {chain.Weight({10, 4, 2, 2}, 10)}).Then("Relu");
  chain.network().IntWeight("volume", {0, 4, 2, 5, 14});
  chain.Then("Reshape", {}, {"volume"}).Conv({3, 4, 2, 2, 2}).Then("Relu").Then("Flatten");
  return chain.Gemm(3 * 4 * 13, 5).Bytes();
}

// Products of two computed matrices, also of vectors and of sizes at which libraries change their ways.
std::string Attention(int64_t length, int64_t width) {
  OnnxBuilder network(13);
  network.Input("x", {-1, length, width});
  for (const char* name : {"q", "k", "v"}) {
    const std::string weights = std::string("w") + name;
    network.Weight(weights, {width, width}, Noise(width * width, name[0], -0.5f, 0.5f));
    network.Node("MatMul", {"x", weights}, {name});
  }
  network.Node("Transpose", {"k"}, {"kt"}, {{"perm", Ints{0, 2, 1}}}).Node("MatMul", {"q", "kt"}, {"s"});
  network.Node("Softmax", {"s"}, {"p"}, {{"axis", int64_t{2}}}).Node("MatMul", {"p", "v"}, {"y"}).Output("y");
  return network.Bytes();
}

std::string Zoo(const char* name) {
  std::ifstream file(ProjectRoot() / "model" / "zoo" / (std::string(name) + ".onnx"), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

struct Network {
  const char* name;
  std::function<std::string()> bytes;
  ModelOptions options = {};
};

const std::vector<Network>& Networks() {
  static const auto& networks = *new std::vector<Network>{
      {"Perceptron", Perceptron},
      {"PerceptronOfHalves", Perceptron, {.weights = WeightFormat::kHalf}},
      {"Pictures", Pictures},
      {"PicturesOfHalves", Pictures, {.weights = WeightFormat::kHalf}},
      {"WideLayers", WideLayers},
      {"Residual", Residual},
      {"Exponentials", Exponentials},
      {"Normalizations", Normalizations},
      {"RareConvolutions", RareConvolutions},
      {"Attention", [] { return Attention(9, 20); }},
      {"AttentionOverLittle", [] { return Attention(3, 5); }},
      {"AttentionOfOne", [] { return Attention(1, 11); }},
      {"DigitsPerceptron", [] { return Zoo("digits_mlp"); }},
      {"DigitsPictures", [] { return Zoo("digits_cnn"); }},
  };
  return networks;
}

using Bits = std::vector<std::vector<float>>;  // per output

int64_t RowOf(const GraphValue& value) { return RowElements(value.shape); }

// Runs the rows `order` of the pool as one batch.
void RunRows(Session& session, const std::vector<std::vector<float>>& pool, const std::vector<int64_t>& order) {
  for (size_t i = 0; i < pool.size(); ++i) {
    const int64_t row = RowOf(session.model().inputs()[i]);
    for (size_t place = 0; place < order.size(); ++place) {
      std::copy_n(pool[i].begin() + order[place] * row, row, session.input(i).begin() + place * row);
    }
  }
  session.Run(static_cast<int64_t>(order.size()));
}

class BatchInvariance : public ::testing::TestWithParam<std::tuple<size_t, size_t>> {
 protected:
  void TearDown() override { ASSERT_TRUE(kernels::SelectIsa().ok()); }
};

TEST_P(BatchInvariance, ARowsBitsAreThoseItHasAlone) {
  const kernels::Isa& isa = kernels::Isas()[std::get<0>(GetParam())];
  if (!isa.available) GTEST_SKIP() << "SKIPPED: this processor has no " << isa.table->name;
  ASSERT_TRUE(kernels::SelectIsa(isa.table->name).ok());
  const Network& network = Networks()[std::get<1>(GetParam())];
  const auto loaded = LoadModel(network.bytes(), network.options);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const std::shared_ptr<const Model> model = *loaded;

  std::vector<std::vector<float>> pool;  // per input, kMaxRows rows; half of what is in them is zero
  for (const GraphValue& input : model->inputs()) {
    pool.push_back(Noise(kMaxRows * RowOf(input), 1 + static_cast<uint32_t>(pool.size())));
    for (float& value : pool.back()) value = std::max(value, 0.0f);
  }
  Bits alone;
  for (const GraphValue& output : model->outputs()) alone.emplace_back(kMaxRows * RowOf(output));
  Session single(model, 1);
  for (int64_t row = 0; row < kMaxRows; ++row) {
    RunRows(single, pool, {row});
    for (size_t i = 0; i < alone.size(); ++i) {
      const auto output = single.output(i, 1);
      std::copy(output.begin(), output.end(), alone[i].begin() + row * static_cast<int64_t>(output.size()));
    }
  }

  std::atomic<bool> stop = false;
  std::thread other_traffic([&] {
    Session session(model, kMaxRows, 2, kAnyWork);
    std::mt19937 random(3);
    std::vector<int64_t> order(kMaxRows);
    std::iota(order.begin(), order.end(), 0);
    while (!stop) RunRows(session, pool, {order.begin(), order.begin() + 1 + random() % kMaxRows});
  });
  Session one(model, kMaxRows), two(model, kMaxRows, 2, kAnyWork);
  std::mt19937 random(5);
  std::vector<int64_t> order(kMaxRows);
  std::iota(order.begin(), order.end(), 0);
  int64_t wrong = 0;
  // The plain reference knows no tiles whose edges could matter, and is slow.
  const std::vector<int64_t> few = {2, 7, kMaxRows};
  const bool plain = std::string_view(isa.table->name) == "reference";
  for (int64_t rows = 1; rows <= kMaxRows; ++rows) {
    if (plain && std::find(few.begin(), few.end(), rows) == few.end()) continue;
    std::shuffle(order.begin(), order.end(), random);
    for (Session* session : {&one, &two}) {
      RunRows(*session, pool, {order.begin(), order.begin() + rows});
      for (size_t i = 0; i < alone.size(); ++i) {
        const int64_t size = RowOf(model->outputs()[i]);
        for (int64_t place = 0; place < rows; ++place) {
          const float* got = session->output(i, rows).data() + place * size;
          if (std::memcmp(got, alone[i].data() + order[place] * size, size * sizeof(float)) == 0) continue;
          if (++wrong > 3) continue;
          ADD_FAILURE() << "row " << order[place] << " at place " << place << " of " << rows << ", output " << i << ", "
                        << session->threads() << " threads";
        }
      }
    }
  }
  stop = true;
  other_traffic.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Networks, BatchInvariance,
                         ::testing::Combine(::testing::Range<size_t>(0, kernels::Isas().size()),
                                            ::testing::Range<size_t>(0, Networks().size())),
                         [](const auto& info) {
                           std::string name = kernels::Isas()[std::get<0>(info.param)].table->name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return std::string(Networks()[std::get<1>(info.param)].name) + "_" + name;
                         });

}  // namespace
}  // namespace halfwave
