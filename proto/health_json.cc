#include "proto/health_json.h"

#include "absl/strings/ascii.h"
#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

using Json = nlohmann::ordered_json;

// Names may hold any bytes; those that are no UTF-8 become the replacement character.
std::string Dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json ToJson(const v1::UnitHealth& unit, int index, bool reference) {
  Json json = {{"unit", index},
               {"state", StateName(unit.state())},
               {"window_active", unit.window_active()},
               {"lifetime_active", unit.lifetime_active()},
               {"samples_since_active", unit.samples_since_active()},
               {"woke_up", unit.woke_up()}};
  if (reference) {
    json["reference_active"] = unit.reference_active();
    json["watched"] = unit.watched();
  }
  return json;
}

Json ToJson(const v1::LayerHealth& layer, bool reference) {
  Json json = {{"name", layer.name()},
               {"activation", layer.activation()},
               {"family", FamilyName(layer.family())},
               {"units", layer.units()},
               {"feature_maps", layer.feature_maps()},
               {"window_samples_seen", layer.window_samples_seen()},
               {"window_full", layer.window_full()},
               {"silent_units", layer.silent_units()},
               {"silent_activity_bound", layer.silent_activity_bound()},
               {"always_on_units", layer.always_on_units()},
               {"sparsity", layer.sparsity()},
               {"activity", layer.activity()},
               {"saturated", layer.saturated()},
               {"woke_up", layer.woke_up()}};
  if (reference) {
    json["went_silent_units"] = layer.went_silent_units();
    json["not_watched_units"] = layer.not_watched_units();
    json["drift_psi"] = layer.drift_psi();
    json["drift_psi_noise"] = layer.drift_psi_noise();
    json["drift_js"] = layer.drift_js();
  }
  if (layer.unit_health_size() == 0) return json;
  Json& units = json["unit_health"] = Json::array();
  for (int i = 0; i < layer.unit_health_size(); ++i) units.push_back(ToJson(layer.unit_health(i), i, reference));
  return json;
}

}  // namespace

std::string HealthJson(const v1::GetHealthResponse& health, int indent) {
  Json json = {{"model", health.model_name()},
               {"version", health.model_version()},
               {"window_samples", health.window_samples()},
               {"samples_seen", health.samples_seen()},
               {"samples_not_counted", health.samples_not_counted()},
               {"samples_outside_domain", health.samples_outside_domain()},
               {"reference_samples", health.reference_samples()}};
  if (health.has_answer_drift()) {
    const v1::AnswerDrift& drift = health.answer_drift();
    json["answer_drift"] = {{"classes_psi", drift.classes_psi()},
                            {"classes_psi_noise", drift.classes_psi_noise()},
                            {"classes_js", drift.classes_js()},
                            {"confidence_psi", drift.confidence_psi()},
                            {"confidence_psi_noise", drift.confidence_psi_noise()},
                            {"confidence_js", drift.confidence_js()}};
  }
  json["layers"] = Json::array();
  for (const v1::LayerHealth& layer : health.layers()) {
    json["layers"].push_back(ToJson(layer, health.reference_samples() > 0));
  }
  return Dump(json, indent);
}

std::string HealthChangeJson(const v1::HealthChange& change) {
  return Dump({{"samples_seen", change.samples_seen()},
               {"layer", change.layer()},
               {"family", FamilyName(change.family())},
               {"unit", change.unit()},
               {"before", StateName(change.before())},
               {"now", StateName(change.now())},
               {"initial", change.initial()}},
              -1);
}

std::string FamilyName(v1::LayerHealth::Family family) {
  const std::string& name = v1::LayerHealth::Family_Name(family);  // empty for one of a newer server
  return name.empty() || family == v1::LayerHealth::FAMILY_UNSPECIFIED ? "unknown" : absl::AsciiStrToLower(name);
}

std::string StateName(v1::UnitHealth::State state) {
  const std::string& name = v1::UnitHealth::State_Name(state);
  return name.empty() ? "unknown" : absl::AsciiStrToLower(name);
}

}  // namespace halfwave
