#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/analysis/profile.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr const char* kNames[] = {"rectifier", "leaky", "saturating"};  // of ActivationFamily

absl::Status Bad(const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat("as a profile: ", what, "; record it again with halfwave-model profile"));
}

template <typename T>
absl::StatusOr<T> Get(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return Bad(absl::StrCat("expected '", key, "', found nothing of that name"));
  bool fits = found->is_string();
  if constexpr (std::is_same_v<T, bool>) fits = found->is_boolean();
  if constexpr (std::is_same_v<T, uint64_t>) fits = found->is_number_unsigned();
  if (!fits) return Bad(absl::StrCat("'", key, "' is of the wrong type"));
  return found->get<T>();
}

// An array of numbers of which is known how many there are, unless `size` is 0.
template <typename T>
absl::StatusOr<std::vector<T>> Numbers(const Json& object, const char* key, uint64_t size) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return Bad(absl::StrCat("expected an array '", key, "'"));
  if (size != 0 && found->size() != size) {
    return Bad(absl::StrCat("expected ", size, " numbers in '", key, "', found ", found->size()));
  }
  std::vector<T> numbers;
  for (const Json& number : *found) {
    const bool fits = std::is_integral_v<T> ? number.is_number_unsigned() : number.is_number();
    if (!fits) return Bad(absl::StrCat("'", key, "' holds what is no number of its kind"));
    numbers.push_back(number.get<T>());
    if (!std::isfinite(static_cast<double>(numbers.back()))) {
      return Bad(absl::StrCat("'", key, "' holds a number too large"));
    }
  }
  return numbers;
}

Json ToJson(const LayerProfile& layer) {
  Json json = {{"name", layer.layer.name},
               {"activation", layer.layer.op},
               {"family", FamilyName(layer.layer.family)},
               {"units", layer.layer.units},
               {"elements", layer.layer.elements},
               {"feature_maps", layer.layer.feature_maps},
               {"active", layer.active},
               {"least", layer.least},
               {"most", layer.most},
               {"mean", layer.mean}};
  std::vector<float> quantiles;
  for (const auto& of_unit : layer.quantiles) quantiles.insert(quantiles.end(), of_unit.begin(), of_unit.end());
  json["quantiles"] = std::move(quantiles);
  return json;
}

absl::StatusOr<LayerProfile> LayerFromJson(const Json& json, int64_t rows) {
  if (!json.is_object()) return Bad("expected a layer, found something else");
  LayerProfile layer;
  HALFWAVE_ASSIGN_OR_RETURN(layer.layer.name, Get<std::string>(json, "name"));
  HALFWAVE_ASSIGN_OR_RETURN(layer.layer.op, Get<std::string>(json, "activation"));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string family, Get<std::string>(json, "family"));
  const auto known = std::find(std::begin(kNames), std::end(kNames), family);
  if (known == std::end(kNames)) return Bad(absl::StrCat("unknown family '", family, "'"));
  layer.layer.family = static_cast<ActivationFamily>(known - std::begin(kNames));
  HALFWAVE_ASSIGN_OR_RETURN(const uint64_t units, Get<uint64_t>(json, "units"));
  HALFWAVE_ASSIGN_OR_RETURN(const uint64_t elements, Get<uint64_t>(json, "elements"));
  if (units == 0) return Bad("a layer without units");
  layer.layer.units = static_cast<int64_t>(units);
  layer.layer.elements = static_cast<int64_t>(elements);
  HALFWAVE_ASSIGN_OR_RETURN(layer.layer.feature_maps, Get<bool>(json, "feature_maps"));
  HALFWAVE_ASSIGN_OR_RETURN(layer.active, Numbers<uint64_t>(json, "active", units));
  for (const uint64_t active : layer.active) {
    if (active > static_cast<uint64_t>(rows)) return Bad("a unit is active on more rows than there are");
  }
  HALFWAVE_ASSIGN_OR_RETURN(layer.least, Numbers<float>(json, "least", units));
  HALFWAVE_ASSIGN_OR_RETURN(layer.most, Numbers<float>(json, "most", units));
  HALFWAVE_ASSIGN_OR_RETURN(layer.mean, Numbers<double>(json, "mean", units));
  constexpr size_t kLevels = kQuantileLevels.size();
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<float> quantiles, Numbers<float>(json, "quantiles", units * kLevels));
  layer.quantiles.resize(layer.active.size());
  for (size_t i = 0; i < quantiles.size(); ++i) layer.quantiles[i / kLevels][i % kLevels] = quantiles[i];
  return layer;
}

}  // namespace

const char* FamilyName(ActivationFamily family) { return kNames[static_cast<int>(family)]; }

std::string ProfileToJson(const Profile& profile) {
  Json json = {{"halfwave_profile", kFormat},
               {"model_sha256", profile.sha256},
               {"rows", profile.rows},
               {"quantile_levels", kQuantileLevels},
               {"input_least", profile.input_least},
               {"input_most", profile.input_most},
               {"predicted", profile.answers.predicted},
               {"confidence", profile.answers.confidence},
               {"layers", Json::array()}};
  for (const LayerProfile& layer : profile.layers) json["layers"].push_back(ToJson(layer));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Profile> ProfileFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Bad("expected a JSON object, found none that is whole");
  HALFWAVE_ASSIGN_OR_RETURN(const uint64_t format, Get<uint64_t>(json, "halfwave_profile"));
  if (format != kFormat) return Bad(absl::StrCat("expected format ", kFormat, ", found ", format));
  Profile profile;
  HALFWAVE_ASSIGN_OR_RETURN(profile.sha256, Get<std::string>(json, "model_sha256"));
  HALFWAVE_ASSIGN_OR_RETURN(const uint64_t rows, Get<uint64_t>(json, "rows"));
  if (rows == 0 || rows > uint64_t{1} << 53) return Bad(absl::StrCat("expected 1 to 2^53 rows, found ", rows));
  profile.rows = static_cast<int64_t>(rows);
  HALFWAVE_ASSIGN_OR_RETURN(profile.input_least, Numbers<float>(json, "input_least", 0));
  HALFWAVE_ASSIGN_OR_RETURN(profile.input_most, Numbers<float>(json, "input_most", profile.input_least.size()));
  HALFWAVE_ASSIGN_OR_RETURN(profile.answers.predicted, Numbers<uint64_t>(json, "predicted", 0));
  HALFWAVE_ASSIGN_OR_RETURN(profile.answers.confidence, Numbers<uint64_t>(json, "confidence", 0));
  if (!profile.answers.confidence.empty() && profile.answers.confidence.size() != kConfidenceBins) {
    return Bad(absl::StrCat("expected ", kConfidenceBins, " bins of confidence"));
  }
  profile.answers.samples = rows;
  const auto layers = json.find("layers");
  if (layers == json.end() || !layers->is_array()) return Bad("expected an array 'layers'");
  for (const Json& layer : *layers) {
    HALFWAVE_ASSIGN_OR_RETURN(LayerProfile read, LayerFromJson(layer, profile.rows));
    profile.layers.push_back(std::move(read));
  }
  return profile;
}

}  // namespace halfwave
