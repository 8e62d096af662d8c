#include "tests/unit/model/random_network.h"

#include <algorithm>
#include <cmath>

#include "model/base/shape.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed), network_(Pick<int64_t>({7, 9, 11, 12, 13, 17, 21})) {}

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

  void Grow() {
    const int64_t what = Between(0, 9);
    if (what <= 1) return Activation();
    if (what == 2) return AddConstant();
    if (what == 3) return Residual();
    if (what == 4) return Rare();
    return shape().size() == 4 ? Maps() : Features();
  }

  void Activation() {
    const std::string op = Pick<std::string>({"Relu", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "Tanh"});
    if (op == "PRelu") return Emit(op, {name(), Weight(Broadcastable(), -0.5f, 0.9f)}, shape());
    OnnxBuilder::Attributes attributes;
    if ((op == "LeakyRelu" || op == "Elu") && Chance(50)) attributes["alpha"] = 0.3f;
    Emit(op, {name()}, shape(), attributes);
  }

  // A shape that broadcasts to a row of the current value.
  Shape Broadcastable() {
    Shape result(shape().begin() + Between(1, static_cast<int64_t>(shape().size())), shape().end());
    for (int64_t& dimension : result) dimension = Chance(40) ? 1 : dimension;
    if (result.size() + 1 == shape().size() && Chance(30)) result.insert(result.begin(), 1);
    return result;
  }

  void AddConstant() {
    const std::string constant = Weight(Broadcastable(), -0.5f, 0.5f);
    if (Chance(50)) return Emit("Add", {name(), constant}, shape());
    Emit("Add", {constant, name()}, shape());
  }

  void Residual() {
    std::vector<std::string> others;
    for (const auto& [other, other_shape] : values_) {
      if (other_shape == shape()) others.push_back(other);
    }
    Emit("Add", {name(), Pick(others)}, shape());
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
        return Emit("Softmax", {name()}, shape(), {{"axis", Chance(50) ? axis : axis - rank}});
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
    if (what == 7) return Emit("GlobalAveragePool", {name()}, {-1, from[1], 1, 1});
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
