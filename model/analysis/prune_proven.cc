#include "model/analysis/prune_proven.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/graph_view.h"
#include "model/analysis/prove_model.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

constexpr int64_t kRowsCompared = 16;
constexpr double kMaxWork = 2e9;          // of the bounds: about a second
constexpr size_t kMaxSteps = 10'000'000;  // taking units out of a layer looks at all nodes

// Inputs of both sessions, drawn from the domain or, without one, from -1 to 1.
void DrawRows(const std::optional<InputDomain>& domain, Session& a, Session& b) {
  std::minstd_rand random(1);
  const double low = domain ? domain->low[0] : -1, high = domain ? domain->high[0] : 1;
  std::uniform_real_distribution<double> unit(0, 1);
  for (size_t i = 0; i < a.model().inputs().size(); ++i) {
    for (int64_t j = 0; j < kRowsCompared * RowElements(a.model().inputs()[i].shape); ++j) {
      a.input(i)[j] = b.input(i)[j] = static_cast<float>(low + (high - low) * unit(random));
    }
  }
}

bool GiveTheSameBits(const std::shared_ptr<const Model>& a, const std::shared_ptr<const Model>& b) {
  Session of_a(a, kRowsCompared), of_b(b, kRowsCompared);
  DrawRows(DeclaredDomain(*a), of_a, of_b);
  of_a.Run(kRowsCompared);
  of_b.Run(kRowsCompared);
  for (size_t i = 0; i < a->outputs().size(); ++i) {
    const auto x = of_a.output(i, kRowsCompared), y = of_b.output(i, kRowsCompared);
    if (x.size() != y.size() || std::memcmp(x.data(), y.data(), x.size_bytes()) != 0) return false;
  }
  return true;
}

double MultiplyAdds(const Model& model) {
  double sum = 0;
  for (const LayerSummary& layer : model.layers()) sum += layer.multiply_adds;
  return sum;
}

}  // namespace

absl::StatusOr<UnitsOfLayers> ProvenUnits(const Graph& graph, const std::optional<InputDomain>& domain,
                                          const LinearBoundsOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
  const GraphView view(graph, known);
  const BoundsMap by_channel(view, domain ? &*domain : nullptr);
  LinearBounds by_element(view, options);
  if (domain) {
    InputRegion region;
    region.box = ForEachElement(*domain, RowElements(graph.inputs[0].shape));
    by_element.Compute(region);
  }
  UnitsOfLayers proven;
  for (const Node* node : view.nodes()) {
    if (!IsRectifier(view, *node)) continue;
    // What is too large to be followed by element still has bounds by channel.
    const bool followed = domain && by_element.Of(node->inputs[0]) != nullptr;
    proven[node->name] =
        followed ? ProveUnits(view, *node, by_element).dead : NeverActiveUnits(view, *node, by_channel);
  }
  return proven;
}

absl::StatusOr<ProvenModel> PruneProven(Graph graph, std::shared_ptr<const Model> whole, const ModelOptions& options) {
  ProvenModel result{whole, UnitMap(whole->activations())};
  result.multiply_adds = result.multiply_adds_before = MultiplyAdds(*whole);
  HALFWAVE_ASSIGN_OR_RETURN(const UnitsOfLayers proven, ProvenUnits(graph, DeclaredDomain(*whole), {kMaxWork}));
  const auto layers = static_cast<size_t>(
      std::count_if(proven.begin(), proven.end(), [](const auto& layer) { return !layer.second.empty(); }));
  if (layers * graph.nodes.size() > kMaxSteps) {
    return absl::ResourceExhaustedError(absl::StrCat(layers, " of ", graph.nodes.size(),
                                                     " nodes have units to remove, "
                                                     "too many while a server loads; halfwave-model prune has time"));
  }
  HALFWAVE_ASSIGN_OR_RETURN(Pruned pruned, PruneUnits(std::move(graph), proven));
  for (const PrunedLayer& layer : pruned.layers) {
    result.removed += layer.removed;
    result.of += layer.units;
  }
  if (result.removed == 0) return result;
  HALFWAVE_ASSIGN_OR_RETURN(result.model, Model::Create(std::move(pruned.graph), options));
  absl::StatusOr<UnitMap> units = UnitMap::Create(whole->activations(), result.model->activations(), pruned.gone);
  if (!units.ok()) return absl::InternalError(units.status().message());
  result.units = *std::move(units);
  result.multiply_adds = MultiplyAdds(*result.model);
  if (!GiveTheSameBits(whole, result.model)) {
    return absl::InternalError("without the units that are proven zero an output differs");
  }
  return result;
}

}  // namespace halfwave
