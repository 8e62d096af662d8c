#include "model/analysis/relaxation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/analysis/rounding.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// What exponentials and their kin are off by at most, as a share of the result; the kernels' tests hold a tenth of it.
constexpr double kFunctionError = 1e-5;

double AttributeOr(const Node& node, const char* name, double fallback) {
  const auto* value = FindAttribute<float>(node, name);
  return value == nullptr ? fallback : *value;
}

double SlopeOf(const Activation& activation, int64_t element) {
  return activation.slopes[activation.slope_index.empty() ? 0 : activation.slope_index[element]];
}

double Value(const Activation& a, double x) {
  if (a.op == "Sigmoid") return 1 / (1 + std::exp(-x));
  if (a.op == "Tanh") return std::tanh(x);
  if (a.op == "Softplus") return x > 30 ? x : std::log1p(std::exp(x));
  if (a.op == "Softsign") return std::isinf(x) ? (x > 0 ? 1 : -1) : x / (1 + std::abs(x));
  if (a.op == "HardSigmoid") return std::clamp(a.alpha * x + a.beta, 0.0, 1.0);
  if (a.op == "Selu") return a.beta * (x > 0 ? x : a.alpha * std::expm1(x));
  if (a.op == "Celu") return x > 0 ? x : a.alpha * std::expm1(x / a.alpha);
  return x > 0 ? x : a.alpha * std::expm1(x);  // Elu
}

Lines Through(double slope, double x, double y) { return {slope, y - slope * x, slope, y - slope * x}; }

// Between an interval's ends; flat where one is infinite.
Lines Chord(Reach x, double at_low, double at_high) {
  const double width = x.high - x.low;
  if (!std::isfinite(width) || width <= 0) return {0, std::min(at_low, at_high), 0, std::max(at_low, at_high)};
  Lines lines = Through((at_high - at_low) / width, x.low, at_low);
  // Its own rounding, in double.
  const double wider = 1e-12 * (std::abs(at_low) + std::abs(at_high) + std::abs(x.low) + std::abs(x.high));
  lines.low_offset -= wider;
  lines.high_offset += wider;
  return lines;
}

Lines Below(const Lines& low, const Lines& high) {
  return {low.low_slope, low.low_offset, high.high_slope, high.high_offset};
}

// `flat` and `steep` lie below a convex kink at zero of the interval.
Lines Choose(LowLine which, Reach x, const Lines& flat, const Lines& steep) {
  if (which != LowLine::kSmallerArea) return which == LowLine::kFlat ? flat : steep;
  return x.high > -x.low ? steep : flat;
}

Lines ClipLines(const Activation& clip, Reach x, LowLine which) {
  if (x.low >= clip.low && x.high <= clip.high) return {1, 0, 1, 0};
  if (x.high <= clip.low) return {0, clip.low, 0, clip.low};
  if (x.low >= clip.high) return {0, clip.high, 0, clip.high};
  const Lines floor = {0, clip.low, 0, clip.low}, lid = {0, clip.high, 0, clip.high}, itself = {1, 0, 1, 0};
  if (x.high <= clip.high) {
    Lines above = Chord(x, clip.low, x.high);
    if (x.high == kInfinity) above = {0, 0, 1, clip.low - x.low};  // the chord's limit
    return Below(Choose(which, {x.low - clip.low, x.high - clip.low}, floor, itself), above);
  }
  if (x.low >= clip.low)
    return Below(Chord(x, x.low, clip.high), x.high - clip.high > clip.high - x.low ? lid : itself);
  return Below(Chord({clip.low, x.high}, clip.low, clip.high), Chord({x.low, clip.high}, clip.low, clip.high));
}

Lines LeakyLines(double slope, Reach x, LowLine which) {
  const double rounding = 1.01 * kHalfUlp * std::abs(slope) * std::max(0.0, -x.low) + kUnderflow;
  Lines lines;
  if (x.low >= 0) return {1, 0, 1, 0};
  if (x.high <= 0) {
    lines = {slope, 0, slope, 0};
  } else {
    const Lines below_zero = {slope, 0, slope, 0}, itself = {1, 0, 1, 0};
    const Lines chord = Chord(x, slope * x.low, x.high);
    if (slope > 1) {
      lines = Below(chord, x.high > -x.low ? itself : below_zero);
    } else {
      lines = Below(Choose(which, x, below_zero, itself), chord);
    }
  }
  lines.low_offset -= rounding;
  lines.high_offset += rounding;
  return lines;
}

}  // namespace

std::optional<Activation> AsActivation(const GraphView& view, const Node& node) {
  using Kind = Activation::Kind;
  Activation result;
  result.op = node.op;
  if (IsOneOf(node, {"Relu"})) {
    result.high = kInfinity;
  } else if (IsOneOf(node, {"Clip"})) {
    result.low = AttributeOr(node, "min", -kInfinity);
    result.high = AttributeOr(node, "max", kInfinity);
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i].empty()) continue;
      const Constant* limit = view.ConstantInput(node, i);
      if (limit == nullptr || limit->floats.size() != 1) return std::nullopt;
      (i == 1 ? result.low : result.high) = limit->floats[0];
    }
    if (result.low > result.high) return std::nullopt;
  } else if (IsOneOf(node, {"LeakyRelu"})) {
    result.kind = Kind::kLeaky;
    result.slopes = {AttributeOr(node, "alpha", 0.01f)};
  } else if (IsOneOf(node, {"ThresholdedRelu"})) {
    result.kind = Kind::kThreshold;
    result.alpha = AttributeOr(node, "alpha", 1);
  } else if (IsOneOf(node, {"Sigmoid", "Tanh", "Softplus", "Softsign", "HardSigmoid", "Elu", "Selu", "Celu"})) {
    result.kind = Kind::kIncreasing;
    const bool selu = node.op == "Selu", hard = node.op == "HardSigmoid";
    result.alpha = AttributeOr(node, "alpha", selu ? 1.67326319217681884765625 : hard ? 0.2f : 1);
    result.beta = selu ? AttributeOr(node, "gamma", 1.05070102214813232421875) : AttributeOr(node, "beta", 0.5);
    if (!(result.alpha > 0) || (selu && !(result.beta > 0))) return std::nullopt;
  } else if (IsOneOf(node, {"Gelu", "Mish", "HardSwish"})) {
    result.kind = Kind::kHump;
  } else {
    return std::nullopt;
  }
  return result;
}

Reach RangeOf(const Activation& a, int64_t element, Reach x) {
  switch (a.kind) {
    case Activation::Kind::kClip:
      return {std::min(std::max(x.low, a.low), a.high), std::min(std::max(x.high, a.low), a.high)};
    case Activation::Kind::kLeaky: {
      const double slope = SlopeOf(a, element);
      const auto below_zero = [&](double at) { return at == 0 || slope == 0 ? 0 : slope * at; };
      const double end = below_zero(std::min(x.low, 0.0)), start = below_zero(std::min(x.high, 0.0));
      const double rounding = 1.01 * kHalfUlp * std::max(std::abs(end), std::abs(start)) + kUnderflow;
      Reach range = {x.low >= 0 ? x.low : std::min(end, start) - rounding,
                     x.low >= 0 ? x.high : std::max(end, start) + rounding};
      if (x.high > 0) range = {std::min(range.low, std::max(x.low, 0.0)), std::max(range.high, x.high)};
      return range;
    }
    case Activation::Kind::kThreshold:
      if (x.high <= a.alpha) return {0, 0};
      return x.low > a.alpha ? x : Reach{std::min(0.0, a.alpha), std::max(0.0, x.high)};
    case Activation::Kind::kIncreasing: {
      if (x.low >= 0 && (a.op == "Elu" || a.op == "Celu")) return x;
      const double least = a.op == "HardSigmoid" ? 1e-6 * (1 + std::abs(a.beta)) : 1e-30;
      const auto wider = [&](double y) { return std::isinf(y) ? 0 : kFunctionError * std::abs(y) + least; };
      const double low = Value(a, x.low), high = Value(a, x.high);
      return {low - wider(low), high + wider(high)};
    }
    case Activation::Kind::kHump:
      return {x.low >= 0 ? 0 : -0.4, std::max(0.0, x.high) * (1 + kFunctionError)};
  }
  return {-kInfinity, kInfinity};
}

Lines LinesOf(const Activation& a, int64_t element, Reach x, LowLine low_line) {
  if (a.kind == Activation::Kind::kClip) return ClipLines(a, x, low_line);
  if (a.kind == Activation::Kind::kLeaky) return LeakyLines(SlopeOf(a, element), x, low_line);
  const bool itself =
      (a.kind == Activation::Kind::kThreshold && x.low > a.alpha) || (x.low >= 0 && (a.op == "Elu" || a.op == "Celu"));
  if (itself) return {1, 0, 1, 0};
  const Reach range = RangeOf(a, element, x);
  return {0, range.low, 0, range.high};
}

}  // namespace halfwave
