#include "model/analysis/derivative.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "model/graph/uses.h"
#include "model/tensor/layout.h"

namespace halfwave {
namespace {

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

double Parameter(const Node& node, const char* name, double fallback) {
  const float* value = FindAttribute<float>(node, name);
  return value == nullptr ? fallback : *value;
}

double ClipLimit(const GraphView& view, const Node& node, const char* name, size_t input, double fallback) {
  const Constant* constant = view.ConstantInput(node, input);
  if (constant != nullptr && constant->floats.size() == 1) return constant->floats[0];
  return Parameter(node, name, fallback);
}

// With scale: that of Selu. Of Celu the curve is exp(x / alpha).
double ExponentialBelowZero(double x, double height, double width) { return x > 0 ? 1 : height * std::exp(x / width); }

// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016: x Phi(x).
double GeluSlope(double x) {
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  return 0.5 * std::erfc(-x / std::numbers::sqrt2) + x * density;
}

// Misra, "Mish", 2019: x tanh(log(1 + e^x)).
double MishSlope(double x) {
  const double t = std::tanh(x > 30 ? x : std::log1p(std::exp(x)));
  return t + x * (1 - t * t) * Logistic(x);
}

std::optional<Derivative> PReluDerivative(const GraphView& view, const Node& node) {
  const Constant* slope = view.ConstantInput(node, 1);
  const Shape* shape = view.FindShape(node.inputs[0]);
  if (slope == nullptr || slope->floats.empty() || shape == nullptr) return std::nullopt;
  std::vector<float> slopes = BroadcastToRow(slope->floats, slope->shape, RowShape(*shape), false);
  return [slopes = std::move(slopes)](double x, int64_t index) { return x > 0 ? 1 : double{slopes[index]}; };
}

}  // namespace

std::optional<Derivative> DerivativeOf(const GraphView& view, const Node& node) {
  if (!node.domain.empty() || !HasInput(node, 0)) return std::nullopt;
  const std::string& op = node.op;
  if (op == "PRelu") return PReluDerivative(view, node);
  const auto simple = [](auto f) { return Derivative([f](double x, int64_t) -> double { return f(x); }); };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (op == "Relu") return simple([](double x) { return x > 0 ? 1 : 0; });
  if (op == "ThresholdedRelu") {
    const double alpha = Parameter(node, "alpha", 1);
    return simple([=](double x) { return x > alpha ? 1 : 0; });
  }
  if (op == "Clip") {
    const double low = ClipLimit(view, node, "min", 1, -kInfinity), high = ClipLimit(view, node, "max", 2, kInfinity);
    return simple([=](double x) { return x > low && x < high ? 1 : 0; });
  }
  if (op == "LeakyRelu") {
    const double alpha = Parameter(node, "alpha", 0.01);
    return simple([=](double x) { return x > 0 ? 1 : alpha; });
  }
  if (op == "Elu" || op == "Celu") {
    const double alpha = Parameter(node, "alpha", 1);
    const bool is_elu = op == "Elu";
    return simple([=](double x) { return ExponentialBelowZero(x, is_elu ? alpha : 1, is_elu ? 1 : alpha); });
  }
  if (op == "Selu") {
    const double alpha = Parameter(node, "alpha", 1.6732632423543772),
                 gamma = Parameter(node, "gamma", 1.0507009873554805);
    return simple([=](double x) { return gamma * ExponentialBelowZero(x, alpha, 1); });
  }
  if (op == "Sigmoid") return simple([](double x) { return Logistic(x) * Logistic(-x); });
  if (op == "Tanh") return simple([](double x) { return 1 - std::tanh(x) * std::tanh(x); });
  if (op == "Softplus") return simple([](double x) { return Logistic(x); });
  if (op == "Softsign") return simple([](double x) { return 1 / ((1 + std::abs(x)) * (1 + std::abs(x))); });
  if (op == "HardSigmoid") {
    const double alpha = Parameter(node, "alpha", 0.2), beta = Parameter(node, "beta", 0.5);
    return simple([=](double x) { return alpha * x + beta > 0 && alpha * x + beta < 1 ? alpha : 0; });
  }
  if (op == "HardSwish") {
    return simple([](double x) { return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5; });
  }
  if (op == "Gelu") return simple(GeluSlope);
  if (op == "Mish") return simple(MishSlope);
  return std::nullopt;
}

}  // namespace halfwave
