// Each finding on the smallest graph that deserves it, and on one that nearly does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/analysis/inspection.h"
#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A graph over rows of three features. "w" and "b" are weights and a bias of three units without any peculiarity;
// the output is "y".
Graph Dense(const std::vector<NodeSpec>& nodes, int64_t opset = 13) {
  Graph graph = SmallGraph(nodes, opset);
  graph.inputs = {{"x", {kBatch, 3}}};
  graph.constants["w"] = Floats({3, 3}, {1, -2, 3, -4, 5, -6, 7, 8, -9});
  graph.constants["b"] = Floats({3}, {0.5, -0.5, 0.25});
  return graph;
}

NodeSpec Gemm(const std::string& in, const std::string& out) { return {"Gemm", {in, "w", "b"}, {out}}; }

std::vector<std::string> Ids(Graph graph) {
  std::vector<std::string> ids;
  for (const Finding& finding : FindProblems(graph)) {
    ids.push_back(finding.node.empty() ? finding.id : finding.id + " @ " + finding.node);
  }
  return ids;
}

// The finding called so; an empty one if there is none.
Finding Find(Graph graph, const std::string& id) {
  for (const Finding& finding : FindProblems(graph)) {
    if (finding.id == id) return finding;
  }
  return {};
}

TEST(Findings, ThereAreNoneAboutAnOrdinaryClassifier) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"), {"Relu", {"a"}, {"r"}}, Gemm("r", "l"), {"Softmax", {"l"}, {"y"}}})),
              IsEmpty());
}

TEST(Findings, EachSaysWhatWhyAndWhatToDo) {
  Graph graph = Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, Gemm("s", "l"), {"Relu", {"l"}, {"y"}}}, 8);
  const Findings findings = FindProblems(graph);
  EXPECT_GE(findings.size(), 4u);
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.what.empty() || finding.why.empty() || finding.advice.empty()) << finding.id;
  }
}

TEST(Findings, TheGraphStaysAsItWas) {
  Graph graph = Dense({Gemm("x", "a"), {"Relu", {"a"}, {"y"}}});
  graph.inputs[0].shape = {1, 3};
  FindProblems(graph);
  EXPECT_EQ(Sketch(graph), "Gemm(x,w,b)->a Relu(a)->y");
  EXPECT_EQ(graph.inputs[0].shape, (Shape{1, 3}));
}

TEST(Findings, WhereRowsAreNotKeptApartTheGraphIsTakenForOneRow) {
  Graph graph = Dense({{"ReduceSum", {"x", "axes"}, {"s"}}, Gemm("s", "a"), {"Relu", {"a"}, {"y"}}});
  graph.constants["axes"] = Integers({0});
  EXPECT_THAT(Ids(graph), Contains("relu-output @ Relu y"));
  FindProblems(graph);
  EXPECT_EQ(graph.inputs[0].shape, (Shape{kBatch, 3}));
}

TEST(Findings, AReluOfASoftmaxIsAMixUp) {
  const Graph graph = Dense(
      {Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, {"Relu", {"s"}, {"r"}}, Gemm("r", "l"), {"Softmax", {"l"}, {"y"}}});
  EXPECT_THAT(Ids(graph), Contains("softmax-before-activation @ Relu r"));
}

TEST(Findings, ASoftmaxBetweenLayersIsSeenThroughAReshape) {
  Graph graph = Dense({Gemm("x", "a"),
                       {"Softmax", {"a"}, {"s"}},
                       {"Reshape", {"s", "shape"}, {"r"}},
                       Gemm("r", "l"),
                       {"Softmax", {"l"}, {"y"}}});
  graph.constants["shape"] = Integers({-1, 3});
  EXPECT_THAT(Ids(graph), ElementsAre("hidden-softmax @ Softmax s"));
}

TEST(Findings, ASoftmaxThatWeighsOtherValuesIsAttention) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"),
                         {"Softmax", {"a"}, {"s"}},
                         {"Mul", {"s", "x"}, {"m"}},
                         Gemm("m", "l"),
                         {"Softmax", {"l"}, {"y"}}})),
              IsEmpty());
}

TEST(Findings, AMeanWeightedByASoftmaxIsASoftArgmax) {
  Graph graph = Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, {"MatMul", {"s", "places"}, {"y"}}});
  graph.constants["places"] = Floats({3, 1}, {0, 1, 2});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, ASoftmaxJoinedWithOthersIsANote) {
  Graph graph = Dense({Gemm("x", "a"),
                       {"Softmax", {"a"}, {"s"}},
                       {"Concat", {"s", "x"}, {"c"}, {{"axis", int64_t{1}}}},
                       {"MatMul", {"c", "v"}, {"l"}},
                       {"Softmax", {"l"}, {"y"}}});
  graph.constants["v"] = Floats({6, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  EXPECT_EQ(Find(graph, "hidden-softmax").level, Finding::Level::kNote);
}

TEST(Findings, ASoftmaxOfASoftmaxIsOneTooMany) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, {"Softmax", {"s"}, {"y"}}})),
              ElementsAre("softmax-twice @ Softmax y"));
}

TEST(Findings, TwoSoftmaxHeadsAreNotASoftmaxOfASoftmax) {
  Graph graph = Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"y"}}, {"Softmax", {"a"}, {"z"}}});
  graph.outputs.push_back({"z", {}});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, ASoftmaxOverOneScoreIsAlwaysOne) {
  Graph graph = Dense({{"MatMul", {"x", "v"}, {"a"}}, {"Softmax", {"a"}, {"y"}}});
  graph.constants["v"] = Floats({3, 1}, {1, 2, 3});
  EXPECT_THAT(Ids(graph), ElementsAre("softmax-of-one @ Softmax y"));
}

TEST(Findings, BeforeOpset13ASoftmaxTakesAllDimensionsFromTheAxisOn) {
  // [N,1,3] over axis 1: three scores under the old rule, one under the new.
  const std::vector<NodeSpec> nodes = {{"Unsqueeze", {"x"}, {"u"}, {{"axes", std::vector<int64_t>{1}}}},
                                       {"Softmax", {"u"}, {"y"}, {{"axis", int64_t{1}}}}};
  EXPECT_THAT(Ids(Dense(nodes, 11)), Not(Contains("softmax-of-one @ Softmax y")));
  Graph graph = Dense({{"Unsqueeze", {"x", "axes"}, {"u"}}, nodes[1]}, 13);
  graph.constants["axes"] = Integers({1});
  EXPECT_THAT(Ids(graph), Contains("softmax-of-one @ Softmax y"));
}

TEST(Findings, AReluAtTheEndCutsTheLogits) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"), {"Relu", {"a"}, {"y"}}})),
              ElementsAre("relu-output @ Relu y", "no-softmax @ Relu y"));
}

TEST(Findings, AReluOfOneAmountIsNotTheEndOfAClassifier) {
  Graph graph = Dense({{"MatMul", {"x", "v"}, {"a"}}, {"Relu", {"a"}, {"y"}}});
  graph.constants["v"] = Floats({3, 1}, {1, -2, 3});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, AnActivationRightBeforeTheLastSoftmaxCutsTheScores) {
  for (const char* op : {"Relu", "Sigmoid", "Tanh"}) {
    EXPECT_THAT(Ids(Dense({Gemm("x", "a"), {op, {"a"}, {"r"}}, {"LogSoftmax", {"r"}, {"y"}}})),
                ElementsAre(std::string("activation-before-softmax @ ") + op + " r"));
  }
}

TEST(Findings, LogitsAreANoteThatSaysHowToGetProbabilities) {
  const Finding finding = Find(Dense({Gemm("x", "y")}), "no-softmax");
  EXPECT_EQ(finding.level, Finding::Level::kNote);
  EXPECT_THAT(finding.advice, HasSubstr("--add-softmax"));
}

// Units 0 and 2 have nothing but zeros for weights; only unit 2 has a bias above zero.
Graph ZeroColumns(const std::vector<NodeSpec>& nodes) {
  Graph graph = Dense(nodes);
  graph.constants["zeros"] = Floats({3, 3}, {0, 1, 0, 0, 2, -0.0f, 0, -3, 0});
  graph.constants["c"] = Floats({3}, {-1, -1, 1});
  return graph;
}

TEST(Findings, AUnitOfZerosBelowZeroIsDeadAndOneAboveIsConstant) {
  const Graph graph = ZeroColumns(
      {{"Gemm", {"x", "zeros", "c"}, {"a"}}, {"Relu", {"a"}, {"r"}}, Gemm("r", "l"), {"Softmax", {"l"}, {"y"}}});
  EXPECT_THAT(Ids(graph), ElementsAre("dead-units @ Relu r", "constant-units @ Gemm a"));
  EXPECT_THAT(Find(graph, "dead-units").what, HasSubstr("1 of 3 units of Relu 'Relu r' can never be active, whatever "
                                                        "comes in: 0."));
  EXPECT_THAT(Find(graph, "constant-units").what, HasSubstr("weights: 2."));
}

TEST(Findings, ABiasThatStandsInASumOfItsOwnCountsToo) {
  EXPECT_THAT(Ids(ZeroColumns({{"MatMul", {"x", "zeros"}, {"m"}},
                               {"Add", {"m", "c"}, {"a"}},
                               {"Relu", {"a"}, {"r"}},
                               Gemm("r", "l"),
                               {"Softmax", {"l"}, {"y"}}})),
              ElementsAre("dead-units @ Relu r", "constant-units @ MatMul m"));
}

// A layer whose unit 1 has only weights that are not positive.
Graph NegativeColumn(const char* before, float bias) {
  Graph graph = Dense({Gemm("x", "a"),
                       {before, {"a"}, {"p"}},
                       {"Gemm", {"p", "negative", "c"}, {"n"}},
                       {"Relu", {"n"}, {"r"}},
                       Gemm("r", "l"),
                       {"Softmax", {"l"}, {"y"}}});
  graph.constants["negative"] = Floats({3, 3}, {1, -1, 2, 3, -2, -4, 5, 0, 6});
  graph.constants["c"] = Floats({3}, {0, bias, 0});
  return graph;
}

TEST(Findings, WhatOnlyTakesAwayFromNothingIsDead) {
  for (const char* op : {"Relu", "Sigmoid", "Softplus"}) {
    EXPECT_THAT(Find(NegativeColumn(op, 0), "dead-units").what, HasSubstr("comes in: 1.")) << op;
  }
}

TEST(Findings, TheSmallestBiasAboveZeroMayWakeTheUnit) { EXPECT_THAT(Ids(NegativeColumn("Relu", 1e-30f)), IsEmpty()); }

TEST(Findings, BehindWhatCanBeNegativeNegativeWeightsProveNothing) {
  EXPECT_THAT(Ids(NegativeColumn("LeakyRelu", 0)), IsEmpty());
  EXPECT_THAT(Ids(NegativeColumn("Tanh", 0)), IsEmpty());
}

TEST(Findings, BoundedInputsThatCannotMakeUpForTheBiasLeaveAUnitDead) {
  // Unit 1 gets at most -0 - 0 + bias from sigmoids; unit 0 at most 1 + 3 + 5 = 9.
  Graph graph = NegativeColumn("Sigmoid", 0);
  graph.constants["c"] = Floats({3}, {-9.01f, 1, 0});
  EXPECT_THAT(Find(graph, "dead-units").what, HasSubstr("comes in: 0."));
  graph.constants["c"] = Floats({3}, {-9.0f, 1, 0});  // on the edge rounding might decide
  EXPECT_EQ(Find(graph, "dead-units").what, "");
}

TEST(Findings, ALayerOfDeadUnitsIsADeadLayer) {
  Graph graph =
      Dense({{"Gemm", {"x", "zeros", "c"}, {"a"}}, {"Relu", {"a"}, {"r"}}, Gemm("r", "l"), {"Softmax", {"l"}, {"y"}}});
  graph.constants["zeros"] = Floats({3, 3}, std::vector<float>(9, 0));
  graph.constants["c"] = Floats({3}, {0, -1, -2});
  EXPECT_THAT(Ids(graph), ElementsAre("dead-layer @ Relu r"));
}

TEST(Findings, AFeatureMapOfZerosIsDeadAlsoBehindANormalisation) {
  Graph graph = SmallGraph({{"Conv", {"x", "k"}, {"c"}},
                            {"BatchNormalization", {"c", "scale", "offset", "mean", "variance"}, {"n"}},
                            {"Relu", {"n"}, {"r"}},
                            {"GlobalMaxPool", {"r"}, {"y"}}});
  graph.constants["k"] = Floats({2, 2, 1, 1}, {0, 0, 1, -2});
  graph.constants["scale"] = Floats({2}, {1, 1});
  graph.constants["offset"] = Floats({2}, {0.5, 0.5});
  graph.constants["mean"] = Floats({2}, {1, 1});
  graph.constants["variance"] = Floats({2}, {1, 1});
  EXPECT_THAT(Find(graph, "dead-units").what, HasSubstr("comes in: 0."));
  graph.constants["offset"] = Floats({2}, {1.5, 0.5});
  EXPECT_EQ(Find(graph, "dead-units").what, "");
}

TEST(Findings, UnitsWithTheSameWeightsAndBiasAreDuplicates) {
  Graph graph =
      Dense({Gemm("x", "a"), {"Relu", {"a"}, {"r"}}, {"MatMul", {"r", "v"}, {"l"}}, {"Softmax", {"l"}, {"y"}}});
  graph.constants["v"] = Floats({3, 2}, {1, 2, 3, 4, 5, 6});
  graph.constants["w"] = Floats({3, 3}, {1, 2, 1, 3, 4, 3, 5, 6, 5});
  graph.constants["b"] = Floats({3}, {1, 2, 1});
  EXPECT_THAT(Ids(graph), ElementsAre("duplicate-units @ Gemm a"));
  EXPECT_THAT(Find(graph, "duplicate-units").what, HasSubstr("unit 2 is unit 0 again"));
  graph.constants["b"] = Floats({3}, {1, 2, 1.5});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, EqualKernelsInDifferentGroupsAreNotDuplicates) {
  Graph graph = SmallGraph({{"Conv", {"x", "k"}, {"c"}, {{"group", int64_t{2}}}}, {"GlobalMaxPool", {"c"}, {"y"}}});
  graph.constants["k"] = Floats({2, 1, 1, 1}, {3, 3});
  EXPECT_EQ(Find(graph, "duplicate-units").what, "");
}

TEST(Findings, AReluOfAReluIsSeenThroughAPooling) {
  Graph graph = SmallGraph({{"Conv", {"x", "k"}, {"c"}},
                            {"Relu", {"c"}, {"r"}},
                            {"GlobalMaxPool", {"r"}, {"p"}},
                            {"Relu", {"p"}, {"q"}},
                            {"Conv", {"q", "k"}, {"y"}}});
  graph.constants["k"] = Floats({2, 2, 1, 1}, {1, 2, 3, -4});
  EXPECT_THAT(Ids(graph), Contains("redundant-relu @ Relu q"));
  graph.nodes[1].op = "LeakyRelu";
  EXPECT_THAT(Ids(graph), Not(Contains("redundant-relu @ Relu q")));
}

TEST(Findings, TwoLayersWithoutAnActivationAreOne) {
  EXPECT_THAT(Ids(Dense({{"MatMul", {"x", "w"}, {"m"}},
                         {"Add", {"m", "b"}, {"a"}},
                         {"Dropout", {"a"}, {"d"}},
                         Gemm("d", "l"),
                         {"Softmax", {"l"}, {"y"}}})),
              ElementsAre("linear-chain @ Gemm l"));
}

TEST(Findings, AValueThatAnotherAlsoReadsIsNoChain) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"), Gemm("a", "l"), {"Add", {"a", "l"}, {"s"}}, {"Softmax", {"s"}, {"y"}}})),
              IsEmpty());
}

TEST(Findings, ANarrowLayerBetweenTwoWideOnesSavesArithmetic) {
  Graph graph = Dense({{"MatMul", {"x", "down"}, {"a"}}, {"MatMul", {"a", "up"}, {"l"}}, {"Softmax", {"l"}, {"y"}}});
  graph.constants["down"] = Floats({3, 1}, {1, 2, 3});
  graph.constants["up"] = Floats({1, 3}, {4, 5, 6});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

// `count` layers, each with the activation behind it, and a softmax layer at the end.
Graph Deep(const char* op, int count) {
  std::vector<NodeSpec> nodes;
  std::string value = "x";
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    nodes.push_back(Gemm(value, "a" + n));
    value = "r" + n;
    nodes.push_back({op, {"a" + n}, {value}});
  }
  nodes.push_back(Gemm(value, "l"));
  nodes.push_back({"Softmax", {"l"}, {"y"}});
  return Dense(nodes);
}

TEST(Findings, ThreeSigmoidsInARowLetTheGradientVanish) {
  EXPECT_THAT(Ids(Deep("Sigmoid", 2)), IsEmpty());
  EXPECT_THAT(Ids(Deep("Sigmoid", 3)), ElementsAre("vanishing-gradients @ Sigmoid r2"));
  EXPECT_THAT(Find(Deep("Sigmoid", 4), "vanishing-gradients").why, HasSubstr("0.0039 of it"));
  EXPECT_THAT(Ids(Deep("Tanh", 5)), ElementsAre("vanishing-gradients @ Tanh r4"));
  EXPECT_THAT(Ids(Deep("Relu", 5)), IsEmpty());
}

TEST(Findings, AGradientTakesTheWayAroundWhereThereIsOne) {
  Graph graph = Dense({Gemm("x", "a"),
                       {"Sigmoid", {"a"}, {"p"}},
                       {"Add", {"p", "x"}, {"s"}},
                       Gemm("s", "b1"),
                       {"Sigmoid", {"b1"}, {"q"}},
                       {"Add", {"q", "s"}, {"t"}},
                       Gemm("t", "c1"),
                       {"Sigmoid", {"c1"}, {"r"}},
                       {"Add", {"r", "t"}, {"u"}},
                       Gemm("u", "l"),
                       {"Softmax", {"l"}, {"y"}}});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, ASigmoidAtTheEndIsNoHiddenLayer) {
  Graph graph = Deep("Sigmoid", 3);
  graph.nodes.resize(6);
  graph.nodes.back().outputs = {"y"};
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, ALogarithmOfASoftmaxMayBeInfinite) {
  EXPECT_THAT(Ids(Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, {"Log", {"s"}, {"y"}}})),
              Contains("log-of-softmax @ Log y"));
}

TEST(Findings, ADivisorThatNothingKeepsFromZeroIsRisky) {
  const NodeSpec norm = {"ReduceL2", {"x"}, {"n"}, {{"axes", std::vector<int64_t>{1}}}};
  EXPECT_THAT(Ids(Dense({norm, {"Div", {"x", "n"}, {"d"}}, Gemm("d", "l"), {"Softmax", {"l"}, {"y"}}})),
              ElementsAre("division-by-zero @ Div d"));
  Graph graph = Dense(
      {norm, {"Clip", {"n", "epsilon"}, {"c"}}, {"Div", {"x", "c"}, {"d"}}, Gemm("d", "l"), {"Softmax", {"l"}, {"y"}}});
  graph.constants["epsilon"] = Floats({}, {1e-6f});
  EXPECT_THAT(Ids(graph), IsEmpty());
}

TEST(Findings, ASoftmaxWrittenOutDividesByASumThatIsNeverZero) {
  Graph graph =
      Dense({Gemm("x", "a"), {"Exp", {"a"}, {"e"}}, {"ReduceSum", {"e", "axes"}, {"s"}}, {"Div", {"e", "s"}, {"y"}}});
  graph.constants["axes"] = Integers({1});
  EXPECT_THAT(Ids(graph), Not(Contains("division-by-zero @ Div y")));
}

TEST(Findings, OldOpsetsAndWidthsOfWeightsAreNotes) {
  Graph graph = Dense({Gemm("x", "l"), {"Softmax", {"l"}, {"y"}}}, 8);
  graph.constants["w"].type = DataType::kDouble;
  graph.constants["b"].type = DataType::kFloat16;
  EXPECT_THAT(Ids(graph), ElementsAre("old-opset", "float64-weights", "float16-weights"));
  graph.opset = 9;
  EXPECT_THAT(Ids(graph), Not(Contains("old-opset")));
}

TEST(Findings, WhatNoOutputDependsOnIsNotLookedAt) {
  EXPECT_THAT(
      Ids(Dense({Gemm("x", "a"), {"Softmax", {"a"}, {"s"}}, {"Relu", {"s"}, {"unused"}}, {"Softmax", {"a"}, {"y"}}})),
      IsEmpty());
}

}  // namespace
}  // namespace halfwave
