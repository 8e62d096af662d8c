#include "model/analysis/doctor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/inspection.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

absl::Status In(const std::string& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

// The right class of each row; nothing if nobody says.
absl::StatusOr<std::vector<int64_t>> RightClasses(const Model& model, const Rows& rows, const std::string& data,
                                                  const std::string& file) {
  std::vector<std::string> labels = rows.answers;
  if (!file.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(const Table table, ReadTable(file));
    labels = LabelsOf(table);
    if (static_cast<int64_t>(labels.size()) != rows.count) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": expected a label for each of the ", rows.count,
                                                     " rows of ", data, ", found ", labels.size()));
    }
  }
  const int64_t scores = RowElements(model.outputs()[model.scores_output()].shape);
  auto classes = ClassesFrom(labels, model.metadata().labels, std::max<int64_t>(scores, 2));
  if (!classes.ok()) return In(file.empty() ? data : file, classes.status());
  return classes;
}

std::vector<int64_t> AlwaysOn(const LayerProfile& layer) {
  std::vector<int64_t> units;
  for (size_t unit = 0; unit < layer.least.size(); ++unit) {
    if (layer.least[unit] > 0) units.push_back(static_cast<int64_t>(unit));
  }
  return units;
}

std::vector<int64_t> Silent(const LayerProfile& layer) {
  std::vector<int64_t> units;
  for (size_t unit = 0; unit < layer.active.size(); ++unit) {
    if (layer.active[unit] == 0) units.push_back(static_cast<int64_t>(unit));
  }
  return units;
}

// Shares of all outputs of each layer.
struct OutputCounts {
  std::vector<uint64_t> zeros, saturated;

  void Add(const BatchActivity& activity) {
    zeros.resize(activity.layers.size());
    saturated.resize(activity.layers.size());
    for (size_t i = 0; i < activity.layers.size(); ++i) {
      zeros[i] += activity.layers[i].zeros;
      saturated[i] += activity.layers[i].saturated;
    }
  }
};

LayerDiagnosis DiagnoseLayer(LayerProfile profile, const std::vector<float>& responses, int64_t rows) {
  LayerDiagnosis layer;
  layer.silent = Silent(profile);
  layer.always_on = AlwaysOn(profile);
  layer.duplicates = FindDuplicateUnits(responses, profile.layer.units);
  uint64_t active = 0;
  for (const uint64_t count : profile.active) active += count;
  layer.activity = static_cast<double>(active) / static_cast<double>(rows * std::max<int64_t>(profile.layer.units, 1));
  layer.profile = std::move(profile);
  return layer;
}

}  // namespace

int64_t Diagnosis::units(ActivationFamily family) const {
  int64_t sum = 0;
  for (const LayerDiagnosis& layer : layers)
    sum += layer.profile.layer.family == family ? layer.profile.layer.units : 0;
  return sum;
}

double Diagnosis::SilentShare(ActivationFamily family) const {
  double silent = 0;
  for (const LayerDiagnosis& layer : layers) {
    if (layer.profile.layer.family == family) silent += static_cast<double>(layer.silent.size());
  }
  const auto all = static_cast<double>(units(family));
  return all == 0 ? 0 : silent / all;
}

absl::StatusOr<Diagnosis> Diagnose(const std::filesystem::path& file, const std::string& data,
                                   const DoctorOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel onnx, ReadOnnxFile(file, options.reader));
  ModelOptions model_options = options.model;
  model_options.keep_pre_activations = true;
  HALFWAVE_ASSIGN_OR_RETURN(const auto model, Model::Create(onnx.graph, model_options));
  HALFWAVE_ASSIGN_OR_RETURN(Table table, ReadTable(data));
  const absl::StatusOr<Rows> rows = RowsFor(*model, std::move(table), options.scale);
  if (!rows.ok()) return In(data, rows.status());
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> right, RightClasses(*model, *rows, data, options.labels));

  Diagnosis diagnosis;
  diagnosis.head = model->head();
  diagnosis.classes = model->metadata().labels;
  diagnosis.rows = rows->count;
  diagnosis.window = options.window;
  const int64_t classes = RowElements(model->outputs()[model->scores_output()].shape);
  diagnosis.probabilities = model->gives_probabilities() || (classes == 1 && model->head() == "sigmoid");
  if (!right.empty()) diagnosis.judgement.emplace(classes);
  constexpr double kShareOfRows = 0.7;  // of the work; the rest is gradients
  OutputCounts outputs;
  RecordedRows recorded = RecordRows(model, *rows, [&](const BatchOfRows& batch) {
    outputs.Add(batch.activity);
    for (int64_t row = 0; diagnosis.judgement && row < batch.count; ++row) {
      diagnosis.judgement->Add(batch.scores.subspan(row * classes, classes), right[batch.first + row],
                               diagnosis.probabilities);
    }
    if (options.progress) options.progress(kShareOfRows * batch.Done(rows->count));
  });
  diagnosis.predicted = std::move(recorded.profile.answers.predicted);
  for (size_t i = 0; i < recorded.profile.layers.size(); ++i) {
    LayerDiagnosis& layer = diagnosis.layers.emplace_back(
        DiagnoseLayer(std::move(recorded.profile.layers[i]), recorded.responses[i], rows->count));
    const auto all = static_cast<double>(rows->count * layer.profile.layer.elements);
    layer.sparsity = static_cast<double>(outputs.zeros[i]) / all;
    layer.saturated = static_cast<double>(outputs.saturated[i]) / all;
  }
  const absl::StatusOr<Gradients> gradients = MeasureGradients(onnx.graph, *model, *rows, [&](double done) {
    if (options.progress) options.progress(kShareOfRows + (1 - kShareOfRows) * done);
  });
  if (gradients.ok()) {
    diagnosis.gradient_rows = gradients->rows;
    for (size_t i = 0; i < diagnosis.layers.size(); ++i) diagnosis.layers[i].gradient = gradients->layers[i];
  } else {
    const auto why = gradients.status().message();
    diagnosis.without_gradients.assign(why.data(), why.size());
  }
  diagnosis.findings = FindInData(diagnosis);
  for (Finding& finding : FindProblems(onnx.graph)) diagnosis.findings.push_back(std::move(finding));
  diagnosis.sha256 = onnx.sha256.get();
  return diagnosis;
}

}  // namespace halfwave
