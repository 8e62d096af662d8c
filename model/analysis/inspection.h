// Everything that can be said of a model file without running it.
//
//   const Inspection inspection = Inspect("digits.onnx", {});
//   if (!inspection.status.ok()) ...  // it cannot be served; inspection.outline has what there is to tell
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/analysis/finding.h"
#include "model/engine/model.h"
#include "model/onnx/outline.h"

namespace halfwave {

struct Inspection {
  std::filesystem::path path;
  // Why the file cannot be served, as the server would say it. If it is not OK, only `outline` is filled, and not even
  // that if there is no such file or it is no ONNX model.
  absl::Status status;
  std::optional<OnnxOutline> outline;

  std::string sha256;
  int64_t file_bytes = 0;
  std::string producer;
  int64_t opset = 0;
  int64_t fixed_batch = 0;  // that the file was exported for; 0 if it is open
  std::shared_ptr<const Model> model;
  std::vector<LayerSummary> file_layers;  // as the file has them; model->layers() are those that run
  int64_t file_parameters = 0;            // numbers among the file's weights that its outputs depend on
  std::vector<Finding> findings;          // warnings first
};

struct InspectOptions {
  ReaderOptions reader;
  ModelOptions model;
};

Inspection Inspect(const std::filesystem::path& path, const InspectOptions& options);

// The findings alone, of a sorted graph as it was read; the graph is left as it was. None if its types cannot be
// inferred.
Findings FindProblems(Graph& graph);

}  // namespace halfwave
