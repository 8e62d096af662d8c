#include "model/analysis/backward.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "model/analysis/derivative.h"
#include "model/analysis/linear_node.h"
#include "model/base/status_macros.h"
#include "model/graph/uses.h"
#include "model/graph/window.h"
#include "model/tensor/layout.h"

namespace halfwave {
namespace {

int64_t Product(std::span<const int64_t> sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

absl::Status Unknown(const GraphView& view, const Node& node) {
  return NodeError(absl::StatusCode::kUnimplemented, view.graph(), node, "has no known derivative here");
}

class NodeBackward {
 public:
  NodeBackward(const GraphView& view, const Node& node, const ValueOf& value_of, DerivativesByValue& derivatives)
      : view_(view),
        node_(node),
        value_of_(value_of),
        derivatives_(derivatives),
        by_output_(derivatives[node.outputs[0]]) {}

  absl::Status Run() {
    if (!node_.domain.empty()) return Unknown();
    if (const auto linear = AsLinear(view_, node_)) return linear->is_conv ? Conv(*linear) : Dense(*linear);
    if (const auto derivative = DerivativeOf(view_, node_)) return Activation(*derivative);
    if (node_.op == "Transpose") return Transpose();
    if (PassesOn(node_) || node_.op == "Cast") return PassOn();
    if (IsOneOf(node_, {"Add", "Sub", "Mul", "Div", "Sum"})) return Arithmetic();
    if (IsOneOf(node_, {"MaxPool", "AveragePool"})) return Pool();
    if (IsOneOf(node_, {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean"})) return Reduce();
    if (node_.op == "BatchNormalization") return BatchNormalization();
    if (node_.op == "Concat") return Concat();
    return Unknown();
  }

 private:
  absl::Status Unknown() const { return halfwave::Unknown(view_, node_); }

  Shape ShapeOf(const std::string& value) const {
    if (const Constant* constant = view_.FindConstant(value)) return constant->shape;
    const Shape* shape = view_.FindShape(value);
    return shape == nullptr ? Shape() : RowShape(*shape);
  }
  bool IsComputed(size_t input) const { return HasInput(node_, input) && view_.ConstantInput(node_, input) == nullptr; }
  std::vector<double>& ByInput(size_t input) {
    std::vector<double>& by_input = derivatives_[node_.inputs[input]];
    if (by_input.empty()) by_input.resize(Product(ShapeOf(node_.inputs[input])));
    return by_input;
  }
  std::span<const float> Value(size_t input) const {
    if (const Constant* constant = view_.ConstantInput(node_, input)) return constant->floats;
    return value_of_(node_.inputs[input]);
  }

  absl::Status PassOn() {
    std::vector<double>& by_x = ByInput(0);
    for (size_t i = 0; i < by_x.size(); ++i) by_x[i] += by_output_[i];
    return absl::OkStatus();
  }

  absl::Status Activation(const Derivative& derivative) {
    const std::span<const float> x = Value(0);
    std::vector<double>& by_x = ByInput(0);
    for (size_t i = 0; i < by_x.size(); ++i) {
      if (by_output_[i] != 0) by_x[i] += by_output_[i] * derivative(x[i], static_cast<int64_t>(i));
    }
    return absl::OkStatus();
  }

  absl::Status Dense(const LinearNode& linear) {
    using Weights = Eigen::Map<const Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
    const Weights weights(linear.weights->floats.data(), linear.inputs, linear.units,
                          {linear.unit_stride, linear.input_stride});
    std::vector<double>& by_x = ByInput(0);
    const auto vectors = static_cast<int64_t>(by_x.size()) / linear.inputs;
    for (int64_t i = 0; i < vectors; ++i) {
      Eigen::Map<Eigen::VectorXd> x(by_x.data() + i * linear.inputs, linear.inputs);
      const Eigen::Map<const Eigen::VectorXd> y(by_output_.data() + i * linear.units, linear.units);
      for (int64_t unit = 0; unit < linear.units; ++unit) {
        if (y[unit] != 0) x += linear.scale * y[unit] * weights.col(unit).cast<double>();
      }
    }
    return absl::OkStatus();
  }

  // For each tap and position of the output the position of the input that it reads, -1 in the padding.
  absl::StatusOr<std::vector<int64_t>> TapPositions(const Shape& x, std::span<const int64_t> kernel, Window& window) {
    const NodeContext context(view_.graph(), node_, view_.types());
    const std::span<const int64_t> spatial = std::span(x).subspan(2);
    HALFWAVE_ASSIGN_OR_RETURN(window, ResolveWindow(context, spatial, kernel));
    const int64_t taps = Product(window.kernel), outputs = Product(window.output);
    std::vector<int64_t> positions(taps * outputs);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t output = 0; output < outputs; ++output) {
        int64_t position = 0, stride = 1, tap_rest = tap, output_rest = output;
        for (size_t axis = spatial.size(); axis-- > 0;) {
          const int64_t at = output_rest % window.output[axis] * window.strides[axis] - window.pads_begin[axis] +
                             tap_rest % window.kernel[axis] * window.dilations[axis];
          output_rest /= window.output[axis];
          tap_rest /= window.kernel[axis];
          if (at < 0 || at >= spatial[axis]) position = -1;
          if (position >= 0) position += at * stride;
          stride *= spatial[axis];
        }
        positions[tap * outputs + output] = position;
      }
    }
    return positions;
  }

  absl::Status Conv(const LinearNode& linear) {
    const Shape x = ShapeOf(node_.inputs[0]);
    Window window;
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> positions,
                              TapPositions(x, std::span(linear.weights->shape).subspan(2), window));
    const int64_t outputs = Product(window.output), inputs = Product(std::span(x).subspan(2));
    std::vector<double>& by_x = ByInput(0);
    for (int64_t image = 0; image < x[0]; ++image) {
      for (int64_t unit = 0; unit < linear.units; ++unit) {
        const double* y = by_output_.data() + (image * linear.units + unit) * outputs;
        for (int64_t input = 0; input < linear.inputs; ++input) {
          double* to = by_x.data() + (image * x[1] + linear.FirstInput(unit) + input) * inputs;
          for (int64_t tap = 0; tap < linear.taps; ++tap) {
            const double weight = linear.Weight(unit, input, tap);
            const int64_t* position = positions.data() + tap * outputs;
            for (int64_t i = 0; i < outputs; ++i) {
              if (position[i] >= 0) to[position[i]] += weight * y[i];
            }
          }
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Pool() {
    const Shape shape = ShapeOf(node_.inputs[0]);
    Window window;
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> positions, TapPositions(shape, {}, window));
    const int64_t outputs = Product(window.output), inputs = Product(std::span(shape).subspan(2));
    const int64_t taps = Product(window.kernel);
    const auto* padded = FindAttribute<int64_t>(node_, "count_include_pad");
    const bool counts_padding = padded != nullptr && *padded != 0;
    const std::span<const float> x = Value(0);
    std::vector<double>& by_x = ByInput(0);
    for (int64_t channel = 0; channel < shape[0] * shape[1]; ++channel) {
      double* to = by_x.data() + channel * inputs;
      for (int64_t output = 0; output < outputs; ++output) {
        const double y = by_output_[channel * outputs + output];
        int64_t largest = -1, read = 0;
        for (int64_t tap = 0; tap < taps; ++tap) {
          const int64_t position = positions[tap * outputs + output];
          if (position < 0) continue;
          ++read;
          if (largest < 0 || x[channel * inputs + position] > x[channel * inputs + largest]) largest = position;
        }
        if (node_.op == "MaxPool") {
          if (largest >= 0) to[largest] += y;
          continue;
        }
        for (int64_t tap = 0; tap < taps; ++tap) {
          const int64_t position = positions[tap * outputs + output];
          if (position >= 0) to[position] += y / static_cast<double>(counts_padding ? taps : read);
        }
      }
    }
    return absl::OkStatus();
  }

  // Over the last dimensions, all positions of a channel; a mean of others is rare.
  absl::Status Reduce() {
    std::vector<double>& by_x = ByInput(0);
    Shape kept = ShapeOf(node_.outputs[0]);
    while (!kept.empty() && kept.back() == 1) kept.pop_back();
    const Shape from = ShapeOf(node_.inputs[0]);
    if (kept.size() > from.size() || !std::equal(kept.begin(), kept.end(), from.begin())) return Unknown();
    const auto reduced = static_cast<int64_t>(by_x.size() / by_output_.size());
    const std::span<const float> x = Value(0);
    for (size_t i = 0; i < by_output_.size(); ++i) {
      const auto begin = static_cast<int64_t>(i) * reduced;
      if (node_.op == "GlobalMaxPool") {
        by_x[std::max_element(x.begin() + begin, x.begin() + begin + reduced) - x.begin()] += by_output_[i];
        continue;
      }
      for (int64_t j = 0; j < reduced; ++j) by_x[begin + j] += by_output_[i] / static_cast<double>(reduced);
    }
    return absl::OkStatus();
  }

  // Calls visit(element of the output, element of each operand).
  template <typename Visit>
  void ForEachBroadcast(const Shape& shape, const std::vector<std::vector<int64_t>>& strides, Visit visit) const {
    std::vector<int64_t> at(strides.size());
    for (int64_t i = 0; i < Product(shape); ++i) {
      std::fill(at.begin(), at.end(), 0);
      int64_t rest = i;
      for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
        for (size_t operand = 0; operand < strides.size(); ++operand) {
          at[operand] += rest % shape[axis] * strides[operand][axis];
        }
      }
      visit(i, at);
    }
  }

  absl::Status Arithmetic() {
    const Shape shape = ShapeOf(node_.outputs[0]);
    std::vector<std::vector<int64_t>> strides;
    std::vector<std::span<const float>> values;
    for (size_t i = 0; i < node_.inputs.size(); ++i) {
      strides.push_back(BroadcastStrides(ShapeOf(node_.inputs[i]), shape));
      values.push_back(Value(i));
    }
    const auto slope = [&](size_t operand, const std::vector<int64_t>& at) -> double {
      if (node_.op == "Sub") return operand == 0 ? 1 : -1;
      if (node_.op == "Mul") return values[1 - operand][at[1 - operand]];
      if (node_.op != "Div") return 1;
      const double divisor = values[1][at[1]];
      return operand == 0 ? 1 / divisor : -values[0][at[0]] / (divisor * divisor);
    };
    for (size_t operand = 0; operand < node_.inputs.size(); ++operand) {
      if (!IsComputed(operand)) continue;
      std::vector<double>& by_x = ByInput(operand);
      ForEachBroadcast(shape, strides, [&](int64_t i, const std::vector<int64_t>& at) {
        if (by_output_[i] != 0) by_x[at[operand]] += by_output_[i] * slope(operand, at);
      });
    }
    return absl::OkStatus();
  }

  absl::Status BatchNormalization() {
    const Constant* scale = view_.ConstantInput(node_, 1);
    const Constant* variance = view_.ConstantInput(node_, 4);
    const Shape shape = ShapeOf(node_.inputs[0]);
    if (scale == nullptr || variance == nullptr || shape.size() < 2) return Unknown();
    const float* epsilon = FindAttribute<float>(node_, "epsilon");
    std::vector<double>& by_x = ByInput(0);
    const int64_t positions = Product(std::span(shape).subspan(2));
    for (size_t i = 0; i < by_x.size(); ++i) {
      const int64_t channel = static_cast<int64_t>(i) / positions % shape[1];
      by_x[i] += by_output_[i] * scale->floats[channel] /
                 std::sqrt(double{variance->floats[channel]} + (epsilon == nullptr ? 1e-5 : *epsilon));
    }
    return absl::OkStatus();
  }

  absl::Status Transpose() {
    const Shape from = ShapeOf(node_.inputs[0]);
    std::vector<int64_t> perm(from.size());
    for (size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<int64_t>(perm.size() - 1 - i);
    if (const auto* given = FindAttribute<std::vector<int64_t>>(node_, "perm")) perm = *given;
    const std::vector<int64_t> from_strides = RowMajorStrides(from);
    Shape to;
    std::vector<int64_t> strides;
    for (const int64_t axis : perm) {
      to.push_back(from[axis]);
      strides.push_back(from_strides[axis]);
    }
    std::vector<double>& by_x = ByInput(0);
    ForEachBroadcast(to, {strides}, [&](int64_t i, const std::vector<int64_t>& at) { by_x[at[0]] += by_output_[i]; });
    return absl::OkStatus();
  }

  absl::Status Concat() {
    const Shape shape = ShapeOf(node_.outputs[0]);
    const auto* attribute = FindAttribute<int64_t>(node_, "axis");
    const auto axis = NormalizeAxis(attribute == nullptr ? 1 : *attribute, shape.size());
    if (!axis) return Unknown();
    const int64_t outer = Product(std::span(shape).first(*axis));
    const int64_t row = Product(std::span(shape).subspan(*axis));
    int64_t offset = 0;
    for (size_t input = 0; input < node_.inputs.size(); ++input) {
      const Shape part = ShapeOf(node_.inputs[input]);
      const int64_t length = Product(std::span(part).subspan(*axis));
      if (IsComputed(input)) {
        std::vector<double>& by_x = ByInput(input);
        for (int64_t i = 0; i < outer * length; ++i) by_x[i] += by_output_[i / length * row + offset + i % length];
      }
      offset += length;
    }
    return absl::OkStatus();
  }

  const GraphView& view_;
  const Node& node_;
  const ValueOf& value_of_;
  DerivativesByValue& derivatives_;
  const std::vector<double> by_output_;
};

}  // namespace

absl::Status PropagateBack(const GraphView& view, const Node& node, const ValueOf& value_of,
                           DerivativesByValue& derivatives) {
  const auto arrives = [&](const std::string& output) {
    const auto found = derivatives.find(output);
    return found != derivatives.end() && !found->second.empty();
  };
  if (std::any_of(node.outputs.begin() + 1, node.outputs.end(), arrives)) return Unknown(view, node);
  return arrives(node.outputs[0]) ? NodeBackward(view, node, value_of, derivatives).Run() : absl::OkStatus();
}

}  // namespace halfwave
