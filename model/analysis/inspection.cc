#include "model/analysis/inspection.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/engine/evaluate.h"
#include "model/graph/free_batch.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

// The types of the file's graph, its batch taken as the file has it or, where that cannot be, as one row.
absl::StatusOr<Known> InferTypes(Graph& graph) {
  absl::StatusOr<Known> known = FindConstants(graph);
  if (known.ok()) return known;
  const std::vector<GraphValue> inputs = graph.inputs;
  CloseBatch(graph);
  known = FindConstants(graph);
  graph.inputs = inputs;
  return known;
}

Findings FindAll(const GraphView& view) {
  Findings all;
  for (const auto find :
       {FindMisplacedSoftmax, FindHeadProblems, FindConstantUnits, FindStructure, FindRiskyArithmetic, FindFormat}) {
    Findings found = find(view);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  return all;
}

int64_t FixedBatch(const Graph& graph) {
  if (graph.inputs.empty() || graph.inputs[0].shape.empty()) return 0;
  return std::max<int64_t>(0, graph.inputs[0].shape[0]);
}

// Of what an output depends on, nodes that are computed at load included.
int64_t CountParameters(const Graph& graph) {
  std::unordered_set<std::string> needed;
  for (const GraphValue& output : graph.outputs) needed.insert(output.name);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const std::string& output) { return needed.contains(output); });
    if (used) needed.insert(node->inputs.begin(), node->inputs.end());
  }
  int64_t parameters = 0;
  for (const auto& [name, constant] : graph.constants) {
    if (needed.contains(name)) parameters += static_cast<int64_t>(constant.floats.size());
  }
  return parameters;
}

void FindBatchProblems(const Inspection& inspection, Findings& findings) {
  if (inspection.model->batch() == "free") return;
  const bool freed = inspection.model->batch() == "made free";
  const std::string fixed = inspection.fixed_batch > 0
                                ? absl::StrCat("The file was exported for a batch of ", inspection.fixed_batch, ".")
                                : std::string("The file does not keep the rows of a batch apart.");
  findings.push_back(
      {"fixed-batch", freed ? Level::kNote : Level::kWarning, "", fixed,
       freed ? "It was made free at load, and that rows do not depend on each other was checked: nothing is lost here, "
               "but other servers would take such batches only."
             : "The batch could not be made free: rows are computed one at a time, which is slower.",
       "Export it with a batch that is open: in PyTorch dynamic_axes (or dynamic_shapes), in tf2onnx an input "
       "signature whose first dimension is None."});
}

// A normalisation that the rewriting could not fold.
void FindUnfoldedNormalizations(const Model& model, Findings& findings) {
  std::unordered_map<std::string, const LayerSummary*> producers;
  for (const LayerSummary& layer : model.layers()) {
    for (const std::string& output : layer.outputs) producers[output] = &layer;
    if (layer.op != "BatchNormalization" || layer.inputs.size() != 1) continue;
    const auto found = producers.find(layer.inputs[0]);
    const std::string before =
        found == producers.end() ? "the input" : absl::StrCat(found->second->op, " '", found->second->name, "'");
    findings.push_back(
        {"unfolded-batch-norm", Level::kNote, layer.name,
         absl::StrCat("BatchNormalization '", layer.name, "' stays a step of its own: it reads ", before,
                      ", not a convolution or dense layer that nothing else reads."),
         "Directly behind such a layer it would become part of the layer's weights and cost nothing.",
         "Where it makes no difference to you, put it between the layer and its activation, and train again."});
  }
}

void Describe(Graph& graph, Inspection& inspection) {
  inspection.producer = graph.producer;
  inspection.opset = graph.opset;
  inspection.fixed_batch = FixedBatch(graph);
  const absl::StatusOr<Known> known = InferTypes(graph);
  if (!known.ok()) return;
  const GraphView view(graph, *known);
  inspection.file_layers = SummarizeLayers(graph, known->types, &known->constants);
  inspection.file_parameters = CountParameters(graph);
  inspection.findings = FindAll(view);
}

}  // namespace

Findings FindProblems(Graph& graph) {
  const absl::StatusOr<Known> known = InferTypes(graph);
  return known.ok() ? FindAll(GraphView(graph, *known)) : Findings();
}

Inspection Inspect(const std::filesystem::path& path, const InspectOptions& options) {
  Inspection inspection;
  inspection.path = path;
  std::error_code error;
  inspection.file_bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) inspection.file_bytes = 0;
  absl::StatusOr<OnnxModel> file = ReadOnnxFile(path, options.reader);
  if (file.ok()) {
    Describe(file->graph, inspection);
    auto model = Model::Create(std::move(file->graph), options.model);
    if (model.ok()) inspection.model = *std::move(model);
    inspection.status = model.status();
    inspection.sha256 = file->sha256.get();
  } else {
    inspection.status = file.status();
  }
  if (!inspection.status.ok()) {
    if (auto outline = ReadOnnxOutline(path, options.reader); outline.ok()) inspection.outline = *std::move(outline);
    return inspection;
  }
  FindBatchProblems(inspection, inspection.findings);
  FindUnfoldedNormalizations(*inspection.model, inspection.findings);
  std::stable_sort(inspection.findings.begin(), inspection.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.level < b.level; });
  return inspection;
}

}  // namespace halfwave
