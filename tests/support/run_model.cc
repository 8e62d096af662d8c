#include "tests/support/run_model.h"

#include <algorithm>

#include "model/base/status_macros.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"

namespace halfwave {

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& bytes, const ModelOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel file, ParseOnnx(bytes));
  return Model::Create(std::move(file.graph), options);
}

std::vector<std::vector<float>> RunModel(const std::shared_ptr<const Model>& model,
                                         const std::vector<std::vector<float>>& inputs) {
  const int64_t rows = static_cast<int64_t>(inputs[0].size()) / RowElements(model->inputs()[0].shape);
  Session session(model, rows);
  for (size_t i = 0; i < inputs.size(); ++i) std::copy(inputs[i].begin(), inputs[i].end(), session.input(i).begin());
  session.Run(rows);
  std::vector<std::vector<float>> outputs;
  for (size_t i = 0; i < model->outputs().size(); ++i) {
    const auto values = session.output(i, rows);
    outputs.emplace_back(values.begin(), values.end());
  }
  return outputs;
}

}  // namespace halfwave
