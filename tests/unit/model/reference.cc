#include "tests/unit/model/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "model/engine/proof.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/reference_internal.h"

namespace halfwave {
namespace {

using namespace reference;

Tensor FromProto(const onnx::TensorProto& proto) {
  Tensor tensor{{proto.dims().begin(), proto.dims().end()}, {}};
  tensor.data.assign(proto.float_data().begin(), proto.float_data().end());
  tensor.data.insert(tensor.data.end(), proto.double_data().begin(), proto.double_data().end());
  for (const int64_t value : proto.int64_data()) tensor.data.push_back(static_cast<double>(value));
  return tensor;
}

Tensor GlobalPool(const Tensor& x, bool maximum) {
  Tensor y{x.shape, {}};
  std::fill(y.shape.begin() + 2, y.shape.end(), 1);
  const int64_t positions = Product(x.shape, 2, x.shape.size());
  for (int64_t map = 0; map < x.shape[0] * x.shape[1]; ++map) {
    double sum = 0, largest = x.data[map * positions];
    for (int64_t i = 0; i < positions; ++i) {
      sum += x.data[map * positions + i];
      largest = std::max(largest, x.data[map * positions + i]);
    }
    y.data.push_back(maximum ? largest : sum / static_cast<double>(positions));
  }
  return y;
}

Tensor BatchNormalization(const onnx::NodeProto& node, const Tensor& x, const std::vector<const Tensor*>& in) {
  const double epsilon = Number(node, "epsilon", 1e-5f);
  const int64_t positions = Product(x.shape, 2, x.shape.size());
  Tensor y = x;
  for (size_t i = 0; i < y.data.size(); ++i) {
    const size_t c = i / positions % x.shape[1];
    y.data[i] = in[1]->data[c] * (x.data[i] - in[3]->data[c]) / std::sqrt(in[4]->data[c] + epsilon) + in[2]->data[c];
  }
  return y;
}

Tensor Softmax(const onnx::NodeProto& node, const Tensor& x, int64_t opset, bool logarithm) {
  const auto rank = static_cast<int64_t>(x.shape.size());
  auto axis = static_cast<int64_t>(Number(node, "axis", opset < 13 ? 1 : -1));
  if (axis < 0) axis += rank;
  const int64_t length = opset < 13 ? Product(x.shape, axis, rank) : x.shape[axis];
  const int64_t stride = opset < 13 ? 1 : Product(x.shape, axis + 1, rank);
  Tensor y = x;
  for (int64_t start = 0; start < Size(x.shape); ++start) {
    if (start / stride % length != 0) continue;
    double largest = x.data[start], sum = 0;
    for (int64_t i = 0; i < length; ++i) largest = std::max(largest, x.data[start + i * stride]);
    for (int64_t i = 0; i < length; ++i) sum += std::exp(x.data[start + i * stride] - largest);
    for (int64_t i = 0; i < length; ++i) {
      const double logit = x.data[start + i * stride] - largest;
      y.data[start + i * stride] = logarithm ? logit - std::log(sum) : std::exp(logit) / sum;
    }
  }
  return y;
}

Tensor Reshape(const Tensor& x, const Tensor& target) {
  Tensor y{{}, x.data};
  int64_t known = 1;
  for (size_t i = 0; i < target.data.size(); ++i) {
    const auto dimension = static_cast<int64_t>(target.data[i]);
    y.shape.push_back(dimension == 0 ? x.shape.at(i) : dimension);
    if (dimension != -1) known *= y.shape.back();
  }
  for (int64_t& dimension : y.shape) {
    if (dimension == -1) dimension = Size(x.shape) / known;
  }
  if (Size(y.shape) != Size(x.shape)) throw std::runtime_error("reshape to another size");
  return y;
}

// A number that is an attribute in old opsets and an input in newer ones.
double Scalar(const onnx::NodeProto& node, const std::vector<const Tensor*>& in, size_t index, const std::string& name,
              double fallback) {
  return index < in.size() && in[index] != nullptr ? in[index]->data.at(0) : Number(node, name, fallback);
}

Tensor Transpose(const onnx::NodeProto& node, const Tensor& x) {
  std::vector<int64_t> reversed;
  for (auto axis = static_cast<int64_t>(x.shape.size()) - 1; axis >= 0; --axis) reversed.push_back(axis);
  const auto permutation = Integers(node, "perm", reversed);
  Shape shape;
  for (const int64_t axis : permutation) shape.push_back(x.shape.at(axis));
  return Gather(x, shape, [&](const Shape& index) {
    Shape from = index;
    for (size_t i = 0; i < index.size(); ++i) from[permutation[i]] = index[i];
    return from;
  });
}

Tensor Slice(const onnx::NodeProto& node, const Tensor& x, const std::vector<const Tensor*>& in) {
  const auto starts = List(node, in, 1, "starts"), ends = List(node, in, 2, "ends");
  const auto axes = List(node, in, 3, "axes"), steps = List(node, in, 4, "steps");
  // By dimension, the elements it keeps.
  std::vector<std::vector<int64_t>> kept;
  Shape shape;
  for (const int64_t size : x.shape) {
    kept.emplace_back();
    for (int64_t i = 0; i < size; ++i) kept.back().push_back(i);
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto rank = static_cast<int64_t>(x.shape.size());
    const int64_t axis = axes.empty() ? static_cast<int64_t>(i) : (axes[i] + rank) % rank;
    const int64_t step = steps.empty() ? 1 : steps[i], size = x.shape[axis];
    const int64_t start = starts[i] < 0 ? starts[i] + size : starts[i], end = ends[i] < 0 ? ends[i] + size : ends[i];
    kept[axis].clear();
    for (int64_t at = step < 0 ? std::min(start, size - 1) : start; step < 0 ? at > end : at < end; at += step) {
      if (at < 0 || at >= size) break;
      kept[axis].push_back(at);
    }
  }
  for (const auto& elements : kept) shape.push_back(static_cast<int64_t>(elements.size()));
  return Gather(x, shape, [&](const Shape& index) {
    Shape from;
    for (size_t i = 0; i < index.size(); ++i) from.push_back(kept[i][index[i]]);
    return from;
  });
}

Tensor Concat(const onnx::NodeProto& node, const std::vector<const Tensor*>& in) {
  auto axis = static_cast<int64_t>(Number(node, "axis", 1));
  if (axis < 0) axis += static_cast<int64_t>(in[0]->shape.size());
  Tensor y{in[0]->shape, {}};
  for (size_t i = 1; i < in.size(); ++i) y.shape[axis] += in[i]->shape[axis];
  for (int64_t group = 0; group < Product(y.shape, 0, axis); ++group) {
    for (const Tensor* tensor : in) {
      const int64_t part = Product(tensor->shape, axis, tensor->shape.size());
      y.data.insert(y.data.end(), tensor->data.begin() + group * part, tensor->data.begin() + (group + 1) * part);
    }
  }
  return y;
}

Tensor Squeeze(const onnx::NodeProto& node, const Tensor& x, const std::vector<const Tensor*>& in) {
  const auto axes = List(node, in, 1, "axes");
  const auto rank = static_cast<int64_t>(x.shape.size());
  Tensor y{{}, x.data};
  for (int64_t i = 0; i < rank; ++i) {
    const bool named = std::any_of(axes.begin(), axes.end(), [&](int64_t axis) { return (axis + rank) % rank == i; });
    const bool dropped = axes.empty() ? i > 0 && x.shape[i] == 1 : named;
    if (!dropped) y.shape.push_back(x.shape[i]);
  }
  return y;
}

Tensor Unsqueeze(const onnx::NodeProto& node, const Tensor& x, const std::vector<const Tensor*>& in) {
  const auto axes = List(node, in, 1, "axes");
  const auto rank = static_cast<int64_t>(x.shape.size() + axes.size());
  Tensor y{{}, x.data};
  auto next = x.shape.begin();
  for (int64_t i = 0; i < rank; ++i) {
    const bool named = std::any_of(axes.begin(), axes.end(), [&](int64_t axis) { return (axis + rank) % rank == i; });
    y.shape.push_back(named ? 1 : *next++);
  }
  return y;
}

// The element-wise function that the node applies, if it is one.
std::function<double(double)> ElementwiseFunction(const onnx::NodeProto& node, const std::vector<const Tensor*>& in) {
  const std::string& op = node.op_type();
  const double alpha = Number(node, "alpha", op == "HardSigmoid" ? 0.2f : 1);
  if (op == "Celu") return [=](double v) { return std::max(0.0, v) + std::min(0.0, alpha * std::expm1(v / alpha)); };
  if (op == "Clip") {
    const double low = Scalar(node, in, 1, "min", std::numeric_limits<float>::lowest());
    const double high = Scalar(node, in, 2, "max", std::numeric_limits<float>::max());
    return [=](double v) { return std::min(high, std::max(low, v)); };
  }
  if (op == "Gelu") {
    const auto* approximate = Find(node, "approximate");
    if (approximate != nullptr && approximate->s() == "tanh") {
      return [](double v) { return v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))); };
    }
    return [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2.0))); };
  }
  if (op == "HardSigmoid") {
    const double beta = Number(node, "beta", 0.5);
    return [=](double v) { return std::max(0.0, std::min(1.0, alpha * v + beta)); };
  }
  if (op == "HardSwish") return [](double v) { return v * std::max(0.0, std::min(1.0, v / 6 + 0.5)); };
  if (op == "Mish") return [](double v) { return v * std::tanh(std::log1p(std::exp(v))); };
  if (op == "Softplus") return [](double v) { return std::log1p(std::exp(v)); };
  if (op == "Softsign") return [](double v) { return v / (1 + std::abs(v)); };
  if (op == "ThresholdedRelu") return [=](double v) { return v > alpha ? v : 0; };
  return nullptr;
}

Tensor Compute(const onnx::NodeProto& node, const std::vector<const Tensor*>& in, int64_t opset) {
  const std::string& op = node.op_type();
  const Tensor& x = *in.at(0);
  const auto elu = [](double alpha) { return [alpha](double v) { return v < 0 ? alpha * std::expm1(v) : v; }; };
  if (op == "Identity" || op == "Dropout") return x;
  if (op == "Relu") return Map(x, [](double v) { return v < 0 ? 0 : v; });
  if (op == "Sigmoid") return Map(x, [](double v) { return 1 / (1 + std::exp(-v)); });
  if (op == "Tanh") return Map(x, [](double v) { return std::tanh(v); });
  if (op == "Elu") return Map(x, elu(Number(node, "alpha", 1)));
  if (op == "Selu") {
    const double gamma = Number(node, "gamma", 1.05070102214813232421875);
    return Map(Map(x, elu(Number(node, "alpha", 1.67326319217681884765625))), [=](double v) { return gamma * v; });
  }
  if (op == "LeakyRelu") {
    const double alpha = Number(node, "alpha", 0.01f);
    return Map(x, [=](double v) { return v < 0 ? alpha * v : v; });
  }
  if (op == "PRelu") return Combine(x, *in.at(1), [](double v, double slope) { return v < 0 ? slope * v : v; });
  if (const auto function = ElementwiseFunction(node, in)) return Map(x, function);
  if (op == "GlobalAveragePool") return GlobalPool(x, false);
  if (op == "GlobalMaxPool") return GlobalPool(x, true);
  if (op == "BatchNormalization") return BatchNormalization(node, x, in);
  if (op == "Softmax") return Softmax(node, x, opset, false);
  if (op == "LogSoftmax") return Softmax(node, x, opset, true);
  if (op == "Transpose") return Transpose(node, x);
  if (op == "Slice") return Slice(node, x, in);
  if (op == "Concat") return Concat(node, in);
  if (op == "Squeeze") return Squeeze(node, x, in);
  if (op == "Unsqueeze") return Unsqueeze(node, x, in);
  if (op == "Reshape") return Reshape(x, *in.at(1));
  throw std::runtime_error("the reference does not know " + op);
}

}  // namespace

Tensors Interpret(const onnx::ModelProto& model, const Tensors& inputs) {
  Tensors values = inputs;
  for (const auto& weight : model.graph().initializer()) values[weight.name()] = FromProto(weight);
  for (const auto& node : model.graph().node()) {
    if (node.op_type() == "Constant") {
      values[node.output(0)] = FromProto(Find(node, "value")->t());
      continue;
    }
    std::vector<const Tensor*> in;
    for (const std::string& name : node.input()) in.push_back(name.empty() ? nullptr : &values.at(name));
    const int64_t opset = model.opset_import(0).version();
    const auto outputs = ComputeMore(node, in, opset);
    if (!outputs) values[node.output(0)] = Compute(node, in, opset);
    for (int i = 0; outputs && i < node.output_size(); ++i) values[node.output(i)] = outputs->at(i);
  }
  return values;
}

std::vector<std::vector<float>> NoiseFor(const Model& model, int64_t rows, uint32_t seed, float low, float high) {
  std::vector<std::vector<float>> inputs;
  for (const GraphValue& input : model.inputs()) {
    inputs.push_back(
        Noise(rows * RowElements(input.shape), seed + 1000 * static_cast<uint32_t>(inputs.size()), low, high));
  }
  return inputs;
}

Tensors ToTensors(const Model& model, int64_t rows, const std::vector<std::vector<float>>& inputs) {
  Tensors tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor& tensor = tensors[model.inputs()[i].name];
    tensor.shape = model.inputs()[i].shape;
    tensor.shape[0] = rows;
    tensor.data.assign(inputs[i].begin(), inputs[i].end());
  }
  return tensors;
}

void ExpectReference(const Model& model, const Tensors& expected, const std::vector<std::vector<float>>& outputs,
                     int64_t rows) {
  for (size_t i = 0; i < model.outputs().size(); ++i) {
    const GraphValue& output = model.outputs()[i];
    const auto found = expected.find(output.name);
    if (found == expected.end()) continue;  // added by an option
    Shape shape = output.shape;
    shape[0] = rows;
    ASSERT_EQ(shape, found->second.shape) << "output " << output.name;
    ASSERT_EQ(outputs[i].size(), found->second.data.size()) << "output " << output.name;
    const std::vector<float> want(found->second.data.begin(), found->second.data.end());
    const size_t elements = want.size() / rows;
    for (int64_t row = 0; row < rows; ++row) {
      const auto want_row = std::span(want).subspan(row * elements, elements);
      const auto got_row = std::span(outputs[i]).subspan(row * elements, elements);
      if (WithinTolerance(want_row, got_row)) continue;
      size_t worst = 0;
      for (size_t k = 0; k < elements; ++k) {
        if (std::abs(want_row[k] - got_row[k]) > std::abs(want_row[worst] - got_row[worst])) worst = k;
      }
      ADD_FAILURE() << "output " << output.name << " " << ShapeToString(output.shape) << ", row " << row << " of "
                    << rows << ", element " << worst << ": expected " << want_row[worst] << ", computed "
                    << got_row[worst];
      return;
    }
  }
}

std::shared_ptr<const Model> ExpectComputes(OnnxBuilder& network, int64_t rows, uint32_t seed,
                                            const ModelOptions& options) {
  auto model = LoadModel(network.Bytes(), options);
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return nullptr;
  const auto inputs = NoiseFor(**model, rows, seed);
  const auto outputs = RunModel(*model, inputs);
  ExpectReference(**model, Interpret(network.proto(), ToTensors(**model, rows, inputs)), outputs, rows);
  return *model;
}

}  // namespace halfwave
