#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/analysis/finding.h"
#include "model/analysis/linear_node.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

// Whether it keeps numbers that are not negative so, whatever else it does.
bool KeepsSigns(const Node& node) {
  return IsOneOf(node, {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"});
}

void FindRedundantRelus(const GraphView& view, Findings& findings) {
  for (const Node* node : view.nodes()) {
    if (!IsOneOf(*node, {"Relu"})) continue;
    const Node* source = view.Source(node->inputs[0]);
    bool pooled = false;
    for (; source != nullptr && KeepsSigns(*source); source = view.Source(source->inputs[0])) pooled = true;
    if (source == nullptr || !(IsRectifier(view, *source) || IsOneOf(*source, {"Sigmoid", "Softplus"}))) continue;
    findings.push_back(
        {"redundant-relu", Level::kNote, node->name,
         absl::StrCat("A ReLU that changes nothing: Relu '", node->name, "' reads what ", source->op, " '",
                      source->name, "' gives", pooled ? ", pooled" : "", ", and that is never negative."),
         "It costs a pass over the data, and it may stand where another layer was meant to be.",
         "Remove one of the two, or put the layer that is missing between them."});
  }
}

// From a dense layer to the next one or from a convolution to the next, with only a constant sum on the way.
const Node* NextLayer(const GraphView& view, const Node& layer) {
  const Node* next = view.OnlyConsumer(layer.outputs[0]);
  while (next != nullptr && IsOneOf(*next, {"Add"}) && next->inputs.size() == 2 &&
         (view.ConstantInput(*next, 0) != nullptr || view.ConstantInput(*next, 1) != nullptr)) {
    next = view.OnlyConsumer(next->outputs[0]);
  }
  return next;
}

// A narrow layer between two wide ones saves arithmetic, so it is there on purpose.
bool IsBottleneck(const LinearNode& first, const LinearNode& second) {
  const double inputs = static_cast<double>(first.inputs);
  const double middle = static_cast<double>(first.units);
  const double outputs = static_cast<double>(second.units);
  return inputs * outputs > inputs * middle + middle * outputs;
}

void FindLinearChains(const GraphView& view, Findings& findings) {
  for (const Node* node : view.nodes()) {
    const auto first = AsLinear(view, *node);
    if (!first || first->groups > 1) continue;
    const Node* next = NextLayer(view, *node);
    const auto second = next == nullptr ? std::nullopt : AsLinear(view, *next);
    if (!second || second->is_conv != first->is_conv || second->groups > 1 || IsBottleneck(*first, *second)) continue;
    findings.push_back({"linear-chain", Level::kWarning, next->name,
                        absl::StrCat("Two layers without an activation between them: ", node->op, " '", node->name,
                                     "' and ", next->op, " '", next->name, "'."),
                        "A linear map of a linear map is one linear map: together they can do no more than one of them "
                        "alone, at a higher cost.",
                        "Put a ReLU between them and train again, or make one layer of the two."});
  }
}

struct Chain {
  const Node* last = nullptr;  // of its activations
  int64_t layers = 0;
  double keeps = 1;
};

Finding Vanishing(const Chain& chain) {
  return {
      "vanishing-gradients",
      Level::kNote,
      chain.last->name,
      absl::StrCat(chain.layers, " layers in a row with sigmoid or tanh, up to ", chain.last->op, " '",
                   chain.last->name, "'."),
      chain.keeps < 1
          ? absl::StrFormat("A sigmoid passes at most a quarter of a gradient: besides what the weights do, at most "
                            "%.2g of it arrives before the first of them. The early layers may have learned "
                            "little.",
                            chain.keeps)
          : std::string("A tanh passes a whole gradient only at zero and almost none where it is flat: the early "
                        "layers may have learned little."),
      "Use ReLU in the hidden layers and train again; keep sigmoid for the output."};
}

// What lets a chain go on: layers, sums, what only rearranges.
bool Continues(const GraphView& view, const Node& node) {
  return PassesOn(node) || AsLinear(view, node) ||
         IsOneOf(node, {"Add", "Concat", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"});
}

// Three or more layers in a row, each behind a sigmoid or a tanh. Where values are added or joined, the gradient takes
// the easiest way; an activation of another kind ends a chain. A sigmoid that is the output does not count: its loss
// takes its slope out again.
void FindVanishingGradients(const GraphView& view, Findings& findings) {
  constexpr int64_t kLong = 3;
  std::unordered_map<std::string, Chain> chains;
  std::vector<Chain> found;
  std::unordered_set<const Node*> continued;
  for (const Node* node : view.nodes()) {
    Chain chain;
    bool first = true;
    for (const std::string& input : node->inputs) {
      if (input.empty() || view.FindConstant(input) != nullptr) continue;
      const auto before = chains.find(input);
      const Chain candidate = before == chains.end() ? Chain{} : before->second;
      if (first || candidate.layers < chain.layers) chain = candidate;
      first = false;
    }
    if (IsOneOf(*node, {"Sigmoid", "Tanh"}) && !view.ReachesOutput(node->outputs[0])) {
      continued.insert(chain.last);
      chain = {node, chain.layers + 1, chain.keeps * (node->op == "Sigmoid" ? 0.25 : 1)};
      if (chain.layers >= kLong) found.push_back(chain);
    } else if (!Continues(view, *node)) {
      chain = {};
    }
    for (const std::string& output : node->outputs) chains[output] = chain;
  }
  for (const Chain& chain : found) {
    if (!continued.contains(chain.last)) findings.push_back(Vanishing(chain));
  }
}

}  // namespace

Findings FindStructure(const GraphView& view) {
  Findings findings;
  FindRedundantRelus(view, findings);
  FindLinearChains(view, findings);
  FindVanishingGradients(view, findings);
  return findings;
}

}  // namespace halfwave
