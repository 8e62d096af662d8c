#include "model/onnx/outline.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/regular_file.h"
#include "model/onnx/sha256.h"
#include "model/onnx/split_model.h"
#include "model/onnx/tensor_reader.h"
#include "model/onnx/text.h"
#include "model/onnx/value_reader.h"
#include "onnx/onnx_pb.h"

namespace halfwave {
namespace {

// A hostile file may have a million of everything; this is for reading.
constexpr size_t kMaxText = 128;
constexpr int kMaxValues = 64;
constexpr size_t kMaxOperators = 256;

std::string Text(const std::string& bytes) { return ToUtf8(bytes.substr(0, kMaxText)); }

std::string ShapeText(const onnx::TypeProto::Tensor& tensor) {
  if (!tensor.has_shape()) return "?";
  std::string text = "[";
  for (int i = 0; i < std::min(tensor.shape().dim_size(), kMaxValues); ++i) {
    const auto& dimension = tensor.shape().dim(i);
    const std::string name = dimension.dim_param().empty() ? "?" : Text(dimension.dim_param());
    absl::StrAppend(&text, i == 0 ? "" : ",", dimension.has_dim_value() ? absl::StrCat(dimension.dim_value()) : name);
  }
  return text + "]";
}

OnnxOutline::Value Describe(const onnx::ValueInfoProto& proto) {
  OnnxOutline::Value value{Text(proto.name()), ValueKindName(proto.type()), "?"};
  if (!proto.type().has_tensor_type()) return value;
  value.type = ElementTypeName(proto.type().tensor_type().elem_type());
  value.shape = ShapeText(proto.type().tensor_type());
  return value;
}

OnnxOutline Describe(const SplitModel& model) {
  const onnx::ModelProto& proto = model.proto;
  OnnxOutline outline;
  outline.producer =
      Text(absl::StrCat(proto.producer_name(), proto.producer_version().empty() ? "" : " ", proto.producer_version()));
  for (const auto& opset : proto.opset_import()) {
    if (outline.opsets.size() < kMaxValues) {
      outline.opsets[opset.domain() == "ai.onnx" ? "" : Text(opset.domain())] = opset.version();
    }
  }
  std::set<std::string> weights;
  for (const auto& initializer : model.initializers) weights.insert(initializer.proto.name());
  outline.weights = static_cast<int64_t>(model.initializers.size());
  for (const auto& input : proto.graph().input()) {
    if (!weights.contains(input.name()) && outline.inputs.size() < kMaxValues) {
      outline.inputs.push_back(Describe(input));
    }
  }
  for (const auto& output : proto.graph().output()) {
    if (outline.outputs.size() < kMaxValues) outline.outputs.push_back(Describe(output));
  }
  for (const auto& node : proto.graph().node()) {
    const bool own = node.domain().empty() || node.domain() == "ai.onnx";
    const std::string op = Text(own ? node.op_type() : absl::StrCat(node.domain(), "::", node.op_type()));
    if (outline.operators.contains(op) || outline.operators.size() < kMaxOperators) ++outline.operators[op];
  }
  return outline;
}

}  // namespace

absl::StatusOr<OnnxOutline> ReadOnnxOutline(const std::filesystem::path& path, const ReaderOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(const RegularFile file, RegularFile::Open(path));
  HALFWAVE_ASSIGN_OR_RETURN(const SplitModel model, ReadSplitModel(file, options.max_model_bytes));
  OnnxOutline outline = Describe(model);
  outline.sha256 = Sha256Hex(file);
  return outline;
}

}  // namespace halfwave
