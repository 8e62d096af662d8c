#include <optional>

#include "absl/strings/str_cat.h"
#include "model/analysis/bounds.h"
#include "model/analysis/finding.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

// A divisor that comes straight from one of these can be zero for some input, as far as its bounds allow it.
bool CanVanish(const Node& node) {
  return IsOneOf(node, {"Relu", "Clip", "Abs", "Sqrt", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"});
}

}  // namespace

Findings FindRiskyArithmetic(const GraphView& view) {
  Findings findings;
  std::optional<BoundsMap> bounds;  // made when a division asks
  for (const Node* node : view.nodes()) {
    if (!HasInput(*node, 0)) continue;
    const Node* first = view.Source(node->inputs[0]);
    if (IsOneOf(*node, {"Log"}) && first != nullptr && IsOneOf(*first, {"Softmax"})) {
      findings.push_back({"log-of-softmax", Level::kWarning, node->name,
                          absl::StrCat("The logarithm of a softmax: Log '", node->name, "' reads what Softmax '",
                                       first->name, "' gives."),
                          "A probability below 1e-45 is zero in float32, and its logarithm minus infinity.",
                          "Use LogSoftmax, which never has to form the small number."});
    }
    if (!IsOneOf(*node, {"Div"}) || !HasInput(*node, 1)) continue;
    const Node* divisor = view.Source(node->inputs[1]);
    if (divisor == nullptr || !CanVanish(*divisor)) continue;
    bool zero = false;
    if (!bounds) bounds.emplace(view);
    const Bounds& range = bounds->Of(node->inputs[1]);
    for (size_t i = 0; i < range.size(); ++i) zero = zero || (range.low[i] <= 0 && range.high[i] >= 0);
    if (!zero) continue;
    findings.push_back({"division-by-zero", Level::kNote, node->name,
                        absl::StrCat("Div '", node->name, "' divides by what ", divisor->op, " '", divisor->name,
                                     "' gives, and nothing keeps that from being zero."),
                        "An input for which it is zero gives infinities or NaN.",
                        "Add a small number to the divisor, or clip it from below, before the export."});
  }
  return findings;
}

}  // namespace halfwave
