// What a network ends in: scores of which kind, and which labels the classes have.
#pragma once

#include <string>
#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

struct Head {
  size_t scores = 0;                // the output with the scores: the first of floats
  std::string name;                 // see Model::head()
  std::vector<std::string> labels;  // of the classes, if the graph itself names them (ZipMap, a table of labels)
};

// The graph's types must have been inferred.
Head FindHeads(const Graph& graph, const TypeMap& types);

// As the metadata key halfwave.labels holds them.
std::string LabelsToJson(const std::vector<std::string>& labels);

}  // namespace halfwave
