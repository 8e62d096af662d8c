#include "model/onnx/reader.h"

#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/byte_source.h"
#include "model/onnx/node_reader.h"
#include "model/onnx/regular_file.h"
#include "model/onnx/sha256.h"
#include "model/onnx/sidecar.h"
#include "model/onnx/split_model.h"
#include "model/onnx/tensor_reader.h"
#include "model/onnx/text.h"
#include "model/onnx/value_reader.h"
#include "onnx/onnx_pb.h"

namespace halfwave {
namespace {

absl::StatusOr<int64_t> ReadOpset(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
    if (opset.version() < kOldestOpset || opset.version() > kNewestOpset) {
      return absl::UnimplementedError(
          absl::StrCat("the model uses opset ", opset.version(), "; supported are ", kOldestOpset, " to ", kNewestOpset,
                       opset.version() < kOldestOpset ? ": export it again, with opset 13 or later"
                                                      : ": export it again, with an older one"));
    }
    return opset.version();
  }
  return absl::InvalidArgumentError("the model does not say which opset it uses; export it with opset 13 or later");
}

// Each goes as soon as it has been read, so that no two copies of them all exist.
absl::Status ReadInitializers(SplitModel& model, TensorSource& source, Graph& graph) {
  if (model.proto.graph().sparse_initializer_size() > 0) {
    return absl::UnimplementedError("the model keeps sparse weights, which are not supported; export dense ones");
  }
  for (SplitModel::Initializer& initializer : model.initializers) {
    const onnx::TensorProto proto = std::move(initializer.proto);
    HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ReadTensor(proto, source, initializer.raw));
    if (proto.name().empty()) return absl::InvalidArgumentError("a weight of the model has no name");
    if (!graph.constants.emplace(proto.name(), std::move(constant)).second) {
      return absl::InvalidArgumentError(absl::StrCat("the weight '", proto.name(), "' is there twice"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Graph> ReadGraph(SplitModel& model, TensorSource source) {
  onnx::ModelProto& proto = model.proto;
  Graph graph;
  graph.name = ToUtf8(proto.graph().name());
  graph.producer = ToUtf8(
      absl::StrCat(proto.producer_name(), proto.producer_version().empty() ? "" : " ", proto.producer_version()));
  HALFWAVE_ASSIGN_OR_RETURN(graph.opset, ReadOpset(proto));
  HALFWAVE_RETURN_IF_ERROR(CheckOperators(proto, graph));
  for (const auto& entry : proto.metadata_props()) graph.metadata[ToUtf8(entry.key())] = ToUtf8(entry.value());
  HALFWAVE_RETURN_IF_ERROR(ReadInitializers(model, source, graph));
  HALFWAVE_RETURN_IF_ERROR(ReadInputsAndOutputs(proto.graph(), graph));
  HALFWAVE_RETURN_IF_ERROR(ReadNodes(*proto.mutable_graph(), source, graph));
  return graph;
}

absl::Status WithFile(const absl::Status& status, const std::filesystem::path& path) {
  return absl::Status(status.code(), absl::StrCat(path.string(), ": ", status.message()));
}

}  // namespace

absl::StatusOr<OnnxModel> ParseOnnx(std::string_view bytes, const ReaderOptions& options) {
  const MemoryBytes source(bytes);
  HALFWAVE_ASSIGN_OR_RETURN(SplitModel split, ReadSplitModel(source, options.max_model_bytes));
  OnnxModel model;
  HALFWAVE_ASSIGN_OR_RETURN(model.graph, ReadGraph(split, {&source, std::nullopt, options.max_model_bytes}));
  std::promise<std::string> hash;
  hash.set_value(Sha256Hex(source));
  model.sha256 = hash.get_future();
  return model;
}

absl::StatusOr<OnnxModel> ReadOnnxFile(const std::filesystem::path& path, const ReaderOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(RegularFile opened, RegularFile::Open(path));
  const auto file = std::make_shared<const RegularFile>(std::move(opened));
  absl::StatusOr<SplitModel> split = ReadSplitModel(*file, options.max_model_bytes);
  if (!split.ok()) return WithFile(split.status(), path);
  OnnxModel model;
  // Hashing takes as long as all the rest, so it gets a thread, where there is one to be had.
  model.sha256 = std::async([file] {
    std::string hash = Sha256Hex(*file);
    return file->HasChanged() ? std::string() : hash;
  });
  absl::StatusOr<Graph> graph = ReadGraph(*split, {file.get(), path.parent_path(), options.max_model_bytes});
  // It was read in pieces, which have to be of one file.
  if (file->HasChanged()) {
    return absl::UnavailableError(absl::StrCat(path.string(), ": changed while it was read; load it again"));
  }
  if (!graph.ok()) return WithFile(graph.status(), path);
  model.graph = *std::move(graph);
  std::filesystem::path sidecar = path;
  sidecar.replace_extension(".halfwave.json");
  std::error_code error;
  if (std::filesystem::exists(sidecar, error)) {
    HALFWAVE_RETURN_IF_ERROR(ReadSidecar(sidecar, model.graph.metadata));
  }
  return model;
}

}  // namespace halfwave
