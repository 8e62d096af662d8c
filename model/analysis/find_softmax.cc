#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/analysis/finding.h"
#include "model/analysis/linear_node.h"
#include "model/base/shape.h"
#include "model/engine/heads.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

bool IsSoftmax(const Node& node) { return IsOneOf(node, {"Softmax", "LogSoftmax"}); }

std::string Called(const Node& node) { return absl::StrCat(node.op, " '", node.name, "'"); }

// How many scores one softmax is taken over; 0 if that is not known.
int64_t Classes(const GraphView& view, const Node& node) {
  const Shape* shape = HasInput(node, 0) ? view.FindShape(node.inputs[0]) : nullptr;
  if (shape == nullptr) return 0;
  const auto* given = FindAttribute<int64_t>(node, "axis");
  const int64_t fallback = view.graph().opset < 13 ? 1 : -1;
  const auto axis = NormalizeAxis(given == nullptr ? fallback : *given, shape->size());
  if (!axis) return 0;
  int64_t classes = (*shape)[*axis];
  // Up to opset 12 over all dimensions from the axis on.
  for (size_t i = *axis + 1; view.graph().opset < 13 && i < shape->size(); ++i) classes *= (*shape)[i];
  return classes;
}

Finding Twice(const Node& softmax, const Node& next) {
  return {"softmax-twice",
          Level::kWarning,
          next.name,
          absl::StrCat("A softmax of a softmax: ", Called(next), " reads what ", Called(softmax), " gives."),
          "The second one sees only numbers between 0 and 1, so its probabilities are close to equal: the class with "
          "the most stays the same, but its confidence means nothing, and training was slow.",
          "Keep one. In PyTorch, CrossEntropyLoss has the softmax built in: give it logits, and train again."};
}

Finding BeforeActivation(const Node& softmax, const Node& next) {
  const bool relu = next.op == "Relu";
  return {"softmax-before-activation",
          Level::kWarning,
          next.name,
          absl::StrCat("An activation of a softmax: ", Called(next), " reads what ", Called(softmax), " gives."),
          relu ? "A softmax gives numbers between 0 and 1, never negative: this ReLU changes nothing. Most likely the "
                 "two were mixed up: ReLU belongs between layers, softmax at the end."
               : "A softmax gives numbers between 0 and 1: this activation only bends them. Most likely the two were "
                 "mixed up: such activations belong between layers, softmax at the end.",
          "Use the activation alone between layers and the softmax alone at the end, and train again."};
}

// Joined with other features it may be there on purpose.
Finding Hidden(const Node& softmax, const Node& next, bool joined) {
  return {"hidden-softmax",
          joined ? Level::kNote : Level::kWarning,
          softmax.name,
          absl::StrCat("A softmax between layers: ", Called(next), " goes on computing with what ", Called(softmax),
                       " gives", joined ? ", joined with others." : "."),
          "It squeezes the layer into numbers between 0 and 1 that sum to one: its units compete, all but a few are "
          "close to zero, and little gradient passes. Networks with such layers learn slowly and badly.",
          absl::StrCat(joined ? "Unless it is there on purpose, use" : "Use",
                       " ReLU between layers and softmax at the end only, and train again.")};
}

// A weighted mean by fixed weights, as in a soft argmax, is what some networks end in on purpose.
bool IsLayerBehind(const GraphView& view, const Node& node) {
  const auto linear = AsLinear(view, node);
  return linear && linear->units > 1;
}

}  // namespace

Findings FindMisplacedSoftmax(const GraphView& view) {
  Findings findings;
  for (const Node* node : view.nodes()) {
    if (!IsSoftmax(*node) || !HasInput(*node, 0)) continue;
    if (node->op == "Softmax" && Classes(view, *node) == 1) {
      findings.push_back({"softmax-of-one", Level::kWarning, node->name,
                          absl::StrCat(Called(*node), " is taken over a single score."),
                          "A softmax over one number is always 1, whatever comes in.",
                          "For two classes with one score use a sigmoid; otherwise check the softmax's axis."});
    }
    if (node->op != "Softmax") continue;
    for (const Node* next : view.Consumers(node->outputs[0])) {
      if (IsSoftmax(*next)) {
        findings.push_back(Twice(*node, *next));
      } else if (IsActivation(*next)) {
        findings.push_back(BeforeActivation(*node, *next));
      } else if (IsLayerBehind(view, *next)) {
        findings.push_back(Hidden(*node, *next, false));
      } else if (IsOneOf(*next, {"Concat"})) {
        for (const Node* layer : view.Consumers(next->outputs[0])) {
          if (IsLayerBehind(view, *layer)) findings.push_back(Hidden(*node, *layer, true));
        }
      }
    }
  }
  return findings;
}

Findings FindHeadProblems(const GraphView& view) {
  const Graph& graph = view.graph();
  Findings findings;
  const Head head = FindHeads(graph, view.types());
  const std::string& scores = graph.outputs[head.scores].name;
  const Shape* shape = view.FindShape(scores);
  const int64_t classes = shape == nullptr || shape->empty() ? 0 : shape->back();
  const Node* last = view.Source(scores);
  if (last == nullptr) return findings;
  if (IsRectifier(view, *last) && classes > 1) {
    findings.push_back(
        {"relu-output", Level::kWarning, last->name,
         absl::StrCat("The last operation of the network is an activation: ", Called(*last), "."),
         "It cuts scores below zero: classes that the network finds unlikely all get the same score, and where no "
         "class is above zero they all tie. (Right only if the outputs are amounts that cannot be negative.)",
         "Take the logits from the layer before it: remove the activation after the last layer, and train again."});
  }
  const Node* before = IsSoftmax(*last) ? view.Source(last->inputs[0]) : nullptr;
  if (before != nullptr && (IsRectifier(view, *before) || IsOneOf(*before, {"Sigmoid", "Tanh"})) &&
      Classes(view, *last) > 1) {
    findings.push_back({"activation-before-softmax", Level::kWarning, before->name,
                        absl::StrCat("The softmax at the end reads an activation: ", Called(*before), "."),
                        IsRectifier(view, *before)
                            ? "Scores below zero are cut before the softmax sees them: unlikely classes all get the "
                              "same probability, and none ever gets close to zero."
                            : "The scores lie between -1 and 1 before the softmax sees them: no class can ever be much "
                              "more probable than another.",
                        "Let the softmax read the last layer directly: remove that activation, and train again."});
  }
  const std::string logits = "logits";
  const bool ends_in_logits = head.name.size() >= logits.size() &&
                              head.name.compare(head.name.size() - logits.size(), logits.size(), logits) == 0;
  if (ends_in_logits && classes > 1) {
    findings.push_back({"no-softmax", Level::kNote, last->name,
                        absl::StrCat("The network ends without a softmax: output '", scores, "' holds raw scores."),
                        "Of a classifier these are logits: their order is right, but they are no probabilities. (Of a "
                        "network that predicts amounts they are what is wanted.)",
                        "For probabilities start the server with --add-softmax, or append a softmax before the "
                        "export."});
  }
  return findings;
}

}  // namespace halfwave
