#include "model/onnx/reader.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/sha256.h"
#include "model/onnx/tensor_reader.h"
#include "nlohmann/json.hpp"
#include "onnx/onnx_pb.h"

namespace halfwave {
namespace {

constexpr int64_t kOldestOpset = 7;   // the first with today's broadcasting
constexpr int64_t kNewestOpset = 26;  // the newest whose operators were compared with this implementation's
constexpr const char* kSubset = "";   // the default domain

absl::StatusOr<int64_t> ReadOpset(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (opset.domain() != kSubset && opset.domain() != "ai.onnx") continue;
    if (opset.version() < kOldestOpset || opset.version() > kNewestOpset) {
      return absl::UnimplementedError(absl::StrCat("the model uses opset ", opset.version(), "; supported are ",
                                                   kOldestOpset, " to ", kNewestOpset,
                                                   ": export it again, with opset 13 for example"));
    }
    return opset.version();
  }
  return absl::InvalidArgumentError("the model does not say which opset it uses");
}

absl::Status NotFinite(const onnx::AttributeProto& attribute) {
  return absl::InvalidArgumentError(
      absl::StrCat("attribute '", attribute.name(), "' holds a number that is not finite"));
}

absl::StatusOr<Attribute> ReadAttribute(const onnx::AttributeProto& attribute) {
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return Attribute(static_cast<int64_t>(attribute.i()));
    case onnx::AttributeProto::FLOAT:
      if (!std::isfinite(attribute.f())) return NotFinite(attribute);
      return Attribute(attribute.f());
    case onnx::AttributeProto::STRING:
      return Attribute(attribute.s());
    case onnx::AttributeProto::INTS:
      return Attribute(std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end()));
    case onnx::AttributeProto::FLOATS:
      for (const float value : attribute.floats()) {
        if (!std::isfinite(value)) return NotFinite(attribute);
      }
      return Attribute(std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
    case onnx::AttributeProto::TENSOR: {
      HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ReadTensor(attribute.t()));
      return Attribute(std::move(constant));
    }
    default:
      return absl::UnimplementedError(absl::StrCat("attribute '", attribute.name(), "' is of type ",
                                                   onnx::AttributeProto::AttributeType_Name(attribute.type()),
                                                   ", which no supported operator has"));
  }
}

absl::StatusOr<Node> ReadNode(const Graph& graph, const onnx::NodeProto& proto) {
  Node node;
  node.name = !proto.name().empty() ? proto.name() : proto.output_size() > 0 ? proto.output(0) : "";
  node.op = proto.op_type();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  if (proto.domain() != kSubset && proto.domain() != "ai.onnx") {
    return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                     absl::StrCat("operators of the domain '", proto.domain(),
                                  "' are not supported; only those of standard ONNX are"));
  }
  for (const auto& attribute : proto.attribute()) {
    absl::StatusOr<Attribute> value = ReadAttribute(attribute);
    if (!value.ok()) {
      return NodeError(value.status().code(), graph, node, std::string(value.status().message()));
    }
    node.attributes.emplace(attribute.name(), *std::move(value));
  }
  return node;
}

// A Constant node is a weight by another name.
absl::StatusOr<Constant> ConstantOfNode(const Graph& graph, Node& node) {
  for (auto& [name, attribute] : node.attributes) {
    Constant constant;
    if (auto* tensor = std::get_if<Constant>(&attribute)) return std::move(*tensor);
    if (const auto* value = std::get_if<float>(&attribute)) {
      constant.floats = {*value};
      return constant;
    }
    if (auto* values = std::get_if<std::vector<float>>(&attribute)) {
      constant.shape = {static_cast<int64_t>(values->size())};
      constant.floats = std::move(*values);
      return constant;
    }
    constant.type = DataType::kInt64;
    if (const auto* value = std::get_if<int64_t>(&attribute)) {
      constant.ints = {*value};
      return constant;
    }
    if (auto* values = std::get_if<std::vector<int64_t>>(&attribute)) {
      constant.shape = {static_cast<int64_t>(values->size())};
      constant.ints = std::move(*values);
      return constant;
    }
  }
  return NodeError(absl::StatusCode::kUnimplemented, graph, node, "holds neither numbers nor a tensor");
}

absl::StatusOr<GraphValue> ReadValue(const onnx::ValueInfoProto& proto, const std::string& role) {
  GraphValue value{proto.name(), {}, DataType::kFloat};
  const auto& type = proto.type().tensor_type();
  if (!proto.type().has_tensor_type() || type.elem_type() != onnx::TensorProto::FLOAT) {
    return absl::UnimplementedError(
        absl::StrCat(role, " '", proto.name(), "' is not a float32 tensor; export the model with float32 ", role, "s"));
  }
  for (const auto& dimension : type.shape().dim()) {
    const bool open = !dimension.has_dim_value() || dimension.dim_value() == -1;
    value.shape.push_back(open ? kBatch : dimension.dim_value());
  }
  return value;
}

absl::Status CheckInput(const GraphValue& input) {
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (input.shape[i] > 0 || (i == 0 && input.shape[i] == kBatch)) continue;
    return absl::UnimplementedError(absl::StrCat(
        "input '", input.name, "' is of shape ", ShapeToString(input.shape), "; dimension ", i,
        " must have a fixed size of 1 or more (only the first, the batch, may be open): export with that size"));
  }
  if (input.shape.size() < 2 || !NumElements(std::span(input.shape).subspan(1))) {
    return absl::UnimplementedError(absl::StrCat("input '", input.name, "' is of shape ", ShapeToString(input.shape),
                                                 "; expected a batch of rows, that is, two or more dimensions"));
  }
  return absl::OkStatus();
}

absl::Status ReadInputsAndOutputs(const onnx::GraphProto& proto, Graph& graph) {
  std::set<std::string> inputs;
  for (const auto& input : proto.input()) {
    if (graph.constants.contains(input.name())) continue;  // old files list their weights here too
    HALFWAVE_ASSIGN_OR_RETURN(GraphValue value, ReadValue(input, "input"));
    HALFWAVE_RETURN_IF_ERROR(CheckInput(value));
    if (!inputs.insert(value.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("input '", value.name, "' is there twice"));
    }
    graph.inputs.push_back(std::move(value));
  }
  std::set<std::string> outputs;
  for (const auto& output : proto.output()) {
    if (!outputs.insert(output.name()).second) continue;  // some exporters list one twice
    HALFWAVE_ASSIGN_OR_RETURN(GraphValue value, ReadValue(output, "output"));
    graph.outputs.push_back(std::move(value));
  }
  if (graph.inputs.empty() || graph.outputs.empty()) {
    return absl::InvalidArgumentError("the model has no input or no output, so there is nothing to predict");
  }
  return absl::OkStatus();
}

absl::Status ReadNodes(const onnx::GraphProto& proto, Graph& graph) {
  for (const auto& node_proto : proto.node()) {
    HALFWAVE_ASSIGN_OR_RETURN(Node node, ReadNode(graph, node_proto));
    if (node.op == "Constant" && !node.outputs.empty()) {
      HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ConstantOfNode(graph, node));
      const bool is_input = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                        [&](const GraphValue& input) { return input.name == node.outputs[0]; });
      if (is_input || !graph.constants.emplace(node.outputs[0], std::move(constant)).second) {
        return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                         absl::StrCat("its output '", node.outputs[0], "' is already an input or weight of the model"));
      }
    } else {
      graph.nodes.push_back(std::move(node));
    }
  }
  return SortNodes(graph);
}

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return absl::NotFoundError(absl::StrCat("there is no file ", path.string()));
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path.string(), "; check its permissions"));
  return std::move(bytes).str();
}

absl::Status ReadSidecar(const std::filesystem::path& path, std::map<std::string, std::string>& metadata) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), " is not a JSON object of metadata keys"));
  }
  for (const auto& [key, value] : json.items()) {
    metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return absl::OkStatus();
}

absl::Status WithFile(const absl::Status& status, const std::filesystem::path& path) {
  return absl::Status(status.code(), absl::StrCat(path.string(), ": ", status.message()));
}

}  // namespace

absl::StatusOr<OnnxModel> ParseOnnx(std::string_view bytes) {
  onnx::ModelProto proto;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !proto.has_graph()) {
    return absl::DataLossError(
        absl::StrCat("not an ONNX model, or cut short (", bytes.size(), " bytes); export or copy it again"));
  }
  OnnxModel model;
  model.sha256 = Sha256Hex(bytes);
  Graph& graph = model.graph;
  graph.name = proto.graph().name();
  graph.producer =
      absl::StrCat(proto.producer_name(), proto.producer_version().empty() ? "" : " ", proto.producer_version());
  HALFWAVE_ASSIGN_OR_RETURN(graph.opset, ReadOpset(proto));
  for (const auto& entry : proto.metadata_props()) graph.metadata[entry.key()] = entry.value();
  if (proto.graph().sparse_initializer_size() > 0) {
    return absl::UnimplementedError("the model keeps sparse weights, which are not supported; export dense ones");
  }
  for (const auto& initializer : proto.graph().initializer()) {
    HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ReadTensor(initializer));
    if (!graph.constants.emplace(initializer.name(), std::move(constant)).second) {
      return absl::InvalidArgumentError(absl::StrCat("the weight '", initializer.name(), "' is there twice"));
    }
  }
  HALFWAVE_RETURN_IF_ERROR(ReadInputsAndOutputs(proto.graph(), graph));
  HALFWAVE_RETURN_IF_ERROR(ReadNodes(proto.graph(), graph));
  return model;
}

absl::StatusOr<OnnxModel> ReadOnnxFile(const std::filesystem::path& path) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  absl::StatusOr<OnnxModel> model = ParseOnnx(bytes);
  if (!model.ok()) return WithFile(model.status(), path);
  std::filesystem::path sidecar = path;
  sidecar.replace_extension(".halfwave.json");
  if (std::filesystem::exists(sidecar)) HALFWAVE_RETURN_IF_ERROR(ReadSidecar(sidecar, model->graph.metadata));
  return model;
}

}  // namespace halfwave
