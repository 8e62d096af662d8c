#include "model/analysis/prune.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/graph_view.h"
#include "model/analysis/linear_node.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

// A slice of a constant that goes: along `axis`, whatever gone(index) says.
struct Edit {
  const Node* node;
  size_t input;
  size_t axis;
  std::function<bool(int64_t)> gone;
};

// A number in the target of a Reshape that changes.
struct Resize {
  const Node* node;
  int64_t from, to;
};

// Where a layer's units lie in a value on its way to its readers.
struct Place {
  int64_t units = 0;
  int64_t positions = 1;       // values of each unit
  bool channels_last = false;  // of each position one after the other
  bool flat = false;           // all in one dimension

  int64_t UnitOf(int64_t feature) const { return channels_last ? feature % units : feature / positions; }
};

// Collects what has to change if some units of one activation go.
class Cut {
 public:
  Cut(const GraphView& view, const Uses& uses, const std::vector<int64_t>& units)
      : view_(view), uses_(uses), gone_(units.begin(), units.end()) {}

  // Nothing, or why it cannot be done.
  std::string Plan(const Node& activation) {
    const Shape* shape = view_.FindShape(activation.inputs[0]);
    if (shape == nullptr || shape->size() < 2 || (*shape)[1] < 0) return "its shape is not known";
    Place place;
    place.units = (*shape)[1];
    for (size_t i = 2; i < shape->size(); ++i) place.positions *= (*shape)[i];
    if (place.positions < 1) return "its shape is not known";
    std::string problem = Upstream(activation.inputs[0], place.units, shape->size());
    return problem.empty() ? Downstream(activation.outputs[0], place) : problem;
  }

  const std::vector<Edit>& edits() const { return edits_; }
  const std::vector<Resize>& resizes() const { return resizes_; }

 private:
  bool Gone(int64_t unit) const { return gone_.contains(unit); }

  void Drop(const Node& node, size_t input, size_t axis) {
    edits_.push_back({&node, input, axis, [this](int64_t unit) { return Gone(unit); }});
  }

  static std::string Blame(const Node& node, const char* what) {
    return absl::StrCat(node.op, " '", node.name, "' ", what);
  }

  // The units' own weights.
  std::string Upstream(const std::string& value, int64_t units, size_t rank) {
    const Node* node = view_.Producer(value);
    if (node == nullptr) return "its units come from the input";
    if (uses_.Reads(value) != 1) return Blame(*node, "is read by others, too");
    if (const auto linear = AsLinear(view_, *node)) {
      if (linear->groups != 1) return Blame(*node, "is grouped");
      if (linear->units != units || (!linear->is_conv && rank != 2)) return Blame(*node, "has its units elsewhere");
      Drop(*node, 1, linear->is_conv || linear->input_stride == 1 ? 0 : 1);
      if (linear->bias != nullptr) DropFromVector(*node, 2, units);
      return "";
    }
    if (node->op == "BatchNormalization") {
      for (size_t input = 1; input < 5; ++input) {
        if (view_.ConstantInput(*node, input) == nullptr) return Blame(*node, "has computed weights");
        DropFromVector(*node, input, units);
      }
      return Upstream(node->inputs[0], units, rank);
    }
    if (IsOneOf(*node, {"Add", "Sub", "Mul", "Div"})) {
      const size_t constant = view_.ConstantInput(*node, 0) != nullptr ? 0 : 1;
      const Constant* values = view_.ConstantInput(*node, constant);
      if (values == nullptr) return Blame(*node, "joins two computed values");
      const size_t behind = rank - 2;  // dimensions behind the units
      if (values->floats.size() != 1) {
        if (values->shape.size() <= behind || values->shape.size() > rank) return Blame(*node, "has an odd constant");
        const size_t axis = values->shape.size() - 1 - behind;
        if (values->shape[axis] != 1) Drop(*node, constant, axis);
      }
      return Upstream(node->inputs[1 - constant], units, rank);
    }
    return Blame(*node, "computes what enters it");
  }

  // A vector of one number a unit, perhaps behind dimensions of 1, unless it has one for all.
  void DropFromVector(const Node& node, size_t input, int64_t units) {
    const Constant& values = *view_.ConstantInput(node, input);
    if (static_cast<int64_t>(values.floats.size()) == units && !values.shape.empty() && units > 1) {
      Drop(node, input, values.shape.size() - 1);
    }
  }

  // All who read zeros of the units.
  std::string Downstream(const std::string& value, const Place& place) {
    if (view_.IsOutput(value)) return "an output of the model shows it";
    for (const Node* node : view_.nodes()) {
      for (size_t input = 0; input < node->inputs.size(); ++input) {
        if (node->inputs[input] != value) continue;
        if (std::string problem = Reader(*node, input, place); !problem.empty()) return problem;
      }
    }
    return "";
  }

  std::string Reader(const Node& node, size_t input, Place place) {
    if (input != 0 || node.outputs.empty()) return Blame(node, "reads it");
    if (const auto linear = AsLinear(view_, node)) return Consume(node, *linear, place);
    const Shape* shape = view_.FindShape(node.outputs[0]);
    if (shape == nullptr) return Blame(node, "reads it");
    if (IsOneOf(node, {"Identity", "Dropout", "Relu", "LeakyRelu", "Elu", "Selu", "Tanh", "Abs"})) {
      return Downstream(node.outputs[0], place);
    }
    if (IsOneOf(node, {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"}) && !place.flat &&
        !place.channels_last) {
      place.positions = 1;
      for (size_t i = 2; i < shape->size(); ++i) place.positions *= (*shape)[i];
      return Downstream(node.outputs[0], place);
    }
    if (node.op == "Transpose" && !place.flat && !place.channels_last) {
      const auto* order = FindAttribute<std::vector<int64_t>>(node, "perm");
      if (order == nullptr || *order != std::vector<int64_t>{0, 2, 3, 1}) return Blame(node, "reorders it");
      place.channels_last = true;
      return Downstream(node.outputs[0], place);
    }
    const bool flattens = IsOneOf(node, {"Flatten", "Reshape", "Squeeze"}) && shape->size() == 2 &&
                          (*shape)[1] == place.units * place.positions;
    if (!flattens) return Blame(node, "reads it");
    place.flat = true;
    if (node.op == "Reshape") {
      const auto gone = static_cast<int64_t>(gone_.size());
      resizes_.push_back({&node, place.units * place.positions, (place.units - gone) * place.positions});
    }
    return Downstream(node.outputs[0], place);
  }

  std::string Consume(const Node& node, const LinearNode& linear, const Place& place) {
    if (linear.groups != 1) return Blame(node, "is grouped");
    if (linear.is_conv) {
      if (place.flat || place.channels_last) return Blame(node, "reads it in another order");
      Drop(node, 1, 1);
      return "";
    }
    const Shape* shape = view_.FindShape(node.inputs[0]);
    if (shape == nullptr || shape->size() != 2 || linear.inputs != place.units * place.positions) {
      return Blame(node, "reads it");
    }
    edits_.push_back({&node, 1, linear.input_stride == 1 ? size_t{1} : size_t{0},
                      [this, place](int64_t feature) { return Gone(place.UnitOf(feature)); }});
    return "";
  }

  const GraphView& view_;
  const Uses& uses_;
  const std::set<int64_t> gone_;
  std::vector<Edit> edits_;
  std::vector<Resize> resizes_;
};

Constant Without(const Constant& constant, size_t axis, const std::function<bool(int64_t)>& gone) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= constant.shape[i];
  for (size_t i = axis + 1; i < constant.shape.size(); ++i) inner *= constant.shape[i];
  Constant kept;
  kept.type = constant.type;
  kept.shape = constant.shape;
  kept.shape[axis] = 0;
  for (int64_t i = 0; i < constant.shape[axis]; ++i) kept.shape[axis] += gone(i) ? 0 : 1;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < constant.shape[axis]; ++i) {
      if (gone(i)) continue;
      const auto begin = constant.floats.begin() + (o * constant.shape[axis] + i) * inner;
      kept.floats.insert(kept.floats.end(), begin, begin + inner);
    }
  }
  return kept;
}

// The constant that the node reads, its own: others may read the one of that name.
Constant& OwnConstant(Graph& graph, const Node& of, size_t input, FreshNames& names) {
  Node& node = graph.nodes[&of - graph.nodes.data()];
  std::string& name = node.inputs[input];
  int64_t reads = 0;
  for (const Node& other : graph.nodes) reads += std::count(other.inputs.begin(), other.inputs.end(), name);
  if (reads > 1) {
    const std::string own = names.Like(name);
    graph.constants[own] = graph.constants.at(name);
    name = own;
  }
  return graph.constants.at(name);
}

void Apply(const Cut& cut, Graph& graph) {
  FreshNames names(graph);
  for (const Edit& edit : cut.edits()) {
    Constant& constant = OwnConstant(graph, *edit.node, edit.input, names);
    constant = Without(constant, edit.axis, edit.gone);
  }
  for (const Resize& resize : cut.resizes()) {
    if (!HasInput(*resize.node, 1)) continue;
    Constant& target = OwnConstant(graph, *resize.node, 1, names);
    std::replace(target.ints.begin(), target.ints.end(), resize.from, resize.to);
  }
}

// Types of all values; what is known without an input becomes a constant.
absl::StatusOr<Known> FoldAndInferTypes(Graph& graph) {
  HALFWAVE_ASSIGN_OR_RETURN(Known known, FindConstants(graph));
  FoldConstants(graph, std::exchange(known.constants, {}));
  return known;
}

// Removes the units that can go, and says in `layer` how many.
bool PruneLayer(Graph& graph, const GraphView& view, const Node& activation, std::vector<int64_t> units,
                PrunedLayer& layer) {
  layer.named = static_cast<int64_t>(units.size());
  if (units.empty()) return false;
  if (layer.named == layer.units) {
    units.erase(units.begin());
    layer.reason = "one unit has to stay";
  }
  const Uses uses(graph);
  Cut cut(view, uses, units);
  if (const std::string problem = cut.Plan(activation); !problem.empty()) {
    layer.reason = problem;
    return false;
  }
  layer.removed = static_cast<int64_t>(units.size());
  Apply(cut, graph);
  return true;
}

}  // namespace

absl::StatusOr<Pruned> PruneZeroUnits(Graph graph, const UnitsOfLayers& zero_units) {
  Pruned pruned;
  HALFWAVE_ASSIGN_OR_RETURN(Known known, FoldAndInferTypes(graph));
  std::optional<GraphView> view(std::in_place, graph, known);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.inputs.empty() || node.outputs.empty() || !IsRectifier(*view, node)) continue;
    const Shape* shape = view->FindShape(node.inputs[0]);
    PrunedLayer& layer = pruned.layers.emplace_back();
    layer.layer = node.name;
    layer.op = node.op;
    layer.units = shape == nullptr || shape->size() < 2 ? 0 : (*shape)[1];
    const auto named = zero_units.find(node.name);
    if (named == zero_units.end() || !PruneLayer(graph, *view, node, named->second, layer)) continue;
    // The shapes behind it are others now. No node goes: what is constant was folded at the start.
    HALFWAVE_ASSIGN_OR_RETURN(known, FoldAndInferTypes(graph));
    view.emplace(graph, known);
  }
  pruned.graph = std::move(graph);
  return pruned;
}

}  // namespace halfwave
