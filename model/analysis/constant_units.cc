#include "model/analysis/constant_units.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "model/analysis/graph_view.h"
#include "model/analysis/linear_node.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

// One factor or summand a unit, or one for all: of a constant that meets a value whose units are in dimension 1. Null
// if it is anything else.
const Constant* ByUnit(const Constant* constant, int64_t units, size_t rank) {
  if (constant == nullptr || constant->floats.empty()) return nullptr;
  if (constant->floats.size() == 1) return constant;
  const size_t behind = rank - 2, dimensions = constant->shape.size();
  const bool fits = static_cast<int64_t>(constant->floats.size()) == units && dimensions > behind &&
                    constant->shape[dimensions - 1 - behind] == units;
  return fits ? constant : nullptr;
}

void MarkZeros(const Constant& factors, std::vector<bool>& cut_off) {
  for (size_t unit = 0; unit < cut_off.size(); ++unit) {
    if (factors.floats[factors.floats.size() == 1 ? 0 : unit] == 0) cut_off[unit] = true;
  }
}

// The units of `value`, its dimension 1, that nothing of the input reaches.
std::vector<bool> CutOff(const GraphView& view, const std::string& value) {
  const Shape* shape = view.FindShape(value);
  if (shape == nullptr || shape->size() < 2 || (*shape)[1] < 1) return {};
  const int64_t units = (*shape)[1];
  std::vector<bool> cut_off(units, false);
  for (const Node* node = view.Producer(value); node != nullptr;) {
    if (const auto linear = AsLinear(view, *node)) {
      if (linear->units != units || (!linear->is_conv && shape->size() != 2)) return {};
      for (int64_t unit = 0; unit < units; ++unit) {
        bool all_zero = true;
        for (int64_t input = 0; input < linear->inputs; ++input) {
          for (int64_t tap = 0; tap < linear->taps; ++tap) all_zero &= linear->Weight(unit, input, tap) == 0;
        }
        if (all_zero) cut_off[unit] = true;
      }
      return cut_off;
    }
    size_t computed = 0;
    if (node->op == "BatchNormalization") {
      const Constant* scale = view.ConstantInput(*node, 1);
      if (scale == nullptr || static_cast<int64_t>(scale->floats.size()) != units) return {};
      MarkZeros(*scale, cut_off);
    } else if (IsOneOf(*node, {"Add", "Sub", "Mul"})) {
      computed = view.ConstantInput(*node, 0) == nullptr ? 0 : 1;
      const Constant* constant = ByUnit(view.ConstantInput(*node, 1 - computed), units, shape->size());
      if (constant == nullptr) return {};
      if (node->op == "Mul") MarkZeros(*constant, cut_off);
    } else {
      return {};
    }
    const Shape* before = view.FindShape(node->inputs[computed]);
    if (before == nullptr || *before != *shape) return {};
    node = view.Producer(node->inputs[computed]);
  }
  return {};
}

// Keeps of the candidates those that give one number on two different rows, at all positions, and notes it.
void Measure(const std::shared_ptr<const Model>& model, const std::vector<std::string>& layers, ValuesOfUnits& values) {
  constexpr int64_t kRows = 2;
  Session session(model, kRows);
  for (size_t i = 0; i < model->inputs().size(); ++i) {
    const int64_t elements = RowElements(model->inputs()[i].shape);
    std::fill_n(session.input(i).begin(), elements, 0.0f);
    std::fill_n(session.input(i).begin() + elements, elements, 1.0f);
  }
  session.Run(kRows);
  for (size_t i = 0; i < layers.size(); ++i) {
    std::map<int64_t, float>& units = values[layers[i]];
    const std::span<const float> output = session.output(i, kRows);
    const int64_t all = model->outputs()[i].shape[1], positions = RowElements(model->outputs()[i].shape) / all;
    for (auto unit = units.begin(); unit != units.end();) {
      unit->second = output[unit->first * positions];
      bool same = true;
      for (int64_t row = 0; row < kRows; ++row) {
        const auto map = output.subspan((row * all + unit->first) * positions, positions);
        same &= std::all_of(map.begin(), map.end(), [&](float value) { return value == unit->second; });
      }
      unit = same ? std::next(unit) : units.erase(unit);
    }
  }
}

}  // namespace

absl::StatusOr<ValuesOfUnits> ConstantUnits(const Graph& graph, const ModelOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
  const GraphView view(graph, known);
  ValuesOfUnits values;
  Graph probe = graph;  // shows what the rectifiers give
  probe.outputs.clear();
  probe.metadata.clear();
  std::vector<std::string> layers;
  for (const Node* node : view.nodes()) {
    if (!IsRectifier(view, *node)) continue;
    const std::vector<bool> cut_off = CutOff(view, node->inputs[0]);
    if (std::find(cut_off.begin(), cut_off.end(), true) == cut_off.end() || values.contains(node->name)) continue;
    for (size_t unit = 0; unit < cut_off.size(); ++unit) {
      if (cut_off[unit]) values[node->name][static_cast<int64_t>(unit)] = 0;
    }
    layers.push_back(node->name);
    probe.outputs.push_back({node->outputs[0], {}});
  }
  if (layers.empty()) return values;
  ModelOptions exact = options;
  exact.add_softmax = false;
  exact.weights = WeightFormat::kFloat;
  HALFWAVE_ASSIGN_OR_RETURN(const auto model, Model::Create(std::move(probe), exact));
  Measure(model, layers, values);
  return values;
}

}  // namespace halfwave
