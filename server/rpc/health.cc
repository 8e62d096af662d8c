#include "server/rpc/health.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace halfwave {
namespace {

void Describe(const ActivitySnapshot& activity, const LayerHealth& health, v1::LayerHealth& layer) {
  layer.set_name(health.layer.name);
  layer.set_activation(health.layer.op);
  layer.set_family(ToProto(health.layer.family));
  layer.set_units(health.layer.units);
  layer.set_window_samples_seen(activity.window_samples);
  layer.set_window_full(activity.window_full);
  layer.set_silent_units(health.silent_units);
  layer.set_always_on_units(health.always_on_units);
  layer.set_sparsity(health.sparsity);
  layer.set_activity(health.activity);
  layer.set_saturated(health.saturated);
  layer.set_silent_activity_bound(SilentActivityBound(activity));
  layer.set_feature_maps(health.layer.feature_maps);
  layer.set_woke_up(health.woke_up);
  layer.set_went_silent_units(health.went_silent_units);
  layer.set_not_watched_units(health.not_watched_units);
  layer.set_drift_psi(health.drift.psi);
  layer.set_drift_psi_noise(health.drift.psi_noise);
  layer.set_drift_js(health.drift.js);
}

void DescribeUnits(const ActivitySnapshot& activity, size_t index, v1::LayerHealth& layer) {
  const LayerSnapshot& counts = activity.layers[index];
  for (size_t unit = 0; unit < counts.window_active.size(); ++unit) {
    v1::UnitHealth* out = layer.add_unit_health();
    out->set_state(ToProto(StateOf(activity, index, unit)));
    out->set_window_active(counts.window_active[unit]);
    out->set_lifetime_active(counts.lifetime_active[unit]);
    out->set_samples_since_active(counts.samples_since_active[unit]);
    out->set_woke_up(counts.unit_woke_up[unit]);
    if (activity.reference == nullptr) continue;
    out->set_reference_active(activity.reference->counts.active[index][unit]);
    out->set_watched(activity.reference->watched[index][unit] != 0);
  }
}

void DescribeAnswers(const AnswerSnapshot& answers, v1::GetHealthResponse& response) {
  if (answers.reference == nullptr) return;
  v1::AnswerDrift& out = *response.mutable_answer_drift();
  const Drift classes = ShareDrift(answers.window.predicted, answers.reference->predicted);
  out.set_classes_psi(classes.psi);
  out.set_classes_psi_noise(classes.psi_noise);
  out.set_classes_js(classes.js);
  const Drift confidence = ShareDrift(answers.window.confidence, answers.reference->confidence);
  out.set_confidence_psi(confidence.psi);
  out.set_confidence_psi_noise(confidence.psi_noise);
  out.set_confidence_js(confidence.js);
}

absl::Status CheckNames(const std::vector<std::string>& names, const std::vector<ActivationLayer>& layers) {
  for (const std::string& name : names) {
    const bool known = name == "*" || std::any_of(layers.begin(), layers.end(),
                                                  [&](const ActivationLayer& layer) { return layer.name == name; });
    if (known) continue;
    const auto append = [](std::string* out, const ActivationLayer& layer) { out->append(layer.name); };
    return absl::NotFoundError(
        absl::StrCat("no activation layer '", name, "'; the model has ", absl::StrJoin(layers, ", ", append)));
  }
  return absl::OkStatus();
}

}  // namespace

v1::LayerHealth::Family ToProto(ActivationFamily family) {
  switch (family) {
    case ActivationFamily::kRectifier:
      return v1::LayerHealth::RECTIFIER;
    case ActivationFamily::kLeaky:
      return v1::LayerHealth::LEAKY;
    case ActivationFamily::kSaturating:
      return v1::LayerHealth::SATURATING;
  }
  return v1::LayerHealth::FAMILY_UNSPECIFIED;
}

v1::UnitHealth::State ToProto(UnitState state) {
  switch (state) {
    case UnitState::kNotYetKnown:
      return v1::UnitHealth::NOT_YET_KNOWN;
    case UnitState::kActive:
      return v1::UnitHealth::ACTIVE;
    case UnitState::kAlwaysOn:
      return v1::UnitHealth::ALWAYS_ON;
    case UnitState::kSilent:
      return v1::UnitHealth::SILENT;
    case UnitState::kWentSilent:
      return v1::UnitHealth::WENT_SILENT;
  }
  return v1::UnitHealth::NOT_YET_KNOWN;
}

absl::StatusOr<v1::GetHealthResponse> DescribeHealth(const ModelVersion& model,
                                                     const std::vector<std::string>& unit_layers) {
  if (absl::Status status = CheckNames(unit_layers, model.activations()); !status.ok()) return status;
  const ActivitySnapshot activity = model.Activity();
  v1::GetHealthResponse response;
  response.set_model_name(model.name());
  response.set_model_version(model.version());
  response.set_window_samples(activity.window_size);
  response.set_samples_seen(activity.samples);
  response.set_samples_not_counted(activity.samples_not_counted);
  if (activity.reference != nullptr) response.set_reference_samples(activity.reference->counts.samples);
  response.set_samples_outside_domain(model.RowsOutsideDomain());
  DescribeAnswers(model.Answers(), response);
  const std::vector<LayerHealth> health = Summarize(activity);
  for (size_t i = 0; i < health.size(); ++i) {
    v1::LayerHealth* layer = response.add_layers();
    Describe(activity, health[i], *layer);
    const bool wanted = std::any_of(unit_layers.begin(), unit_layers.end(), [&](const std::string& name) {
      return name == "*" || name == health[i].layer.name;
    });
    if (wanted) DescribeUnits(activity, i, *layer);
  }
  return response;
}

}  // namespace halfwave
