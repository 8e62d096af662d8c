// Operators of the reference that take more than one input, windows or axes.
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "tests/unit/model/reference_internal.h"

namespace halfwave::reference {
namespace {

using Ints = std::vector<int64_t>;

std::string Text(const onnx::NodeProto& node, const std::string& name, const std::string& fallback) {
  const auto* attribute = Find(node, name);
  return attribute == nullptr ? fallback : attribute->s();
}

int64_t Int(const onnx::NodeProto& node, const std::string& name, int64_t fallback) {
  return static_cast<int64_t>(Number(node, name, static_cast<double>(fallback)));
}

// Calls `visit` with every index into `shape`, the last dimension fastest.
void ForEachIndex(const Shape& shape, const std::function<void(const Shape& index)>& visit) {
  Shape index(shape.size(), 0);
  for (int64_t i = 0; i < Size(shape); ++i) {
    visit(index);
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

int64_t Flat(const Shape& shape, const Shape& index) {
  int64_t flat = 0;
  for (size_t d = 0; d < shape.size(); ++d) flat = flat * shape[d] + index[d];
  return flat;
}

double At(const Tensor& tensor, const Shape& index) { return tensor.data.at(Flat(tensor.shape, index)); }

int64_t FromEnd(int64_t axis, const Shape& shape) {
  return axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis;
}

// --- two operands and more -------------------------------------------------------------------------------------------

using Binary = double (*)(double, double);

Binary BinaryFunction(const std::string& op) {
  static const std::map<std::string, Binary> functions = {
      {"Add", [](double a, double b) { return a + b; }},
      {"And", [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }},
      {"Div", [](double a, double b) { return a / b; }},
      {"Equal", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
      {"Greater", [](double a, double b) { return a > b ? 1.0 : 0.0; }},
      {"GreaterOrEqual", [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
      {"Less", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
      {"LessOrEqual", [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
      {"Max", [](double a, double b) { return std::max(a, b); }},
      {"Mean", [](double a, double b) { return a + b; }},
      {"Min", [](double a, double b) { return std::min(a, b); }},
      {"Mul", [](double a, double b) { return a * b; }},
      {"Or", [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }},
      {"Pow", [](double a, double b) { return std::pow(a, b); }},
      {"Sub", [](double a, double b) { return a - b; }},
      {"Sum", [](double a, double b) { return a + b; }},
      {"Xor", [](double a, double b) { return (a != 0) != (b != 0) ? 1.0 : 0.0; }}};
  const auto found = functions.find(op);
  return found == functions.end() ? nullptr : found->second;
}

// Up to opset 6 attribute 'axis' says where the second operand's dimensions stand in the first's.
Tensor OldOperand(const onnx::NodeProto& node, const Tensor& a, const Tensor& b, int64_t opset) {
  Tensor aligned = b;
  if (opset < 7 && Find(node, "axis") != nullptr) {
    const int64_t axis = FromEnd(Int(node, "axis", 0), a.shape);
    aligned.shape.insert(aligned.shape.end(), a.shape.size() - axis - b.shape.size(), 1);
  }
  return aligned;
}

Tensor Fold(const onnx::NodeProto& node, const Inputs& in, int64_t opset, Binary function) {
  Tensor result = *in.at(0);
  for (size_t i = 1; i < in.size(); ++i) {
    result = Combine(result, OldOperand(node, *in[0], *in[i], opset), function);
  }
  if (node.op_type() == "Mean") {
    for (double& value : result.data) value /= static_cast<double>(in.size());
  }
  return result;
}

Tensor Where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const auto first = [](double x, double) { return x; };
  const Tensor zeros = Combine(Map(a, [](double) { return 0.0; }), Map(b, [](double) { return 0.0; }), first);
  const Tensor choose = Combine(condition, zeros, first);
  const Tensor left = Combine(a, choose, first), right = Combine(b, choose, first);
  Tensor y = left;
  for (size_t i = 0; i < y.data.size(); ++i) y.data[i] = choose.data[i] != 0 ? left.data[i] : right.data[i];
  return y;
}

using Unary = double (*)(double);

Unary UnaryFunction(const std::string& op) {
  static const std::map<std::string, Unary> functions = {
      {"Abs", [](double v) { return std::abs(v); }},
      {"Acos", [](double v) { return std::acos(v); }},
      {"Acosh", [](double v) { return std::acosh(v); }},
      {"Asin", [](double v) { return std::asin(v); }},
      {"Asinh", [](double v) { return std::asinh(v); }},
      {"Atan", [](double v) { return std::atan(v); }},
      {"Atanh", [](double v) { return std::atanh(v); }},
      {"Ceil", [](double v) { return std::ceil(v); }},
      {"Cos", [](double v) { return std::cos(v); }},
      {"Cosh", [](double v) { return std::cosh(v); }},
      {"Erf", [](double v) { return std::erf(v); }},
      {"Exp", [](double v) { return std::exp(v); }},
      {"Floor", [](double v) { return std::floor(v); }},
      {"IsNaN", [](double v) { return std::isnan(v) ? 1.0 : 0.0; }},
      {"Log", [](double v) { return std::log(v); }},
      {"Neg", [](double v) { return -v; }},
      {"Not", [](double v) { return v == 0 ? 1.0 : 0.0; }},
      {"Reciprocal", [](double v) { return 1 / v; }},
      {"Round", [](double v) { return std::nearbyint(v); }},
      {"Sign", [](double v) { return v > 0   ? 1.0
                                     : v < 0 ? -1.0
                                             : 0.0; }},
      {"Sin", [](double v) { return std::sin(v); }},
      {"Sinh", [](double v) { return std::sinh(v); }},
      {"Sqrt", [](double v) { return std::sqrt(v); }},
      {"Swish", [](double v) { return v / (1 + std::exp(-v)); }},
      {"Tan", [](double v) { return std::tan(v); }}};
  const auto found = functions.find(op);
  return found == functions.end() ? nullptr : found->second;
}

// Casts between floats and to whole numbers and truth values.
Tensor Cast(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t to = Int(node, "to", 1);
  if (to == onnx::TensorProto::BOOL) return Map(x, [](double v) { return v != 0 ? 1.0 : 0.0; });
  if (to == onnx::TensorProto::INT32 || to == onnx::TensorProto::INT64) {
    return Map(x, [](double v) { return std::trunc(v); });
  }
  return x;
}

Tensor MatMul(const Tensor& left, const Tensor& right) {
  Tensor a = left, b = right;
  if (a.shape.size() == 1) a.shape.insert(a.shape.begin(), 1);
  if (b.shape.size() == 1) b.shape.push_back(1);
  const int64_t rows = a.shape[a.shape.size() - 2], depth = a.shape.back(), columns = b.shape.back();
  const Tensor lead_a{Shape(a.shape.begin(), a.shape.end() - 2), {}};
  const Tensor lead_b{Shape(b.shape.begin(), b.shape.end() - 2), {}};
  // Which matrix of each operand stands behind each of the result: broadcast their numbers.
  const auto numbered = [](const Tensor& lead) {
    Tensor numbers{lead.shape, std::vector<double>(Size(lead.shape))};
    std::iota(numbers.data.begin(), numbers.data.end(), 0.0);
    return numbers;
  };
  const Tensor from_a =
      Combine(numbered(lead_a), Map(numbered(lead_b), [](double) { return 0.0; }), [](double x, double) { return x; });
  const Tensor from_b =
      Combine(Map(numbered(lead_a), [](double) { return 0.0; }), numbered(lead_b), [](double, double x) { return x; });
  Tensor y{from_a.shape, {}};
  if (left.shape.size() > 1) y.shape.push_back(rows);
  if (right.shape.size() > 1) y.shape.push_back(columns);
  for (size_t m = 0; m < from_a.data.size(); ++m) {
    const auto in_a = static_cast<int64_t>(from_a.data[m]) * rows * depth;
    const auto in_b = static_cast<int64_t>(from_b.data[m]) * depth * columns;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k) sum += a.data[in_a + r * depth + k] * b.data[in_b + k * columns + c];
        y.data.push_back(sum);
      }
    }
  }
  return y;
}

Tensor Turned(const Tensor& x, bool turn) {
  if (!turn) return x;
  return Gather(x, {x.shape[1], x.shape[0]}, [](const Shape& index) { return Shape{index[1], index[0]}; });
}

Tensor Gemm(const onnx::NodeProto& node, const Inputs& in) {
  const double alpha = Number(node, "alpha", 1), beta = Number(node, "beta", 1);
  const Tensor product =
      MatMul(Turned(*in.at(0), Int(node, "transA", 0) != 0), Turned(*in.at(1), Int(node, "transB", 0) != 0));
  const Tensor scaled = Map(product, [=](double v) { return alpha * v; });
  if (in.size() < 3 || in[2] == nullptr) return scaled;
  return Combine(scaled, *in[2], [=](double a, double b) { return a + beta * b; });
}

// --- axes ------------------------------------------------------------------------------------------------------------

double Reduced(const std::string& op, const std::vector<double>& values) {
  const auto sum = [&](const std::function<double(double)>& f) {
    return std::accumulate(values.begin(), values.end(), 0.0, [&](double s, double v) { return s + f(v); });
  };
  if (op == "ReduceMax") return *std::max_element(values.begin(), values.end());
  if (op == "ReduceMin") return *std::min_element(values.begin(), values.end());
  if (op == "ReduceProd") return std::accumulate(values.begin(), values.end(), 1.0, std::multiplies<>());
  if (op == "ReduceL1") return sum([](double v) { return std::abs(v); });
  if (op == "ReduceL2") return std::sqrt(sum([](double v) { return v * v; }));
  if (op == "ReduceSumSquare") return sum([](double v) { return v * v; });
  if (op == "ReduceLogSum") return std::log(sum([](double v) { return v; }));
  if (op == "ReduceLogSumExp") return std::log(sum([](double v) { return std::exp(v); }));
  const double total = sum([](double v) { return v; });
  return op == "ReduceMean" ? total / static_cast<double>(values.size()) : total;
}

Tensor Reduce(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor& x = *in.at(0);
  Ints axes = List(node, in, 1, "axes");
  if (axes.empty()) {
    axes.resize(x.shape.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  Shape kept = x.shape;
  for (const int64_t axis : axes) kept[FromEnd(axis, x.shape)] = 1;
  std::vector<std::vector<double>> groups(Size(kept));
  ForEachIndex(x.shape, [&](const Shape& index) {
    Shape group = index;
    for (size_t d = 0; d < group.size(); ++d) group[d] = kept[d] == 1 ? 0 : index[d];
    groups[Flat(kept, group)].push_back(At(x, index));
  });
  Tensor y{{}, {}};
  for (size_t d = 0; d < x.shape.size(); ++d) {
    const bool reduced = std::any_of(axes.begin(), axes.end(),
                                     [&](int64_t axis) { return FromEnd(axis, x.shape) == static_cast<int64_t>(d); });
    if (!reduced || Int(node, "keepdims", 1) != 0) y.shape.push_back(kept[d]);
  }
  for (const auto& group : groups) y.data.push_back(Reduced(node.op_type(), group));
  return y;
}

Tensor ArgExtreme(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t axis = FromEnd(Int(node, "axis", 0), x.shape);
  Tensor y{x.shape, {}};
  y.shape[axis] = 1;
  ForEachIndex(y.shape, [&](const Shape& index) {
    Shape at = index;
    int64_t best = 0;
    double extreme = At(x, index);
    for (at[axis] = 0; at[axis] < x.shape[axis]; ++at[axis]) {
      const double value = At(x, at);
      if (node.op_type() == "ArgMax" ? value > extreme : value < extreme) {
        best = at[axis];
        extreme = value;
      }
    }
    y.data.push_back(static_cast<double>(best));
  });
  if (Int(node, "keepdims", 1) == 0) y.shape.erase(y.shape.begin() + axis);
  return y;
}

// Each line along an axis replaced by function(line).
Tensor AlongAxis(const Tensor& x, int64_t axis, const std::function<void(std::vector<double>&)>& function) {
  Tensor y = x;
  Shape lines = x.shape;
  lines[axis] = 1;
  ForEachIndex(lines, [&](const Shape& start) {
    std::vector<double> line;
    Shape at = start;
    for (at[axis] = 0; at[axis] < x.shape[axis]; ++at[axis]) line.push_back(At(x, at));
    function(line);
    for (at[axis] = 0; at[axis] < x.shape[axis]; ++at[axis]) y.data[Flat(x.shape, at)] = line[at[axis]];
  });
  return y;
}

std::vector<Tensor> Split(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor& x = *in.at(0);
  const int64_t axis = FromEnd(Int(node, "axis", 0), x.shape), count = node.output_size();
  Ints sizes = List(node, in, 1, "split");
  const int64_t part = (x.shape[axis] + count - 1) / count;
  for (int64_t left = x.shape[axis]; sizes.size() < static_cast<size_t>(count); left -= part) {
    sizes.push_back(std::min(part, left));
  }
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (const int64_t size : sizes) {
    Shape shape = x.shape;
    shape[axis] = size;
    parts.push_back(Gather(x, shape, [&](const Shape& index) {
      Shape from = index;
      from[axis] += start;
      return from;
    }));
    start += size;
  }
  return parts;
}

Tensor Tile(const Tensor& x, const Tensor& repeats) {
  Shape shape = x.shape;
  for (size_t d = 0; d < shape.size(); ++d) shape[d] *= static_cast<int64_t>(repeats.data.at(d));
  return Gather(x, shape, [&](const Shape& index) {
    Shape from = index;
    for (size_t d = 0; d < from.size(); ++d) from[d] %= x.shape[d];
    return from;
  });
}

Tensor Expand(const Tensor& x, const Tensor& target) {
  const Shape shape(target.data.begin(), target.data.end());
  return Combine(x, {shape, std::vector<double>(Size(shape), 0)}, [](double value, double) { return value; });
}

Tensor GatherElements(const onnx::NodeProto& node, const Tensor& x, const Tensor& indices) {
  const int64_t axis = FromEnd(Int(node, "axis", 0), x.shape);
  const auto rank = static_cast<int64_t>(indices.shape.size());
  Shape shape = x.shape;
  shape.insert(shape.erase(shape.begin() + axis), indices.shape.begin(), indices.shape.end());
  return Gather(x, shape, [&](const Shape& index) {
    const Shape which(index.begin() + axis, index.begin() + axis + rank);
    Shape from(index.begin(), index.begin() + axis);
    from.push_back(FromEnd(static_cast<int64_t>(At(indices, which)), {}));
    if (from.back() < 0) from.back() += x.shape[axis];
    from.insert(from.end(), index.begin() + axis + rank, index.end());
    return from;
  });
}

Tensor Pad(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor& x = *in.at(0);
  const std::string mode = Text(node, "mode", "constant");
  const Ints pads = List(node, in, 1, "pads");
  const double value = in.size() > 2 && in[2] != nullptr ? in[2]->data.at(0) : Number(node, "value", 0);
  Tensor y{x.shape, {}};
  for (size_t d = 0; d < x.shape.size(); ++d) y.shape[d] += pads[d] + pads[x.shape.size() + d];
  ForEachIndex(y.shape, [&](const Shape& index) {
    Shape from = index;
    bool outside = false;
    for (size_t d = 0; d < from.size(); ++d) {
      from[d] -= pads[d];
      const int64_t size = x.shape[d];
      if (from[d] >= 0 && from[d] < size) continue;
      outside = outside || mode == "constant";
      if (mode == "edge") from[d] = from[d] < 0 ? 0 : size - 1;
      if (mode == "reflect") from[d] = from[d] < 0 ? -from[d] : 2 * (size - 1) - from[d];
    }
    y.data.push_back(outside ? value : At(x, from));
  });
  return y;
}

Tensor Flatten(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t axis = FromEnd(Int(node, "axis", 1), x.shape);
  return {{Product(x.shape, 0, axis), Product(x.shape, axis, x.shape.size())}, x.data};
}

Tensor DepthToSpace(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t block = Int(node, "blocksize", 1), channels = x.shape[1] / (block * block);
  const bool crd = Text(node, "mode", "DCR") == "CRD";
  return Gather(x, {x.shape[0], channels, x.shape[2] * block, x.shape[3] * block}, [&](const Shape& index) {
    const int64_t place = index[2] % block * block + index[3] % block;
    const int64_t from = crd ? index[1] * block * block + place : place * channels + index[1];
    return Shape{index[0], from, index[2] / block, index[3] / block};
  });
}

Tensor SpaceToDepth(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t block = Int(node, "blocksize", 1), channels = x.shape[1];
  return Gather(
      x, {x.shape[0], channels * block * block, x.shape[2] / block, x.shape[3] / block}, [&](const Shape& index) {
        const int64_t place = index[1] / channels;
        return Shape{index[0], index[1] % channels, index[2] * block + place / block, index[3] * block + place % block};
      });
}

// --- normalisations --------------------------------------------------------------------------------------------------

// y = (x - mean) / sqrt(variance + epsilon) over `count` groups of neighbours.
Tensor Normalized(const Tensor& x, int64_t count, double epsilon, bool centred = true) {
  Tensor y = x;
  const int64_t length = Size(x.shape) / count;
  for (int64_t group = 0; group < count; ++group) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < length; ++i) mean += x.data[group * length + i] / static_cast<double>(length);
    if (!centred) mean = 0;
    for (int64_t i = 0; i < length; ++i) {
      variance += std::pow(x.data[group * length + i] - mean, 2) / static_cast<double>(length);
    }
    for (int64_t i = 0; i < length; ++i) {
      y.data[group * length + i] = (x.data[group * length + i] - mean) / std::sqrt(variance + epsilon);
    }
  }
  return y;
}

Tensor PerChannel(const Tensor& x, const Tensor& scale, const Tensor& bias) {
  Tensor y = x;
  const int64_t positions = Product(x.shape, 2, x.shape.size());
  for (size_t i = 0; i < y.data.size(); ++i) {
    const size_t channel = i / positions % x.shape[1];
    y.data[i] = x.data[i] * scale.data[channel] + bias.data[channel];
  }
  return y;
}

Tensor LayerNormalization(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor& x = *in.at(0);
  const int64_t axis = FromEnd(Int(node, "axis", -1), x.shape);
  const Tensor y =
      Normalized(x, Product(x.shape, 0, axis), Number(node, "epsilon", 1e-5f), node.op_type() == "LayerNormalization");
  const Tensor scaled = Combine(y, *in.at(1), [](double a, double b) { return a * b; });
  if (in.size() < 3 || in[2] == nullptr) return scaled;
  return Combine(scaled, *in[2], [](double a, double b) { return a + b; });
}

Tensor Lrn(const onnx::NodeProto& node, const Tensor& x) {
  const int64_t size = Int(node, "size", 1);
  const double alpha = Number(node, "alpha", 1e-4f), beta = Number(node, "beta", 0.75), bias = Number(node, "bias", 1);
  Tensor y{x.shape, {}};
  ForEachIndex(x.shape, [&](const Shape& index) {
    double squares = 0;
    Shape at = index;
    const int64_t first = index[1] - (size - 1) / 2, last = index[1] + size / 2;
    for (at[1] = std::max<int64_t>(0, first); at[1] <= std::min(last, x.shape[1] - 1); ++at[1]) {
      squares += At(x, at) * At(x, at);
    }
    y.data.push_back(At(x, index) / std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
  });
  return y;
}

Tensor MeanVarianceNormalization(const onnx::NodeProto& node, const Tensor& x) {
  const Ints axes = Integers(node, "axes", {0, 2, 3});
  onnx::NodeProto mean_node;
  mean_node.set_op_type("ReduceMean");
  auto* attribute = mean_node.add_attribute();
  attribute->set_name("axes");
  for (const int64_t axis : axes) attribute->add_ints(axis);
  const Tensor mean = Reduce(mean_node, {&x});
  const Tensor centred = Combine(x, mean, [](double a, double b) { return a - b; });
  const Tensor squares = Map(centred, [](double v) { return v * v; });
  const Tensor variance = Reduce(mean_node, {&squares});
  return Combine(centred, variance, [](double a, double v) { return a / (std::sqrt(v) + 1e-9); });
}

// --- windows of any number of dimensions -----------------------------------------------------------------------------

struct Slide {
  Shape in, kernel, strides, dilations, begin, end, out;

  // Where element `k` of the window at `o` looks; false if into the padding.
  bool Look(const Shape& o, const Shape& k, Shape& at) const {
    bool inside = true;
    at.resize(in.size());
    for (size_t d = 0; d < in.size(); ++d) {
      at[d] = o[d] * strides[d] - begin[d] + k[d] * dilations[d];
      inside = inside && at[d] >= 0 && at[d] < in[d];
    }
    return inside;
  }
};

Slide ResolveSlide(const onnx::NodeProto& node, const Shape& x, const Shape& kernel) {
  const size_t rank = kernel.size();
  Slide s;
  s.in = Shape(x.begin() + 2, x.end());
  s.kernel = kernel;
  s.strides = Integers(node, "strides", Ints(rank, 1));
  s.dilations = Integers(node, "dilations", Ints(rank, 1));
  const Ints pads = Integers(node, "pads", Ints(2 * rank, 0));
  s.begin = Shape(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
  s.end = Shape(pads.begin() + static_cast<int64_t>(rank), pads.end());
  const std::string mode = Text(node, "auto_pad", "NOTSET");
  for (size_t d = 0; d < rank; ++d) {
    const int64_t extent = (kernel[d] - 1) * s.dilations[d] + 1;
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      s.out.push_back((s.in[d] + s.strides[d] - 1) / s.strides[d]);
      const int64_t total = std::max<int64_t>(0, (s.out[d] - 1) * s.strides[d] + extent - s.in[d]);
      s.begin[d] = mode == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
      s.end[d] = total - s.begin[d];
      continue;
    }
    if (mode == "VALID") s.begin[d] = s.end[d] = 0;
    const double steps =
        static_cast<double>(s.in[d] + s.begin[d] + s.end[d] - extent) / static_cast<double>(s.strides[d]);
    const bool up = Number(node, "ceil_mode", 0) != 0;
    s.out.push_back(static_cast<int64_t>(up ? std::ceil(steps) : std::floor(steps)) + 1);
    if (up && (s.out[d] - 1) * s.strides[d] >= s.in[d] + s.begin[d]) --s.out[d];
  }
  return s;
}

Shape Joined(int64_t a, int64_t b, const Shape& rest) {
  Shape joined = {a, b};
  joined.insert(joined.end(), rest.begin(), rest.end());
  return joined;
}

Tensor Conv(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor &x = *in.at(0), &w = *in.at(1);
  const int64_t group = Int(node, "group", 1), out = w.shape[0], depth = w.shape[1];
  const Slide s = ResolveSlide(node, x.shape, Shape(w.shape.begin() + 2, w.shape.end()));
  Tensor y{Joined(x.shape[0], out, s.out), {}};
  ForEachIndex(y.shape, [&](const Shape& index) {
    const int64_t o = index[1];
    double sum = in.size() > 2 && in[2] != nullptr ? in[2]->data[o] : 0;
    for (int64_t i = 0; i < depth; ++i) {
      ForEachIndex(s.kernel, [&](const Shape& k) {
        Shape at;
        if (!s.Look(Shape(index.begin() + 2, index.end()), k, at)) return;
        sum += At(x, Joined(index[0], o / (out / group) * depth + i, at)) * At(w, Joined(o, i, k));
      });
    }
    y.data.push_back(sum);
  });
  return y;
}

// Each input position adds the kernel to the output. Only 'pads' and 'output_padding' among the ways to say its size.
Tensor ConvTranspose(const onnx::NodeProto& node, const Inputs& in) {
  const Tensor &x = *in.at(0), &w = *in.at(1);
  const int64_t group = Int(node, "group", 1), per_group = w.shape[1], out = per_group * group;
  const Shape kernel(w.shape.begin() + 2, w.shape.end()), size(x.shape.begin() + 2, x.shape.end());
  const Ints strides = Integers(node, "strides", Ints(kernel.size(), 1));
  const Ints dilations = Integers(node, "dilations", Ints(kernel.size(), 1));
  const Ints pads = Integers(node, "pads", Ints(2 * kernel.size(), 0));
  const Ints extra = Integers(node, "output_padding", Ints(kernel.size(), 0));
  Shape spatial;
  for (size_t d = 0; d < kernel.size(); ++d) {
    spatial.push_back(strides[d] * (size[d] - 1) + extra[d] + (kernel[d] - 1) * dilations[d] + 1 - pads[d] -
                      pads[kernel.size() + d]);
  }
  Tensor y{Joined(x.shape[0], out, spatial), {}};
  y.data.assign(Size(y.shape), 0.0);
  ForEachIndex(x.shape, [&](const Shape& index) {
    const int64_t channels = x.shape[1] / group, g = index[1] / channels;
    ForEachIndex(kernel, [&](const Shape& k) {
      Shape at;
      bool inside = true;
      for (size_t d = 0; d < kernel.size(); ++d) {
        at.push_back(index[2 + d] * strides[d] + k[d] * dilations[d] - pads[d]);
        inside = inside && at[d] >= 0 && at[d] < spatial[d];
      }
      for (int64_t o = 0; inside && o < per_group; ++o) {
        y.data[Flat(y.shape, Joined(index[0], g * per_group + o, at))] += At(x, index) * At(w, Joined(index[1], o, k));
      }
    });
  });
  if (in.size() < 3 || in[2] == nullptr) return y;
  return PerChannel(y, {{out}, std::vector<double>(out, 1.0)}, *in[2]);
}

Tensor Pool(const onnx::NodeProto& node, const Tensor& x) {
  const std::string& op = node.op_type();
  const Slide s = ResolveSlide(node, x.shape, Integers(node, "kernel_shape", {}));
  const double p = Number(node, "p", 2);
  Tensor y{Joined(x.shape[0], x.shape[1], s.out), {}};
  ForEachIndex(y.shape, [&](const Shape& index) {
    double sum = 0, powers = 0, largest = std::numeric_limits<float>::lowest();
    int64_t seen = 0, padded = 0;
    ForEachIndex(s.kernel, [&](const Shape& k) {
      Shape at;
      const bool inside = s.Look(Shape(index.begin() + 2, index.end()), k, at);
      bool counts = true;
      for (size_t d = 0; d < at.size(); ++d) counts = counts && at[d] < s.in[d] + s.end[d];
      padded += counts ? 1 : 0;
      if (!inside) return;
      const double value = At(x, Joined(index[0], index[1], at));
      sum += value;
      powers += std::pow(std::abs(value), p);
      largest = std::max(largest, value);
      ++seen;
    });
    const int64_t count = Number(node, "count_include_pad", 0) != 0 ? padded : seen;
    y.data.push_back(op == "MaxPool"  ? largest
                     : op == "LpPool" ? std::pow(powers, 1 / p)
                                      : sum / static_cast<double>(std::max<int64_t>(1, count)));
  });
  return y;
}

Tensor GlobalLpPool(const onnx::NodeProto& node, const Tensor& x) {
  const double p = Number(node, "p", 2);
  Tensor y{x.shape, {}};
  std::fill(y.shape.begin() + 2, y.shape.end(), 1);
  const int64_t positions = Product(x.shape, 2, x.shape.size());
  for (int64_t map = 0; map < x.shape[0] * x.shape[1]; ++map) {
    double powers = 0;
    for (int64_t i = 0; i < positions; ++i) powers += std::pow(std::abs(x.data[map * positions + i]), p);
    y.data.push_back(std::pow(powers, 1 / p));
  }
  return y;
}

std::optional<Tensor> ComputeOne(const onnx::NodeProto& node, const Inputs& in, int64_t opset) {
  const std::string& op = node.op_type();
  const Tensor& x = *in.at(0);
  if (const Binary function = BinaryFunction(op)) return Fold(node, in, opset, function);
  if (const Unary function = UnaryFunction(op)) return Map(x, function);
  if (op.rfind("Reduce", 0) == 0) return Reduce(node, in);
  if (op == "ArgMax" || op == "ArgMin") return ArgExtreme(node, x);
  if (op == "Cast") return Cast(node, x);
  if (op == "Conv") return Conv(node, in);
  if (op == "ConvTranspose") return ConvTranspose(node, in);
  if (op == "CumSum") {
    return AlongAxis(x, FromEnd(static_cast<int64_t>(in.at(1)->data.at(0)), x.shape),
                     [](auto& line) { std::partial_sum(line.begin(), line.end(), line.begin()); });
  }
  if (op == "DepthToSpace") return DepthToSpace(node, x);
  if (op == "Expand") return Expand(x, *in.at(1));
  if (op == "Flatten") return Flatten(node, x);
  if (op == "Gather") return GatherElements(node, x, *in.at(1));
  if (op == "Gemm") return Gemm(node, in);
  if (op == "GlobalLpPool") return GlobalLpPool(node, x);
  if (op == "InstanceNormalization") {
    return PerChannel(Normalized(x, x.shape[0] * x.shape[1], Number(node, "epsilon", 1e-5f)), *in.at(1), *in.at(2));
  }
  if (op == "LayerNormalization" || op == "RMSNormalization") return LayerNormalization(node, in);
  if (op == "LpNormalization") {
    const bool absolute = Int(node, "p", 2) == 1;
    return AlongAxis(x, FromEnd(Int(node, "axis", -1), x.shape), [&](auto& line) {
      double size = 0;
      for (const double v : line) size += absolute ? std::abs(v) : v * v;
      if (!absolute) size = std::sqrt(size);
      for (double& v : line) v = size == 0 ? 0 : v / size;
    });
  }
  if (op == "LRN") return Lrn(node, x);
  if (op == "MatMul") return MatMul(x, *in.at(1));
  if (op == "MaxPool" || op == "AveragePool" || op == "LpPool") return Pool(node, x);
  if (op == "MeanVarianceNormalization") return MeanVarianceNormalization(node, x);
  if (op == "Pad") return Pad(node, in);
  if (op == "SpaceToDepth") return SpaceToDepth(node, x);
  if (op == "Tile") return Tile(x, *in.at(1));
  if (op == "Where") return Where(x, *in.at(1), *in.at(2));
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<Tensor>> ComputeMore(const onnx::NodeProto& node, const Inputs& in, int64_t opset) {
  if (node.op_type() == "Split") return Split(node, in);
  std::optional<Tensor> one = ComputeOne(node, in, opset);
  if (!one) return std::nullopt;
  return std::vector<Tensor>{*std::move(one)};
}

}  // namespace halfwave::reference
