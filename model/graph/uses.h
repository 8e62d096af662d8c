// What the rewriting passes share: who reads which value, names that are free, the record of what was done.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "model/graph/graph.h"

namespace halfwave {

// How often each value of a graph is read, counted once: a pass that looks through all nodes stays linear.
class Uses {
 public:
  explicit Uses(const Graph& graph);

  // By nodes, once for each of their inputs, and by the model's outputs, once each.
  int64_t Reads(const std::string& value) const;
  bool IsModelOutput(const std::string& value) const { return model_outputs_.contains(value); }
  // Whether nobody reads any output of the node but the first, which is there.
  bool HasOneOutput(const Node& node) const;

  // For a pass that changes what a node reads.
  void Add(const std::string& value) { ++reads_[value]; }
  void Forget(const std::string& value) { --reads_[value]; }

 private:
  std::unordered_map<std::string, int64_t> reads_;
  std::unordered_set<std::string> model_outputs_;
};

// The node's attribute, null if it has none of this name and type.
template <typename T>
const T* FindAttribute(const Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

// Names that no value of the graph bears, and that resemble another.
class FreshNames {
 public:
  explicit FreshNames(const Graph& graph);
  std::string Like(const std::string& name);

 private:
  std::unordered_set<std::string> taken_;
  int64_t next_ = 1;  // never starts again: names a file took on purpose are met once
};

// Appends to graph.rewrites. `other`, if given, is quoted behind `what`: "folded into 'conv1'".
void Record(Graph& graph, const char* pass, const std::string& node, const std::string& what,
            const std::string& other = "");

// Whether an activation counts for the neuron statistics: all but the copies that rewriting made (see kCounted).
bool IsCounted(const Node& node);

// Set to 0 on an activation that was moved: where the file has it, an Observe node counts in its place.
inline constexpr const char* kCounted = "halfwave.counted";

// Operators that no file holds.
//
// Observe passes its one input on, and counts as if the activation of the file that it stands for were there: its name
// is that of the activation, its attribute "op" the activation's operator.
inline constexpr const char* kObserve = "halfwave.Observe";
// Dense(x, W[K,N], b[N]) = MatMul(x, W) + b, over the last dimension of x, whatever its rank.
inline constexpr const char* kDense = "halfwave.Dense";

// Turns an activation into the Observe node that stands for it.
void TurnIntoObserve(Node& activation);

}  // namespace halfwave
