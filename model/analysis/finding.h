// What an analysis has to say about a network, and everything that says something.
#pragma once

#include <string>
#include <vector>

#include "model/analysis/graph_view.h"

namespace halfwave {

struct Finding {
  enum class Level {
    kWarning,  // most likely not what was meant
    kNote,     // worth knowing
  };
  std::string id;  // stable, for programs: "hidden-softmax"
  Level level = Level::kNote;
  std::string node;    // empty: the model as a whole
  std::string what;    // the fact
  std::string why;     // why it matters
  std::string advice;  // what to do
};

using Findings = std::vector<Finding>;

// softmax-twice, softmax-before-activation, hidden-softmax, softmax-of-one
Findings FindMisplacedSoftmax(const GraphView& view);
// relu-output, activation-before-softmax, no-softmax
Findings FindHeadProblems(const GraphView& view);
// dead-units, dead-layer, constant-units, duplicate-units
Findings FindConstantUnits(const GraphView& view);
// redundant-relu, linear-chain, vanishing-gradients
Findings FindStructure(const GraphView& view);
// log-of-softmax, division-by-zero
Findings FindRiskyArithmetic(const GraphView& view);
// old-opset, float64-weights, float16-weights
Findings FindFormat(const GraphView& view);

}  // namespace halfwave
