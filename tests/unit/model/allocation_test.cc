// A forward pass allocates nothing. Every way to take memory is counted: operator new, replaced here, and malloc and
// its kin, wrapped by the linker (see CMakeLists.txt).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <set>
#include <sstream>
#include <typeinfo>

#include "model/engine/session.h"
#include "model/kernels/isa.h"
#include "model/layers/broadcast.h"
#include "model/layers/conv.h"
#include "model/layers/matmul.h"
#include "model/layers/normalize.h"
#include "model/layers/pool.h"
#include "model/layers/rearrange.h"
#include "model/layers/reduce.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<int64_t> allocations = 0;

void Count() {
  if (counting) ++allocations;
}

}  // namespace

extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* memory, size_t size);
void* __real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void** memory, size_t alignment, size_t size);

void* __wrap_malloc(size_t size) {
  Count();
  return __real_malloc(size);
}
void* __wrap_calloc(size_t count, size_t size) {
  Count();
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* memory, size_t size) {
  Count();
  return __real_realloc(memory, size);
}
void* __wrap_aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __real_aligned_alloc(alignment, size);
}
int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  Count();
  return __real_posix_memalign(memory, alignment, size);
}
}

[[gnu::noinline]] void* operator new(size_t size) {
  Count();
  void* memory = __real_malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  Count();
  void* memory = nullptr;
  if (__real_posix_memalign(&memory, static_cast<size_t>(alignment), size == 0 ? 1 : size) != 0) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  Count();
  return __real_malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept {
  return operator new(size, nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

template <typename Work>
int64_t AllocationsIn(Work work) {
  allocations = 0;
  counting = true;
  work();
  counting = false;
  return allocations;
}

// Keeps the compiler from leaving out an allocation whose memory nobody uses.
void Use(void* memory) { asm volatile("" : : "g"(memory) : "memory"); }

TEST(AllocationCounter, CountsEveryWayToTakeMemory) {
  const auto once = [](auto take) {
    return AllocationsIn([&] {
      void* memory = take();
      Use(memory);
      std::free(memory);
    });
  };
  EXPECT_EQ(once([] { return std::malloc(8); }), 1);
  EXPECT_EQ(once([] { return std::calloc(8, 1); }), 1);
  EXPECT_EQ(once([] { return std::realloc(nullptr, 8); }), 1);
  EXPECT_EQ(once([] { return std::aligned_alloc(64, 64); }), 1);
  EXPECT_EQ(once([] {
              void* memory = nullptr;
              return posix_memalign(&memory, 64, 64) == 0 ? memory : nullptr;
            }),
            1);
  EXPECT_EQ(AllocationsIn([] { Use(std::make_unique<int>(1).get()); }), 1);
  EXPECT_EQ(AllocationsIn([] { Use(std::vector<float>(7).data()); }), 1);
  EXPECT_EQ(AllocationsIn([] { Use(AlignedBuffer(7).data()); }), 1);
  EXPECT_EQ(AllocationsIn([] {}), 0);
}

void ExpectRunsWithoutAllocating(const std::shared_ptr<const Model>& model, const std::string& what) {
  for (const int64_t rows : {1, 2, 7, 16, 64}) {
    Session session(model, 64);
    for (size_t i = 0; i < model->inputs().size(); ++i) {
      const auto noise = Noise(session.input(i).size(), 1);
      std::copy(noise.begin(), noise.end(), session.input(i).begin());
    }
    const std::vector<uint8_t> skip(rows, 0);
    session.Run(rows, skip);
    EXPECT_EQ(AllocationsIn([&] { session.Run(rows, skip); }), 0) << what << ", " << rows << " rows";
    EXPECT_EQ(AllocationsIn([&] { session.Run(rows); }), 0) << what << ", " << rows << " rows, none skipped";
  }
}

class ZooModel : public ::testing::TestWithParam<const char*> {};

TEST_P(ZooModel, RunsWithoutAllocating) {
  std::ifstream file(ProjectRoot() / "model" / "zoo" / (std::string(GetParam()) + ".onnx"), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  const auto model = LoadModel(bytes.str());
  ASSERT_TRUE(model.ok()) << model.status();
  ExpectRunsWithoutAllocating(*model, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooModel, ::testing::Values("digits_cnn", "digits_mlp", "fashion_cnn"),
                         [](const auto& info) { return std::string(info.param); });

using Attributes = OnnxBuilder::Attributes;

// Networks of the kinds that are served, with every algorithm and every way to count.
std::vector<std::pair<std::string, std::string>> Networks() {
  const Attributes same = {{"pads", Ints{1, 1, 1, 1}}};
  OnnxBuilder mlp;
  mlp.Input("x", {-1, 784}).Weight("w1", {784, 512}, Noise(784 * 512, 1)).Weight("w2", {512, 10}, Noise(5120, 2));
  mlp.Node("Gemm", {"x", "w1"}, {"h"}).Node("Relu", {"h"}, {"r"}).Node("Gemm", {"r", "w2"}, {"z"});
  mlp.Node("Softmax", {"z"}, {"y"}).Output("y");

  OnnxBuilder winograd;
  winograd.Input("x", {-1, 3, 16, 16}).Weight("k1", {16, 3, 3, 3}, Noise(432, 1));
  winograd.Weight("k2", {24, 16, 3, 3}, Noise(3456, 2)).Weight("w", {1536, 10}, Noise(15'360, 3));
  winograd.Node("Conv", {"x", "k1"}, {"c1"}, same).Node("Relu", {"c1"}, {"r1"});
  winograd.Node("Conv", {"r1", "k2"}, {"c2"}, same).Node("LeakyRelu", {"c2"}, {"r2"});
  winograd.Node("MaxPool", {"r2"}, {"p"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  winograd.Node("Flatten", {"p"}, {"f"}).Node("Gemm", {"f", "w"}, {"z"}).Node("LogSoftmax", {"z"}, {"y"}).Output("y");

  OnnxBuilder residual;  // and depthwise-separable
  residual.Input("x", {-1, 20, 9, 9}).Weight("d", {20, 1, 3, 3}, Noise(180, 1)).Weight("b", {20}, Noise(20, 2));
  residual.Weight("k", {20, 20, 1, 1}, Noise(400, 3)).Weight("w", {20, 10}, Noise(200, 4));
  residual.Node("Conv", {"x", "d", "b"}, {"c1"}, {{"group", int64_t{20}}, {"pads", Ints{1, 1, 1, 1}}});
  residual.Node("Relu", {"c1"}, {"r1"}).Node("Conv", {"r1", "k"}, {"c2"}).Node("Add", {"c2", "x"}, {"s"});
  residual.Node("Relu", {"s"}, {"r2"}).Node("GlobalAveragePool", {"r2"}, {"g"}).Node("Flatten", {"g"}, {"f"});
  residual.Node("Gemm", {"f", "w"}, {"y"}).Output("y");

  OnnxBuilder exponential(20);
  exponential.Input("x", {-1, 67});
  std::string at = "x";
  for (const char* op : {"Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Gelu", "Softplus", "Mish", "HardSigmoid"}) {
    const std::string name = op;
    exponential.Weight("w" + name, {67, 67}, Noise(67 * 67, 1)).Node("Gemm", {at, "w" + name}, {"z" + name});
    exponential.Node(op, {"z" + name}, {at = "y" + name});
  }
  exponential.Output(at);
  return {{"mlp", mlp.Bytes()},
          {"winograd", winograd.Bytes()},
          {"residual", residual.Bytes()},
          {"exponential", exponential.Bytes()}};
}

TEST(Network, RunsWithoutAllocatingOnEveryInstructionSet) {
  std::set<std::string> algorithms;
  for (const kernels::Isa& isa : kernels::Isas()) {
    if (!isa.available) continue;
    ASSERT_TRUE(kernels::SelectIsa(isa.table->name).ok());
    for (const auto& [name, bytes] : Networks()) {
      const auto model = LoadModel(bytes);
      ASSERT_TRUE(model.ok()) << name << ": " << model.status();
      for (const Step& step : (*model)->plan().steps) algorithms.insert(step.layer->Algorithm());
      ExpectRunsWithoutAllocating(*model, name + " on " + isa.table->name);
    }
  }
  ASSERT_TRUE(kernels::SelectIsa().ok());
  EXPECT_THAT(algorithms, ::testing::IsSupersetOf({"packed", "direct", "winograd 4x4,3x3", "depthwise"}));
}

TEST(Operator, RunsWithoutAllocatingWhicheverItIs) {
  struct Case {
    const char* op;
    std::vector<Shape> weights;
    OnnxBuilder::Attributes attributes;
  };
  const std::vector<Case> cases = {{"Add", {{3, 1, 1}}, {}},
                                   {"AveragePool", {}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}}},
                                   {"BatchNormalization", {{3}, {3}, {3}, {3}}, {}},
                                   {"Celu", {}, {}},
                                   {"Clip", {{}, {}}, {}},
                                   {"Concat", {}, {{"axis", int64_t{1}}}},
                                   {"Conv", {{5, 3, 3, 3}, {5}}, {{"pads", Ints{1, 1, 1, 1}}}},
                                   {"Conv", {{6, 1, 3, 3}}, {{"group", int64_t{3}}}},
                                   {"Conv", {{67, 3, 1, 1}}, {}},
                                   {"Div", {{3, 1, 1}}, {}},
                                   {"Dropout", {}, {}},
                                   {"Elu", {}, {}},
                                   {"Flatten", {}, {}},
                                   {"Gelu", {}, {}},
                                   {"Gelu", {}, {{"approximate", std::string("tanh")}}},
                                   {"GlobalAveragePool", {}, {}},
                                   {"GlobalMaxPool", {}, {}},
                                   {"HardSigmoid", {}, {}},
                                   {"HardSwish", {}, {}},
                                   {"Identity", {}, {}},
                                   {"LeakyRelu", {}, {}},
                                   {"LogSoftmax", {}, {{"axis", int64_t{1}}}},
                                   {"MatMul", {{11, 8}}, {}},
                                   {"MaxPool", {}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}},
                                   {"Mish", {}, {}},
                                   {"Mul", {{3, 1, 1}}, {}},
                                   {"PRelu", {{3, 1, 1}}, {}},
                                   {"Relu", {}, {}},
                                   {"Selu", {}, {}},
                                   {"Sigmoid", {}, {}},
                                   {"Softmax", {}, {{"axis", int64_t{1}}}},
                                   {"Softplus", {}, {}},
                                   {"Softsign", {}, {}},
                                   {"Sub", {{3, 1, 1}}, {}},
                                   {"ThresholdedRelu", {}, {}},
                                   {"Transpose", {}, {{"perm", Ints{0, 2, 3, 1}}}},
                                   {"Tanh", {}, {}}};
  for (const Case& c : cases) {
    OnnxBuilder network(20);
    network.Input("x", {-1, 3, 9, 11}).Weight("k", {3, 3, 1, 1}, Noise(9, 1)).Node("Conv", {"x", "k"}, {"maps"});
    std::vector<std::string> inputs = {"maps"};
    for (const Shape& shape : c.weights) {
      inputs.push_back("w" + std::to_string(inputs.size()));
      network.Weight(inputs.back(), shape, Noise(*NumElements(shape), 2, 0.1f, 1));
    }
    network.Node(c.op, inputs, {"y"}, c.attributes).Node("Add", {"y", "y"}, {"z"}).Output("z").Output("y");
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectRunsWithoutAllocating(*model, c.op);
  }
}

// Products beyond what fits into caches, where a library would take its blocks from the heap.
TEST(Operator, LargeDenseLayersRunWithoutAllocating) {
  for (const auto& [in, out] :
       {std::pair<int64_t, int64_t>{1, 4096}, {4096, 1}, {3000, 17}, {17, 3000}, {2048, 2048}}) {
    OnnxBuilder network;
    network.Input("x", {-1, in}).Weight("w", {in, out}, Noise(in * out, 1)).Node("Gemm", {"x", "w"}, {"y"}).Output("y");
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectRunsWithoutAllocating(*model, std::to_string(in) + " to " + std::to_string(out));
  }
}

TEST(Session, SeveralThreadsRunWithoutAllocating) {
  OnnxBuilder network;
  network.Input("x", {-1, 300}).Weight("w", {300, 300}, Noise(300 * 300, 1));
  network.Node("Gemm", {"x", "w"}, {"y"}).Node("Relu", {"y"}, {"z"}).Output("z");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 64, /*threads=*/3, /*worth_waking=*/1);
  for (const int64_t rows : {64, 2, 1}) {
    std::fill(session.input(0).begin(), session.input(0).end(), 1.0f);
    session.Run(rows);
    EXPECT_EQ(AllocationsIn([&] { session.Run(rows); }), 0) << rows << " rows";
  }
}

TEST(Operator, ALargeConvolutionRunsWithoutAllocating) {
  OnnxBuilder network;
  network.Input("x", {-1, 64, 24, 24}).Weight("k", {64, 64, 3, 3}, Noise(64 * 64 * 9, 1));
  network.Node("Conv", {"x", "k"}, {"y"}, {{"pads", Ints{1, 1, 1, 1}}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 16);
  const auto noise = Noise(session.input(0).size(), 1);
  for (const int64_t rows : {1, 16}) {
    std::copy(noise.begin(), noise.end(), session.input(0).begin());
    session.Run(rows);
    EXPECT_EQ(AllocationsIn([&] { session.Run(rows); }), 0) << rows << " rows";
  }
}

void ExpectLayerRunsWithoutAllocating(const Layer& layer, const std::vector<int64_t>& inputs, int64_t outputs) {
  constexpr int64_t kRows = 3;
  std::vector<std::vector<float>> data;
  std::vector<const float*> pointers;
  for (const int64_t elements : inputs) data.push_back(Noise(kRows * elements, 1, 0, 3));
  for (const auto& input : data) pointers.push_back(input.data());
  std::vector<float> y(kRows * outputs), scratch(layer.ScratchElements(kRows));
  const LayerCall call{kRows, pointers, y.data(), scratch.data()};
  EXPECT_EQ(AllocationsIn([&] { layer.Run(call); }), 0) << typeid(layer).name();
}

TEST(Layer, RunsWithoutAllocatingWhicheverItIs) {
  const Shape shape = {2, 3, 4}, channel = {3, 1}, axes = {0, 2};
  const Operand whole = Operand::Computed(shape, shape), part = Operand::Computed(channel, shape);
  for (int op = 0; op <= static_cast<int>(kernels::BinaryOp::kTruncDivide); ++op) {
    ExpectLayerRunsWithoutAllocating(Broadcast(static_cast<kernels::BinaryOp>(op), shape, whole, part), {24, 3}, 24);
  }
  ExpectLayerRunsWithoutAllocating(Select(shape, part, whole, part), {3, 24, 3}, 24);
  for (int kind = 0; kind <= static_cast<int>(kernels::Reduction::kSumSquare); ++kind) {
    ExpectLayerRunsWithoutAllocating(Reduce(static_cast<kernels::Reduction>(kind), shape, axes), {24}, 3);
  }
  ExpectLayerRunsWithoutAllocating(ArgMax(2, 3, 4, false, true), {24}, 8);
  ExpectLayerRunsWithoutAllocating(TopK(2, 3000, 4, 2000, true, TopK::Output::kValues), {24'000}, 16'000);
  ExpectLayerRunsWithoutAllocating(Rearrange(4, 1, {3, -1, 0}), {4}, 3);
  ExpectLayerRunsWithoutAllocating(SparseMap(4, 1, {{0, 2}, {3, 1}, {1, 2}}), {4}, 1);
  ExpectLayerRunsWithoutAllocating(Gather(1, 4, 1, 2), {4, 2}, 2);
  kernels::Window window{.channels = 2, .size = {3, 4, 5}, .kernel = {2, 2, 2}, .out = {2, 3, 4}};
  ExpectLayerRunsWithoutAllocating(Conv(window, 2, 2, Noise(16, 1), {0, 0}), {120}, 48);
  ExpectLayerRunsWithoutAllocating(MaxPoolIndices(window, true), {120}, 48);
  ExpectLayerRunsWithoutAllocating(LpPool(window, 3), {120}, 48);
  window.out = {4, 5, 6};
  ExpectLayerRunsWithoutAllocating(ConvTranspose(window, 2, 2, Noise(16, 1), {0, 0}), {120}, 240);
  ExpectLayerRunsWithoutAllocating(GlobalLpPool(12, 2, 2), {24}, 2);
  for (const auto kind : {LayerNorm::Kind::kMeanAndVariance, LayerNorm::Kind::kRootMeanSquare}) {
    ExpectLayerRunsWithoutAllocating(LayerNorm(kind, 6, 4, 1e-5f, {}, {}), {24}, 24);
  }
  ExpectLayerRunsWithoutAllocating(GroupNorm(1, 2, 12, 1e-5f, {1, 1}, {0, 0}), {24}, 24);
  ExpectLayerRunsWithoutAllocating(MeanVarianceNorm(shape, axes), {24}, 24);
  ExpectLayerRunsWithoutAllocating(LocalResponseNorm(2, 12, 3, 1, 1, 1), {24}, 24);
}

TEST(Layer, LargeProductsOfComputedMatricesRunWithoutAllocating) {
  struct Case {
    int64_t rows, depth, columns;
  };
  for (const auto& [rows, depth, columns] : {Case{1, 2000, 2000},
                                             {2000, 2000, 1},
                                             {700, 700, 700},
                                             {1, 600'000, 1},
                                             {2, 600'000, 1},
                                             {1, 600'000, 2},
                                             {2, 600'000, 2},
                                             {2, 3, 20'000},
                                             {20'000, 3, 2}}) {
    ExpectLayerRunsWithoutAllocating(MatMul({}, rows, depth, columns, Operand::Computed({}, {}, rows * depth),
                                            Operand::Computed({}, {}, depth * columns)),
                                     {rows * depth, depth * columns}, rows * columns);
  }
}

}  // namespace
}  // namespace halfwave
