#include "tests/unit/model/random_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/base/shape.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed), network_(Pick<int64_t>({7, 9, 11, 12, 13, 17, 21, 21})) {}

  OnnxBuilder Generate() {
    const bool maps = Chance(70);
    const Shape shape = maps ? Shape{-1, Between(1, 4), Between(3, 9), Between(3, 9)} : Shape{-1, Between(1, 20)};
    network_.Input("x", shape);
    Remember("x", shape);
    if (Chance(20)) {
      network_.Input("x2", shape);
      Remember("x2", shape);
      Emit("Add", {"x", "x2"}, shape);
    }
    for (int64_t steps = Between(3, 12); steps > 0; --steps) {
      if (Chance(20)) current_ = Between(0, static_cast<int64_t>(values_.size()) - 1);
      Grow();
    }
    network_.Output(name());
    if (Chance(40)) {
      const std::string other = values_[Between(0, static_cast<int64_t>(values_.size()) - 1)].first;
      if (other != name()) network_.Output(other);
    }
    return std::move(network_);
  }

 private:
  int64_t Between(int64_t low, int64_t high) { return low + static_cast<int64_t>(random_() % (high - low + 1)); }
  bool Chance(int percent) { return Between(1, 100) <= percent; }
  template <typename T>
  T Pick(const std::vector<T>& from) {
    return from[random_() % from.size()];
  }
  int64_t opset() { return network_.proto().opset_import(0).version(); }

  const std::string& name() const { return values_[current_].first; }
  const Shape& shape() const { return values_[current_].second; }

  void Remember(const std::string& name, const Shape& shape) {
    values_.emplace_back(name, shape);
    current_ = values_.size() - 1;
  }

  void Emit(const std::string& op, const std::vector<std::string>& inputs, const Shape& shape,
            const OnnxBuilder::Attributes& attributes = {}) {
    const std::string output = "v" + std::to_string(values_.size());
    network_.Node(op, inputs, {output}, attributes);
    Remember(output, shape);
  }

  std::string Weight(const Shape& shape, float low, float high) {
    const std::string name = "w" + std::to_string(weights_++);
    network_.Weight(name, shape, Noise(*NumElements(shape), random_(), low, high));
    return name;
  }

  // A list of integers as an operator takes it: an attribute before opset `since`, an input from then on.
  void GiveList(const std::string& list, const std::vector<int64_t>& values, int64_t since,
                std::vector<std::string>& inputs, OnnxBuilder::Attributes& attributes) {
    if (opset() < since) {
      attributes[list] = values;
    } else {
      inputs.push_back("i" + std::to_string(weights_++));
      network_.IntWeight(inputs.back(), values);
    }
  }

  void Grow() {
    const int64_t what = Between(0, 12);
    if (what <= 2) return Activation();
    if (what == 3) return CombineWithConstant();
    if (what == 4) return Residual();
    if (what <= 6) return Rare();
    if (what <= 8) return Rearrange();
    return shape().size() == 4 ? Maps() : shape().size() == 2 ? Features() : Sequence();
  }

  void Activation() {
    std::vector<std::string> ops = {"Relu",    "Relu",        "Relu",     "LeakyRelu", "PRelu", "Elu",  "Selu",
                                    "Sigmoid", "HardSigmoid", "Softsign", "Softplus",  "Tanh",  "Clip", "Clip"};
    // What came with later opsets.
    if (opset() >= 10) ops.emplace_back("ThresholdedRelu");
    if (opset() >= 12) ops.emplace_back("Celu");
    if (opset() >= 14) ops.emplace_back("HardSwish");
    if (opset() >= 18) ops.emplace_back("Mish");
    if (opset() >= 20) ops.insert(ops.end(), 2, "Gelu");
    const std::string op = Pick(ops);
    if (op == "PRelu") return Emit(op, {name(), Weight(Broadcastable(), -0.5f, 0.9f)}, shape());
    if (op == "Clip") return Clip();
    OnnxBuilder::Attributes attributes;
    const bool has_alpha =
        op == "LeakyRelu" || op == "Elu" || op == "Celu" || op == "HardSigmoid" || op == "ThresholdedRelu";
    if (has_alpha && Chance(50)) attributes["alpha"] = 0.3f;
    if (op == "Gelu" && Chance(50)) attributes["approximate"] = std::string("tanh");
    Emit(op, {name()}, shape(), attributes);
  }

  void Clip() {
    const float low = Pick<float>({0, 0, -0.75f}), high = Pick<float>({0.5f, 6});
    const bool bounded = Chance(70);
    if (opset() < 11) {
      OnnxBuilder::Attributes attributes = {{"min", low}};
      if (bounded) attributes["max"] = high;
      return Emit("Clip", {name()}, shape(), attributes);
    }
    const std::string current = name();
    std::vector<std::string> inputs = {current, Weight({}, low, low)};
    if (bounded) inputs.push_back(Weight({}, high, high));
    Emit("Clip", inputs, shape());
  }

  // A shape that broadcasts to a row of the current value.
  Shape Broadcastable() {
    Shape result(shape().begin() + Between(1, static_cast<int64_t>(shape().size())), shape().end());
    for (int64_t& dimension : result) dimension = Chance(40) ? 1 : dimension;
    if (result.size() + 1 == shape().size() && Chance(30)) result.insert(result.begin(), 1);
    return result;
  }

  void CombineWithConstant() {
    const std::string op = Pick<std::string>({"Add", "Sub", "Mul", "Div"});
    const bool scales = op == "Mul" || op == "Div";
    const std::string constant = Weight(Broadcastable(), scales ? 0.5f : -0.5f, scales ? 1.5f : 0.5f);
    if (op == "Div" || Chance(50)) return Emit(op, {name(), constant}, shape());
    Emit(op, {constant, name()}, shape());
  }

  void Residual() {
    std::vector<std::string> others;
    for (const auto& [other, other_shape] : values_) {
      if (other_shape == shape()) others.push_back(other);
    }
    Emit(Pick<std::string>({"Add", "Add", "Sub", "Mul"}), {name(), Pick(others)}, shape());
  }

  void Rare() {
    switch (Between(0, 4)) {
      case 0:
        return Emit("Identity", {name()}, shape());
      case 1:
        return Emit("Dropout", {name()}, shape());
      case 2:
        return BatchNormalization();
      case 3: {
        const int64_t rank = static_cast<int64_t>(shape().size());
        const int64_t axis = Between(1, rank - 1);
        return Emit(Chance(50) ? "Softmax" : "LogSoftmax", {name()}, shape(),
                    {{"axis", Chance(50) ? axis : axis - rank}});
      }
      default: {
        Shape weights{shape().back(), Between(1, 17)};
        const std::string weight = Weight(weights, -1, 1);
        Shape output = shape();
        output.back() = weights[1];
        return Emit("MatMul", {name(), weight}, output);
      }
    }
  }

  void Rearrange() {
    switch (Between(0, 4)) {
      case 0:
        return Transpose();
      case 1:
        return Slice();
      case 2:
        return Squeeze();
      case 3:
        return Unsqueeze();
      default:
        return Concat();
    }
  }

  void Transpose() {
    const Shape from = shape();
    std::vector<int64_t> permutation(from.size());
    std::iota(permutation.begin(), permutation.end(), int64_t{0});
    std::shuffle(permutation.begin() + 1, permutation.end(), random_);
    Shape output;
    for (const int64_t axis : permutation) output.push_back(from[axis]);
    Emit("Transpose", {name()}, output, {{"perm", permutation}});
  }

  void Slice() {
    Shape output = shape();
    const auto rank = static_cast<int64_t>(output.size());
    std::vector<int64_t> starts, ends, axes, steps;
    for (int64_t axis = 1; axis < rank; ++axis) {
      const int64_t size = output[axis];
      if (axis < rank - 1 && Chance(50)) continue;
      const int64_t start = Between(0, size - 1), end = Between(start + 1, size);
      const bool backwards = opset() >= 10 && Chance(30);
      const int64_t step = opset() >= 10 ? Between(1, 3) : 1;
      axes.push_back(Chance(50) || opset() < 11 ? axis : axis - rank);
      // The same elements either way, whatever the step leaves of them.
      starts.push_back(backwards ? end - 1 : Chance(50) ? start : start - size);
      ends.push_back(backwards ? start - 1 - size : end == size && Chance(50) ? int64_t{1} << 40 : end);
      steps.push_back(backwards ? -step : step);
      output[axis] = (end - start + step - 1) / step;
    }
    std::vector<std::string> inputs = {name()};
    OnnxBuilder::Attributes attributes;
    GiveList("starts", starts, 10, inputs, attributes);
    GiveList("ends", ends, 10, inputs, attributes);
    GiveList("axes", axes, 10, inputs, attributes);
    if (opset() >= 10) GiveList("steps", steps, 10, inputs, attributes);
    Emit("Slice", inputs, output, attributes);
  }

  // Down to rank 2 at the least, which is what the rest knows.
  void Squeeze() {
    const Shape from = shape();
    const auto rank = static_cast<int64_t>(from.size());
    std::vector<int64_t> axes;
    Shape output = {from[0]};
    for (int64_t axis = 1; axis < rank; ++axis) {
      const bool needed = static_cast<int64_t>(output.size()) + rank - axis <= 2;
      if (from[axis] == 1 && !needed && Chance(80)) {
        axes.push_back(Chance(50) || opset() < 11 ? axis : axis - rank);
      } else {
        output.push_back(from[axis]);
      }
    }
    if (axes.empty()) return Unsqueeze();
    std::vector<std::string> inputs = {name()};
    OnnxBuilder::Attributes attributes;
    GiveList("axes", axes, 13, inputs, attributes);
    Emit("Squeeze", inputs, output, attributes);
  }

  void Unsqueeze() {
    if (shape().size() >= 4) return Transpose();
    const auto rank = Between(static_cast<int64_t>(shape().size()) + 1, 4);
    const int64_t added = rank - static_cast<int64_t>(shape().size());
    Shape output = shape();
    const int64_t first = Between(1, rank - added);
    std::vector<int64_t> axes;
    for (int64_t axis = first; axis < first + added; ++axis) {
      axes.push_back(Chance(50) || opset() < 11 ? axis : axis - rank);
      output.insert(output.begin() + axis, 1);
    }
    std::vector<std::string> inputs = {name()};
    OnnxBuilder::Attributes attributes;
    GiveList("axes", axes, 13, inputs, attributes);
    Emit("Unsqueeze", inputs, output, attributes);
  }

  void Concat() {
    const auto rank = static_cast<int64_t>(shape().size());
    const int64_t axis = Between(1, rank - 1);
    Shape output = shape();
    std::vector<std::pair<std::string, int64_t>> others;
    for (const auto& [other, other_shape] : values_) {
      Shape aligned = other_shape;
      if (aligned.size() != shape().size()) continue;
      aligned[axis] = shape()[axis];
      if (aligned == shape()) others.emplace_back(other, other_shape[axis]);
    }
    std::vector<std::string> inputs = {name()};
    for (int64_t count = Between(0, 2); count > 0; --count) {
      const auto [other, size] = Pick(others);
      if (RowElements(output) > 1000) break;
      inputs.insert(Chance(50) ? inputs.begin() : inputs.end(), other);
      output[axis] += size;
    }
    Emit("Concat", inputs, output, {{"axis", Chance(50) || opset() < 11 ? axis : axis - rank}});
  }

  // Rank 3: several positions, each with its features.
  void Sequence() {
    const Shape from = shape();
    switch (Between(0, 3)) {
      case 0:
        return Unsqueeze();
      case 1:
        return Emit("GlobalMaxPool", {name()}, {-1, from[1], 1});
      default:
        return Emit("Flatten", {name()}, {-1, from[1] * from[2]});
    }
  }

  void BatchNormalization() {
    const Shape channels = {shape()[1]};
    const std::string scale = Weight(channels, 0.5f, 1.5f), bias = Weight(channels, -0.5f, 0.5f);
    const std::string mean = Weight(channels, -0.5f, 0.5f), variance = Weight(channels, 0.5f, 2);
    Emit("BatchNormalization", {name(), scale, bias, mean, variance}, shape(), {{"epsilon", 1e-3f}});
  }

  void Features() {
    const int64_t in = shape()[1];
    if (Chance(25) && in % 2 == 0) {
      network_.IntWeight("r" + std::to_string(weights_),
                         {Chance(50) ? 0 : -1, 2, Chance(50) ? in / 2 : int64_t{1}, in / 2});
      auto* target =
          network_.proto().mutable_graph()->mutable_initializer(network_.proto().graph().initializer_size() - 1);
      if (target->int64_data(2) != 1) target->set_int64_data(3, 1);
      const Shape output = {-1, 2, target->int64_data(2), target->int64_data(3)};
      return Emit("Reshape", {name(), "r" + std::to_string(weights_++)}, output);
    }
    const int64_t out = Pick<int64_t>({1, 2, 7, 8, 15, 16, 17, 31});
    const bool transposed = Chance(50);
    const float scale = 1.7f / std::sqrt(static_cast<float>(in));
    const std::string weight = Weight(transposed ? Shape{out, in} : Shape{in, out}, -scale, scale);
    std::vector<std::string> inputs = {name(), weight};
    if (Chance(70)) inputs.push_back(Weight(Pick<Shape>({{out}, {1, out}, {1}, {}}), -0.3f, 0.3f));
    OnnxBuilder::Attributes attributes;
    if (transposed) attributes["transB"] = int64_t{1};
    if (Chance(30)) attributes["alpha"] = 0.7f;
    if (Chance(30)) attributes["beta"] = -1.3f;
    Emit("Gemm", inputs, {-1, out}, attributes);
  }

  void Maps() {
    const int64_t what = Between(0, 9);
    if (what <= 4) return Conv();
    if (what <= 6) return Pool();
    const Shape from = shape();
    if (what == 7) return Emit(Chance(50) ? "GlobalAveragePool" : "GlobalMaxPool", {name()}, {-1, from[1], 1, 1});
    if (what == 8) {
      network_.IntWeight("r" + std::to_string(weights_), {Chance(50) ? 0 : -1, from[3], from[1] * from[2], 1});
      return Emit("Reshape", {name(), "r" + std::to_string(weights_++)}, {-1, from[3], from[1] * from[2], 1});
    }
    Emit("Flatten", {name()}, {-1, from[1] * from[2] * from[3]});
  }

  struct WindowChoice {
    OnnxBuilder::Attributes attributes;
    int64_t out_height, out_width;
  };

  // A window of the given size; one that always fits.
  WindowChoice ChooseWindow(int64_t kernel_y, int64_t kernel_x, bool pads_below_kernel) {
    const int64_t size[] = {shape()[2], shape()[3]}, kernel[] = {kernel_y, kernel_x};
    std::vector<int64_t> strides, dilations, begin, end, out;
    for (int i = 0; i < 2; ++i) {
      strides.push_back(Between(1, 3));
      const int64_t most = kernel[i] == 1 ? 3 : std::max<int64_t>(1, (size[i] - 1) / (kernel[i] - 1));
      dilations.push_back(Chance(25) && !pads_below_kernel ? Between(1, std::min<int64_t>(3, most)) : 1);
      begin.push_back(Between(0, pads_below_kernel ? kernel[i] - 1 : 2));
      end.push_back(Between(0, pads_below_kernel ? kernel[i] - 1 : 2));
      const int64_t extent = (kernel[i] - 1) * dilations[i] + 1;
      out.push_back((size[i] + begin[i] + end[i] - extent) / strides[i] + 1);
    }
    WindowChoice choice{{{"strides", strides}}, out[0], out[1]};
    if (Chance(20) && !pads_below_kernel) {
      choice.attributes["auto_pad"] = Pick<std::string>({"SAME_UPPER", "SAME_LOWER"});
      choice.out_height = (size[0] + strides[0] - 1) / strides[0];
      choice.out_width = (size[1] + strides[1] - 1) / strides[1];
    } else {
      choice.attributes["pads"] = std::vector<int64_t>{begin[0], begin[1], end[0], end[1]};
    }
    if (!pads_below_kernel) choice.attributes["dilations"] = dilations;
    return choice;
  }

  void Conv() {
    const int64_t in = shape()[1];
    const int64_t kernel_y = Between(1, std::min<int64_t>(3, shape()[2]));
    const int64_t kernel_x = Between(1, std::min<int64_t>(3, shape()[3]));
    std::vector<int64_t> groups = {1, 1};
    if (in % 2 == 0) groups.push_back(2);
    groups.push_back(in);
    const int64_t group = Pick(groups);
    const int64_t out = group * Between(1, std::max<int64_t>(1, 9 / group));
    WindowChoice window = ChooseWindow(kernel_y, kernel_x, false);
    if (group != 1) window.attributes["group"] = group;
    const float scale = 1.7f / std::sqrt(static_cast<float>(in / group * kernel_y * kernel_x));
    std::vector<std::string> inputs = {name(), Weight({out, in / group, kernel_y, kernel_x}, -scale, scale)};
    if (Chance(70)) inputs.push_back(Weight({out}, -0.3f, 0.3f));
    Emit("Conv", inputs, {-1, out, window.out_height, window.out_width}, window.attributes);
  }

  void Pool() {
    const int64_t kernel_y = Between(1, std::min<int64_t>(3, shape()[2]));
    const int64_t kernel_x = Between(1, std::min<int64_t>(3, shape()[3]));
    WindowChoice window = ChooseWindow(kernel_y, kernel_x, true);
    window.attributes["kernel_shape"] = std::vector<int64_t>{kernel_y, kernel_x};
    const Shape output = {-1, shape()[1], window.out_height, window.out_width};
    if (Chance(50)) return Emit("MaxPool", {name()}, output, window.attributes);
    if (Chance(50)) window.attributes["count_include_pad"] = int64_t{1};
    Emit("AveragePool", {name()}, output, window.attributes);
  }

  std::mt19937 random_;
  OnnxBuilder network_;
  std::vector<std::pair<std::string, Shape>> values_;
  size_t current_ = 0;
  int weights_ = 0;
};

}  // namespace

OnnxBuilder RandomNetwork(uint32_t seed) { return Generator(seed).Generate(); }

std::string BytesWithNodesReversed(OnnxBuilder& network) {
  onnx::ModelProto reversed = network.proto();
  auto* nodes = reversed.mutable_graph()->mutable_node();
  std::reverse(nodes->pointer_begin(), nodes->pointer_end());
  return reversed.SerializeAsString();
}

}  // namespace halfwave
