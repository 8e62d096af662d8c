// What each node of a graph is and costs, for a reader.
#pragma once

#include <string>
#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

struct LayerSummary {
  std::string name;
  std::string op;  // with its domain, if that is not ONNX's own; see OperatorName
  // Of an Observe node (see uses.h) the activation it stands for.
  std::string stands_for;
  std::vector<std::string> inputs;   // the computed values it reads
  std::vector<std::string> outputs;  // "" where one is left out
  Shape shape;                       // of its first output, behind an open batch
  int64_t parameters = 0;            // weights it reads, each kept as fp32
  double multiply_adds = 0;          // of one row; see MultiplyAdds
};

// One entry for each node, in order. `types` are those of the computed values; `folded` may hold constants that are
// not in the graph: the nodes that compute them are left out.
std::vector<LayerSummary> SummarizeLayers(const Graph& graph, const TypeMap& types,
                                          const ConstantMap* folded = nullptr);

}  // namespace halfwave
