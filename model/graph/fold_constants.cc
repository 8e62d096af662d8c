#include "model/graph/fold_constants.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "model/graph/shape_inference.h"

namespace halfwave {
namespace {

// The size of an open batch, as a value: no arithmetic is done on it.
constexpr int64_t kSymbolicBatch = std::numeric_limits<int64_t>::min() / 2;
constexpr size_t kMaxValues = 64;  // of a shape computation
constexpr int64_t kMaxFoldedWeights = int64_t{1}
                                      << 26;  // copies of weights, in elements: a small file may not ask for much

using Ints = std::vector<int64_t>;

Constant IntConstant(Shape shape, Ints values) {
  Constant constant;
  constant.type = DataType::kInt64;
  constant.shape = std::move(shape);
  constant.ints = std::move(values);
  return constant;
}

// The known values of a node's inputs.
class Operands {
 public:
  Operands(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  const Constant* Find(size_t index) const {
    if (!HasInput(node_, index)) return nullptr;
    const auto found = graph_.constants.find(node_.inputs[index]);
    return found == graph_.constants.end() ? nullptr : &found->second;
  }
  // Few integers, a scalar or a list.
  const Constant* Numbers(size_t index) const {
    const Constant* constant = Find(index);
    const bool fits = constant != nullptr && IsInteger(constant->type) && constant->shape.size() <= 1 &&
                      constant->ints.size() <= kMaxValues;
    return fits ? constant : nullptr;
  }
  template <typename T>
  T Attribute(const std::string& name, const T& fallback) const {
    return GetAttribute<T>(graph_, node_, name, fallback).value_or(fallback);
  }
  // Axes or the like: an attribute in old opsets, an input in new ones.
  std::optional<Ints> List(const std::string& name, size_t index) const {
    if (node_.attributes.contains(name)) return Attribute<Ints>(name, {});
    const Constant* constant = Numbers(index);
    if (constant == nullptr) return std::nullopt;
    return constant->ints;
  }
  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }

 private:
  const Graph& graph_;
  const Node& node_;
};

std::optional<Constant> FoldShape(const Operands& operands, const ShapeMap& shapes) {
  const auto found = HasInput(operands.node(), 0) ? shapes.find(operands.node().inputs[0]) : shapes.end();
  if (found == shapes.end()) return std::nullopt;
  Ints values = found->second;
  if (!values.empty() && values[0] == kBatch) values[0] = kSymbolicBatch;
  const auto rank = static_cast<int64_t>(values.size());
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t start = clamp(operands.Attribute<int64_t>("start", 0));
  const int64_t end = std::max(start, clamp(operands.Attribute<int64_t>("end", rank)));
  values = Ints(values.begin() + start, values.begin() + end);
  return IntConstant({static_cast<int64_t>(values.size())}, values);
}

std::optional<Constant> FoldGather(const Operands& operands) {
  const Constant* data = operands.Numbers(0);
  const Constant* indices = operands.Numbers(1);
  if (data == nullptr || indices == nullptr || data->shape.size() != 1 || operands.Attribute<int64_t>("axis", 0) != 0) {
    return std::nullopt;
  }
  Ints values;
  for (const int64_t index : indices->ints) {
    const auto at = NormalizeAxis(index, data->ints.size());
    if (!at) return std::nullopt;
    values.push_back(data->ints[*at]);
  }
  return IntConstant(indices->shape, values);
}

std::optional<Constant> FoldConcat(const Operands& operands) {
  Ints values;
  for (size_t i = 0; i < operands.node().inputs.size(); ++i) {
    const Constant* part = operands.Numbers(i);
    if (part == nullptr || part->shape.size() != 1) return std::nullopt;
    values.insert(values.end(), part->ints.begin(), part->ints.end());
  }
  return IntConstant({static_cast<int64_t>(values.size())}, values);
}

// One positive step along a list.
std::optional<Constant> FoldSlice(const Operands& operands) {
  const Constant* data = operands.Numbers(0);
  const auto starts = operands.List("starts", 1);
  const auto ends = operands.List("ends", 2);
  if (data == nullptr || data->shape.size() != 1 || !starts || !ends || starts->size() != 1 || ends->size() != 1 ||
      (HasInput(operands.node(), 4) && operands.List("steps", 4) != Ints{1})) {
    return std::nullopt;
  }
  const auto size = static_cast<int64_t>(data->ints.size());
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
  const int64_t start = clamp(starts->front());
  const int64_t end = std::max(start, clamp(ends->front()));
  return IntConstant({end - start}, Ints(data->ints.begin() + start, data->ints.begin() + end));
}

// A list of one becomes a scalar, or a scalar a list of one.
std::optional<Constant> FoldRank(const Operands& operands, size_t rank) {
  const Constant* data = operands.Numbers(0);
  if (data == nullptr || data->ints.size() != 1) return std::nullopt;
  return IntConstant(Shape(rank, 1), data->ints);
}

std::optional<Constant> FoldArithmetic(const Operands& operands) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  const Constant* a = operands.Numbers(0);
  const Constant* b = operands.Numbers(1);
  if (a == nullptr || b == nullptr || a->ints.size() != b->ints.size() || a->ints.empty()) return std::nullopt;
  const std::string& op = operands.node().op;
  Ints values;
  for (size_t i = 0; i < a->ints.size(); ++i) {
    const int64_t x = a->ints[i], y = b->ints[i];
    if (std::max(x, y) > kLimit || std::min(x, y) < -kLimit || (op == "Div" && y == 0)) return std::nullopt;
    values.push_back(op == "Add" ? x + y : op == "Sub" ? x - y : op == "Mul" ? x * y : x / y);
  }
  return IntConstant(a->shape.size() > b->shape.size() ? a->shape : b->shape, values);
}

// Weights under another shape: only whole sizes, and one that is left open.
std::optional<Constant> FoldReshape(const Operands& operands) {
  const Constant* data = operands.Find(0);
  const Constant* target = operands.Numbers(1);
  if (data == nullptr || target == nullptr) return std::nullopt;
  const int64_t count = NumElements(data->shape).value_or(0);
  Shape shape = target->ints;
  int64_t known = 1;
  int64_t* open = nullptr;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && i < data->shape.size()) shape[i] = data->shape[i];
    if (shape[i] == -1 && open == nullptr) {
      open = &shape[i];
    } else if (shape[i] < 1 || shape[i] > count / known) {
      return std::nullopt;
    } else {
      known *= shape[i];
    }
  }
  if (open != nullptr) *open = count / known;
  if (NumElements(shape) != count) return std::nullopt;
  Constant result = *data;
  result.shape = shape;
  return result;
}

// A matrix of weights turned sideways.
std::optional<Constant> FoldTranspose(const Operands& operands) {
  const Constant* data = operands.Find(0);
  if (data == nullptr || !IsFloat(data->type) || data->shape.size() != 2 ||
      operands.Attribute<Ints>("perm", {1, 0}) != Ints{1, 0}) {
    return std::nullopt;
  }
  const int64_t rows = data->shape[0], columns = data->shape[1];
  Constant result = *data;
  result.shape = {columns, rows};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) result.floats[c * rows + r] = data->floats[r * columns + c];
  }
  return result;
}

std::optional<Constant> Fold(const Graph& graph, const Node& node, const ShapeMap& shapes) {
  constexpr int64_t kInt32 = 6, kInt64 = 7;  // of TensorProto.DataType
  const Operands operands(graph, node);
  if (node.op == "Shape") return FoldShape(operands, shapes);
  if (node.op == "Gather") return FoldGather(operands);
  if (node.op == "Concat") return FoldConcat(operands);
  if (node.op == "Slice") return FoldSlice(operands);
  if (node.op == "Squeeze") return FoldRank(operands, 0);
  if (node.op == "Unsqueeze") return FoldRank(operands, 1);
  if (node.op == "Reshape") return FoldReshape(operands);
  if (node.op == "Transpose") return FoldTranspose(operands);
  if (node.op == "Add" || node.op == "Sub" || node.op == "Mul" || node.op == "Div") return FoldArithmetic(operands);
  if (node.op == "Cast") {
    const auto to = operands.Attribute<int64_t>("to", 0);
    const Constant* data = operands.Numbers(0);
    if (data != nullptr && (to == kInt32 || to == kInt64)) return *data;
  }
  return std::nullopt;
}

// A Reshape to an open batch copies its input's: 0, in place of the symbol in front.
void ResolveBatchSymbol(Graph& graph, Node& node) {
  if (node.op != "Reshape" || !HasInput(node, 1)) return;
  const auto target = graph.constants.find(node.inputs[1]);
  if (target == graph.constants.end() || target->second.ints.empty() || target->second.ints[0] != kSymbolicBatch)
    return;
  Constant resolved = target->second;
  resolved.ints[0] = 0;
  node.inputs[1] += "/batch";
  node.attributes.erase("allowzero");
  graph.constants[node.inputs[1]] = std::move(resolved);
}

}  // namespace

void FoldConstants(Graph& graph) {
  int64_t weights_left = kMaxFoldedWeights;
  ShapeMap shapes;
  for (const GraphValue& input : graph.inputs) shapes[input.name] = input.shape;
  std::erase_if(graph.nodes, [&](Node& node) {
    if (node.outputs.size() != 1) return false;
    const auto weights = HasInput(node, 0) ? graph.constants.find(node.inputs[0]) : graph.constants.end();
    if (weights != graph.constants.end()) weights_left -= NumElements(weights->second.shape).value_or(0);
    if (weights_left < 0) return false;
    if (std::optional<Constant> folded = Fold(graph, node, shapes)) {
      graph.constants[node.outputs[0]] = *std::move(folded);
      return true;
    }
    ResolveBatchSymbol(graph, node);
    const absl::StatusOr<Shape> shape = InferNode({graph, node, shapes});
    if (shape.ok()) shapes[node.outputs[0]] = *shape;
    return false;
  });
}

}  // namespace halfwave
