#include "tests/support/onnx_builder.h"

#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

void SetValue(onnx::ValueInfoProto* value, const std::string& name, const std::vector<int64_t>& shape) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t dimension : shape) {
    auto* out = tensor->mutable_shape()->add_dim();
    if (dimension < 0) {
      out->set_dim_param("batch");
    } else {
      out->set_dim_value(dimension);
    }
  }
}

void SetAttribute(onnx::AttributeProto* attribute, int64_t value) {
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}
void SetAttribute(onnx::AttributeProto* attribute, float value) {
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
}
void SetAttribute(onnx::AttributeProto* attribute, const std::string& value) {
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}
void SetAttribute(onnx::AttributeProto* attribute, const std::vector<int64_t>& value) {
  attribute->set_type(onnx::AttributeProto::INTS);
  for (const int64_t v : value) attribute->add_ints(v);
}

}  // namespace

OnnxBuilder::OnnxBuilder(int64_t opset) {
  proto_.set_ir_version(7);
  proto_.set_producer_name("test");
  proto_.add_opset_import()->set_version(opset);
  proto_.mutable_graph()->set_name("graph");
}

OnnxBuilder& OnnxBuilder::Input(const std::string& name, const std::vector<int64_t>& shape) {
  SetValue(proto_.mutable_graph()->add_input(), name, shape);
  return *this;
}

OnnxBuilder& OnnxBuilder::Output(const std::string& name) {
  SetValue(proto_.mutable_graph()->add_output(), name, {});
  return *this;
}

OnnxBuilder& OnnxBuilder::Weight(const std::string& name, const std::vector<int64_t>& shape,
                                 const std::vector<float>& values) {
  auto* tensor = proto_.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t dimension : shape) tensor->add_dims(dimension);
  for (const float value : values) tensor->add_float_data(value);
  return *this;
}

OnnxBuilder& OnnxBuilder::IntWeight(const std::string& name, const std::vector<int64_t>& values) {
  auto* tensor = proto_.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (const int64_t value : values) tensor->add_int64_data(value);
  return *this;
}

OnnxBuilder& OnnxBuilder::Node(const std::string& op, const std::vector<std::string>& inputs,
                               const std::vector<std::string>& outputs, const Attributes& attributes) {
  auto* node = proto_.mutable_graph()->add_node();
  node->set_op_type(op);
  node->set_name(absl::StrCat(op, "_", proto_.graph().node_size() - 1));
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  for (const auto& [name, value] : attributes) {
    if (name == "name") {
      node->set_name(std::get<std::string>(value));
      continue;
    }
    auto* attribute = node->add_attribute();
    attribute->set_name(name);
    std::visit([&](const auto& v) { SetAttribute(attribute, v); }, value);
  }
  return *this;
}

OnnxBuilder& OnnxBuilder::Metadata(const std::string& key, const std::string& value) {
  auto* entry = proto_.add_metadata_props();
  entry->set_key(key);
  entry->set_value(value);
  return *this;
}

}  // namespace halfwave
