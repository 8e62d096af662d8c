#include "model/analysis/bound_steps.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "model/analysis/rounding.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxElements = 1 << 20;  // of a value; larger ones are not followed
constexpr size_t kMaxTaps = 1 << 25;       // of all windows together

using What = std::variant<OpaqueStep, AffineStep, MaxStep, BendStep>;

std::vector<int32_t> Counting(int64_t count) {
  std::vector<int32_t> index(count);
  std::iota(index.begin(), index.end(), 0);
  return index;
}

// For each element of a row of `to`, the element of `from` that broadcasting puts there.
std::optional<std::vector<int32_t>> Broadcast(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return std::nullopt;
  const size_t lead = to.size() - from.size();
  std::vector<int64_t> strides(to.size());
  int64_t stride = 1;
  for (size_t d = from.size(); d-- > 0; stride *= RowSize(from[d])) {
    const int64_t size = RowSize(from[d]);
    if (size != 1 && size != RowSize(to[lead + d])) return std::nullopt;
    strides[lead + d] = size == 1 ? 0 : stride;
  }
  std::vector<int32_t> index(RowElements(to));
  for (size_t i = 0; i < index.size(); ++i) {
    int64_t at = 0, rest = static_cast<int64_t>(i);
    for (size_t d = to.size(); d-- > 0; rest /= RowSize(to[d])) at += rest % RowSize(to[d]) * strides[d];
    index[i] = static_cast<int32_t>(at);
  }
  return index;
}

class Maker {
 public:
  explicit Maker(const GraphView& view) : view_(view) {}

  std::vector<BoundStep> Run() && {
    for (const GraphValue& input : view_.graph().inputs) Push(input.name, OpaqueStep());
    for (const Node* node : view_.nodes()) {
      if (node->outputs.empty()) continue;
      What what = Make(*node);
      Push(node->outputs[0], std::move(what));
      for (size_t i = 1; i < node->outputs.size(); ++i) {
        if (!node->outputs[i].empty()) Push(node->outputs[i], OpaqueStep());
      }
    }
    return std::move(steps_);
  }

 private:
  void Push(const std::string& value, What what) {
    const Shape* shape = view_.FindShape(value);
    BoundStep step{value, 0, false, std::move(what)};
    if (shape != nullptr && Elements(*shape) <= kMaxElements) step.elements = Elements(*shape);
    if (step.elements == 0) step.what = OpaqueStep();
    if (auto* affine = std::get_if<AffineStep>(&step.what); affine != nullptr && affine->operands.size() == 1) {
      const auto* before = std::get_if<AffineStep>(&steps_[affine->operands[0].value].what);
      const bool sums = affine->operands[0].map.max_terms() > 1;
      if (!sums && before != nullptr && before->operands.size() == 1) {
        affine->constant_terms = before->constant_terms + before->operands[0].map.max_terms();
      }
    }
    if (const auto* activation = std::get_if<BendStep>(&step.what)) steps_[activation->value].bends = true;
    if (const auto* maximum = std::get_if<MaxStep>(&step.what)) steps_[maximum->value].bends = true;
    index_[value] = steps_.size();
    steps_.push_back(std::move(step));
  }

  static int64_t Elements(const Shape& shape) {
    double elements = 1;
    for (const int64_t d : shape) elements *= static_cast<double>(RowSize(d));
    return elements > static_cast<double>(kMaxElements) ? kMaxElements + 1 : static_cast<int64_t>(elements);
  }

  // Of a computed input whose elements are followed.
  std::optional<size_t> ValueOf(const Node& node, size_t index) const {
    if (!HasInput(node, index) || view_.ConstantInput(node, index) != nullptr) return std::nullopt;
    const auto found = index_.find(node.inputs[index]);
    if (found == index_.end() || steps_[found->second].elements == 0) return std::nullopt;
    return found->second;
  }

  What Make(const Node& node) {
    const Shape* from = HasInput(node, 0) ? view_.FindShape(node.inputs[0]) : nullptr;
    const Shape* to = view_.FindShape(node.outputs[0]);
    if (!node.domain.empty() || from == nullptr || to == nullptr || Elements(*to) > kMaxElements) return OpaqueStep();
    if (IsOneOf(node, {"Add", "Sub", "Mul", "Div"})) return Binary(node, *to);
    if (IsOneOf(node, {"Concat"})) return Concat(node, *to);
    const std::optional<size_t> value = ValueOf(node, 0);
    if (!value) return OpaqueStep();
    if (const auto linear = AsLinear(view_, node)) return Linear(*linear, *value, *from, *to);
    if (IsOneOf(node, {"BatchNormalization"})) return BatchNorm(node, *value, *from);
    if (IsOneOf(node, {"Transpose"})) return Transpose(node, *value, *from, *to);
    if (PassesOn(node)) return Passing(*value, RowElements(*from), RowElements(*to));
    if (IsOneOf(node, {"MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool"})) {
      return Pool(node, *value, *from, *to);
    }
    if (IsOneOf(node, {"Pad"})) return Pad(node, *value, *from, *to);
    if (IsOneOf(node, {"PRelu"})) return PRelu(node, *value, *to);
    if (const auto activation = AsActivation(view_, node)) return BendStep{*value, *activation};
    return OpaqueStep();
  }

  static AffineStep Moved(size_t value, std::vector<int32_t> index) {
    AffineStep step;
    step.operands.push_back({value, LinearMap::Select(std::move(index))});
    return step;
  }

  static What Passing(size_t value, int64_t from, int64_t to) {
    if (from != to) return OpaqueStep();
    return Moved(value, Counting(to));
  }

  // Takes the memory for a window's taps, if there is some left.
  bool Afford(int64_t positions, int64_t taps) {
    taps_ += static_cast<size_t>(positions) * static_cast<size_t>(taps);
    return positions > 0 && taps > 0 && taps_ <= kMaxTaps;
  }

  std::optional<Window> WindowOf(const Node& node, const Shape& from, std::span<const int64_t> kernel) {
    const auto window =
        ResolveWindow(NodeContext(view_.graph(), node, view_.types()), std::span(from).subspan(2), kernel);
    if (!window.ok()) return std::nullopt;
    int64_t positions = 1, taps = 1;
    for (const int64_t size : window->output) positions *= size;
    for (const int64_t size : window->kernel) taps *= size;
    return Afford(positions, taps) ? std::optional(*window) : std::nullopt;
  }

  // Whether the value is the network's input, or that moved.
  bool IsInput(size_t value) const { return IsMovedInput(steps_, value, view_.graph().inputs.size()); }

  // Of the image that the value is if it is one that was flattened: the engine may hold it channels-last, unless it is
  // the network's input.
  int64_t FlattenedPositions(size_t value, int64_t inputs) const {
    if (IsInput(value)) return 1;
    while (true) {
      const Shape& shape = *view_.FindShape(steps_[value].value);
      if (shape.size() > 2) {
        const int64_t channels = RowSize(shape[1]);
        return channels > 0 && inputs % channels == 0 ? inputs / channels : 1;
      }
      if (const auto* activation = std::get_if<BendStep>(&steps_[value].what)) {
        value = activation->value;
        continue;
      }
      const auto* affine = std::get_if<AffineStep>(&steps_[value].what);
      if (affine == nullptr || affine->operands.size() != 1 || affine->operands[0].map.max_terms() > 1) return 1;
      value = affine->operands[0].value;
    }
  }

  What Linear(const LinearNode& linear, size_t value, const Shape& from, const Shape& to) {
    AffineStep step;
    const int64_t elements = RowElements(to);
    int64_t of_unit = 1;  // elements of a unit, one after the other
    if (linear.is_conv) {
      if (from.size() < 3 || from[0] > 1 || linear.inputs * linear.groups != from[1]) return OpaqueStep();
      const std::span<const int64_t> space = std::span(from).subspan(2);
      const auto window = WindowOf(*linear.node, from, std::span(linear.weights->shape).subspan(2));
      if (!window) return OpaqueStep();
      step.operands.push_back(
          {value, LinearMap::Conv(linear, WindowTaps(*window, space), RowElements(Shape(space.begin(), space.end())))});
      of_unit = elements / linear.units;
    } else {
      if (from.empty() || RowSize(from.back()) != linear.inputs || RowSize(to.back()) != linear.units)
        return OpaqueStep();
      step.operands.push_back({value, LinearMap::Dense(linear, RowElements(from) / linear.inputs)});
      if (from.size() == 2) step.positions = FlattenedPositions(value, linear.inputs);
    }
    if (step.operands[0].map.rows() != elements) return OpaqueStep();
    step.rounding = SumRounding(step.operands[0].map.max_terms());
    if (MayUseWinograd(linear)) {
      step.winograd = linear;
      step.rounding = SumRounding(static_cast<double>(linear.inputs) + kWinogradOperations);
    }
    if (linear.bias != nullptr) {
      for (int64_t i = 0; i < elements; ++i) step.offset.push_back(linear.Bias(i / of_unit % linear.units));
      step.offset_magnitude = step.offset;
    }
    return step;
  }

  What BatchNorm(const Node& node, size_t value, const Shape& from) {
    const Constant* terms[4];
    const auto* training = FindAttribute<int64_t>(node, "training_mode");
    if (from.size() < 2 || view_.graph().opset < 7 || (training != nullptr && *training != 0)) return OpaqueStep();
    for (size_t i = 0; i < 4; ++i) {
      terms[i] = view_.ConstantInput(node, i + 1);
      if (terms[i] == nullptr || static_cast<int64_t>(terms[i]->floats.size()) != from[1]) return OpaqueStep();
    }
    const auto* attribute = FindAttribute<float>(node, "epsilon");
    const double epsilon = attribute == nullptr ? 1e-5f : *attribute;
    const int64_t elements = RowElements(from);
    int64_t positions = 1;
    for (size_t d = 2; d < from.size(); ++d) positions *= RowSize(from[d]);
    std::vector<double> factors;
    AffineStep step;
    for (int64_t i = 0; i < elements; ++i) {
      const int64_t c = i / positions % from[1];
      factors.push_back(terms[0]->floats[c] / std::sqrt(terms[3]->floats[c] + epsilon));
      if (!std::isfinite(factors.back())) return OpaqueStep();
      const double shift = terms[2]->floats[c] * factors.back();
      step.offset.push_back(terms[1]->floats[c] - shift);
      step.offset_magnitude.push_back(std::abs(terms[1]->floats[c]) + std::abs(shift));
    }
    step.operands.push_back({value, LinearMap::Scale(Counting(elements), std::move(factors))});
    step.rounding = SumRounding(8);
    return step;
  }

  What Transpose(const Node& node, size_t value, const Shape& from, const Shape& to) {
    std::vector<int64_t> perm(from.size());
    std::iota(perm.rbegin(), perm.rend(), 0);
    if (const auto* given = FindAttribute<std::vector<int64_t>>(node, "perm"); given != nullptr && !given->empty()) {
      perm = *given;
    }
    if (perm.size() != to.size() || from.size() != to.size()) return OpaqueStep();
    std::vector<int64_t> strides(from.size(), 1);
    for (size_t d = from.size(); d-- > 1;) strides[d - 1] = strides[d] * RowSize(from[d]);
    std::vector<int32_t> index(RowElements(to));
    for (size_t i = 0; i < index.size(); ++i) {
      int64_t at = 0, rest = static_cast<int64_t>(i);
      for (size_t d = to.size(); d-- > 0; rest /= RowSize(to[d])) at += rest % RowSize(to[d]) * strides[perm[d]];
      index[i] = static_cast<int32_t>(at);
    }
    return Moved(value, std::move(index));
  }

  What Pool(const Node& node, size_t value, const Shape& from, const Shape& to) {
    if (from.size() < 3 || from[0] > 1 || node.outputs.size() > 1) return OpaqueStep();
    const int64_t channels = from[1], in_positions = RowElements(from) / channels;
    std::vector<int32_t> taps;
    int64_t size = in_positions;
    const bool average = IsOneOf(node, {"AveragePool", "GlobalAveragePool"});
    if (IsOneOf(node, {"GlobalMaxPool", "GlobalAveragePool"})) {
      if (!Afford(1, size)) return OpaqueStep();
      taps = Counting(size);
    } else {
      const auto window = WindowOf(node, from, {});
      const auto* ceil_mode = FindAttribute<int64_t>(node, "ceil_mode");
      if (!window || (average && ceil_mode != nullptr && *ceil_mode != 0)) return OpaqueStep();
      taps = WindowTaps(*window, std::span(from).subspan(2));
      size = std::accumulate(window->kernel.begin(), window->kernel.end(), int64_t{1}, std::multiplies<>());
    }
    const int64_t elements = RowElements(to), positions = static_cast<int64_t>(taps.size()) / size;
    if (elements != channels * positions) return OpaqueStep();
    if (!average) return MaxStep{value, LinearMap::Pool(channels, std::move(taps), size, in_positions)};
    // As the average of the positions that are there, or of all of the window.
    const auto* include = FindAttribute<int64_t>(node, "count_include_pad");
    std::vector<double> factors(positions);
    for (int64_t p = 0; p < positions; ++p) {
      const auto begin = taps.begin() + p * size;
      const auto there = include != nullptr && *include != 0 ? size : size - std::count(begin, begin + size, -1);
      if (there < 1) return OpaqueStep();
      factors[p] = 1 / static_cast<double>(there);
    }
    AffineStep step;
    step.operands.push_back(
        {value, LinearMap::Pool(channels, std::move(taps), size, in_positions, std::move(factors))});
    step.rounding = SumRounding(static_cast<double>(size));
    return step;
  }

  What Pad(const Node& node, size_t value, const Shape& from, const Shape& to) {
    const auto* mode = FindAttribute<std::string>(node, "mode");
    if ((mode != nullptr && *mode != "constant") || from.size() != to.size() || node.inputs.size() > 3) {
      return OpaqueStep();
    }
    const auto* attribute = FindAttribute<std::vector<int64_t>>(node, "pads");
    const Constant* input = view_.ConstantInput(node, 1);
    const std::vector<int64_t> pads = attribute != nullptr ? *attribute : input != nullptr ? input->ints : Shape();
    const auto* value_attribute = FindAttribute<float>(node, "value");
    double fill = value_attribute == nullptr ? 0 : *value_attribute;
    if (HasInput(node, 2)) {
      const Constant* constant = view_.ConstantInput(node, 2);
      if (constant == nullptr || constant->floats.size() != 1) return OpaqueStep();
      fill = constant->floats[0];
    }
    if (pads.size() != 2 * from.size()) return OpaqueStep();
    std::vector<int32_t> index(RowElements(to));
    AffineStep step;
    if (fill != 0) step.offset.assign(index.size(), 0);
    for (size_t i = 0; i < index.size(); ++i) {
      int64_t at = 0, stride = 1, rest = static_cast<int64_t>(i);
      for (size_t d = to.size(); d-- > 0; rest /= RowSize(to[d]), stride *= RowSize(from[d])) {
        const int64_t x = rest % RowSize(to[d]) - pads[d];
        at = at < 0 || x < 0 || x >= RowSize(from[d]) ? -1 : at + x * stride;
      }
      index[i] = static_cast<int32_t>(at);
      if (at < 0 && fill != 0) step.offset[i] = fill;
    }
    step.operands.push_back({value, LinearMap::Select(std::move(index))});
    return step;
  }

  What PRelu(const Node& node, size_t value, const Shape& to) {
    const Constant* slopes = view_.ConstantInput(node, 1);
    if (slopes == nullptr || slopes->floats.empty()) return OpaqueStep();
    auto index = Broadcast(slopes->shape, to);
    if (!index) return OpaqueStep();
    Activation activation;
    activation.kind = Activation::Kind::kLeaky;
    activation.slopes.assign(slopes->floats.begin(), slopes->floats.end());
    activation.slope_index = *std::move(index);
    return BendStep{value, std::move(activation)};
  }

  What Binary(const Node& node, const Shape& to) {
    if (node.inputs.size() != 2 || view_.graph().opset < 7) return OpaqueStep();
    AffineStep step;
    step.rounding = SumRounding(2);
    const bool product = IsOneOf(node, {"Mul", "Div"});
    std::optional<std::vector<double>> factors;
    for (size_t i = 0; i < 2; ++i) {
      const double sign = node.op == "Sub" && i == 1 ? -1 : 1;
      const Constant* constant = view_.ConstantInput(node, i);
      const Shape* shape = view_.FindShape(node.inputs[i]);
      auto index = shape == nullptr ? std::nullopt : Broadcast(*shape, to);
      if (!index) return OpaqueStep();
      if (constant != nullptr) {
        if (constant->floats.empty() || (node.op == "Div" && i == 0)) return OpaqueStep();
        std::vector<double>& numbers = product ? factors.emplace() : step.offset;
        for (const int32_t at : *index) {
          const double number = constant->floats[at];
          numbers.push_back(node.op == "Div" ? 1 / number : sign * number);
          if (!std::isfinite(numbers.back())) return OpaqueStep();
        }
        continue;
      }
      const std::optional<size_t> value = ValueOf(node, i);
      if (!value) return OpaqueStep();
      std::vector<double> signs;
      if (sign < 0) signs.assign(index->size(), -1.0);
      step.operands.push_back({*value, LinearMap::Scale(*std::move(index), std::move(signs))});
    }
    step.offset_magnitude = step.offset;
    if (!product) return step;
    if (!factors || step.operands.size() != 1) return OpaqueStep();
    const size_t computed = view_.ConstantInput(node, 0) == nullptr ? 0 : 1;
    step.operands[0].map =
        LinearMap::Scale(*Broadcast(*view_.FindShape(node.inputs[computed]), to), *std::move(factors));
    return step;
  }

  What Concat(const Node& node, const Shape& to) {
    const auto* attribute = FindAttribute<int64_t>(node, "axis");
    const auto axis = NormalizeAxis(attribute == nullptr ? 1 : *attribute, to.size());
    if (!axis) return OpaqueStep();
    int64_t inner = 1;
    for (size_t d = *axis + 1; d < to.size(); ++d) inner *= RowSize(to[d]);
    const int64_t elements = RowElements(to), along = RowSize(to[*axis]);
    AffineStep step;
    int64_t first = 0;
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      const Shape* shape = view_.FindShape(node.inputs[input]);
      if (shape == nullptr || shape->size() != to.size()) return OpaqueStep();
      const int64_t mine = RowSize((*shape)[*axis]);
      std::vector<int32_t> index(elements, -1);
      for (int64_t i = 0; i < elements; ++i) {
        const int64_t at = i / inner % along - first;
        if (at >= 0 && at < mine) {
          index[i] = static_cast<int32_t>((i / (inner * along) * mine + at) * inner + i % inner);
        }
      }
      first += mine;
      if (const Constant* constant = view_.ConstantInput(node, input); constant != nullptr) {
        if (constant->floats.empty()) return OpaqueStep();
        step.offset.resize(elements);
        for (int64_t i = 0; i < elements; ++i) {
          if (index[i] >= 0) step.offset[i] = constant->floats[index[i]];
        }
        continue;
      }
      const std::optional<size_t> value = ValueOf(node, input);
      if (!value) return OpaqueStep();
      step.operands.push_back({*value, LinearMap::Select(std::move(index))});
    }
    return first == along ? What(std::move(step)) : What(OpaqueStep());
  }

  const GraphView& view_;
  std::vector<BoundStep> steps_;
  std::unordered_map<std::string, size_t> index_;
  size_t taps_ = 0;
};

}  // namespace

bool IsMovedInput(const std::vector<BoundStep>& steps, size_t value, size_t inputs) {
  while (const auto* moved = std::get_if<AffineStep>(&steps[value].what)) {
    if (moved->operands.size() != 1 || moved->rounding != 0 || !moved->offset.empty()) return false;
    value = moved->operands[0].value;
  }
  return value < inputs;
}

std::vector<BoundStep> MakeBoundSteps(const GraphView& view) { return Maker(view).Run(); }

}  // namespace halfwave
