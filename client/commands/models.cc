#include "client/commands/models.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/choose_outputs.h"
#include "client/model_description.h"
#include "nlohmann/json.hpp"

namespace halfwave::client {
namespace {

using Json = nlohmann::ordered_json;
using TensorMetadata = inference::ModelMetadataResponse::TensorMetadata;

constexpr size_t kShownDigest = 12;

std::string Property(const inference::ModelMetadataResponse& metadata, const std::string& key) {
  const auto found = metadata.properties().find(key);
  return found == metadata.properties().end() ? "" : found->second;
}

std::string ShapeText(const google::protobuf::RepeatedField<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string TensorsText(const google::protobuf::RepeatedPtrField<TensorMetadata>& tensors) {
  return absl::StrJoin(tensors, "; ", [](std::string* out, const TensorMetadata& tensor) {
    absl::StrAppend(out, tensor.name(), " ", ShapeText(tensor.shape()));
    if (tensor.datatype() != "FP32") absl::StrAppend(out, " ", tensor.datatype());
  });
}

// The size of the last dimension of the output with the scores; 0 if it is not known.
int64_t Classes(const inference::ModelMetadataResponse& metadata) {
  const int scores = ChooseOutputs(metadata.outputs()).scores;
  if (scores < 0 || metadata.outputs(scores).shape_size() < 2) return 0;
  return std::max<int64_t>(*metadata.outputs(scores).shape().rbegin(), 0);
}

Json TensorsJson(const google::protobuf::RepeatedPtrField<TensorMetadata>& tensors) {
  Json json = Json::array();
  for (const TensorMetadata& tensor : tensors) {
    json.push_back({{"name", tensor.name()},
                    {"datatype", tensor.datatype()},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())}});
  }
  return json;
}

// One line of the list: what the index says, and what the model says about itself.
struct Entry {
  inference::RepositoryIndexResponse::ModelIndex index;
  inference::ModelMetadataResponse metadata;  // empty if the model is not ready
};

Json ToJson(const Entry& entry) {
  Json json = {{"name", entry.index.name()}, {"version", entry.index.version()}, {"state", entry.index.state()}};
  if (!entry.index.reason().empty()) json["reason"] = entry.index.reason();
  if (entry.metadata.name().empty()) return json;
  json["inputs"] = TensorsJson(entry.metadata.inputs());
  json["outputs"] = TensorsJson(entry.metadata.outputs());
  json["classes"] = Classes(entry.metadata);
  json["properties"] =
      std::map<std::string, std::string>(entry.metadata.properties().begin(), entry.metadata.properties().end());
  json["properties"].erase("halfwave.selftest");  // long, and of no use to a client
  return json;
}

std::vector<std::string> ToRow(const Entry& entry, const Style& style) {
  const bool ready = entry.index.state() == "READY";
  std::vector<std::string> row = {Paint(Printable(entry.index.name()), Colour::kBold, style),
                                  Printable(entry.index.version()),
                                  Paint(Printable(entry.index.state()), ready ? Colour::kGreen : Colour::kRed, style)};
  if (entry.metadata.name().empty()) return row;
  const int64_t classes = Classes(entry.metadata);
  for (const std::string& cell :
       {TensorsText(entry.metadata.inputs()), TensorsText(entry.metadata.outputs()),
        classes == 0 ? std::string("-") : absl::StrCat(classes), Property(entry.metadata, "halfwave.head"),
        Property(entry.metadata, "halfwave.sha256").substr(0, kShownDigest)}) {
    row.push_back(Printable(cell));
  }
  return row;
}

void Print(const std::vector<Entry>& entries, const Streams& streams) {
  TextTable table({5});
  table.Add({"name", "version", "state", "input", "output", "classes", "head", "sha256"});
  for (const Entry& entry : entries) table.Add(ToRow(entry, streams.style));
  table.Print(streams.out);
  for (const Entry& entry : entries) {
    if (entry.index.reason().empty()) continue;
    streams.out << "\n" << Printable(entry.index.name()) << ": " << Printable(entry.index.reason()) << "\n";
  }
}

}  // namespace

ExitCode RunModels(const CommonOptions& options, const Streams& streams) {
  InferenceClient client(options.server, options.deadline());
  const auto index = client.Index();
  if (!index.ok()) return Fail(streams, index.status());
  std::vector<Entry> entries;
  for (const auto& model : index->models()) {
    Entry& entry = entries.emplace_back(Entry{model, {}});
    if (model.state() != "READY") continue;
    auto metadata = client.Metadata(model.name(), model.version());
    if (IsUnreachable(metadata.status())) return Fail(streams, metadata.status());
    if (metadata.ok()) {
      entry.metadata = *std::move(metadata);
    } else {
      const auto words = metadata.status().message();
      entry.index.set_reason(std::string(words.data(), words.size()));
    }
  }
  if (options.json) {
    Json json = Json::array();
    for (const Entry& entry : entries) json.push_back(ToJson(entry));
    streams.out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (entries.empty()) {
    streams.out << "the server has no models\n";
  } else {
    Print(entries, streams);
  }
  return kOk;
}

}  // namespace halfwave::client
