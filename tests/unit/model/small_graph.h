// Graphs of a few lines, for the tests of rewriting passes:
//
//   Graph graph = SmallGraph({{"Conv", {"x", "w"}, {"a"}}, {"Relu", {"a"}, {"y"}}});
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace halfwave {

struct NodeSpec {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, Attribute> attributes = {};
};

// Nodes are named after operator and first output, "Relu y". The input is "x" of shape [-1,2,4,4], the output is "y".
inline Graph SmallGraph(const std::vector<NodeSpec>& nodes, int64_t opset = 13) {
  Graph graph;
  graph.opset = opset;
  graph.inputs = {{"x", {kBatch, 2, 4, 4}}};
  graph.outputs = {{"y", {}}};
  for (const NodeSpec& node : nodes) {
    graph.nodes.push_back({node.op + " " + node.outputs[0], node.op, "", node.inputs, node.outputs, node.attributes});
  }
  return graph;
}

inline Constant Floats(Shape shape, std::vector<float> values) {
  return {DataType::kFloat, std::move(shape), std::move(values), {}, {}};
}

inline Constant Integers(std::vector<int64_t> values) {
  return {DataType::kInt64, {static_cast<int64_t>(values.size())}, {}, std::move(values), {}};
}

// "Conv(x,w)->a Relu(a)->y"
inline std::string Sketch(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    text += (text.empty() ? "" : " ") + node.op + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) text += (i == 0 ? "" : ",") + node.inputs[i];
    text += ")->" + node.outputs[0];
  }
  return text;
}

// "fold_bias: Add y: folded into 'Conv a'", a line for each.
inline std::string Story(const Graph& graph) {
  std::string text;
  for (const Rewrite& rewrite : graph.rewrites) {
    text += rewrite.pass + ": " + rewrite.node + ": " + rewrite.what + "\n";
  }
  return text;
}

}  // namespace halfwave
