#include "model/onnx/reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "model/base/status_macros.h"
#include "model/onnx/node_reader.h"
#include "model/onnx/part_count.h"
#include "model/onnx/regular_file.h"
#include "model/onnx/sha256.h"
#include "model/onnx/sidecar.h"
#include "model/onnx/tensor_reader.h"
#include "model/onnx/text.h"
#include "model/onnx/value_reader.h"
#include "onnx/onnx_pb.h"

namespace halfwave {
namespace {

absl::Status CheckSize(int64_t bytes, const ReaderOptions& options) {
  if (bytes > options.max_model_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the model has ", bytes, " bytes, more than the limit of ",
                                                     options.max_model_bytes, " (option --max-model-bytes)"));
  }
  if (bytes > std::numeric_limits<int>::max()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the model has ", bytes, " bytes; a single file can have 2 GiB: export it with its weights as external data"));
  }
  return absl::OkStatus();
}

// Real networks have some thousands.
absl::Status CheckParts(google::protobuf::io::ZeroCopyInputStream& bytes) {
  constexpr int64_t kMaxParts = 2'000'000;
  if (HasFewParts(bytes, *onnx::ModelProto::descriptor(), kMaxParts)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the model consists of more than ", kMaxParts, " nodes, attributes, names and the like"));
}

absl::Status NotAModel(int64_t bytes) {
  return absl::DataLossError(
      absl::StrCat("not an ONNX model, or cut short (", bytes, " bytes); export or copy it again"));
}

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

// Takes the weights out of `proto` one at a time, so that no two copies of them all exist.
absl::Status ReadInitializers(onnx::GraphProto& proto, TensorSource& source, Graph& graph) {
  if (proto.sparse_initializer_size() > 0) {
    return absl::UnimplementedError("the model keeps sparse weights, which are not supported; export dense ones");
  }
  for (auto& initializer : *proto.mutable_initializer()) {
    HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ReadTensor(initializer, source));
    if (initializer.name().empty()) return absl::InvalidArgumentError("a weight of the model has no name");
    if (!graph.constants.emplace(initializer.name(), std::move(constant)).second) {
      return absl::InvalidArgumentError(absl::StrCat("the weight '", initializer.name(), "' is there twice"));
    }
    onnx::TensorProto().Swap(&initializer);
  }
  return absl::OkStatus();
}

absl::StatusOr<Graph> ReadGraph(onnx::ModelProto& proto, TensorSource source) {
  Graph graph;
  graph.name = ToUtf8(proto.graph().name());
  graph.producer = ToUtf8(
      absl::StrCat(proto.producer_name(), proto.producer_version().empty() ? "" : " ", proto.producer_version()));
  HALFWAVE_ASSIGN_OR_RETURN(graph.opset, ReadOpset(proto));
  HALFWAVE_RETURN_IF_ERROR(CheckOperators(proto, graph));
  for (const auto& entry : proto.metadata_props()) graph.metadata[ToUtf8(entry.key())] = ToUtf8(entry.value());
  HALFWAVE_RETURN_IF_ERROR(ReadInitializers(*proto.mutable_graph(), source, graph));
  HALFWAVE_RETURN_IF_ERROR(ReadInputsAndOutputs(proto.graph(), graph));
  HALFWAVE_RETURN_IF_ERROR(ReadNodes(*proto.mutable_graph(), source, graph));
  return graph;
}

// A file's bytes from front to back, hashed on the way if asked: what is parsed is what the hash stands for, and no
// second copy is needed for either. (Mapped into memory, a file that shrinks would end the process.)
class HashedFile : public google::protobuf::io::CopyingInputStream {
 public:
  HashedFile(const RegularFile& file, bool hash) : file_(file), hashes_(hash) {}

  int Read(void* buffer, int size) override {
    const int64_t got = file_.ReadAt(position_, buffer, std::min<int64_t>(size, file_.size() - position_));
    if (hashes_) hash_.Update(std::string_view(static_cast<const char*>(buffer), got));
    position_ += got;
    return static_cast<int>(got);
  }
  std::string Hash() { return hash_.Hex(); }

 private:
  const RegularFile& file_;
  const bool hashes_;
  int64_t position_ = 0;
  Sha256 hash_;
};

absl::StatusOr<OnnxModel> ReadModel(const RegularFile& file, const std::filesystem::path& folder,
                                    const ReaderOptions& options) {
  constexpr int kBlockBytes = 1 << 18;
  HALFWAVE_RETURN_IF_ERROR(CheckSize(file.size(), options));
  HashedFile source(file, /*hash=*/true);
  onnx::ModelProto proto;
  {
    HashedFile first(file, /*hash=*/false);
    google::protobuf::io::CopyingInputStreamAdaptor stream(&first, kBlockBytes);
    HALFWAVE_RETURN_IF_ERROR(CheckParts(stream));
  }
  {
    google::protobuf::io::CopyingInputStreamAdaptor stream(&source, kBlockBytes);
    if (!proto.ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(file.size())) || !proto.has_graph()) {
      return NotAModel(file.size());
    }
  }
  OnnxModel model;
  model.sha256 = source.Hash();
  HALFWAVE_ASSIGN_OR_RETURN(model.graph, ReadGraph(proto, TensorSource{folder, options.max_model_bytes}));
  return model;
}

absl::Status WithFile(const absl::Status& status, const std::filesystem::path& path) {
  return absl::Status(status.code(), absl::StrCat(path.string(), ": ", status.message()));
}

}  // namespace

absl::StatusOr<OnnxModel> ParseOnnx(std::string_view bytes, const ReaderOptions& options) {
  HALFWAVE_RETURN_IF_ERROR(CheckSize(static_cast<int64_t>(bytes.size()), options));
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  HALFWAVE_RETURN_IF_ERROR(CheckParts(stream));
  onnx::ModelProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !proto.has_graph()) {
    return NotAModel(static_cast<int64_t>(bytes.size()));
  }
  OnnxModel model;
  model.sha256 = Sha256Hex(bytes);
  HALFWAVE_ASSIGN_OR_RETURN(model.graph, ReadGraph(proto, TensorSource{std::nullopt, options.max_model_bytes}));
  return model;
}

absl::StatusOr<OnnxModel> ReadOnnxFile(const std::filesystem::path& path, const ReaderOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(const RegularFile file, RegularFile::Open(path));
  absl::StatusOr<OnnxModel> model = ReadModel(file, path.parent_path(), options);
  if (!model.ok()) return WithFile(model.status(), path);
  std::filesystem::path sidecar = path;
  sidecar.replace_extension(".halfwave.json");
  std::error_code error;
  if (std::filesystem::exists(sidecar, error)) {
    HALFWAVE_RETURN_IF_ERROR(ReadSidecar(sidecar, model->graph.metadata));
  }
  return model;
}

}  // namespace halfwave
