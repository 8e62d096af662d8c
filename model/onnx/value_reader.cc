#include "model/onnx/value_reader.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/tensor_reader.h"
#include "model/onnx/text.h"

namespace halfwave {
namespace {

using onnx::TypeProto;

absl::Status KindError(const std::string& role, const onnx::ValueInfoProto& proto) {
  return absl::UnimplementedError(absl::StrCat(role, " '", proto.name(), "' is ", ValueKindName(proto.type()),
                                               "; only tensors are supported: export the model with tensors"));
}

absl::StatusOr<DataType> ReadType(const std::string& role, const onnx::ValueInfoProto& proto) {
  const int32_t type = proto.type().tensor_type().elem_type();
  const auto known = ToDataType(type);
  if (known && !(role == "input" && *known == DataType::kString)) return *known;
  return absl::UnimplementedError(absl::StrCat(role, " '", proto.name(), "' has element type ", ElementTypeName(type),
                                               ", which is not supported; export the model with a float32 ", role));
}

absl::Status ShapeError(const GraphValue& input, const std::string& what) {
  return absl::UnimplementedError(
      absl::StrCat("input '", input.name, "' is of shape ", ShapeToString(input.shape), "; ", what));
}

absl::StatusOr<GraphValue> ReadInput(const onnx::ValueInfoProto& proto) {
  HALFWAVE_RETURN_IF_ERROR(CheckName("input", proto.name()));
  if (proto.name().empty()) return absl::InvalidArgumentError("an input of the model has no name");
  if (!proto.type().has_tensor_type()) return KindError("input", proto);
  GraphValue input{proto.name(), {}, DataType::kFloat};
  HALFWAVE_ASSIGN_OR_RETURN(input.type, ReadType("input", proto));
  const auto& tensor = proto.type().tensor_type();
  if (!tensor.has_shape() || tensor.shape().dim_size() > kMaxRank) {
    return absl::UnimplementedError(absl::StrCat("input '", input.name, "' ",
                                                 tensor.has_shape() ? "has too many dimensions" : "has no shape",
                                                 "; export the model with inputs of a fixed shape"));
  }
  for (const auto& dimension : tensor.shape().dim()) {
    input.shape.push_back(dimension.has_dim_value() ? dimension.dim_value() : kBatch);
  }
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (input.shape[i] > 0 || (i == 0 && input.shape[i] == kBatch)) continue;
    return ShapeError(input, absl::StrCat("dimension ", i,
                                          " must have a fixed size of 1 or more (only the first, the batch, may be "
                                          "open): export with that size"));
  }
  Shape row = input.shape;
  if (!row.empty() && row[0] == kBatch) row[0] = 1;
  if (!NumElements(row)) return ShapeError(input, "that is more than any machine can hold");
  return input;
}

std::set<std::string> ZipMapOutputs(const onnx::GraphProto& graph) {
  std::set<std::string> names;
  for (const auto& node : graph.node()) {
    if (node.op_type() == "ZipMap" && node.domain() == "ai.onnx.ml" && node.output_size() > 0) {
      names.insert(node.output(0));
    }
  }
  return names;
}

absl::StatusOr<GraphValue> ReadOutput(const onnx::ValueInfoProto& proto, const std::set<std::string>& zip_maps) {
  HALFWAVE_RETURN_IF_ERROR(CheckName("output", proto.name()));
  if (proto.name().empty()) return absl::InvalidArgumentError("an output of the model has no name");
  GraphValue output{proto.name(), {}, DataType::kFloat};
  const bool says_nothing = proto.type().value_case() == TypeProto::VALUE_NOT_SET;
  if (says_nothing || (!proto.type().has_tensor_type() && zip_maps.contains(proto.name()))) return output;
  if (!proto.type().has_tensor_type()) return KindError("output", proto);
  const auto& tensor = proto.type().tensor_type();
  if (tensor.elem_type() != onnx::TensorProto::UNDEFINED) {
    HALFWAVE_ASSIGN_OR_RETURN(output.type, ReadType("output", proto));
  }
  if (tensor.shape().dim_size() > kMaxRank) return output;
  for (const auto& dimension : tensor.shape().dim()) {
    output.shape.push_back(dimension.has_dim_value() && dimension.dim_value() >= 0 ? dimension.dim_value() : kBatch);
  }
  return output;
}

}  // namespace

absl::Status ReadInputsAndOutputs(const onnx::GraphProto& proto, Graph& graph) {
  std::set<std::string> inputs;
  for (const auto& input : proto.input()) {
    if (graph.constants.contains(input.name())) continue;  // old files list their weights here too
    HALFWAVE_ASSIGN_OR_RETURN(GraphValue value, ReadInput(input));
    if (!inputs.insert(value.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("input '", value.name, "' is there twice"));
    }
    graph.inputs.push_back(std::move(value));
  }
  const std::set<std::string> zip_maps = ZipMapOutputs(proto);
  std::set<std::string> outputs;
  for (const auto& output : proto.output()) {
    if (!outputs.insert(output.name()).second) continue;  // some exporters list one twice
    HALFWAVE_ASSIGN_OR_RETURN(GraphValue value, ReadOutput(output, zip_maps));
    graph.outputs.push_back(std::move(value));
  }
  if (graph.inputs.empty() || graph.outputs.empty()) {
    return absl::InvalidArgumentError("the model has no input or no output, so there is nothing to predict");
  }
  return absl::OkStatus();
}

const char* ValueKindName(const TypeProto& type) {
  switch (type.value_case()) {
    case TypeProto::kTensorType:
      return "a tensor";
    case TypeProto::kSequenceType:
      return "a sequence";
    case TypeProto::kMapType:
      return "a map";
    case TypeProto::kOptionalType:
      return "an optional value";
    case TypeProto::kSparseTensorType:
      return "a sparse tensor";
    default:
      return "of no known type";
  }
}

}  // namespace halfwave
