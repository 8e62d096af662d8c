// What the parts of the reference interpreter share.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/model/reference.h"

namespace halfwave::reference {

using Inputs = std::vector<const Tensor*>;

// The operators of reference_operators.cc: the node's outputs, or nothing if it is not one of them.
std::optional<std::vector<Tensor>> ComputeMore(const onnx::NodeProto& node, const Inputs& in, int64_t opset);

inline const onnx::AttributeProto* Find(const onnx::NodeProto& node, const std::string& name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

inline double Number(const onnx::NodeProto& node, const std::string& name, double fallback) {
  const auto* attribute = Find(node, name);
  if (attribute == nullptr) return fallback;
  return attribute->type() == onnx::AttributeProto::FLOAT ? attribute->f() : static_cast<double>(attribute->i());
}

inline std::vector<int64_t> Integers(const onnx::NodeProto& node, const std::string& name,
                                     std::vector<int64_t> fallback) {
  const auto* attribute = Find(node, name);
  if (attribute == nullptr) return fallback;
  return {attribute->ints().begin(), attribute->ints().end()};
}

inline int64_t Product(const Shape& shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= shape[i];
  return product;
}

inline int64_t Size(const Shape& shape) { return Product(shape, 0, shape.size()); }

// The element of `tensor` that is broadcast to the flat index `element` of `shape`.
inline double Broadcast(const Tensor& tensor, const Shape& shape, int64_t element) {
  int64_t source = 0, stride = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t axis = shape.size() - 1 - i;
    const int64_t index = element % shape[axis];
    element /= shape[axis];
    if (i >= tensor.shape.size()) continue;
    const int64_t own = tensor.shape[tensor.shape.size() - 1 - i];
    source += own == 1 ? 0 : index * stride;
    stride *= own;
  }
  return tensor.data.at(source);
}

inline Tensor Map(const Tensor& x, const std::function<double(double)>& f) {
  Tensor y = x;
  for (double& value : y.data) value = f(value);
  return y;
}

inline Tensor Combine(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& f) {
  Shape shape = a.shape.size() >= b.shape.size() ? a.shape : b.shape;
  for (const Tensor* tensor : {&a, &b}) {
    const size_t skipped = shape.size() - tensor->shape.size();
    for (size_t i = 0; i < tensor->shape.size(); ++i)
      shape[skipped + i] = std::max(shape[skipped + i], tensor->shape[i]);
  }
  Tensor y{shape, std::vector<double>(Size(shape))};
  for (int64_t i = 0; i < Size(shape); ++i) y.data[i] = f(Broadcast(a, shape, i), Broadcast(b, shape, i));
  return y;
}

// A list of integers that is an attribute in old opsets and an input in newer ones.
inline std::vector<int64_t> List(const onnx::NodeProto& node, const Inputs& in, size_t index, const std::string& name) {
  if (index >= in.size() || in[index] == nullptr) return Integers(node, name, {});
  return {in[index]->data.begin(), in[index]->data.end()};
}

// An output of the given shape whose element at `index` is the input's at source(index).
inline Tensor Gather(const Tensor& x, const Shape& shape, const std::function<Shape(const Shape& index)>& source) {
  Tensor y{shape, {}};
  Shape index(shape.size(), 0);
  for (int64_t i = 0; i < Size(shape); ++i) {
    const Shape from = source(index);
    int64_t flat = 0;
    for (size_t d = 0; d < from.size(); ++d) flat = flat * x.shape[d] + from[d];
    y.data.push_back(x.data.at(flat));
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return y;
}

}  // namespace halfwave::reference
