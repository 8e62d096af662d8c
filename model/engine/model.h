// A network ready to serve.
//
//   HALFWAVE_ASSIGN_OR_RETURN(OnnxModel file, ReadOnnxFile("digits_cnn.onnx"));
//   HALFWAVE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, Model::Create(std::move(file.graph), {}));
//   Session session(model, /*max_rows=*/32);
//   std::copy_n(pixels, 64 * rows, session.input(0).begin());
//   session.Run(rows);
//   std::span<const float> probabilities = session.output(0, rows);
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/engine/layer_summary.h"
#include "model/engine/metadata.h"
#include "model/engine/plan.h"
#include "model/graph/node_context.h"
#include "model/layers/packed_dense.h"

namespace halfwave {

struct ModelOptions {
  // Give a model that ends in logits one more output, "probabilities", in front of the others: the softmax of its
  // first output. No effect on a model that already ends in a softmax, its logarithm or a sigmoid.
  bool add_softmax = false;
  // Rewrite the graph into one that computes the same with less work; for tests to compare with what it was.
  bool rewrite = true;
  // Refuse a model whose single row takes more steps, multiply-adds above all.
  double max_steps_per_row = 2e10;
  // How dense layers and convolutions keep their weights; in half precision for every batch, and only if the outputs
  // stay what they are in single precision, up to kMaxShareMoved (proof.h). Depthwise convolutions, whose weights are
  // few, keep floats.
  WeightFormat weights = WeightFormat::kFloat;
  // Compute every activation as a step of its own, so that a session can show what enters it. The same bits, slower.
  bool keep_pre_activations = false;
};

// Immutable and thread-safe; shared by the sessions that run it.
class Model {
 public:
  // Prepares a sorted graph, and lets it prove itself: its self-test, if the metadata hold one, must come out, and a
  // batch made free (see batch()) must compute rows as they come out alone. INVALID_ARGUMENT, UNIMPLEMENTED (naming
  // the node) or FAILED_PRECONDITION (the proof failed, or the weights do not fit the format) say why not.
  static absl::StatusOr<std::shared_ptr<const Model>> Create(Graph graph, const ModelOptions& options);

  // Names and shapes; dimension 0 is kBatch.
  const std::vector<GraphValue>& inputs() const { return inputs_; }
  const std::vector<GraphValue>& outputs() const { return outputs_; }
  const std::vector<ActivationLayer>& activations() const { return plan_.activations; }

  const ModelMetadata& metadata() const { return metadata_; }
  // The file's metadata as they are, and in "halfwave.head" and "halfwave.batch" what head() and batch() say.
  const std::map<std::string, std::string>& properties() const { return properties_; }
  // The output that holds the scores of the classes: the first of floats.
  size_t scores_output() const { return scores_; }
  // What it holds: "softmax", "softmax (added)", "log-softmax", "sigmoid" or "logits"; "label + " in front if another
  // output says the class.
  const std::string& head() const { return head_; }
  // Whether the scores are probabilities that sum to one.
  bool gives_probabilities() const {
    return head_.find("softmax") != std::string::npos && head_.find("log-softmax") == std::string::npos;
  }
  // "free", "made free" for a file exported with a fixed batch, or "row by row" where the file does not keep the rows
  // of a batch apart: then each row is computed as a batch of its own.
  const std::string& batch() const { return batch_; }

  const Plan& plan() const { return plan_; }
  // For a reader: the nodes that are left of the file's graph, in order, and what was done to the others.
  const std::vector<LayerSummary>& layers() const { return layers_; }
  const std::vector<Rewrite>& rewrites() const { return rewrites_; }

 private:
  Model() = default;
  // Without proof.
  static absl::StatusOr<std::shared_ptr<const Model>> Make(Graph graph, const ModelOptions& options);
  absl::Status Prepare(Graph graph, const ModelOptions& options);
  absl::Status FindHead(Graph& graph, const TypeMap& types, const ModelOptions& options);
  void DescribeInterface(const Graph& graph, const TypeMap& types);

  std::vector<GraphValue> inputs_;
  std::vector<GraphValue> outputs_;
  std::map<std::string, std::string> properties_;
  ModelMetadata metadata_;
  std::string head_;
  size_t scores_ = 0;
  std::string batch_;
  Plan plan_;
  std::vector<LayerSummary> layers_;
  std::vector<Rewrite> rewrites_;
};

}  // namespace halfwave
