#include "client/model_description.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/choose_outputs.h"
#include "client/status_macros.h"
#include "nlohmann/json.hpp"

namespace halfwave::client {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxSide = 16384;
constexpr int64_t kMaxValuesPerRow = int64_t{1} << 28;

const std::string* Find(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

std::string Property(const inference::ModelMetadataResponse& metadata, const std::string& key) {
  const auto found = metadata.properties().find(key);
  return found == metadata.properties().end() ? "" : found->second;
}

std::vector<std::string> ReadLabels(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> labels;
  if (!json.is_array()) return labels;
  for (const Json& label : json) labels.push_back(label.is_string() ? label.get<std::string>() : label.dump());
  return labels;
}

std::optional<std::pair<float, float>> ReadDomain(const std::string& text, const std::string& input) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains(input)) return std::nullopt;
  const Json& range = json[input];
  if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number()) return std::nullopt;
  return std::pair(range[0].get<float>(), range[1].get<float>());
}

// Looks a setting up: the user's word first, the model's second.
class Settings {
 public:
  Settings(const ModelDescription& model, const PictureOverrides& overrides) : model_(model), overrides_(overrides) {}

  const std::string* Find(const std::string& key) const {
    if (const std::string* text = client::Find(overrides_, key)) return text;
    return client::Find(model_.properties, PropertyKey(key));
  }

  absl::Status Bad(const std::string& key, const std::string& expected) const {
    const std::string* text = Find(key);
    const bool given = overrides_.count(key) > 0;
    return absl::InvalidArgumentError(absl::StrCat(given ? absl::StrCat("--", key) : PropertyKey(key), " must be ",
                                                   expected, ", found '", text == nullptr ? "" : *text, "'",
                                                   given ? "" : absl::StrCat("; --", key, " overrides it")));
  }

  // Zero if nobody says.
  absl::StatusOr<int64_t> Count(const std::string& key) const {
    const std::string* text = Find(key);
    int64_t value = 0;
    if (text == nullptr) return value;
    if (absl::SimpleAtoi(*text, &value) && value >= 1 && value <= kMaxSide) return value;
    return Bad(key, absl::StrCat("a whole number from 1 to ", kMaxSide));
  }

  // Numbers separated by commas, with or without the brackets of a JSON array; `otherwise` if nobody says.
  absl::StatusOr<std::vector<float>> Numbers(const std::string& key, float otherwise) const {
    const std::string* text = Find(key);
    if (text == nullptr) return std::vector<float>{otherwise};
    std::vector<float> values;
    for (const absl::string_view part : absl::StrSplit(absl::StripSuffix(absl::StripPrefix(*text, "["), "]"), ',')) {
      float value = 0;
      if (!absl::SimpleAtof(part, &value) || !std::isfinite(value)) return Bad(key, "numbers separated by commas");
      values.push_back(value);
    }
    return values;
  }

  template <typename Value>
  absl::StatusOr<Value> Word(const std::string& key, const std::vector<std::pair<std::string, Value>>& words,
                             Value otherwise) const {
    const std::string* text = Find(key);
    if (text == nullptr) return otherwise;
    std::vector<std::string> known;
    for (const auto& [word, value] : words) {
      if (*text == word) return value;
      known.push_back(word);
    }
    return Bad(key, absl::StrCat("one of ", absl::StrJoin(known, ", ")));
  }

 private:
  static std::string PropertyKey(const std::string& key) {
    return key == "layout" ? "halfwave.layout" : absl::StrCat("halfwave.input.", key);
  }

  const ModelDescription& model_;
  const PictureOverrides& overrides_;
};

struct Sides {
  Layout layout = Layout::kFlat;
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 0;  // zeros: the shape does not say
};

bool IsChannels(int64_t size) { return size == 1 || size == 3; }

Sides FromShape(const std::vector<int64_t>& shape, std::optional<Layout> layout) {
  if (shape.size() == 3) return {Layout::kFlat, shape[2], shape[1], 1};
  if (shape.size() != 4) return {};
  const bool first = layout ? *layout == Layout::kNchw : IsChannels(shape[1]);
  if (first && IsChannels(shape[1])) return {Layout::kNchw, shape[3], shape[2], shape[1]};
  if (!first && IsChannels(shape[3])) return {Layout::kNhwc, shape[2], shape[1], shape[3]};
  return {};
}

std::string ShapeText(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::Status ReadSides(const ModelDescription& model, const Settings& settings, PictureInput& input) {
  const std::vector<std::pair<std::string, Layout>> layouts = {
      {"NCHW", Layout::kNchw}, {"NHWC", Layout::kNhwc}, {"flat", Layout::kFlat}};
  std::optional<Layout> said;
  if (settings.Find("layout") != nullptr) {
    CLIENT_ASSIGN_OR_RETURN(said, settings.Word("layout", layouts, Layout::kFlat));
  }
  const Sides sides = FromShape(model.shape, said);
  input.layout = said.value_or(sides.layout);
  CLIENT_ASSIGN_OR_RETURN(input.width, settings.Count("width"));
  CLIENT_ASSIGN_OR_RETURN(input.height, settings.Count("height"));
  CLIENT_ASSIGN_OR_RETURN(input.channels, settings.Count("channels"));
  if (input.width == 0) input.width = sides.width;
  if (input.height == 0) input.height = sides.height;
  if (input.width == 0 || input.height == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model '", model.name, "' does not say how its input ", ShapeText(model.shape),
                     " is made from a picture; give --width and --height, and --channels, --scale, --mean, --std, "
                     "--polarity, --fit, --layout where they differ from 1, 0.00392157, 0, 1, any, pad, flat"));
  }
  if (input.channels == 0) input.channels = sides.channels;
  if (input.channels == 0) input.channels = model.values_per_row == 3 * input.width * input.height ? 3 : 1;
  if (!IsChannels(input.channels)) return settings.Bad("channels", "1 (grey) or 3 (red, green, blue)");
  if (input.width * input.height * input.channels != model.values_per_row) {
    return absl::InvalidArgumentError(
        absl::StrCat("model '", model.name, "' takes ", model.values_per_row, " values per row, but a picture of ",
                     input.width, " x ", input.height, " with ", input.channels, " channel(s) has ",
                     input.width * input.height * input.channels, "; correct --width, --height or --channels"));
  }
  return absl::OkStatus();
}

absl::Status ReadNumbers(const Settings& settings, float default_scale, PictureInput& input) {
  CLIENT_ASSIGN_OR_RETURN(const std::vector<float> scale, settings.Numbers("scale", default_scale));
  if (scale.size() != 1) return settings.Bad("scale", "one number");
  input.scale = scale[0];
  CLIENT_ASSIGN_OR_RETURN(input.mean, settings.Numbers("mean", 0));
  CLIENT_ASSIGN_OR_RETURN(input.std, settings.Numbers("std", 1));
  for (const float std : input.std) {
    if (std <= 0) return settings.Bad("std", "above zero");
  }
  return absl::OkStatus();
}

absl::Status CheckPerChannel(const Settings& settings, const PictureInput& input) {
  const auto channels = static_cast<size_t>(input.channels);
  const std::string expected = absl::StrCat("one number, or one for each of the ", channels, " channels");
  if (input.mean.size() != 1 && input.mean.size() != channels) return settings.Bad("mean", expected);
  if (input.std.size() != 1 && input.std.size() != channels) return settings.Bad("std", expected);
  return absl::OkStatus();
}

}  // namespace

bool ModelDescription::TakesIntegers() const {
  const ValueType* type = FindValueType(datatype);
  return type != nullptr && type->kind == ValueType::Kind::kInteger;
}

bool ModelDescription::HasProbabilities() const {
  return absl::StartsWith(head, "softmax") || absl::StartsWith(head, "sigmoid");
}

std::string ModelDescription::Label(int64_t index) const {
  return index < static_cast<int64_t>(labels.size()) ? labels[index] : absl::StrCat(index);
}

absl::StatusOr<ModelDescription> Describe(const inference::ModelMetadataResponse& metadata) {
  ModelDescription model;
  model.name = metadata.name();
  model.version = metadata.versions_size() > 0 ? metadata.versions(metadata.versions_size() - 1) : "";
  if (metadata.inputs_size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("model '", model.name, "' has ", metadata.inputs_size(),
                                                   " inputs; this program serves models with one"));
  }
  model.input = metadata.inputs(0).name();
  model.datatype = metadata.inputs(0).datatype();
  const ValueType* type = FindValueType(model.datatype);
  if (type == nullptr || type->kind == ValueType::Kind::kBytes) {
    return absl::InvalidArgumentError(absl::StrCat("model '", model.name, "': input '", model.input, "' has the type ",
                                                   model.datatype, "; expected numbers"));
  }
  model.answers_labels = ChooseOutputs(metadata.outputs()).labels >= 0;
  model.shape.assign(metadata.inputs(0).shape().begin(), metadata.inputs(0).shape().end());
  model.values_per_row = 1;
  for (size_t i = 1; i < model.shape.size(); ++i) {
    if (model.shape[i] < 1 || model.shape[i] > kMaxValuesPerRow / model.values_per_row) {
      return absl::InvalidArgumentError(absl::StrCat("model '", model.name, "': input '", model.input, "' has shape ",
                                                     ShapeText(model.shape), "; expected known sizes after the batch"));
    }
    model.values_per_row *= model.shape[i];
  }
  model.labels = ReadLabels(Property(metadata, "halfwave.labels"));
  model.head = Property(metadata, "halfwave.head");
  model.domain = ReadDomain(Property(metadata, "halfwave.domain"), model.input);
  if (!absl::SimpleAtoi(Property(metadata, "halfwave.max_batch_rows"), &model.max_batch_rows)) model.max_batch_rows = 1;
  model.max_batch_rows = std::max<int64_t>(model.max_batch_rows, 1);
  model.properties = {metadata.properties().begin(), metadata.properties().end()};
  return model;
}

absl::StatusOr<PictureInput> DescribePictures(const ModelDescription& model, const PictureOverrides& overrides) {
  const Settings settings(model, overrides);
  PictureInput input;
  CLIENT_RETURN_IF_ERROR(ReadSides(model, settings, input));
  // A model that takes whole numbers takes pixels as they are, unless it says otherwise.
  CLIENT_RETURN_IF_ERROR(ReadNumbers(settings, model.TakesIntegers() ? 1 : input.scale, input));
  CLIENT_RETURN_IF_ERROR(CheckPerChannel(settings, input));
  CLIENT_ASSIGN_OR_RETURN(input.polarity, settings.Word<Polarity>("polarity",
                                                                  {{"any", Polarity::kAny},
                                                                   {"light-on-dark", Polarity::kLightOnDark},
                                                                   {"dark-on-light", Polarity::kDarkOnLight}},
                                                                  Polarity::kAny));
  CLIENT_ASSIGN_OR_RETURN(
      input.fit,
      settings.Word<Fit>("fit", {{"pad", Fit::kPad}, {"ink", Fit::kInk}, {"stretch", Fit::kStretch}}, Fit::kPad));
  CLIENT_ASSIGN_OR_RETURN(
      input.invert,
      settings.Word<Invert>("invert", {{"auto", Invert::kAuto}, {"yes", Invert::kYes}, {"no", Invert::kNo}},
                            Invert::kAuto));
  return input;
}

absl::Status CheckIntegers(const ModelDescription& model, const std::vector<float>& values) {
  if (!model.TakesIntegers()) return absl::OkStatus();
  const ValueType& type = *FindValueType(model.datatype);
  std::string raw(type.bytes, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    float taken = 0;
    type.from_floats(&values[i], 1, raw.data());
    type.from_raw(raw.data(), 1, &taken);
    if (taken == values[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat("row ", i / model.values_per_row, ": input '", model.input,
                                                   "' of model '", model.name, "' takes ", model.datatype, ", found ",
                                                   values[i]));
  }
  return absl::OkStatus();
}

absl::Status NormaliseTable(const ModelDescription& model, const PictureOverrides& overrides,
                            std::vector<float>& values) {
  PictureOverrides given;
  for (const char* key : {"scale", "mean", "std"}) {
    if (const std::string* text = Find(overrides, key)) given[key] = *text;
  }
  if (given.empty()) return absl::OkStatus();
  ModelDescription nothing_said;
  PictureInput input;
  CLIENT_RETURN_IF_ERROR(ReadNumbers(Settings(nothing_said, given), 1, input));
  if (input.mean.size() > 1 || input.std.size() > 1) {
    CLIENT_RETURN_IF_ERROR(ReadSides(model, Settings(model, overrides), input));
    CLIENT_RETURN_IF_ERROR(CheckPerChannel(Settings(model, overrides), input));
  }
  const int64_t pixels = model.values_per_row / input.channels;
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i) % model.values_per_row;
    const int64_t channel = input.layout == Layout::kNhwc ? at % input.channels : at / pixels;
    const float mean = input.mean[input.mean.size() == 1 ? 0 : channel];
    const float std = input.std[input.std.size() == 1 ? 0 : channel];
    values[i] = (values[i] * input.scale - mean) / std;
  }
  return absl::OkStatus();
}

}  // namespace halfwave::client
