// Builds small ONNX files in memory, a line per node:
//
//   OnnxBuilder model(13);
//   model.Input("x", {-1, 4}).Weight("w", {4, 2}, {...}).Node("Gemm", {"x", "w"}, {"y"}).Output("y");
//   std::string bytes = model.Bytes();
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "onnx/onnx_pb.h"

namespace halfwave {

class OnnxBuilder {
 public:
  using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>>;
  using Attributes = std::map<std::string, AttributeValue>;

  explicit OnnxBuilder(int64_t opset = 13);

  // A dimension of -1 is left open.
  OnnxBuilder& Input(const std::string& name, const std::vector<int64_t>& shape);
  OnnxBuilder& Output(const std::string& name);
  OnnxBuilder& Weight(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values);
  OnnxBuilder& IntWeight(const std::string& name, const std::vector<int64_t>& values);
  // The node is named after its operator and its place, "Relu_2", unless an attribute "name" says otherwise.
  OnnxBuilder& Node(const std::string& op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs, const Attributes& attributes = {});
  OnnxBuilder& Metadata(const std::string& key, const std::string& value);

  onnx::ModelProto& proto() { return proto_; }
  std::string Bytes() const { return proto_.SerializeAsString(); }

 private:
  onnx::ModelProto proto_;
};

}  // namespace halfwave
