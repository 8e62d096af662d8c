#include "model/engine/model.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/engine/heads.h"
#include "model/engine/lowering.h"
#include "model/engine/proof.h"
#include "model/graph/drop_dead_branches.h"
#include "model/graph/drop_no_ops.h"
#include "model/graph/fold_constants.h"
#include "model/graph/free_batch.h"
#include "model/graph/rewrite.h"
#include "model/graph/shape_inference.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxRowBytes = int64_t{1} << 28;

bool IsTaken(const Graph& graph, const std::string& name) {
  const auto is_it = [&](const GraphValue& value) { return value.name == name; };
  return graph.constants.contains(name) || std::any_of(graph.inputs.begin(), graph.inputs.end(), is_it) ||
         std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
           return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
         });
}

// Another output in front: the softmax over the classes, also of maps with one position.
absl::Status AppendSoftmax(Graph& graph, const std::string& scores, size_t rank) {
  constexpr const char* kName = "probabilities";
  if (IsTaken(graph, kName)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot add a softmax: the model already has a value '", kName, "'"));
  }
  Node softmax;
  softmax.name = kName;
  softmax.op = "Softmax";
  softmax.inputs = {scores};
  softmax.outputs = {kName};
  softmax.attributes["axis"] = int64_t{rank > 1 ? 1 : 0};
  graph.nodes.push_back(std::move(softmax));
  graph.outputs.insert(graph.outputs.begin(), GraphValue{kName, {}});
  return absl::OkStatus();
}

// Whether every output is a batch of rows, or the same whatever the batch.
bool OutputsAreRows(const Graph& graph, const Known& known) {
  return std::all_of(graph.outputs.begin(), graph.outputs.end(), [&](const GraphValue& output) {
    const auto type = known.types.find(output.name);
    return type == known.types.end() || !BatchAxis(type->second.shape) || type->second.shape[0] == kBatch;
  });
}

// Computes what is known at load. What the batch is, the file's nodes decide: if they do not keep its rows apart, the
// file is taken by its word and each row is a batch of its own.
absl::StatusOr<std::string> FoldAndFindBatch(Graph& graph) {
  const bool opened = OpenBatch(graph);
  absl::StatusOr<Known> known = FindConstants(graph);
  std::string batch = opened ? "made free" : "free";
  if (!known.ok() || !OutputsAreRows(graph, *known)) {
    CloseBatch(graph);
    known = FindConstants(graph);
    batch = "row by row";
  }
  HALFWAVE_RETURN_IF_ERROR(known.status());
  FoldConstants(graph, std::move(known->constants));
  return batch;
}

// A node whose first output nobody wants has a name for it all the same: everything else is found by it.
void NameFirstOutputs(Graph& graph) {
  FreshNames names(graph);
  for (Node& node : graph.nodes) {
    if (!node.outputs.empty() && node.outputs[0].empty()) node.outputs[0] = names.Like(node.name);
  }
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
  // Whatever its weights become, the file itself has to come out.
  const bool rounds = options.weights != WeightFormat::kFloat;
  ModelOptions exact_options = options;
  exact_options.weights = WeightFormat::kFloat;
  HALFWAVE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> exact, Make(rounds ? graph : std::move(graph), exact_options));
  HALFWAVE_RETURN_IF_ERROR(ProveSelfTest(exact));
  if (exact->batch_ != "free") HALFWAVE_RETURN_IF_ERROR(ProveRowsAreIndependent(exact));
  if (!rounds) return exact;
  HALFWAVE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> rounded, Make(std::move(graph), options));
  HALFWAVE_RETURN_IF_ERROR(ProveRounding(exact, rounded));
  return rounded;
}

absl::StatusOr<std::shared_ptr<const Model>> Model::Make(Graph graph, const ModelOptions& options) {
  std::shared_ptr<Model> model(new Model());
  HALFWAVE_RETURN_IF_ERROR(model->Prepare(std::move(graph), options));
  return model;
}

absl::Status Model::Prepare(Graph graph, const ModelOptions& options) {
  properties_ = graph.metadata;
  HALFWAVE_ASSIGN_OR_RETURN(metadata_, ParseMetadata(graph.metadata));
  NameFirstOutputs(graph);
  DropDeadBranches(graph);
  DropNoOps(graph);
  HALFWAVE_ASSIGN_OR_RETURN(batch_, FoldAndFindBatch(graph));
  if (options.rewrite) RewriteGraph(graph);
  HALFWAVE_ASSIGN_OR_RETURN(TypeMap types, InferShapes(graph, options.max_steps_per_row));
  HALFWAVE_RETURN_IF_ERROR(FindHead(graph, types, options));
  HALFWAVE_ASSIGN_OR_RETURN(types, InferShapes(graph, options.max_steps_per_row));
  HALFWAVE_ASSIGN_OR_RETURN(plan_, Lower(graph, types, {options.weights, !options.keep_pre_activations}));
  DescribeInterface(graph, types);
  layers_ = SummarizeLayers(graph, types);
  rewrites_ = std::move(graph.rewrites);
  HALFWAVE_RETURN_IF_ERROR(CheckLabels(metadata_, outputs_[scores_]));
  HALFWAVE_RETURN_IF_ERROR(CheckImage(metadata_, inputs_[0]));
  MakeNamesUnique(plan_.activations);
  if (plan_.elements_per_row > kMaxRowBytes / static_cast<int64_t>(sizeof(float))) {
    return absl::ResourceExhaustedError(absl::StrCat("one row would need ", plan_.elements_per_row * sizeof(float),
                                                     " bytes of memory, at most ", kMaxRowBytes, " are given"));
  }
  return absl::OkStatus();
}

absl::Status Model::FindHead(Graph& graph, const TypeMap& types, const ModelOptions& options) {
  Head head = FindHeads(graph, types);
  scores_ = head.scores;
  const auto scores_type = types.find(graph.outputs[scores_].name);
  const int64_t classes = scores_type == types.end() ? 0 : RowElements(scores_type->second.shape);
  if (metadata_.labels.empty() && !head.labels.empty() && static_cast<int64_t>(head.labels.size()) == classes) {
    metadata_.labels = head.labels;
    properties_["halfwave.labels"] = LabelsToJson(head.labels);
  }
  if (options.add_softmax && head.name == "logits") {
    const std::string scores = graph.outputs[scores_].name;
    if (scores_type != types.end()) {
      HALFWAVE_RETURN_IF_ERROR(AppendSoftmax(graph, scores, scores_type->second.shape.size()));
      head.name = "softmax (added)";
      scores_ = 0;
    }
  }
  head_ = head.name;
  properties_["halfwave.head"] = head_;
  properties_["halfwave.batch"] = batch_;
  return absl::OkStatus();
}

void Model::DescribeInterface(const Graph& graph, const TypeMap& types) {
  inputs_ = graph.inputs;
  for (GraphValue& input : inputs_) input.shape = ShapeWithBatch(input.shape);
  outputs_ = graph.outputs;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const auto computed = types.find(outputs_[i].name);
    const auto constant = graph.constants.find(outputs_[i].name);
    outputs_[i].type = computed != types.end() ? computed->second.type : constant->second.type;
    outputs_[i].shape = ShapeWithBatch(computed != types.end() ? computed->second.shape : constant->second.shape);
    outputs_[i].labels = plan_.output_strings[i];
  }
}

}  // namespace halfwave
