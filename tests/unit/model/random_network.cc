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
    const int64_t what = Between(0, 20);
    if (what > 17) return shape().size() == 4 && Chance(20) ? Deconvolve() : Functions();
    if (what == 13) return Functions();
    if (what == 14) return Broadcasting();
    if (what == 15) return Reductions();
    if (what == 16) return Normalizations();
    if (what == 17) return Copies();
    if (what <= 2) return Activation();
    if (what == 3) return CombineWithConstant();
    if (what == 4) return Residual();
    if (what <= 6) return Rare();
    if (what <= 8) return Rearrange();
    switch (shape().size()) {
      case 2:
        return Features();
      case 3:
        return Sequence();
      case 4:
        return Maps();
      default:
        return Volume();
    }
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
    if (Chance(20)) return ConcatLearned(axis);
    for (int64_t count = Between(0, 2); count > 0; --count) {
      const auto [other, size] = Pick(others);
      if (RowElements(output) > 1000) break;
      inputs.insert(Chance(50) ? inputs.begin() : inputs.end(), other);
      output[axis] += size;
    }
    Emit("Concat", inputs, output, {{"axis", Chance(50) || opset() < 11 ? axis : axis - rank}});
  }

  // What networks put beside every row, a class token for example: a constant, expanded by adding it to zeros of the
  // batch's size, for a constant alone has no batch.
  void ConcatLearned(int64_t axis) {
    Shape part = shape();
    const std::string zero = Weight({}, 0, 0), current = name();
    std::vector<std::string> inputs = {current};
    OnnxBuilder::Attributes attributes;
    part[axis] = 1;
    GiveList("axes", {axis}, 18, inputs, attributes);
    const Shape whole = shape();
    Emit("ReduceMax", inputs, part, attributes);
    Emit("Mul", {name(), zero}, part);
    const std::string token = Weight(Shape(part.begin() + 1, part.end()), -1, 1);
    Emit("Add", {token, name()}, part);
    Shape output = whole;
    output[axis] += 1;
    Emit("Concat", {name(), current}, output, {{"axis", axis}});
  }

  // Rank 3: several positions, each with its features.
  void Sequence() {
    const Shape from = shape();
    switch (Between(0, 6)) {
      case 0:
        return Unsqueeze();
      case 2:
        return Convolve();
      case 3:
        return SlidingPool();
      case 4:
        return Deconvolve();
      case 1:
        return Emit("GlobalMaxPool", {name()}, {-1, from[1], 1});
      default:
        return Emit("Flatten", {name()}, {-1, from[1] * from[2]});
    }
  }

  // Rank 5: volumes.
  void Volume() {
    const Shape from = shape();
    switch (Between(0, 4)) {
      case 0:
        return Deconvolve();
      case 1:
        return SlidingPool();
      case 2:
        return Emit("Flatten", {name()}, {-1, RowElements(from)});
      default:
        return Convolve();
    }
  }

  int64_t positions() const { return RowElements(shape()) / shape()[1]; }
  std::vector<int64_t> spatial() const { return {shape().begin() + 2, shape().end()}; }

  // Convolutions and pools in as many dimensions as there are, without dilation.
  void Convolve() {
    const int64_t in = shape()[1], group = in % 2 == 0 && Chance(30) ? 2 : 1, out = group * Between(1, 3);
    Shape weights = {out, in / group}, output = {-1, out};
    std::vector<int64_t> strides, pads;
    for (const int64_t size : spatial()) {
      weights.push_back(Between(1, std::min<int64_t>(3, size)));
      strides.push_back(Between(1, 2));
      pads.push_back(Between(0, 1));
      output.push_back((size + 2 * pads.back() - weights.back()) / strides.back() + 1);
    }
    pads.insert(pads.end(), pads.begin(), pads.end());
    const float scale = 1.7f / std::sqrt(static_cast<float>(RowElements(weights)) / static_cast<float>(out));
    const std::string kernel = Weight(weights, -scale, scale), bias = Weight({out}, -0.3f, 0.3f);
    Emit("Conv", {name(), kernel, bias}, output, {{"strides", strides}, {"pads", pads}, {"group", group}});
  }

  void Deconvolve() {
    const int64_t in = shape()[1], group = in % 2 == 0 && Chance(30) ? 2 : 1, per_group = Between(1, 3);
    Shape weights = {in, per_group}, output = {-1, per_group * group};
    std::vector<int64_t> strides, begin, end, extra;
    for (const int64_t size : spatial()) {
      weights.push_back(Between(1, 3));
      strides.push_back(Between(1, 2));
      begin.push_back(Between(0, weights.back() - 1) / 2);
      end.push_back(Between(0, weights.back() - 1) / 2);
      extra.push_back(Between(0, strides.back() - 1));
      output.push_back(strides.back() * (size - 1) + extra.back() + weights.back() - begin.back() - end.back());
    }
    if (RowElements(output) > kMostElements) return Activation();
    begin.insert(begin.end(), end.begin(), end.end());
    std::vector<std::string> inputs = {name(), Weight(weights, -0.6f, 0.6f)};
    if (Chance(50)) inputs.push_back(Weight({output[1]}, -0.3f, 0.3f));
    Emit("ConvTranspose", inputs, output,
         {{"strides", strides}, {"pads", begin}, {"output_padding", extra}, {"group", group}});
  }

  void SlidingPool() {
    std::vector<int64_t> kernel, strides;
    Shape output = {-1, shape()[1]};
    for (const int64_t size : spatial()) {
      kernel.push_back(Between(1, std::min<int64_t>(3, size)));
      strides.push_back(Between(1, 2));
      output.push_back((size - kernel.back()) / strides.back() + 1);
    }
    const std::string op = Pick<std::string>({"MaxPool", "AveragePool", "LpPool"});
    OnnxBuilder::Attributes attributes = {{"kernel_shape", kernel}, {"strides", strides}};
    if (op == "LpPool" && Chance(50)) attributes["p"] = int64_t{3};
    Emit(op, {name()}, output, attributes);
  }

  // Functions of an element, kept where they are neither steep nor undefined.
  void Functions() {
    const Shape same = shape();
    const std::string one = Weight({}, 1, 1);
    switch (Between(0, 4)) {
      case 0:
        Emit("Tanh", {name()}, same);
        return Emit(Pick<std::string>({"Exp", "Sin", "Cos", "Atan"}), {name()}, same);
      case 1:
        Emit("Abs", {name()}, same);
        Emit("Add", {name(), one}, same);
        return Emit(Pick<std::string>({"Sqrt", "Log", "Reciprocal"}), {name()}, same);
      case 2:
        if (opset() >= 9) return Emit("Erf", {name()}, same);
        return Emit("Neg", {name()}, same);
      case 3: {
        Emit("Sigmoid", {name()}, same);
        const std::string exponent = Weight(Broadcastable(), 1, 2);
        return Emit("Pow", {name(), exponent}, same);
      }
      default: {
        Emit("Neg", {name()}, same);
        const std::string constant = Weight(Broadcastable(), -0.5f, 0.5f);
        return Emit(Pick<std::string>({"Sum", "Mean", "Max", "Min"}), {name(), constant, name()}, same);
      }
    }
  }

  // Two computed values of different shapes, and what continues where it is chosen from.
  void Broadcasting() {
    const std::string current = name();
    const Shape same = shape();
    if (Chance(40)) {
      // A part of the value itself, its first element along some dimensions.
      OnnxBuilder::Attributes attributes;
      std::vector<std::string> inputs = {current};
      std::vector<int64_t> axes;
      Shape part = same;
      for (int64_t axis = 1; axis < static_cast<int64_t>(same.size()); ++axis) {
        if (!axes.empty() && Chance(50)) continue;
        axes.push_back(axis);
        part[axis] = 1;
      }
      GiveList("axes", axes, 18, inputs, attributes);
      Emit(Pick<std::string>({"ReduceMax", "ReduceMin"}), inputs, part, attributes);
      const std::string other = name();
      const bool first = Chance(50);
      return Emit(Pick<std::string>({"Add", "Sub", "Mul"}), {first ? other : current, first ? current : other}, same);
    }
    if (opset() < 9) return Residual();
    const std::string limit = Weight(Broadcastable(), -0.5f, 0.5f);
    const std::string compare = Pick<std::string>({"Greater", "Less"});
    network_.Node(compare, {current, limit}, {"c" + std::to_string(weights_)});
    Emit("Where", {"c" + std::to_string(weights_++), current, limit}, same);
  }

  void Reductions() {
    const auto rank = static_cast<int64_t>(shape().size());
    const std::string op = Pick<std::string>({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1",
                                              "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"});
    Shape kept = shape(), dropped = {-1};
    std::vector<int64_t> axes;
    for (int64_t axis = 1; axis < rank; ++axis) {
      if (Chance(50) && (!axes.empty() || axis < rank - 1)) {
        dropped.push_back(kept[axis]);
        continue;
      }
      axes.push_back(Chance(50) || opset() < 11 ? axis : axis - rank);
      kept[axis] = 1;
    }
    if (axes.empty()) return Transpose();
    const bool keep = dropped.size() < 2 || Chance(50);
    if (op == "ReduceLogSumExp" || op == "ReduceSumSquare") Emit("Tanh", {name()}, shape());
    std::vector<std::string> inputs = {name()};
    OnnxBuilder::Attributes attributes = {{"keepdims", int64_t{keep}}};
    GiveList("axes", axes, op == "ReduceSum" ? 13 : 18, inputs, attributes);
    Emit(op, inputs, keep ? kept : dropped, attributes);
  }

  void Normalizations() {
    const Shape same = shape();
    const bool maps = same.size() >= 3;
    const std::string scale = Weight({same[1]}, 0.5f, 1.5f), bias = Weight({same[1]}, -0.5f, 0.5f);
    switch (Between(0, 3)) {
      case 0:
        if (!maps || positions() < 2) return Emit("LpNormalization", {name()}, same, {{"axis", int64_t{1}}});
        return Emit("InstanceNormalization", {name(), scale, bias}, same, {{"epsilon", 0.1f}});
      case 1:
        if (same.size() != 4) return BatchNormalization();
        return Emit("LRN", {name()}, same, {{"size", Between(1, 5)}, {"alpha", 0.3f}, {"beta", 0.6f}, {"bias", 1.5f}});
      case 2: {
        if (opset() < 17) return BatchNormalization();
        const int64_t axis = Between(1, static_cast<int64_t>(same.size()) - 1);
        const Shape rest(same.begin() + axis, same.end());
        const std::string weights = Weight(rest, 0.5f, 1.5f), shift = Weight(rest, -0.5f, 0.5f);
        return Emit("LayerNormalization", {name(), weights, shift}, same, {{"axis", axis}, {"epsilon", 0.1f}});
      }
      default:
        return Multiplied();
    }
  }

  // A product of two computed values: attention's shape, x times x turned.
  void Multiplied() {
    const Shape from = shape();
    if (from.size() < 3) return BatchNormalization();
    const auto rank = static_cast<int64_t>(from.size());
    std::vector<int64_t> permutation(rank);
    std::iota(permutation.begin(), permutation.end(), int64_t{0});
    std::swap(permutation[rank - 1], permutation[rank - 2]);
    Emit("Tanh", {name()}, from);
    const std::string left = name();
    Shape turned = from, output = from;
    std::swap(turned[rank - 1], turned[rank - 2]);
    output[rank - 1] = from[rank - 2];
    Emit("Transpose", {name()}, turned, {{"perm", permutation}});
    Emit("MatMul", {left, name()}, output);
  }

  void Copies() {
    const Shape from = shape();
    const auto rank = static_cast<int64_t>(from.size());
    const int64_t axis = Between(1, rank - 1);
    Shape output = from;
    std::vector<std::string> inputs = {name()};
    OnnxBuilder::Attributes attributes;
    switch (Between(0, 6)) {
      case 0: {
        std::vector<int64_t> pads(2 * rank, 0);
        const std::string mode = Pick<std::string>({"constant", "edge", "reflect"});
        for (const int64_t at : {axis, rank + axis}) {
          pads[at] = std::min(Between(0, 2), mode == "reflect" ? from[axis] - 1 : 2);
          output[axis] += pads[at];
        }
        attributes["mode"] = mode;
        GiveList("pads", pads, 11, inputs, attributes);
        if (opset() < 11) attributes["value"] = 0.25f;
        if (opset() >= 11 && mode == "constant") inputs.push_back(Weight({}, 0.25f, 0.25f));
        return Emit("Pad", inputs, output, attributes);
      }
      case 1: {
        if (from[axis] < 2) return Activation();
        const int64_t first = Between(1, from[axis] - 1);
        attributes["axis"] = Chance(50) || opset() < 11 ? axis : axis - rank;
        GiveList("split", {first, from[axis] - first}, 13, inputs, attributes);
        const std::string other = "s" + std::to_string(weights_++), one = "v" + std::to_string(values_.size());
        network_.Node("Split", inputs, {one, other}, attributes);
        output[axis] = first;
        Remember(one, output);
        output[axis] = from[axis] - first;
        return Remember(other, output);
      }
      case 2: {
        std::vector<int64_t> repeats(rank, 1);
        repeats[axis] = Between(1, 2);
        output[axis] *= repeats[axis];
        if (RowElements(output) > kMostElements) return Activation();
        GiveList("repeats", repeats, 1, inputs, attributes);
        return Emit("Tile", inputs, output);
      }
      case 3: {
        if (from[axis] != 1 || opset() < 8) return Transpose();
        std::vector<int64_t> target(rank, 1);
        output[axis] = target[axis] = Between(1, 4);
        GiveList("shape", target, 1, inputs, attributes);
        return Emit("Expand", inputs, output);
      }
      case 4: {
        std::vector<int64_t> indices;
        for (int64_t count = Between(1, 3); count > 0; --count) {
          indices.push_back(Between(opset() >= 11 ? -from[axis] : 0, from[axis] - 1));
        }
        output[axis] = static_cast<int64_t>(indices.size());
        GiveList("indices", indices, 1, inputs, attributes);
        return Emit("Gather", inputs, output, {{"axis", axis}});
      }
      case 5:
        return MergedRows();
      default:
        if (from.size() != 4) return Activation();
        output.insert(output.begin() + 2, 1);
        GiveList("axes", {2}, 13, inputs, attributes);
        return Emit("Unsqueeze", inputs, output, attributes);
    }
  }

  // Several positions of a row treated as rows of their own, and put together again.
  void MergedRows() {
    if (shape().size() != 2 || shape()[1] % 2 != 0) return Activation();
    const int64_t part = shape()[1] / 2, out = Between(1, 5);
    const std::string id = std::to_string(weights_++), weight = Weight({part, out}, -1, 1);
    network_.IntWeight("apart" + id, {-1, part}).IntWeight("together" + id, {-1, 2 * out});
    network_.Node("Reshape", {name(), "apart" + id}, {"parts" + id});
    network_.Node("MatMul", {"parts" + id, weight}, {"products" + id});
    network_.Node("Relu", {"products" + id}, {"active" + id});
    Emit("Reshape", {"active" + id, "together" + id}, {-1, 2 * out});
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

  static constexpr int64_t kMostElements = 2000;  // of a row, for what enlarges it

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
