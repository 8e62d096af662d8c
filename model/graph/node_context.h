// What the rule of an operator may look at: its node, and the types of everything before it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace halfwave {

// The type and shape of a value.
struct TensorType {
  DataType type = DataType::kFloat;
  Shape shape;
};

using TypeMap = std::map<std::string, TensorType>;    // computed values, by name
using ConstantMap = std::map<std::string, Constant>;  // constants, by name

class NodeContext {
 public:
  // All must outlive the context. `folded` holds constants found since the file was read; it may be null.
  NodeContext(const Graph& graph, const Node& node, const TypeMap& types, const ConstantMap* folded = nullptr)
      : graph_(graph), node_(node), types_(types), folded_(folded) {}

  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }
  int64_t opset() const { return graph_.opset; }
  size_t inputs() const { return node_.inputs.size(); }
  bool Has(size_t index) const { return HasInput(node_, index); }

  // The constant behind input `index`; null if there is none, or it is computed.
  const Constant* FindConstant(size_t index) const;
  bool IsComputed(size_t index) const { return Has(index) && FindConstant(index) == nullptr; }

  // The type of input `index`, computed or constant; INVALID_ARGUMENT if it is missing.
  absl::StatusOr<TensorType> Input(size_t index) const;
  absl::StatusOr<Shape> InputShape(size_t index) const;
  // Input 0 of what treats whole channels: [images, channels, ...] of `min_rank` or more dimensions, of which only the
  // images may be the batch.
  absl::StatusOr<TensorType> Images(size_t min_rank) const;

  // A constant input, called `role` in errors: INVALID_ARGUMENT if it is missing or of the wrong kind, UNIMPLEMENTED if
  // it is computed at run time.
  absl::StatusOr<const Constant*> Floats(size_t index, const std::string& role) const;
  // Integers that do not depend on the size of the batch, or, with `batch_allowed`, perhaps symbols for it.
  absl::StatusOr<std::vector<int64_t>> Integers(size_t index, const std::string& role,
                                                bool batch_allowed = false) const;
  // A list that was an attribute before opset `since` and is input `index` from then on; empty if it is left out.
  absl::StatusOr<std::vector<int64_t>> List(const std::string& name, size_t index, int64_t since) const;

  template <typename T>
  absl::StatusOr<T> Attribute(const std::string& name, const T& fallback) const {
    return GetAttribute<T>(graph_, node_, name, fallback);
  }
  bool HasAttribute(const std::string& name) const { return node_.attributes.contains(name); }

  // An axis as a dimension among `rank`; INVALID_ARGUMENT naming `name` if there is no such dimension.
  absl::StatusOr<size_t> Axis(const std::string& name, int64_t axis, size_t rank) const;
  // The same for a list; each may be there once only.
  absl::StatusOr<std::vector<size_t>> Axes(const std::string& name, const std::vector<int64_t>& axes,
                                           size_t rank) const;
  // OK if the dimension does not grow with the batch: what combines its elements would mix rows.
  absl::Status ExpectNotBatch(const Shape& shape, size_t axis) const;

  // Errors that blame this node.
  absl::Status Error(absl::StatusCode code, const std::string& what) const {
    return NodeError(code, graph_, node_, what);
  }
  absl::Status Invalid(const std::string& what) const { return Error(absl::StatusCode::kInvalidArgument, what); }
  absl::Status Unsupported(const std::string& what) const { return Error(absl::StatusCode::kUnimplemented, what); }

 private:
  const Graph& graph_;
  const Node& node_;
  const TypeMap& types_;
  const ConstantMap* folded_;
};

}  // namespace halfwave
