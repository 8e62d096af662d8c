#include "model/analysis/profile.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

constexpr int64_t kBatchRows = 32;

// The values of one unit on one row.
struct Extent {
  float least = std::numeric_limits<float>::infinity();
  float most = -std::numeric_limits<float>::infinity();
  double sum = 0;
};

// Gathers one layer.
class LayerRecorder {
 public:
  LayerRecorder(const ActivationLayer& layer, int64_t rows)
      : rows_(rows), drawn_(std::min(rows, Profile::kQuantileRows)), extents_(layer.units) {
    profile_.layer = layer;
    profile_.active.assign(layer.units, 0);
    profile_.least.assign(layer.units, std::numeric_limits<float>::infinity());
    profile_.most.assign(layer.units, -std::numeric_limits<float>::infinity());
    profile_.mean.assign(layer.units, 0);
    largest_.resize(layer.units * drawn_);
  }

  // `first`: the place of the first of these rows among all.
  void Add(const PreActivations& values, int64_t first) {
    for (int64_t row = 0; row < values.rows; ++row) {
      Measure(values.layout, values.values + row * values.layout.elements());
      // Row i is drawn if it is the first at or behind a multiple of rows / drawn.
      const int64_t number = first + row, draw = (number * drawn_ + rows_ - 1) / rows_;
      const bool drawn = draw < drawn_ && draw * rows_ / drawn_ == number;
      for (size_t unit = 0; unit < extents_.size(); ++unit) {
        const Extent& extent = extents_[unit];
        profile_.active[unit] += extent.most > 0 ? 1 : 0;
        profile_.least[unit] = std::min(profile_.least[unit], extent.least);
        profile_.most[unit] = std::max(profile_.most[unit], extent.most);
        profile_.mean[unit] += extent.sum;
        if (drawn) largest_[unit * drawn_ + draw] = extent.most;
      }
    }
  }

  // [units, drawn]: of each row that was drawn, in order, the largest pre-activation of each unit.
  const std::vector<float>& responses() const { return largest_; }

  LayerProfile Finish() && {
    const int64_t of_unit = profile_.layer.elements / std::max<int64_t>(profile_.layer.units, 1);
    for (size_t unit = 0; unit < extents_.size(); ++unit) {
      profile_.mean[unit] /= static_cast<double>(rows_ * of_unit);
      const auto begin = largest_.begin() + static_cast<int64_t>(unit) * drawn_;
      std::sort(begin, begin + drawn_);
      auto& quantiles = profile_.quantiles.emplace_back();
      for (size_t i = 0; i < kQuantileLevels.size(); ++i) {
        quantiles[i] = begin[static_cast<int64_t>(kQuantileLevels[i] * static_cast<double>(drawn_ - 1) + 0.5)];
      }
    }
    return std::move(profile_);
  }

 private:
  void Measure(const RowLayout& layout, const float* row) {
    std::fill(extents_.begin(), extents_.end(), Extent());
    const int64_t along_unit = layout.channels_last ? layout.channels : 1;
    const int64_t between_units = layout.channels_last ? 1 : layout.positions;
    for (int64_t image = 0; image < layout.images; ++image, row += layout.channels * layout.positions) {
      for (int64_t unit = 0; unit < layout.channels; ++unit) {
        Extent& extent = extents_[unit];
        for (int64_t position = 0; position < layout.positions; ++position) {
          const float value = row[unit * between_units + position * along_unit];
          extent.least = std::min(extent.least, value);
          extent.most = std::max(extent.most, value);
          extent.sum += value;
        }
      }
    }
  }

  const int64_t rows_, drawn_;
  LayerProfile profile_;
  std::vector<Extent> extents_;  // of the present row, per unit
  std::vector<float> largest_;   // [units, drawn]
};

void AddInput(std::span<const float> row, Profile& profile) {
  for (size_t i = 0; i < row.size(); ++i) {
    profile.input_least[i] = std::min(profile.input_least[i], row[i]);
    profile.input_most[i] = std::max(profile.input_most[i], row[i]);
  }
}

}  // namespace

Reference Profile::reference() const {
  Reference reference;
  reference.samples = static_cast<uint64_t>(rows);
  for (const LayerProfile& layer : layers) reference.active.push_back(layer.active);
  return reference;
}

RecordedRows RecordRows(const std::shared_ptr<const Model>& model, const Rows& rows,
                        const std::function<void(const BatchOfRows&)>& after_batch) {
  RecordedRows recorded;
  Profile& profile = recorded.profile;
  profile.rows = rows.count;
  const int64_t elements = RowElements(model->inputs()[0].shape);
  const size_t scores = model->scores_output();
  const int64_t classes = RowElements(model->outputs()[scores].shape);
  profile.input_least.assign(elements, std::numeric_limits<float>::infinity());
  profile.input_most.assign(elements, -std::numeric_limits<float>::infinity());
  profile.answers = AnswerCounts(classes, model->gives_probabilities());
  std::vector<LayerRecorder> recorders;
  for (const ActivationLayer& layer : model->activations()) recorders.emplace_back(layer, rows.count);
  Session session(model, kBatchRows);
  int64_t first = 0;
  session.set_before_activation(
      [&](const PreActivations& values) { recorders[values.layer].Add(values, first + values.first); });
  for (; first < rows.count; first += kBatchRows) {
    const int64_t count = std::min(kBatchRows, rows.count - first);
    const auto batch = std::span(rows.values).subspan(first * elements, count * elements);
    std::copy(batch.begin(), batch.end(), session.input(0).begin());
    session.Run(count);
    const std::span<const float> answers = session.output(scores, count);
    for (int64_t row = 0; row < count; ++row) {
      AddInput(batch.subspan(row * elements, elements), profile);
      profile.answers.Add(answers.subspan(row * classes, classes));
    }
    if (after_batch) after_batch({first, count, answers, session.activity()});
  }
  for (LayerRecorder& recorder : recorders) {
    recorded.responses.push_back(recorder.responses());
    profile.layers.push_back(std::move(recorder).Finish());
  }
  return recorded;
}

absl::StatusOr<Profile> RecordProfile(const std::filesystem::path& file, const std::string& data,
                                      const ProfileOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel onnx, ReadOnnxFile(file, options.reader));
  ModelOptions model_options = options.model;
  model_options.keep_pre_activations = true;
  HALFWAVE_ASSIGN_OR_RETURN(const auto model, Model::Create(std::move(onnx.graph), model_options));
  HALFWAVE_ASSIGN_OR_RETURN(Table table, ReadTable(data));
  const absl::StatusOr<Rows> rows = RowsFor(*model, std::move(table), options.scale);
  if (!rows.ok()) return absl::Status(rows.status().code(), absl::StrCat(data, ": ", rows.status().message()));
  Profile profile = RecordRows(model, *rows, [&](const BatchOfRows& batch) {
                      if (options.progress) options.progress(batch.Done(rows->count));
                    }).profile;
  profile.sha256 = onnx.sha256.get();
  return profile;
}

absl::Status CheckProfileFits(const Profile& profile, const Model& model, const std::vector<ActivationLayer>& layers,
                              const std::string& sha256) {
  if (profile.sha256 != sha256) {
    return absl::FailedPreconditionError(absl::StrCat("the profile was recorded of the model with SHA-256 ",
                                                      profile.sha256, ", this one has ", sha256,
                                                      "; record it again with halfwave-model profile"));
  }
  const auto classes = static_cast<size_t>(RowElements(model.outputs()[model.scores_output()].shape));
  if (profile.answers.predicted.size() != classes) {
    return absl::FailedPreconditionError(absl::StrCat("the profile does not fit the model: expected predictions of ",
                                                      classes, " classes, found ", profile.answers.predicted.size(),
                                                      "; record it again with halfwave-model profile"));
  }
  const auto describe = [](const ActivationLayer& layer) {
    return absl::StrCat(layer.op, " '", layer.name, "' with ", layer.units, " units");
  };
  for (size_t i = 0; i < std::max(layers.size(), profile.layers.size()); ++i) {
    const std::string expected = i < layers.size() ? describe(layers[i]) : "no such layer";
    const std::string found = i < profile.layers.size() ? describe(profile.layers[i].layer) : "no such layer";
    if (expected == found) continue;
    return absl::FailedPreconditionError(absl::StrCat("the profile does not fit the model: of activation ", i,
                                                      " expected ", expected, ", found ", found,
                                                      "; record it again with halfwave-model profile"));
  }
  return absl::OkStatus();
}

}  // namespace halfwave
