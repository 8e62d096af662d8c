// Builds a plan node by node: what the lowering of an operator works with.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/engine/plan.h"
#include "model/graph/shape_inference.h"
#include "model/layers/weight_format.h"

namespace halfwave {

struct LoweringOptions {
  // How dense layers and convolutions keep their weights.
  WeightFormat weights = WeightFormat::kFloat;
  // Let a layer compute the activation behind it, so that what enters the activation is never in memory.
  bool fuse_activations = true;
};

// Where a value of the graph lies, and what one row of it is: no dimension of the shape is open.
struct Value {
  size_t buffer = 0;
  DataType type = DataType::kFloat;
  Shape shape;
  bool channels_last = false;
  bool features_last = false;  // the units are the last dimension: a dense layer at several positions made it
  // If not 1, an image was flattened whose channels, of so many positions each, still lie last in memory.
  int64_t flattened_positions = 1;
  const Constant* strings = nullptr;  // of a string: what its elements, as indices, stand for

  RowLayout layout() const { return LayoutOf(shape, channels_last); }
  int64_t elements() const { return RowElements(shape); }
};

class Builder;

// Lowers the builder's current node.
using Operator = absl::Status (*)(Builder&);
using OperatorTable = std::map<std::string_view, Operator>;

// Builds the plan node by node. Values are read through Take*, which also keeps the books on who still needs a buffer.
class Builder {
 public:
  Builder(const Graph& graph, const TypeMap& types, const LoweringOptions& options)
      : graph_(graph), types_(types), options_(options) {}

  // Lowers every node with the operator of that name, which the table must have.
  absl::StatusOr<Plan> Build(const OperatorTable& table);

  // --- for the operators -------------------------------------------------------------------------------------------
  // Of dense layers and convolutions, which are the current node's input 1.
  WeightFormat weight_format() const { return options_.weights; }
  // FAILED_PRECONDITION if that format cannot hold one of them.
  absl::Status ExpectStorable(const std::vector<float>& weights) const;
  NodeContext context() const { return {graph_, *node_, types_}; }
  const Node& node() const { return *node_; }
  // Whether anything reads output `index`.
  bool OutputIsUsed(size_t index) const;
  // One row of output `index`.
  Shape OutputShape(size_t index = 0) const { return RowShape(types_.at(node_->outputs[index]).shape); }
  DataType OutputType(size_t index = 0) const { return types_.at(node_->outputs[index]).type; }

  // The floats of a constant input, and its shape.
  absl::StatusOr<const Constant*> Weights(size_t index, const std::string& role) const {
    return context().Floats(index, role);
  }
  template <typename T>
  absl::StatusOr<T> Attribute(const std::string& name, const T& fallback) const {
    return GetAttribute<T>(graph_, *node_, name, fallback);
  }

  // Input `index` in whatever layout it has, or in the one the layer needs, reordered if necessary. A constant becomes
  // data, the same in every row. Each input is taken once.
  Value Take(size_t index);
  Value TakeRowMajor(size_t index) { return ToLayout(Take(index), false); }
  Value TakeChannelsLast(size_t index) { return ToLayout(Take(index), true); }
  Value ToLayout(const Value& value, bool channels_last);
  // Row-major, but for a flattened image: that as it lies in memory.
  Value TakeForDense(size_t index);

  // Adds a step that computes the node's output `index` from values just taken.
  void Emit(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, bool channels_last, size_t index = 0);
  // The same for an activation, which is counted unless the node says otherwise.
  void EmitActivation(std::unique_ptr<Layer> layer, const Value& input, ActivationFamily family);
  // Instead of EmitActivation (of a family, if it may be counted) or Emit: makes the node part of the step that
  // computes `input`, if nothing else reads that and its layer can. False, and nothing happens, if not.
  bool FuseActivation(const kernels::Activation& activation, const Value& input,
                      std::optional<ActivationFamily> family);
  // Instead of Emit: makes the sum of two computed values part of the step that computes one of them, if that was the
  // last one, nothing else reads that value, both lie in memory alike, and the layer can. False, and nothing happens,
  // if not.
  bool FuseSum(const Value& a, const Value& b);
  // Instead of Emit: makes a maximum over windows of 2x2, side by side, part of the step that computes `input`, if
  // nothing else reads that and its layer can. False, and nothing happens, if not.
  bool FuseMaxPool(const Value& input);
  // A step between, whose result only this node sees: rows of `shape`, row-major unless said otherwise.
  Value EmitTemporary(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, Shape shape,
                      bool channels_last = false);
  // Counts on the input as if an activation of that kind stood here; the output is the input.
  void Observe(const Value& input, const std::string& op, ActivationFamily family);
  // The output is the input's memory under another shape.
  void Alias(const Value& input);
  // Instead of reordering an image to flatten it: the output is its memory, which TakeForDense gives as it is. False,
  // and nothing happens, if the node does not flatten images whose channels lie last.
  bool Flatten(const Value& input);
  // The output is a list of strings, of which the input's elements are indices.
  void AliasStrings(const Value& indices, const Constant* strings);

 private:
  size_t NewBuffer(int64_t elements, int64_t first_step);
  std::vector<size_t> CurrentNode() const;  // see Step::nodes
  Value Unflattened(const Value& value);
  size_t AddStep(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, int64_t output_elements);
  Value FillWith(const Constant& constant);
  void Count(const Value& input, const std::string& op, ActivationFamily family, bool only_observed);
  absl::Status ChargeForPreparation();
  static RowLayout UnitLayout(const Value& value);
  void Define(const std::string& name, Value value);
  int64_t next_step() const { return static_cast<int64_t>(plan_.steps.size()); }
  void TakeOutputs();

  const Graph& graph_;
  const TypeMap& types_;
  const LoweringOptions options_;
  const Node* node_ = nullptr;
  int64_t in_file_ = 0;   // elements of all constants
  int64_t prepared_ = 0;  // elements of what layers keep for themselves, so far
  Plan plan_;
  std::map<std::string, Value> values_;
  std::map<std::string, int64_t> reads_;  // by value: how often nodes and the model's outputs read it
  std::vector<int64_t> pending_reads_;    // by buffer: reads still to come
  std::vector<bool> is_input_;            // by buffer: filled by the caller, never overwritten
};

}  // namespace halfwave
