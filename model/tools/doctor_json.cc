#include "model/tools/doctor_output.h"
#include "model/tools/findings_json.h"

namespace halfwave::tools {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const LayerDiagnosis& layer, const Diagnosis& diagnosis) {
  const ActivationLayer& info = layer.profile.layer;
  Json duplicates = Json::array();
  for (const DuplicateUnit& duplicate : layer.duplicates)
    duplicates.push_back({{"unit", duplicate.unit}, {"of", duplicate.of}});
  Json json = {{"layer", info.name},
               {"activation", info.op},
               {"family", FamilyName(info.family)},
               {"units", info.units},
               {"feature_maps", info.feature_maps},
               {"active_rows", layer.profile.active},
               {"silent_units", layer.silent},
               {"always_on_units", layer.always_on},
               {"duplicate_units", duplicates},
               {"activity", layer.activity},
               {"sparsity", layer.sparsity},
               {"saturated", layer.saturated}};
  if (diagnosis.without_gradients.empty()) {
    json["gradient"] = {
        {"zero_share", layer.gradient.zero_share}, {"norm", layer.gradient.norm}, {"of_last", layer.gradient.of_last}};
  }
  return json;
}

Json ToJson(const Judgement& judgement, bool probabilities) {
  Json json = {{"rows", judgement.rows()},
               {"right", judgement.right()},
               {"accuracy", judgement.accuracy()},
               {"confusion", judgement.confusion()}};
  if (!probabilities) return json;
  json["calibration_error"] = judgement.CalibrationError();
  json["overconfidence"] = judgement.Overconfidence();
  Json bins = Json::array();
  for (const Judgement::Bin& bin : judgement.bins()) {
    bins.push_back({{"rows", bin.rows}, {"right", bin.right}, {"confidence_sum", bin.confidence}});
  }
  json["calibration"] = bins;
  return json;
}

}  // namespace

std::string DiagnosisJson(const Diagnosis& diagnosis, const std::string& name,
                          const std::vector<std::string>& failures) {
  Json json = {{"model", name},
               {"sha256", diagnosis.sha256},
               {"head", diagnosis.head},
               {"rows", diagnosis.rows},
               {"window", diagnosis.window},
               {"dead_is_known", diagnosis.window_full()},
               {"predicted", diagnosis.predicted},
               {"gradient_rows", diagnosis.gradient_rows}};
  if (!diagnosis.without_gradients.empty()) json["without_gradients"] = diagnosis.without_gradients;
  json["layers"] = Json::array();
  for (const LayerDiagnosis& layer : diagnosis.layers) json["layers"].push_back(ToJson(layer, diagnosis));
  if (diagnosis.judgement) json["answers"] = ToJson(*diagnosis.judgement, diagnosis.probabilities);
  json["findings"] = FindingsJson(diagnosis.findings);
  json["failures"] = failures;
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace halfwave::tools
