#include "absl/status/status.h"
#include "model/analysis/profile.h"
#include "model/base/data_type.h"
#include "model/tools/findings_json.h"
#include "model/tools/inspect_output.h"
#include "nlohmann/json.hpp"

namespace halfwave::tools {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<GraphValue>& values) {
  Json json = Json::array();
  for (const GraphValue& value : values) {
    json.push_back({{"name", value.name}, {"datatype", DataTypeName(value.type)}, {"shape", value.shape}});
  }
  return json;
}

Json ToJson(const std::vector<OnnxOutline::Value>& values) {
  Json json = Json::array();
  for (const auto& value : values) {
    json.push_back({{"name", value.name}, {"type", value.type}, {"shape", value.shape}});
  }
  return json;
}

Json ToJson(const std::vector<LayerSummary>& layers) {
  Json json = Json::array();
  for (const LayerSummary& layer : layers) {
    Json entry = {{"name", layer.name},
                  {"operator", layer.op},
                  {"inputs", layer.inputs},
                  {"outputs", layer.outputs},
                  {"shape", layer.shape},
                  {"parameters", layer.parameters},
                  {"weight_bytes", layer.parameters * static_cast<int64_t>(sizeof(float))},
                  {"multiply_adds", layer.multiply_adds}};
    if (!layer.stands_for.empty()) entry["stands_for"] = layer.stands_for;
    json.push_back(std::move(entry));
  }
  return json;
}

Json ToJson(const std::vector<ActivationLayer>& activations) {
  Json json = Json::array();
  for (const ActivationLayer& activation : activations) {
    json.push_back({{"name", activation.name},
                    {"operator", activation.op},
                    {"family", FamilyName(activation.family)},
                    {"units", activation.units},
                    {"feature_maps", activation.feature_maps}});
  }
  return json;
}

Json ToJson(const std::vector<Rewrite>& rewrites) {
  Json json = Json::array();
  for (const Rewrite& rewrite : rewrites) {
    json.push_back({{"pass", rewrite.pass}, {"node", rewrite.node}, {"what", rewrite.what}});
  }
  return json;
}

void AddModel(const Inspection& inspection, Json& json) {
  const Model& model = *inspection.model;
  json["sha256"] = inspection.sha256;
  json["producer"] = inspection.producer;
  json["opset"] = inspection.opset;
  json["inputs"] = ToJson(model.inputs());
  json["outputs"] = ToJson(model.outputs());
  json["head"] = model.head();
  json["batch"] = model.batch();
  json["fixed_batch"] = inspection.fixed_batch;
  json["labels"] = model.metadata().labels;
  json["layers"] = ToJson(model.layers());
  json["activations"] = ToJson(model.activations());
  int64_t parameters = 0;
  double multiply_adds = 0;
  for (const LayerSummary& layer : model.layers()) {
    parameters += layer.parameters;
    multiply_adds += layer.multiply_adds;
  }
  json["totals"] = {{"parameters", parameters},
                    {"multiply_adds", multiply_adds},
                    {"weight_bytes", parameters * static_cast<int64_t>(sizeof(float))},
                    {"workspace_bytes_per_row", model.plan().elements_per_row * static_cast<int64_t>(sizeof(float))}};
  json["file_parameters"] = inspection.file_parameters;
  json["file_layers"] = ToJson(inspection.file_layers);
  json["rewrites"] = ToJson(model.rewrites());
  json["findings"] = FindingsJson(inspection.findings);
}

void AddOutline(const OnnxOutline& outline, Json& json) {
  json["sha256"] = outline.sha256;
  json["producer"] = outline.producer;
  json["opsets"] = outline.opsets;
  json["inputs"] = ToJson(outline.inputs);
  json["outputs"] = ToJson(outline.outputs);
  json["operators"] = outline.operators;
  json["weights"] = outline.weights;
}

}  // namespace

void PrintJson(const Inspection& inspection, std::ostream& out) {
  Json json = {
      {"file", inspection.path.string()}, {"bytes", inspection.file_bytes}, {"servable", inspection.status.ok()}};
  if (inspection.status.ok()) {
    AddModel(inspection, json);
  } else {
    const auto message = inspection.status.message();
    json["error"] = {{"code", absl::StatusCodeToString(inspection.status.code())},
                     {"message", std::string(message.data(), message.size())}};
    if (inspection.outline) AddOutline(*inspection.outline, json);
  }
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace halfwave::tools
