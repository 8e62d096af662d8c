#include "model/onnx/node_reader.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/onnx/text.h"

namespace halfwave {
namespace {

using onnx::AttributeProto;

// As a Node has it: "" for the default domain, under both its names.
std::string Domain(const onnx::NodeProto& proto) { return proto.domain() == "ai.onnx" ? "" : proto.domain(); }

// The node without its attributes. Its names may be anything still.
Node Outline(const onnx::NodeProto& proto, int index) {
  Node node;
  node.name = proto.name();
  if (node.name.empty() && proto.output_size() > 0) node.name = proto.output(0);
  if (node.name.empty()) node.name = absl::StrCat("#", index);
  node.op = proto.op_type();
  node.domain = Domain(proto);
  return node;
}

bool IsQuantised(const std::string& op) {
  return absl::StrContains(op, "QuantizeLinear") || absl::StartsWith(op, "DequantizeLinear") ||
         absl::StartsWith(op, "QLinear") || absl::StartsWith(op, "QGemm") || absl::StartsWith(op, "QAttention") ||
         absl::StartsWith(op, "QMoE") || absl::StrContains(op, "ConvInteger") ||
         absl::StrContains(op, "MatMulInteger") || absl::StartsWith(op, "DynamicQuantize") ||
         absl::StartsWith(op, "MatMulNBits") || absl::StartsWith(op, "MatMulBnb4");
}

bool HasSubgraph(const onnx::NodeProto& proto) {
  return std::any_of(proto.attribute().begin(), proto.attribute().end(), [](const AttributeProto& attribute) {
    return attribute.type() == AttributeProto::GRAPH || attribute.type() == AttributeProto::GRAPHS ||
           attribute.has_g() || attribute.graphs_size() > 0;
  });
}

absl::Status CheckNames(const onnx::NodeProto& proto) {
  HALFWAVE_RETURN_IF_ERROR(CheckName("node", proto.name()));
  HALFWAVE_RETURN_IF_ERROR(CheckName("operator", proto.op_type()));
  HALFWAVE_RETURN_IF_ERROR(CheckName("operator domain", proto.domain()));
  for (const std::string& name : proto.input()) HALFWAVE_RETURN_IF_ERROR(CheckName("input of a node", name));
  for (const std::string& name : proto.output()) HALFWAVE_RETURN_IF_ERROR(CheckName("output of a node", name));
  for (const auto& attribute : proto.attribute()) {
    HALFWAVE_RETURN_IF_ERROR(CheckName("attribute", attribute.name()));
  }
  return absl::OkStatus();
}

// Files of IR version 1 do not say which field of an attribute counts.
AttributeProto::AttributeType TypeOf(const AttributeProto& attribute) {
  if (attribute.has_type() && attribute.type() != AttributeProto::UNDEFINED) return attribute.type();
  if (attribute.has_f()) return AttributeProto::FLOAT;
  if (attribute.has_i()) return AttributeProto::INT;
  if (attribute.has_s()) return AttributeProto::STRING;
  if (attribute.has_t()) return AttributeProto::TENSOR;
  if (attribute.floats_size() > 0) return AttributeProto::FLOATS;
  if (attribute.ints_size() > 0) return AttributeProto::INTS;
  if (attribute.strings_size() > 0) return AttributeProto::STRINGS;
  return AttributeProto::UNDEFINED;
}

absl::StatusOr<Attribute> ReadAttribute(const AttributeProto& attribute, TensorSource& source) {
  const auto refuse = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("attribute '", attribute.name(), "' ", what));
  };
  if (!attribute.ref_attr_name().empty()) return refuse("refers to an attribute of a function, outside of one");
  const AttributeProto::AttributeType type = TypeOf(attribute);
  switch (type) {
    case AttributeProto::INT:
      return Attribute(static_cast<int64_t>(attribute.i()));
    case AttributeProto::FLOAT:
      if (!std::isfinite(attribute.f())) return refuse("holds a number that is not finite");
      return Attribute(attribute.f());
    case AttributeProto::STRING:
      return Attribute(ToUtf8(attribute.s()));
    case AttributeProto::INTS:
      return Attribute(std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end()));
    case AttributeProto::FLOATS:
      for (const float value : attribute.floats()) {
        if (!std::isfinite(value)) return refuse("holds a number that is not finite");
      }
      return Attribute(std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
    case AttributeProto::STRINGS: {
      Constant texts;
      texts.type = DataType::kString;
      texts.shape = {attribute.strings_size()};
      for (const std::string& value : attribute.strings()) texts.strings.push_back(ToUtf8(value));
      return Attribute(std::move(texts));
    }
    case AttributeProto::TENSOR: {
      HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ReadTensor(attribute.t(), source));
      return Attribute(std::move(constant));
    }
    default:
      return absl::UnimplementedError(absl::StrCat("attribute '", attribute.name(), "' is of type ",
                                                   AttributeProto::AttributeType_Name(type),
                                                   ", which no supported operator has"));
  }
}

absl::StatusOr<Node> ReadNode(const Graph& graph, onnx::NodeProto& proto, int index, TensorSource& source) {
  HALFWAVE_RETURN_IF_ERROR(CheckNames(proto));
  Node node = Outline(proto, index);
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (auto& attribute : *proto.mutable_attribute()) {
    absl::StatusOr<Attribute> value = ReadAttribute(attribute, source);
    if (!value.ok()) {
      return NodeError(value.status().code(), graph, node, std::string(value.status().message()));
    }
    if (!node.attributes.emplace(attribute.name(), *std::move(value)).second) {
      return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                       absl::StrCat("attribute '", attribute.name(), "' is there twice"));
    }
    if (attribute.has_t()) onnx::TensorProto().Swap(attribute.mutable_t());
  }
  return node;
}

Constant Number(DataType type) {
  Constant constant;
  constant.type = type;
  return constant;
}

// The values of a Constant node's one attribute; nothing if the attribute is not of the type that goes with its name.
std::optional<Constant> ConstantOf(const std::string& name, Attribute& attribute) {
  if (auto* tensor = std::get_if<Constant>(&attribute)) {
    const bool fits = name == (tensor->type == DataType::kString ? "value_strings" : "value") || name == "value";
    return fits ? std::optional(std::move(*tensor)) : std::nullopt;
  }
  if (const auto* value = std::get_if<float>(&attribute); value != nullptr && name == "value_float") {
    Constant constant = Number(DataType::kFloat);
    constant.floats = {*value};
    return constant;
  }
  if (auto* values = std::get_if<std::vector<float>>(&attribute); values != nullptr && name == "value_floats") {
    Constant constant = Number(DataType::kFloat);
    constant.shape = {static_cast<int64_t>(values->size())};
    constant.floats = std::move(*values);
    return constant;
  }
  if (const auto* value = std::get_if<int64_t>(&attribute); value != nullptr && name == "value_int") {
    Constant constant = Number(DataType::kInt64);
    constant.ints = {*value};
    return constant;
  }
  if (auto* values = std::get_if<std::vector<int64_t>>(&attribute); values != nullptr && name == "value_ints") {
    Constant constant = Number(DataType::kInt64);
    constant.shape = {static_cast<int64_t>(values->size())};
    constant.ints = std::move(*values);
    return constant;
  }
  if (auto* value = std::get_if<std::string>(&attribute); value != nullptr && name == "value_string") {
    Constant constant = Number(DataType::kString);
    constant.strings = {std::move(*value)};
    return constant;
  }
  return std::nullopt;
}

// A Constant node is a weight by another name.
absl::StatusOr<Constant> ConstantOfNode(const Graph& graph, Node& node) {
  if (node.attributes.size() == 1) {
    auto& [name, attribute] = *node.attributes.begin();
    if (auto constant = ConstantOf(name, attribute)) return *std::move(constant);
  }
  return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                   "needs one attribute with its value: 'value' with a tensor, 'value_floats' with floats, ...");
}

}  // namespace

absl::Status CheckOperators(const onnx::ModelProto& model, const Graph& graph) {
  std::set<std::pair<std::string, std::string>> functions;
  for (const auto& function : model.functions()) functions.emplace(function.domain(), function.name());
  for (int i = 0; i < model.graph().node_size(); ++i) {
    const onnx::NodeProto& proto = model.graph().node(i);
    HALFWAVE_RETURN_IF_ERROR(CheckNames(proto));
    const Node node = Outline(proto, i);
    const auto refuse = [&](const std::string& what) {
      return NodeError(absl::StatusCode::kUnimplemented, graph, node, what);
    };
    if (functions.contains({proto.domain(), proto.op_type()})) {
      return refuse(absl::StrCat("the operator is a function that the file itself defines, in the domain '",
                                 proto.domain(), "'; export the model with its functions inlined"));
    }
    if (IsQuantised(proto.op_type())) {
      return refuse("the model is quantised, which is not supported; export or serve the float model it was made from");
    }
    if (node.op.rfind("halfwave.", 0) == 0) return refuse("operators of this name are made at load, not in files");
    if (!node.domain.empty() && node.domain != "ai.onnx.ml") {
      return refuse(absl::StrCat("custom operators, here of the domain '", proto.domain(),
                                 "', are not supported; only those of standard ONNX are"));
    }
    if (HasSubgraph(proto)) {
      return refuse("control flow is not supported; export the model without branches and loops");
    }
    for (const auto& attribute : proto.attribute()) {
      if (node.op == "Constant" && (attribute.name() == "sparse_value" || attribute.has_sparse_tensor())) {
        return refuse("holds sparse values, which are not supported; export dense ones");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ReadNodes(onnx::GraphProto& proto, TensorSource& source, Graph& graph) {
  std::set<std::string> inputs;
  for (const GraphValue& input : graph.inputs) inputs.insert(input.name);
  graph.nodes.reserve(proto.node_size());
  for (int i = 0; i < proto.node_size(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(Node node, ReadNode(graph, *proto.mutable_node(i), i, source));
    if (node.op != "Constant" || !node.domain.empty()) {
      graph.nodes.push_back(std::move(node));
      continue;
    }
    if (node.outputs.size() != 1) {
      return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                       absl::StrCat("has ", node.outputs.size(), " outputs, expected one"));
    }
    HALFWAVE_ASSIGN_OR_RETURN(Constant constant, ConstantOfNode(graph, node));
    if (inputs.contains(node.outputs[0]) || !graph.constants.emplace(node.outputs[0], std::move(constant)).second) {
      return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                       absl::StrCat("its output '", node.outputs[0], "' is already an input or weight of the model"));
    }
  }
  return SortNodes(graph);
}

}  // namespace halfwave
