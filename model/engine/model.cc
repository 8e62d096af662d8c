#include "model/engine/model.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/lowering.h"
#include "model/engine/proof.h"
#include "model/graph/drop_no_ops.h"
#include "model/graph/fold_constants.h"
#include "model/graph/free_batch.h"
#include "model/graph/shape_inference.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxRowBytes = int64_t{1} << 30;

using Producers = std::unordered_map<std::string, const Node*>;

Producers FindProducers(const Graph& graph) {
  Producers producers;
  for (const Node& node : graph.nodes) {
    for (const std::string& output : node.outputs) producers.emplace(output, &node);
  }
  return producers;
}

// What the value is, seen through nodes that only pass it on.
std::string HeadOf(const Graph& graph, const std::string& value) {
  const Producers producers = FindProducers(graph);
  for (auto found = producers.find(value); found != producers.end();) {
    const Node& node = *found->second;
    if (node.op == "Softmax") return "softmax";
    if (node.op == "LogSoftmax") return "log-softmax";
    if (node.op == "Sigmoid") return "sigmoid";
    constexpr std::string_view kPassesOn[] = {"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
    const bool passes_on = std::find(std::begin(kPassesOn), std::end(kPassesOn), node.op) != std::end(kPassesOn);
    if (!passes_on || node.inputs.empty()) break;
    found = producers.find(node.inputs[0]);
  }
  return "logits";
}

absl::Status AppendSoftmax(Graph& graph) {
  constexpr const char* kName = "probabilities";
  const bool taken = FindProducers(graph).contains(kName) || graph.constants.contains(kName) ||
                     std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                 [](const GraphValue& input) { return input.name == kName; });
  if (taken) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot add a softmax: the model already has a value '", kName, "'"));
  }
  Node softmax;
  softmax.name = kName;
  softmax.op = "Softmax";
  softmax.inputs = {graph.outputs[0].name};
  softmax.outputs = {kName};
  softmax.attributes["axis"] = int64_t{1};  // the classes, also of maps with one position
  graph.nodes.push_back(std::move(softmax));
  graph.outputs.insert(graph.outputs.begin(), GraphValue{kName, {}, DataType::kFloat});
  return absl::OkStatus();
}

// A layer is known by its name, in metrics above all; a file may give one name to several nodes, or a whole page.
void MakeNamesUnique(std::vector<ActivationLayer>& layers) {
  constexpr size_t kMaxName = 128;
  std::unordered_set<std::string> taken;
  for (ActivationLayer& layer : layers) {
    const std::string name = layer.name.substr(0, kMaxName);
    layer.name = name;
    for (int i = 2; !taken.insert(layer.name).second; ++i) layer.name = absl::StrCat(name, "_", i);
  }
}

absl::Status CheckImage(const ModelMetadata& metadata, const GraphValue& input) {
  if (!metadata.image) return absl::OkStatus();
  const ImageInput& image = *metadata.image;
  if (image.width * image.height * image.channels == RowElements(input.shape)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("metadata 'halfwave.input' describes pictures of ", image.width, "x",
                                                 image.height, " with ", image.channels, " channels, but input '",
                                                 input.name, "' is of shape ", ShapeToString(input.shape)));
}

absl::Status CheckLabels(const ModelMetadata& metadata, const GraphValue& output) {
  const int64_t classes = RowElements(output.shape);
  if (metadata.labels.empty() || static_cast<int64_t>(metadata.labels.size()) == classes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("metadata 'halfwave.labels' names ", metadata.labels.size(),
                                                 " classes, but output '", output.name, "' has ", classes));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> Model::Create(Graph graph, const ModelOptions& options) {
  std::shared_ptr<Model> model(new Model());
  HALFWAVE_RETURN_IF_ERROR(model->Prepare(std::move(graph), options));
  HALFWAVE_RETURN_IF_ERROR(ProveSelfTest(model));
  if (model->batch_ != "free") HALFWAVE_RETURN_IF_ERROR(ProveRowsAreIndependent(model));
  return model;
}

absl::Status Model::Prepare(Graph graph, const ModelOptions& options) {
  properties_ = graph.metadata;
  HALFWAVE_ASSIGN_OR_RETURN(metadata_, ParseMetadata(graph.metadata));
  HALFWAVE_ASSIGN_OR_RETURN(const bool was_fixed, FreeBatch(graph));
  batch_ = was_fixed ? "made free" : "free";
  FoldConstants(graph);
  DropNoOps(graph);
  head_ = HeadOf(graph, graph.outputs[0].name);
  if (options.add_softmax && head_ == "logits") {
    HALFWAVE_RETURN_IF_ERROR(AppendSoftmax(graph));
    head_ = "softmax (added)";
  }
  properties_["halfwave.head"] = head_;
  properties_["halfwave.batch"] = batch_;
  HALFWAVE_ASSIGN_OR_RETURN(const ShapeMap shapes, InferShapes(graph));
  for (GraphValue& output : graph.outputs) output.shape = shapes.at(output.name);
  inputs_ = graph.inputs;
  outputs_ = graph.outputs;
  HALFWAVE_RETURN_IF_ERROR(CheckLabels(metadata_, outputs_[0]));
  HALFWAVE_RETURN_IF_ERROR(CheckImage(metadata_, inputs_[0]));
  HALFWAVE_ASSIGN_OR_RETURN(plan_, Lower(graph, shapes));
  MakeNamesUnique(plan_.activations);
  if (plan_.elements_per_row > kMaxRowBytes / static_cast<int64_t>(sizeof(float))) {
    return absl::ResourceExhaustedError(absl::StrCat("one row would need ", plan_.elements_per_row * sizeof(float),
                                                     " bytes of memory, at most ", kMaxRowBytes, " are given"));
  }
  return absl::OkStatus();
}

}  // namespace halfwave
