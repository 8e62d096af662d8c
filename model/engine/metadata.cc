#include "model/engine/metadata.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

constexpr int64_t kMaxSelfTestRows = 1024;

using Properties = std::map<std::string, std::string>;
using Json = nlohmann::json;

absl::Status BadValue(const std::string& key, const std::string& expected, const std::string& found) {
  constexpr size_t kShown = 60;
  return absl::InvalidArgumentError(absl::StrCat("metadata '", key, "' must be ", expected, ", found '",
                                                 found.substr(0, kShown), found.size() > kShown ? "..." : "", "'"));
}

const std::string* Find(const Properties& properties, const std::string& key) {
  const auto found = properties.find(key);
  return found == properties.end() ? nullptr : &found->second;
}

absl::Status ReadWord(const Properties& properties, const std::string& key, std::span<const char* const> words,
                      std::string& out) {
  const std::string* text = Find(properties, key);
  if (text == nullptr) return absl::OkStatus();
  if (std::find(words.begin(), words.end(), *text) == words.end()) {
    return BadValue(key, absl::StrCat("one of ", absl::StrJoin(words, ", ")), *text);
  }
  out = *text;
  return absl::OkStatus();
}

absl::Status ReadCount(const Properties& properties, const std::string& key, int64_t& out) {
  const std::string* text = Find(properties, key);
  if (text == nullptr) return absl::OkStatus();
  if (!absl::SimpleAtoi(*text, &out) || out < 1 || out > 65536) {
    return BadValue(key, "a whole number from 1 to 65536", *text);
  }
  return absl::OkStatus();
}

// Numbers separated by commas, with or without the brackets of a JSON array.
absl::Status ReadNumbers(const Properties& properties, const std::string& key, std::vector<float>& out) {
  const std::string* text = Find(properties, key);
  if (text == nullptr) return absl::OkStatus();
  out.clear();
  for (const absl::string_view part : absl::StrSplit(absl::StripSuffix(absl::StripPrefix(*text, "["), "]"), ',')) {
    float value = 0;
    if (!absl::SimpleAtof(part, &value) || !std::isfinite(value)) {
      return BadValue(key, "numbers separated by commas", *text);
    }
    out.push_back(value);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ImageInput>> ReadImage(const Properties& properties) {
  static constexpr const char* kPolarities[] = {"light-on-dark", "dark-on-light", "any"};
  static constexpr const char* kFits[] = {"pad", "ink", "stretch"};
  ImageInput image;
  std::vector<float> scale = {image.scale};
  HALFWAVE_RETURN_IF_ERROR(ReadCount(properties, "halfwave.input.width", image.width));
  HALFWAVE_RETURN_IF_ERROR(ReadCount(properties, "halfwave.input.height", image.height));
  HALFWAVE_RETURN_IF_ERROR(ReadCount(properties, "halfwave.input.channels", image.channels));
  HALFWAVE_RETURN_IF_ERROR(ReadNumbers(properties, "halfwave.input.scale", scale));
  HALFWAVE_RETURN_IF_ERROR(ReadNumbers(properties, "halfwave.input.mean", image.mean));
  HALFWAVE_RETURN_IF_ERROR(ReadNumbers(properties, "halfwave.input.std", image.std));
  HALFWAVE_RETURN_IF_ERROR(ReadWord(properties, "halfwave.input.polarity", kPolarities, image.polarity));
  HALFWAVE_RETURN_IF_ERROR(ReadWord(properties, "halfwave.input.fit", kFits, image.fit));
  if ((image.width == 0) != (image.height == 0)) {
    return absl::InvalidArgumentError("metadata 'halfwave.input.width' and 'halfwave.input.height' belong together");
  }
  if (image.channels != 1 && image.channels != 3) {
    return BadValue("halfwave.input.channels", "1 (grey) or 3 (red, green, blue)", absl::StrCat(image.channels));
  }
  if (scale.size() != 1) return BadValue("halfwave.input.scale", "one number", properties.at("halfwave.input.scale"));
  image.scale = scale[0];
  for (const auto& [key, values] :
       {std::pair("halfwave.input.mean", &image.mean), {"halfwave.input.std", &image.std}}) {
    if (values->size() > 1 && values->size() != static_cast<size_t>(image.channels)) {
      return BadValue(key, absl::StrCat("one number, or one for each of the ", image.channels, " channels"),
                      properties.at(key));
    }
  }
  if (std::any_of(image.std.begin(), image.std.end(), [](float value) { return value <= 0; })) {
    return BadValue("halfwave.input.std", "above zero", properties.at("halfwave.input.std"));
  }
  if (image.width == 0) return std::nullopt;
  return image;
}

absl::StatusOr<std::vector<std::string>> ReadLabels(const Properties& properties) {
  const std::string* text = Find(properties, "halfwave.labels");
  if (text == nullptr) return std::vector<std::string>();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool strings =
      json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& label) { return label.is_string(); });
  if (!strings) return BadValue("halfwave.labels", "a JSON array of strings", *text);
  return json.get<std::vector<std::string>>();
}

absl::StatusOr<NamedTensor> ReadTensor(const std::string& name, const Json& json) {
  const auto bad = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("metadata 'halfwave.selftest', tensor '", name, "': ", what));
  };
  const auto all = [&json](const char* key, bool (Json::*is_kind)() const noexcept) {
    return json.contains(key) && json[key].is_array() &&
           std::all_of(json[key].begin(), json[key].end(), [&](const Json& value) { return (value.*is_kind)(); });
  };
  if (!json.is_object() || !all("shape", &Json::is_number_integer) || !all("data", &Json::is_number)) {
    return bad("expected {\"shape\": [rows, ...], \"data\": [numbers]}");
  }
  NamedTensor tensor{json["shape"].get<Shape>(), json["data"].get<std::vector<float>>()};
  const auto count = NumElements(tensor.shape);
  const bool finite =
      std::all_of(tensor.data.begin(), tensor.data.end(), [](float value) { return std::isfinite(value); });
  if (!finite) return bad("holds a number that float32 cannot");
  if (tensor.data.empty() || tensor.shape.empty() || tensor.shape[0] < 1 || tensor.shape[0] > kMaxSelfTestRows ||
      !count || *count != static_cast<int64_t>(tensor.data.size())) {
    return bad(absl::StrCat("shape ", ShapeToString(tensor.shape), " does not fit ", tensor.data.size(),
                            " numbers, or has more than ", kMaxSelfTestRows, " rows"));
  }
  return tensor;
}

absl::StatusOr<std::map<std::string, NamedTensor>> ReadTensors(const Json& json, const std::string& role) {
  std::map<std::string, NamedTensor> tensors;
  if (!json.is_object() || !json.contains(role) || !json[role].is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata 'halfwave.selftest' must hold an object '", role, "' of tensors by name"));
  }
  for (const auto& [name, value] : json[role].items()) {
    HALFWAVE_ASSIGN_OR_RETURN(tensors[name], ReadTensor(name, value));
  }
  return tensors;
}

absl::StatusOr<std::optional<SelfTest>> ReadSelfTest(const Properties& properties) {
  const std::string* text = Find(properties, "halfwave.selftest");
  if (text == nullptr) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  SelfTest test;
  HALFWAVE_ASSIGN_OR_RETURN(test.inputs, ReadTensors(json, "inputs"));
  HALFWAVE_ASSIGN_OR_RETURN(test.outputs, ReadTensors(json, "outputs"));
  return test;
}

absl::Status ReadDomain(const Properties& properties, std::map<std::string, Range>& domain) {
  const std::string* text = Find(properties, "halfwave.domain");
  if (text == nullptr) return absl::OkStatus();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [&] { return BadValue("halfwave.domain", "JSON {NAME: [low, high]}, low not above high", *text); };
  if (!json.is_object()) return bad();
  for (const auto& [name, range] : json.items()) {
    if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number()) return bad();
    const Range read = {range[0].get<float>(), range[1].get<float>()};
    if (!std::isfinite(read.low) || !std::isfinite(read.high) || read.low > read.high) return bad();
    domain[name] = read;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelMetadata> ParseMetadata(const Properties& properties) {
  static constexpr const char* kLayouts[] = {"NCHW", "NHWC", "flat"};
  ModelMetadata metadata;
  HALFWAVE_ASSIGN_OR_RETURN(metadata.labels, ReadLabels(properties));
  HALFWAVE_RETURN_IF_ERROR(ReadWord(properties, "halfwave.layout", kLayouts, metadata.layout));
  HALFWAVE_ASSIGN_OR_RETURN(metadata.image, ReadImage(properties));
  HALFWAVE_ASSIGN_OR_RETURN(metadata.self_test, ReadSelfTest(properties));
  HALFWAVE_RETURN_IF_ERROR(ReadDomain(properties, metadata.domain));
  return metadata;
}

}  // namespace halfwave
