// What becomes of the batch: kept open, made free, or served row by row, and always the same answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/engine/evaluate.h"
#include "model/graph/batch_symbol.h"
#include "model/graph/fold_integers.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/reference.h"
#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Attributes = OnnxBuilder::Attributes;

// --- the symbol ------------------------------------------------------------------------------------------------------

TEST(BatchSymbol, StandsForAnyMultipleOfTheBatchAndForNothingElse) {
  for (const int64_t batches : {int64_t{1}, int64_t{2}, int64_t{7}, int64_t{1000}, kMostBatches}) {
    EXPECT_EQ(BatchesOfSymbol(*SymbolOfBatches(batches)), batches);
  }
  EXPECT_FALSE(SymbolOfBatches(kMostBatches + 1)) << "it would overflow";
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{12}, kBatchSymbol + 1, kBatchSymbol - 1,
                              -kBatchSymbol, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min() + 1, int64_t{std::numeric_limits<int32_t>::min()}}) {
    EXPECT_FALSE(BatchesOfSymbol(value)) << value;
  }
}

// What the node makes of two lists of integers; nothing if it is not folded.
std::optional<Ints> Folded(const std::string& op, const Ints& a, const Ints& b) {
  Graph graph = SmallGraph({{op, {"a", "b"}, {"y"}}});
  graph.constants = {{"a", Integers(a)}, {"b", Integers(b)}};
  const TypeMap types;
  const auto result = FoldIntegers(NodeContext(graph, graph.nodes[0], types));
  return result ? std::optional<Ints>(result->ints) : std::nullopt;
}

TEST(FoldIntegers, MultiplesOfTheBatchSurviveProductsAndQuotients) {
  EXPECT_EQ(Folded("Mul", {kBatchSymbol, 3}, {4, 5}), (Ints{4 * kBatchSymbol, 15}));
  EXPECT_EQ(Folded("Mul", {6}, {2 * kBatchSymbol}), (Ints{12 * kBatchSymbol}));
  EXPECT_EQ(Folded("Div", {12 * kBatchSymbol}, {4}), (Ints{3 * kBatchSymbol}));
  EXPECT_EQ(Folded("Div", {12 * kBatchSymbol}, {4 * kBatchSymbol}), (Ints{3}));
}

TEST(FoldIntegers, WhatWouldNotBeAMultipleOfTheBatchIsNotFolded) {
  EXPECT_EQ(Folded("Add", {kBatchSymbol}, {1}), std::nullopt);
  EXPECT_EQ(Folded("Sub", {kBatchSymbol}, {kBatchSymbol}), std::nullopt);
  EXPECT_EQ(Folded("Mul", {kBatchSymbol}, {kBatchSymbol}), std::nullopt);
  EXPECT_EQ(Folded("Mul", {kBatchSymbol}, {0}), std::nullopt);
  EXPECT_EQ(Folded("Mul", {kBatchSymbol}, {-1}), std::nullopt);
  EXPECT_EQ(Folded("Mul", {kBatchSymbol}, {int64_t{1} << 30}), std::nullopt) << "more batches than a symbol can hold";
  EXPECT_EQ(Folded("Div", {3 * kBatchSymbol}, {2}), std::nullopt);
  EXPECT_EQ(Folded("Div", {12}, {kBatchSymbol}), std::nullopt);
  EXPECT_EQ(Folded("Max", {kBatchSymbol}, {12}), std::nullopt);
  EXPECT_EQ(Folded("Greater", {kBatchSymbol}, {12}), std::nullopt);
  EXPECT_EQ(Folded("Equal", {kBatchSymbol}, {12}), std::nullopt);
  EXPECT_EQ(Folded("Equal", {kBatchSymbol, 3}, {-1, -1}), (Ints{0, 0})) << "how exporters ask for what is left";
}

TEST(FoldIntegers, PlainNumbersAreExactOrNotFolded) {
  EXPECT_EQ(Folded("Add", {3, -4}, {5}), (Ints{8, 1}));
  EXPECT_EQ(Folded("Div", {7, -7}, {2, 2}), (Ints{3, -3})) << "towards zero";
  EXPECT_EQ(Folded("Div", {7}, {0}), std::nullopt);
  EXPECT_EQ(Folded("Mul", {int64_t{1} << 40}, {int64_t{1} << 40}), std::nullopt);
  EXPECT_EQ(Folded("Add", {1, 2}, {1, 2, 3}), std::nullopt);
}

// The size of the batch is a number nobody knows before a request comes: it cannot be computed with.
TEST(Batch, ItsSizeAsANumberIsOneInAModelServedRowByRow) {
  OnnxBuilder network;
  network.Input("x", {-1, 3}).IntWeight("zero", {0}).Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "zero"}, {"n"});
  network.Node("Cast", {"n"}, {"size"}, {{"to", int64_t{1}}}).Node("Div", {"x", "size"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
  EXPECT_EQ(RunModel(*model, {{1, 2, 3, 4, 5, 6}})[0], (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(Batch, AnOutputThatIsTheShapeIsThatOfOneRow) {
  OnnxBuilder network;
  network.Input("x", {-1, 3}).Node("Shape", {"x"}, {"s"}).Node("Relu", {"x"}, {"y"}).Output("s").Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {{1, 2, 3}})[0], (std::vector<float>{1, 3}));
}

// --- row by row ------------------------------------------------------------------------------------------------------

// The network, which has one input "x" and one output "y", gives each row what the interpreter computes for it alone.
std::shared_ptr<const Model> ExpectRowsAlone(OnnxBuilder& network, const std::string& batch) {
  const auto model = LoadModel(network.Bytes());
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return nullptr;
  EXPECT_EQ((*model)->batch(), batch);
  constexpr int64_t kRows = 3;
  const auto inputs = NoiseFor(**model, kRows, 7);
  const auto outputs = RunModel(*model, inputs);
  const int64_t in = RowElements((*model)->inputs()[0].shape), out = RowElements((*model)->outputs()[0].shape);
  for (int64_t row = 0; row < kRows; ++row) {
    Tensor x{(*model)->inputs()[0].shape, {inputs[0].begin() + row * in, inputs[0].begin() + (row + 1) * in}};
    x.shape[0] = 1;
    const Tensor expected = Interpret(network.proto(), {{"x", x}}).at((*model)->outputs()[0].name);
    EXPECT_EQ(static_cast<int64_t>(expected.data.size()), out);
    for (int64_t i = 0; i < out; ++i) {
      EXPECT_NEAR(expected.data[i], outputs[0][row * out + i], 1e-4) << "row " << row << ", element " << i;
    }
  }
  return *model;
}

TEST(RowByRow, WhatMixesTheRowsOfABatchIsServedAsBatchesOfOne) {
  struct Case {
    std::string op;
    Shape input;
    Attributes attributes;
    Ints list = {};  // a second input
  };
  const std::vector<Case> cases = {{"Transpose", {-1, 3, 4}, {{"perm", Ints{1, 0, 2}}}},
                                   {"Transpose", {-1, 3}, {}},
                                   {"Flatten", {-1, 3, 4}, {{"axis", int64_t{0}}}},
                                   {"Flatten", {-1, 3, 4}, {{"axis", int64_t{2}}}},
                                   {"Reshape", {-1, 4, 3}, {}, {-1, 3}},
                                   {"Reshape", {-1, 4, 3}, {}, {-1}},
                                   {"Reshape", {-1, 4, 3}, {}, {4, -1}},
                                   {"Reshape", {-1, 4, 3}, {}, {1, 12}},
                                   {"Softmax", {-1, 3}, {{"axis", int64_t{0}}}},
                                   {"LogSoftmax", {-1, 3, 2}, {{"axis", int64_t{-3}}}},
                                   {"ReduceSum", {-1, 3, 4}, {}, {0}},
                                   {"ReduceSum", {-1, 3}, {}, {0, 1}},
                                   {"ReduceMean", {-1, 3, 4}, {{"axes", Ints{0, 2}}, {"keepdims", int64_t{0}}}},
                                   {"ReduceMax", {-1, 3}, {}},
                                   {"ReduceL2", {-1, 3}, {{"axes", Ints{-2}}}},
                                   {"ArgMax", {-1, 3}, {}},
                                   {"CumSum", {-1, 3}, {}, {0}},
                                   {"LpNormalization", {-1, 3}, {{"axis", int64_t{0}}}},
                                   {"MeanVarianceNormalization", {-1, 2, 3, 4}, {}},
                                   {"Tile", {-1, 3}, {}, {2, 1}},
                                   {"Pad", {-1, 3}, {}, {1, 0, 0, 0}},
                                   {"Gather", {-1, 3}, {}, {0}},
                                   {"Gather", {-1, 3}, {}, {0, -1}},
                                   {"Squeeze", {-1, 3}, {}, {0}},
                                   {"Unsqueeze", {-1, 3}, {}, {0}}};
  for (const Case& c : cases) {
    OnnxBuilder network;
    network.Input("x", c.input);
    std::vector<std::string> inputs = {"x"};
    if (!c.list.empty()) {
      network.IntWeight("list", c.list);
      inputs.push_back("list");
    }
    network.Node(c.op, inputs, {"z"}, c.attributes).Node("Cast", {"z"}, {"y"}, {{"to", int64_t{1}}}).Output("y");
    SCOPED_TRACE(c.op + " " + ShapeToString(c.input) + " " + ShapeToString(c.list));
    ExpectRowsAlone(network, "row by row");
  }
}

TEST(RowByRow, OperatorsWithTwoOperandsThatMixRows) {
  OnnxBuilder slice;
  slice.Input("x", {-1, 3}).IntWeight("start", {0}).IntWeight("end", {1}).IntWeight("axis", {0});
  slice.Node("Slice", {"x", "start", "end", "axis"}, {"y"}).Output("y");
  ExpectRowsAlone(slice, "row by row");
  OnnxBuilder gram;
  gram.Input("x", {-1, 3}).Node("Transpose", {"x"}, {"t"}).Node("MatMul", {"t", "x"}, {"y"}).Output("y");
  ExpectRowsAlone(gram, "row by row");
  OnnxBuilder similarity;
  similarity.Input("x", {-1, 3}).Node("Transpose", {"x"}, {"t"}).Node("MatMul", {"x", "t"}, {"y"}).Output("y");
  ExpectRowsAlone(similarity, "row by row");
  OnnxBuilder turned;
  turned.Input("x", {-1, 3}).Weight("w", {1, 2}, {1, 2});
  turned.Node("Gemm", {"x", "w"}, {"y"}, {{"transA", int64_t{1}}}).Output("y");
  ExpectRowsAlone(turned, "row by row");
  OnnxBuilder beside;
  beside.Input("x", {-1, 3}).Weight("token", {1, 3}, {1, 2, 3});
  beside.Node("Concat", {"token", "x"}, {"y"}, {{"axis", int64_t{1}}}).Output("y");
  ExpectRowsAlone(beside, "row by row");
  OnnxBuilder outer;
  outer.Input("x", {-1, 3}).Weight("w", {2, 1, 1}, {2, 3}).Node("Mul", {"x", "w"}, {"y"}).Output("y");
  ExpectRowsAlone(outer, "row by row");
}

// --- kept apart ------------------------------------------------------------------------------------------------------

TEST(MergedBatch, PositionsMayBeRowsForAWhileIfRowsComeOut) {
  OnnxBuilder network;
  network.Input("x", {-1, 10}).Weight("w", {5, 3}, Noise(15, 1)).Weight("b", {3}, Noise(3, 2));
  network.IntWeight("apart", {-1, 5}).IntWeight("together", {-1, 6});
  network.Node("Reshape", {"x", "apart"}, {"p"}).Node("Gemm", {"p", "w", "b"}, {"g"}).Node("Relu", {"g"}, {"r"});
  network.Node("Softmax", {"r"}, {"s"}).Node("Reshape", {"s", "together"}, {"y"}).Output("y");
  const auto model = ExpectComputes(network, 4);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->batch(), "free");
  EXPECT_EQ(model->outputs()[0].shape, (Shape{kBatch, 6}));
  EXPECT_EQ(model->activations()[0].units, 3);
}

TEST(MergedBatch, ATransposeThereAndBackKeepsTheBatchOpen) {
  OnnxBuilder network;
  network.Input("x", {-1, 3, 4}).Weight("w", {4, 2}, Noise(8, 1));
  network.Node("Transpose", {"x"}, {"t"}, {{"perm", Ints{1, 0, 2}}}).Node("MatMul", {"t", "w"}, {"m"});
  network.Node("Relu", {"m"}, {"r"}).Node("Transpose", {"r"}, {"y"}, {{"perm", Ints{1, 0, 2}}}).Output("y");
  const auto model = ExpectComputes(network, 5);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->batch(), "free");
}

TEST(MergedBatch, TheBatchComputedIntoATargetStaysTheBatch) {
  OnnxBuilder network;
  network.Input("x", {-1, 4, 6}).Weight("w", {6, 5}, Noise(30, 1)).IntWeight("zero", {0}).IntWeight("four", {4});
  network.IntWeight("six", {6})
      .IntWeight("rest", {-1})
      .Node("Shape", {"x"}, {"s"})
      .Node("Gather", {"s", "zero"}, {"n"});
  network.Node("Mul", {"n", "four"}, {"n4"}).Node("Concat", {"n4", "six"}, {"t1"}, {{"axis", int64_t{0}}});
  network.Node("Reshape", {"x", "t1"}, {"p"}).Node("MatMul", {"p", "w"}, {"m"}).Node("Shape", {"m"}, {"ms"});
  network.Node("Gather", {"ms", "zero"}, {"mn"}).Node("Div", {"mn", "four"}, {"back"});
  network.Node("Concat", {"back", "rest"}, {"t2"}, {{"axis", int64_t{0}}}).Node("Reshape", {"m", "t2"}, {"y"});
  network.Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "free");
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 20}));
  const auto x = Noise(72, 3);
  OnnxBuilder plain;
  plain.Input("x", {-1, 4, 6}).Weight("w", {6, 5}, Noise(30, 1)).Node("MatMul", {"x", "w"}, {"y"}).Output("y");
  EXPECT_EQ(RunModel(*model, {x})[0], RunModel(*LoadModel(plain.Bytes()), {x})[0]);
}

// CNTK and others write the shape of one row, [1, 256], into a file fixed at one row.
TEST(FixedBatchOfOne, AConstantTargetOfOneRowIsEveryRow) {
  for (const Ints& target : {Ints{1, 12}, {1, -1}, {0, 12}, {-1, 12}}) {
    OnnxBuilder network;
    network.Input("x", {1, 3, 4}).IntWeight("t", target).Weight("w", {12, 2}, Noise(24, 1));
    network.Node("Reshape", {"x", "t"}, {"f"}).Node("MatMul", {"f", "w"}, {"y"}).Output("y");
    SCOPED_TRACE(ShapeToString(target));
    const auto model = ExpectRowsAlone(network, "made free");
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->outputs()[0].shape, (Shape{kBatch, 2}));
  }
}

TEST(FixedBatchOfOne, ARankThatDropsTheBatchIsServedRowByRow) {
  OnnxBuilder network;
  network.Input("x", {1, 3, 4}).IntWeight("t", {12}).Node("Reshape", {"x", "t"}, {"y"}).Output("y");
  const auto model = ExpectRowsAlone(network, "row by row");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->outputs()[0].shape, (Shape{kBatch, 12}));
}

TEST(FixedBatchOfMany, WhatMixesItsRowsTakesAllOfThemAsOneRow) {
  OnnxBuilder network;
  network.Input("x", {4, 2}).Node("Softmax", {"x"}, {"y"}, {{"axis", int64_t{0}}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
  EXPECT_EQ((*model)->inputs()[0].shape, (Shape{kBatch, 4, 2}));
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 4, 2}));
  const auto y = RunModel(*model, {std::vector<float>(16, 1.0f)})[0];
  EXPECT_EQ(y, std::vector<float>(16, 0.25f));
}

TEST(FixedBatchOfMany, AConstantForEachOfItsRowsTakesAllOfThemAsOneRow) {
  OnnxBuilder network;
  network.Input("x", {3, 2}).Weight("w", {3, 1}, {1, 10, 100}).Node("Mul", {"x", "w"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
  EXPECT_EQ(RunModel(*model, {{1, 2, 3, 4, 5, 6}})[0], (std::vector<float>{1, 2, 30, 40, 500, 600}));
}

}  // namespace
}  // namespace halfwave
