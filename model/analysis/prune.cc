#include "model/analysis/prune.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/graph_view.h"
#include "model/analysis/linear_node.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/graph/drop_dead_branches.h"
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

// A bias that takes up what removed units contributed.
struct NewBias {
  const Node* node;
  DataType type;
  std::vector<float> values;  // one a unit
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

// From as many channels in and out on, the engine takes another algorithm for some 3x3 convolutions, whose sums are
// rounded otherwise.
constexpr int64_t kChannelsOfWinograd = 12;

bool IsPadded(const Node& node) {
  const auto* pads = FindAttribute<std::vector<int64_t>>(node, "pads");
  const auto* automatic = FindAttribute<std::string>(node, "auto_pad");
  return (pads != nullptr && std::any_of(pads->begin(), pads->end(), [](int64_t pad) { return pad != 0; })) ||
         (automatic != nullptr && automatic->starts_with("SAME"));
}

// Collects what has to change if some units of one activation go, which give these values on every row.
class Cut {
 public:
  Cut(const GraphView& view, const Uses& uses, const std::map<int64_t, float>& units)
      : view_(view), uses_(uses), gone_(units), moves_(std::any_of(units.begin(), units.end(), IsNotZero)) {}

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

  // How many units have to stay.
  int64_t stay() const { return stay_; }
  const std::vector<Edit>& edits() const { return edits_; }
  const std::vector<NewBias>& biases() const { return biases_; }
  const std::vector<Resize>& resizes() const { return resizes_; }
  // By activation behind this one: which of its units go too.
  const UnitsOfLayers& gone_behind() const { return gone_behind_; }

  static bool IsNotZero(const std::pair<const int64_t, float>& unit) { return unit.second != 0; }

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
      KeepAlgorithm(*linear, units);
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

  void KeepAlgorithm(const LinearNode& linear, int64_t units) {
    const Shape& shape = linear.weights->shape;
    if (linear.is_conv && shape.size() == 4 && shape[2] == 3 && shape[3] == 3 && units >= kChannelsOfWinograd) {
      stay_ = kChannelsOfWinograd;
    }
  }

  // All who read what the units give.
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
    if (input != 0 || !uses_.HasOneOutput(node)) return Blame(node, "reads it");
    if (const auto linear = AsLinear(view_, node)) return Consume(node, *linear, place);
    const Shape* shape = view_.FindShape(node.outputs[0]);
    if (shape == nullptr) return Blame(node, "reads it");
    if (IsOneOf(node, {"Identity", "Dropout"})) return Downstream(node.outputs[0], place);
    if (IsOneOf(node, {"Relu", "LeakyRelu", "Elu", "Selu", "Tanh", "Abs"})) {  // of zero they make zero
      if (moves_) return Blame(node, "is another activation");
      NoteGone(node, place);
      return Downstream(node.outputs[0], place);
    }
    if (IsOneOf(node, {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"}) && !place.flat &&
        !place.channels_last) {
      const auto* counts_padding = FindAttribute<int64_t>(node, "count_include_pad");
      const auto* ceils = FindAttribute<int64_t>(node, "ceil_mode");
      const bool overhangs = IsPadded(node) || (ceils != nullptr && *ceils != 0);
      if (moves_ && node.op == "AveragePool" && counts_padding != nullptr && *counts_padding != 0 && overhangs) {
        return Blame(node, "counts its padding");
      }
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
      if (moves_ && IsPadded(node)) return Blame(node, "is padded with zeros");
      Drop(node, 1, 1);
      KeepAlgorithm(linear, place.units);
      return Move(linear, [](int64_t channel) { return channel; });
    }
    const Shape* shape = view_.FindShape(node.inputs[0]);
    if (shape == nullptr || shape->size() != 2 || linear.inputs != place.units * place.positions) {
      return Blame(node, "reads it");
    }
    edits_.push_back({&node, 1, linear.input_stride == 1 ? size_t{1} : size_t{0},
                      [this, place](int64_t feature) { return Gone(place.UnitOf(feature)); }});
    return Move(linear, [place](int64_t feature) { return place.UnitOf(feature); });
  }

  // What the units contribute into the bias.
  std::string Move(const LinearNode& linear, const std::function<int64_t(int64_t)>& unit_of) {
    if (!moves_) return "";
    if (IsHalf(linear.weights->type)) return Blame(*linear.node, "has weights in half precision");
    if (view_.graph().opset < 7) return Blame(*linear.node, "is of an old opset");
    std::vector<float> bias(linear.units);
    for (int64_t unit = 0; unit < linear.units; ++unit) {
      double sum = linear.Bias(unit);
      for (int64_t input = 0; input < linear.inputs; ++input) {
        const auto found = gone_.find(unit_of(input));
        if (found == gone_.end() || found->second == 0) continue;
        for (int64_t tap = 0; tap < linear.taps; ++tap) {
          sum += linear.scale * linear.Weight(unit, input, tap) * found->second;
        }
      }
      bias[unit] = static_cast<float>(sum);
    }
    biases_.push_back({linear.node, linear.weights->type, std::move(bias)});
    return "";
  }

  static bool IsHalf(DataType type) { return type == DataType::kFloat16 || type == DataType::kBFloat16; }

  // Units of an activation are the indices of dimension 1, which here may be features, or something else altogether.
  void NoteGone(const Node& activation, const Place& place) {
    if (place.channels_last && !place.flat) return;
    std::vector<int64_t>& gone = gone_behind_[activation.name];
    const int64_t features = place.flat ? place.units * place.positions : place.units;
    for (int64_t i = 0; i < features; ++i) {
      if (Gone(place.flat ? place.UnitOf(i) : i)) gone.push_back(i);
    }
  }

  const GraphView& view_;
  const Uses& uses_;
  const std::map<int64_t, float> gone_;  // and what they give
  const bool moves_;                     // whether something of it is not zero
  int64_t stay_ = 1;
  std::vector<Edit> edits_;
  std::vector<NewBias> biases_;
  std::vector<Resize> resizes_;
  UnitsOfLayers gone_behind_;
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
  for (const NewBias& bias : cut.biases()) {
    Node& node = graph.nodes[bias.node - graph.nodes.data()];
    if (node.op == "MatMul") node.op = "Gemm";
    if (node.op == "Gemm") node.attributes["beta"] = 1.0f;
    node.inputs.resize(3);
    node.inputs[2] = names.Like(node.name);
    Constant& constant = graph.constants[node.inputs[2]];
    constant.type = bias.type;
    constant.shape = {static_cast<int64_t>(bias.values.size())};
    constant.floats = bias.values;
  }
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

// Removes units that give these values on every row. Returns nothing, or why some stay.
std::string Remove(Graph& graph, const GraphView& view, const Node& activation, std::map<int64_t, float> units,
                   PrunedLayer& layer, UnitsOfLayers& gone) {
  const Uses uses(graph);
  std::optional<Cut> cut(std::in_place, view, uses, units);
  std::string problem = cut->Plan(activation);
  if (!problem.empty()) return problem;
  const int64_t stay = cut->stay();
  if (layer.units - static_cast<int64_t>(units.size()) < stay) {
    problem = stay == 1 ? "one unit has to stay" : absl::StrCat(stay, " stay, or 3x3 convolutions add in another way");
    while (!units.empty() && layer.units - static_cast<int64_t>(units.size()) < stay) units.erase(units.begin());
    if (units.empty()) return problem;
    cut.emplace(view, uses, units);
    cut->Plan(activation);
  }
  layer.removed = static_cast<int64_t>(units.size());
  layer.moved = std::count_if(units.begin(), units.end(), Cut::IsNotZero);
  for (const auto& [unit, value] : units) gone[activation.name].push_back(unit);
  for (const auto& [behind, theirs] : cut->gone_behind()) gone[behind] = theirs;
  Apply(*cut, graph);
  return problem;
}

// Removes the units that can go, and says in `layer` how many.
void PruneLayer(Graph& graph, const GraphView& view, const Node& activation, const std::map<int64_t, float>& units,
                PrunedLayer& layer, UnitsOfLayers& gone) {
  layer.reason = Remove(graph, view, activation, units, layer, gone);
  if (layer.removed > 0 || std::none_of(units.begin(), units.end(), Cut::IsNotZero)) return;
  std::map<int64_t, float> zeros = units;
  std::erase_if(zeros, Cut::IsNotZero);
  if (!zeros.empty()) Remove(graph, view, activation, zeros, layer, gone);
}

// Of one activation, by either list.
std::map<int64_t, float> UnitsToGo(const std::string& name, const UnitsOfLayers& zero_units,
                                   const ValuesOfUnits& constants) {
  std::map<int64_t, float> units;
  if (const auto found = zero_units.find(name); found != zero_units.end()) {
    for (const int64_t unit : found->second) units[unit] = 0;
  }
  if (const auto found = constants.find(name); found != constants.end()) {
    units.insert(found->second.begin(), found->second.end());
  }
  return units;
}

}  // namespace

absl::StatusOr<Pruned> PruneUnits(Graph graph, const UnitsOfLayers& zero_units, const ValuesOfUnits& constants) {
  Pruned pruned;
  HALFWAVE_ASSIGN_OR_RETURN(Known known, FoldAndInferTypes(graph));
  std::optional<GraphView> view(std::in_place, graph, known);
  std::map<std::string, int> names;
  for (const Node& node : graph.nodes) ++names[node.name];
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.inputs.empty() || node.outputs.empty() || !IsRectifier(*view, node)) continue;
    const Shape* shape = view->FindShape(node.inputs[0]);
    PrunedLayer& layer = pruned.layers.emplace_back();
    layer.layer = node.name;
    layer.op = node.op;
    layer.units = shape == nullptr || shape->size() < 2 ? 0 : (*shape)[1];
    const std::map<int64_t, float> units = UnitsToGo(node.name, zero_units, constants);
    layer.named = static_cast<int64_t>(units.size());
    if (names[node.name] > 1) {
      if (!units.empty()) layer.reason = "another node has its name";
      continue;
    }
    if (const auto gone = pruned.gone.find(node.name); gone != pruned.gone.end()) {
      layer.removed = static_cast<int64_t>(gone->second.size());
      layer.units += layer.removed;
      if (layer.removed < layer.named) layer.reason = "another activation computes what enters it";
      continue;
    }
    if (units.empty()) continue;
    PruneLayer(graph, *view, node, units, layer, pruned.gone);
    if (layer.removed == 0) continue;
    // The shapes behind it are others now. No node goes: what is constant was folded at the start.
    HALFWAVE_ASSIGN_OR_RETURN(known, FoldAndInferTypes(graph));
    view.emplace(graph, known);
  }
  if (!pruned.gone.empty()) DropDeadBranches(graph);  // above all biases that were replaced
  pruned.graph = std::move(graph);
  return pruned;
}

}  // namespace halfwave
