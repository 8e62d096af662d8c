#include "model/onnx/writer.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "onnx/onnx_pb.h"

namespace halfwave {
namespace {

using onnx::TensorProto;

// The oldest that knows every opset that is read; runtimes refuse files that are younger than they are.
constexpr int64_t kIrVersion = 8;

int32_t ToOnnx(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return TensorProto::FLOAT;
    case DataType::kDouble:
      return TensorProto::DOUBLE;
    case DataType::kFloat16:
      return TensorProto::FLOAT16;
    case DataType::kBFloat16:
      return TensorProto::BFLOAT16;
    case DataType::kInt8:
      return TensorProto::INT8;
    case DataType::kInt16:
      return TensorProto::INT16;
    case DataType::kInt32:
      return TensorProto::INT32;
    case DataType::kInt64:
      return TensorProto::INT64;
    case DataType::kUint8:
      return TensorProto::UINT8;
    case DataType::kUint16:
      return TensorProto::UINT16;
    case DataType::kUint32:
      return TensorProto::UINT32;
    case DataType::kUint64:
      return TensorProto::UINT64;
    case DataType::kBool:
      return TensorProto::BOOL;
    case DataType::kString:
      return TensorProto::STRING;
  }
  return TensorProto::UNDEFINED;
}

// Round to nearest, ties to even: exact for what was read from a half.
uint16_t ToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000u;
  const float magnitude = std::bit_cast<float>(bits & 0x7FFFFFFFu);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x1p-14f)
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(magnitude * 0x1p24f)));
  const uint32_t rounded = std::bit_cast<uint32_t>(magnitude) + 0x0FFFu + (bits >> 13 & 1u);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

uint16_t ToBFloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

template <typename Stored, typename From, typename Convert>
void Write(const std::vector<From>& values, Convert convert, TensorProto* tensor) {
  std::string raw(values.size() * sizeof(Stored), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const Stored value = static_cast<Stored>(convert(values[i]));
    std::memcpy(raw.data() + i * sizeof(Stored), &value, sizeof(Stored));
  }
  tensor->set_raw_data(std::move(raw));
}

void WriteTensor(const Constant& constant, TensorProto* tensor) {
  const auto same = [](auto value) { return value; };
  tensor->set_data_type(ToOnnx(constant.type));
  for (const int64_t dimension : constant.shape) tensor->add_dims(dimension);
  switch (constant.type) {
    case DataType::kFloat:
      return Write<float>(constant.floats, same, tensor);
    case DataType::kDouble:
      return Write<double>(constant.floats, same, tensor);
    case DataType::kFloat16:
      return Write<uint16_t>(constant.floats, ToHalf, tensor);
    case DataType::kBFloat16:
      return Write<uint16_t>(constant.floats, ToBFloat, tensor);
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kBool:
      return Write<uint8_t>(constant.ints, same, tensor);
    case DataType::kInt16:
    case DataType::kUint16:
      return Write<uint16_t>(constant.ints, same, tensor);
    case DataType::kInt32:
    case DataType::kUint32:
      return Write<uint32_t>(constant.ints, same, tensor);
    case DataType::kInt64:
    case DataType::kUint64:
      return Write<int64_t>(constant.ints, same, tensor);
    case DataType::kString:
      for (const std::string& value : constant.strings) tensor->add_string_data(value);
  }
}

struct AttributeWriter {
  onnx::AttributeProto* proto;

  void operator()(int64_t value) const {
    proto->set_type(onnx::AttributeProto::INT);
    proto->set_i(value);
  }
  void operator()(float value) const {
    proto->set_type(onnx::AttributeProto::FLOAT);
    proto->set_f(value);
  }
  void operator()(const std::string& value) const {
    proto->set_type(onnx::AttributeProto::STRING);
    proto->set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto->set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) proto->add_ints(value);
  }
  void operator()(const std::vector<float>& values) const {
    proto->set_type(onnx::AttributeProto::FLOATS);
    for (const float value : values) proto->add_floats(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    proto->set_type(onnx::AttributeProto::STRINGS);
    for (const std::string& value : values) proto->add_strings(value);
  }
  void operator()(const Constant& constant) const {
    if (constant.type == DataType::kString) return (*this)(constant.strings);  // as the reader keeps lists of texts
    proto->set_type(onnx::AttributeProto::TENSOR);
    WriteTensor(constant, proto->mutable_t());
  }
};

void WriteValue(const GraphValue& value, onnx::ValueInfoProto* proto) {
  proto->set_name(value.name);
  auto* tensor = proto->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(ToOnnx(value.type));
  for (const int64_t size : value.shape) {
    auto* dimension = tensor->mutable_shape()->add_dim();
    if (size >= 0) {
      dimension->set_dim_value(size);
    } else if (size == kBatch) {
      dimension->set_dim_param("batch");
    }
  }
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const Graph& graph) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("halfwave");
  model.add_opset_import()->set_version(graph.opset);
  for (const auto& [key, value] : graph.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  onnx::GraphProto* proto = model.mutable_graph();
  proto->set_name(graph.name.empty() ? "graph" : graph.name);
  for (const GraphValue& input : graph.inputs) WriteValue(input, proto->add_input());
  for (const GraphValue& output : graph.outputs) WriteValue(output, proto->add_output());
  for (const auto& [name, constant] : graph.constants) {
    TensorProto* tensor = proto->add_initializer();
    tensor->set_name(name);
    WriteTensor(constant, tensor);
  }
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty() || node.op.rfind("halfwave.", 0) == 0) {
      return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                       absl::StrCat("operators of the domain '", node.domain, "' are not written"));
    }
    onnx::NodeProto* out = proto->add_node();
    out->set_name(node.name);
    out->set_op_type(node.op);
    for (const std::string& input : node.inputs) out->add_input(input);
    for (const std::string& output : node.outputs) out->add_output(output);
    for (const auto& [name, value] : node.attributes) {
      onnx::AttributeProto* attribute = out->add_attribute();
      attribute->set_name(name);
      std::visit(AttributeWriter{attribute}, value);
    }
  }
  return model.SerializeAsString();
}

}  // namespace halfwave
