// A graph as an analysis looks at it: only what its outputs depend on, who computes a value and who reads it.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/graph/fold_constants.h"

namespace halfwave {

class GraphView {
 public:
  // Both must outlive the view. `known` is what FindConstants says of the graph.
  GraphView(const Graph& graph, const Known& known);

  const Graph& graph() const { return graph_; }
  const TypeMap& types() const { return known_.types; }

  // The nodes that compute something at run time that an output depends on, in order.
  const std::vector<const Node*>& nodes() const { return nodes_; }
  // The node among them that computes the value; null for inputs and constants.
  const Node* Producer(const std::string& value) const;
  bool IsOutput(const std::string& value) const { return outputs_.contains(value); }
  // Null if the value is computed at run time, or left out.
  const Constant* FindConstant(const std::string& value) const;
  // The constant behind the node's input `index`.
  const Constant* ConstantInput(const Node& node, size_t index) const;
  // Null if it is not known.
  const Shape* FindShape(const std::string& value) const;

  // The node that computes the value, looking back through nodes that only pass values on, if perhaps in another shape
  // or order (Identity, Reshape, Transpose, ...).
  const Node* Source(const std::string& value) const;
  // The nodes that read the value, looking forward through such nodes.
  std::vector<const Node*> Consumers(const std::string& value) const;
  // Its only reader, looking likewise; null if there are several, or an output shows it.
  const Node* OnlyConsumer(const std::string& value) const;
  // Whether an output shows the value, perhaps in another shape.
  bool ReachesOutput(const std::string& value) const;

 private:
  // The value itself and what it is called behind nodes that pass it on.
  std::vector<std::string> Aliases(const std::string& value) const;

  const Graph& graph_;
  const Known& known_;
  std::vector<const Node*> nodes_;
  std::unordered_map<std::string, const Node*> producers_;
  std::unordered_map<std::string, std::vector<const Node*>> readers_;
  std::unordered_set<std::string> outputs_;
};

// Whether the node computes nothing: its first output holds what its first input holds.
bool PassesOn(const Node& node);

// Whether it is one of the operators.
bool IsOneOf(const Node& node, std::initializer_list<const char*> ops);

// Zero below some point: Relu, Clip from zero, ThresholdedRelu.
bool IsRectifier(const GraphView& view, const Node& node);

// Relu and its kin, sigmoid, tanh: any function of one number at a time that networks have between their layers.
bool IsActivation(const Node& node);

}  // namespace halfwave
