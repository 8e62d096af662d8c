// Builds a plan node by node: what the lowering of an operator works with.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/engine/plan.h"
#include "model/graph/shape_inference.h"

namespace halfwave {

// Where a value of the graph lies.
struct Value {
  size_t buffer = 0;
  Shape shape;
  bool channels_last = false;
  bool features_last = false;  // the units are the last dimension: a dense layer at several positions made it

  RowLayout layout() const { return LayoutOf(shape, channels_last); }
};

class Builder;

// Lowers the builder's current node.
using Operator = absl::Status (*)(Builder&);
using OperatorTable = std::map<std::string_view, Operator>;

// Builds the plan node by node. Values are read through Take*, which also keeps the books on who still needs a buffer.
class Builder {
 public:
  Builder(const Graph& graph, const ShapeMap& shapes) : graph_(graph), shapes_(shapes) {}

  // Lowers every node with the operator of that name, which the table must have.
  absl::StatusOr<Plan> Build(const OperatorTable& table);

  // --- for the operators -------------------------------------------------------------------------------------------
  const Graph& graph() const { return graph_; }
  const Node& node() const { return *node_; }
  const Shape& output_shape() const { return shapes_.at(node_->outputs[0]); }

  absl::StatusOr<const Constant*> Weights(size_t index, const std::string& role) const {
    return ConstantInput(graph_, *node_, index, DataType::kFloat, role);
  }
  template <typename T>
  absl::StatusOr<T> Attribute(const std::string& name, const T& fallback) const {
    return GetAttribute<T>(graph_, *node_, name, fallback);
  }

  // Input `index` in whatever layout it has, or in the one the layer needs, reordered if necessary.
  Value Take(size_t index);
  Value TakeRowMajor(size_t index) { return ToLayout(Take(index), false); }
  Value TakeChannelsLast(size_t index) { return ToLayout(Take(index), true); }

  // Adds a step that computes the node's output from values just taken.
  void Emit(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, bool channels_last);
  // The same for an activation, which is counted.
  void EmitActivation(std::unique_ptr<const Layer> layer, const Value& input, ActivationFamily family);
  // The output is the input's memory under another shape.
  void Alias(const Value& input);

 private:
  size_t NewBuffer(int64_t elements, int64_t first_step);
  Value ToLayout(const Value& value, bool channels_last);
  size_t AddStep(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, int64_t output_elements);
  void Define(const std::string& name, Value value);
  int64_t next_step() const { return static_cast<int64_t>(plan_.steps.size()); }
  void TakeOutputs();

  const Graph& graph_;
  const ShapeMap& shapes_;
  const Node* node_ = nullptr;
  Plan plan_;
  std::map<std::string, Value> values_;
  std::map<std::string, int64_t> reads_;  // by value: how often nodes and the model's outputs read it
  std::vector<int64_t> pending_reads_;    // by buffer: reads still to come
  std::vector<bool> is_input_;            // by buffer: filled by the caller, never overwritten
};

}  // namespace halfwave
