// A network as its file describes it: nodes in topological order, constants, and the file's own words about itself.
// Knows no arithmetic and no file format.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/data_type.h"
#include "model/base/shape.h"

namespace halfwave {

// A tensor whose values the file holds, row-major. Floats of every width are kept as fp32, what the engine computes
// with, integers of every width and truth values as int64: one of the vectors is filled, as `type` says.
struct Constant {
  DataType type = DataType::kFloat;
  Shape shape;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
};

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Constant>;

struct Node {
  std::string name;  // never empty: an unnamed node is called after its first output
  std::string op;
  std::string domain;               // empty for ONNX's own
  std::vector<std::string> inputs;  // "" marks an optional input left out
  std::vector<std::string> outputs;
  std::map<std::string, Attribute> attributes;
};

// An input or output of the whole network, as the file has it: dimension 0 is kBatch if it is open.
struct GraphValue {
  std::string name;
  Shape shape;
  DataType type = DataType::kFloat;
  std::vector<std::string> labels = {};  // for type kString: the string that each computed index stands for
};

// Something a rewriting pass did to the file's graph, in words for a reader: pass "fold_batch_norm", node "bn1", what
// "folded into 'conv1'". Long names are cut.
struct Rewrite {
  std::string pass;
  std::string node;
  std::string what;
};

struct Graph {
  std::string name;
  std::string producer;
  int64_t opset = 0;        // of the default domain
  int64_t fixed_batch = 0;  // the batch that the file was exported for and that has been opened since; 0 if none
  std::vector<GraphValue> inputs;
  std::vector<GraphValue> outputs;
  std::vector<Node> nodes;  // each node after those it reads from
  std::map<std::string, Constant> constants;
  std::map<std::string, std::string> metadata;
  std::vector<Rewrite> rewrites;  // in the order in which they were done
};

// Puts the nodes in topological order. INVALID_ARGUMENT, naming the node, for a value that nothing produces, a value
// produced twice, or a cycle.
absl::Status SortNodes(Graph& graph);

// "node 'conv1' (Conv, opset 13): <what>", with the given code: the one form in which a node is blamed.
absl::Status NodeError(absl::StatusCode code, const Graph& graph, const Node& node, const std::string& what);

// An attribute's value, `fallback` if the node has none; INVALID_ARGUMENT if it has another type.
template <typename T>
absl::StatusOr<T> GetAttribute(const Graph& graph, const Node& node, const std::string& name, const T& fallback) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                   "attribute '" + name + "' has the wrong type; export the model again with a current exporter");
}

// Whether the node's input `index` is there and not left out.
bool HasInput(const Node& node, size_t index);

// The constant behind the node's input `index`, which must hold floats if `type` is kFloat, else integers. Errors say
// what the input is (`role`): INVALID_ARGUMENT if it is missing or holds something else, UNIMPLEMENTED if it is
// computed at run time.
absl::StatusOr<const Constant*> ConstantInput(const Graph& graph, const Node& node, size_t index, DataType type,
                                              const std::string& role);

}  // namespace halfwave
