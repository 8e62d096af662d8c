#include <set>

#include "absl/strings/str_cat.h"
#include "model/analysis/finding.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

constexpr int64_t kOldOpset = 9;  // before it operators changed their meanings more than once

Finding Weights(const char* id, const char* type, int64_t count, const std::string& why) {
  return {id,
          Level::kNote,
          "",
          absl::StrCat(count, " of the weights' tensors are of ", type, "."),
          why,
          "Nothing has to be done; convert the model to float32 before the export to decide yourself what is rounded."};
}

}  // namespace

Findings FindFormat(const GraphView& view) {
  Findings findings;
  const Graph& graph = view.graph();
  if (graph.opset < kOldOpset) {
    findings.push_back({"old-opset", Level::kNote, "", absl::StrCat("The file uses opset ", graph.opset, "."),
                        "It is served by the rules of that version, but many tools no longer read it.",
                        "Export it again with opset 13 or later when there is an occasion."});
  }
  int64_t doubles = 0;
  int64_t halves = 0;
  std::set<std::string> read;
  for (const Node* node : view.nodes()) read.insert(node->inputs.begin(), node->inputs.end());
  for (const auto& [name, constant] : graph.constants) {
    if (constant.floats.size() < 2 || !read.contains(name)) continue;
    doubles += constant.type == DataType::kDouble;
    halves += constant.type == DataType::kFloat16 || constant.type == DataType::kBFloat16;
  }
  if (doubles > 0) {
    findings.push_back(Weights("float64-weights", "float64", doubles,
                               "The engine computes in float32: answers differ from those in float64 by rounding."));
  }
  if (halves > 0) {
    findings.push_back(Weights("float16-weights", "16-bit floats", halves,
                               "The engine computes in float32: they take twice the memory of the file, and answers "
                               "differ by rounding from those of a 16-bit engine."));
  }
  return findings;
}

}  // namespace halfwave
