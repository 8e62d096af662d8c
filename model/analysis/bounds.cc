#include "model/analysis/bounds.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "model/analysis/linear_node.h"
#include "model/analysis/rounding.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Of magnitudes, for rounding; sums of many terms get more. A constant may have been folded into the start of the sum
// of some 10,000 terms before it.
constexpr double kWidening = 1e-4;
constexpr double kConstantWidening = 1e-3;
constexpr int64_t kMaxChannels = 1 << 20;  // more get one pair for all
constexpr size_t kMaxKept = 1 << 23;       // limits of all values together; behind them, too
constexpr double kMaxWork = 2e9;           // weights and limits looked at; behind them everything is possible

struct Interval {
  double low = -kInfinity;
  double high = kInfinity;
};

Bounds Uniform(Interval interval) { return {-1, {interval.low}, {interval.high}}; }

Interval Hull(const Bounds& bounds) {
  return {*std::min_element(bounds.low.begin(), bounds.low.end()),
          *std::max_element(bounds.high.begin(), bounds.high.end())};
}

Interval At(const Bounds& bounds, int64_t index) {
  const size_t i = bounds.size() == 1 ? 0 : static_cast<size_t>(index);
  return {bounds.low[i], bounds.high[i]};
}

double Magnitude(Interval x) { return std::max(std::abs(x.low), std::abs(x.high)); }

// A sum of products, widened for rounding unless no term can be on the other side of zero.
class Sum {
 public:
  // `growth`: of the term's rounding; see WinogradGrowth.
  void Add(double weight, Interval x, double growth = 1) {
    if (weight == 0) return;
    const Interval term =
        weight > 0 ? Interval{weight * x.low, weight * x.high} : Interval{weight * x.high, weight * x.low};
    AddTerm(term, growth);
  }
  void AddTerm(Interval term, double growth = 1) {
    low_ += term.low;
    high_ += term.high;
    magnitude_ += growth * Magnitude(term);
    ++terms_;
    never_negative_ = never_negative_ && term.low >= 0;
    never_positive_ = never_positive_ && term.high <= 0;
  }
  Interval Result(double least_widening = kWidening) const {
    return Result(std::max(least_widening, SumRounding(terms_)), true);
  }
  // Of Winograd's transforms, over so many channels.
  Interval WinogradResult(int64_t channels) const {
    return Result(SumRounding(static_cast<double>(channels) + kWinogradOperations), false);
  }

 private:
  // Infinite magnitudes need no widening: where the other limit is finite, it is by the signs, or it is given up.
  Interval Result(double widening, bool signs_hold) const {
    Interval result{low_ - widening * magnitude_, high_ + widening * magnitude_};
    if (signs_hold && never_negative_) result.low = std::max(0.0, std::isfinite(magnitude_) ? result.low : 0.0);
    if (signs_hold && never_positive_) result.high = std::min(0.0, std::isfinite(magnitude_) ? result.high : 0.0);
    if (std::isnan(result.low)) result.low = -kInfinity;
    if (std::isnan(result.high)) result.high = kInfinity;
    return result;
  }

  double low_ = 0;
  double high_ = 0;
  double magnitude_ = 0;
  double terms_ = 0;
  bool never_negative_ = true;
  bool never_positive_ = true;
};

class Propagation {
 public:
  Propagation(const GraphView& view, std::unordered_map<std::string, Bounds>& bounds) : view_(view), bounds_(bounds) {}

  void Run(const InputDomain* domain) {
    if (domain != nullptr && view_.graph().inputs.size() == 1) Seed(*domain, view_.graph().inputs[0]);
    for (const Node* node : view_.nodes()) {
      if (node->outputs.empty()) continue;
      Bounds result = work_ > kMaxWork ? Uniform({}) : Compute(*node);
      if (result.low.empty()) result = Uniform({});
      if (kept_ + result.size() > kMaxKept) result = Uniform(Hull(result));
      kept_ += result.size();
      work_ += static_cast<double>(result.size());
      bounds_[node->outputs[0]] = std::move(result);
    }
  }

 private:
  // By index of dimension 1.
  void Seed(const InputDomain& domain, const GraphValue& input) {
    Bounds& bounds = bounds_[input.name] = {-1, domain.low, domain.high};
    if (bounds.size() == 1) return;
    const int64_t channels = input.shape.size() < 2 ? 1 : input.shape[1];
    const auto size = static_cast<int64_t>(bounds.size());
    if (channels < 1 || size % channels != 0) {
      bounds = Uniform(Hull(bounds));
      return;
    }
    Bounds by_channel{1, {}, {}};
    const int64_t positions = size / channels;
    for (int64_t channel = 0; channel < channels; ++channel) {
      const auto low = domain.low.begin() + channel * positions, high = domain.high.begin() + channel * positions;
      Push(by_channel, {*std::min_element(low, low + positions), *std::max_element(high, high + positions)});
    }
    bounds = std::move(by_channel);
  }

  Bounds Input(const Node& node, size_t index) const {
    const auto found = HasInput(node, index) ? bounds_.find(node.inputs[index]) : bounds_.end();
    return found == bounds_.end() ? Uniform({}) : found->second;
  }

  size_t Rank(const std::string& value) const {
    const Shape* shape = view_.FindShape(value);
    return shape == nullptr ? 0 : shape->size();
  }

  // By index of `axis`; a single pair if they are not kept by that axis.
  static Bounds By(const Bounds& bounds, int64_t axis) { return bounds.axis == axis ? bounds : Uniform(Hull(bounds)); }

  Bounds Linear(const LinearNode& linear) {
    const Node& node = *linear.node;
    const auto rank = static_cast<int64_t>(Rank(node.inputs[0]));
    const int64_t axis = linear.is_conv ? 1 : rank - 1;
    const auto out_axis = linear.is_conv ? 1 : static_cast<int64_t>(Rank(node.outputs[0])) - 1;
    work_ += static_cast<double>(linear.weights->floats.size());
    if (work_ > kMaxWork || linear.units > kMaxChannels || axis < 0 || out_axis < 0) return Uniform({});
    const Bounds x = By(Input(node, 0), axis);
    if (x.size() != 1 && static_cast<int64_t>(x.size()) != linear.inputs * linear.groups) return Uniform({});
    const bool winograd = MayUseWinograd(linear);
    Bounds y{out_axis, {}, {}};
    for (int64_t unit = 0; unit < linear.units; ++unit) {
      Sum sum;
      for (int64_t input = 0; input < linear.inputs; ++input) {
        Interval in = At(x, linear.FirstInput(unit) + input);
        if (linear.is_conv) in = {std::min(in.low, 0.0), std::max(in.high, 0.0)};  // padding
        for (int64_t tap = 0; tap < linear.taps; ++tap) {
          sum.Add(linear.scale * linear.Weight(unit, input, tap), in, winograd ? WinogradGrowth(tap / 3, tap % 3) : 1);
        }
      }
      const double bias = linear.Bias(unit);
      sum.AddTerm({bias, bias});
      Push(y, winograd ? sum.WinogradResult(linear.inputs) : sum.Result());
    }
    return y;
  }

  static void Push(Bounds& bounds, Interval interval) {
    bounds.low.push_back(interval.low);
    bounds.high.push_back(interval.high);
  }

  static Bounds Map(const Bounds& x, const std::function<Interval(Interval)>& f) {
    Bounds y{x.axis, {}, {}};
    for (size_t i = 0; i < x.size(); ++i) Push(y, f({x.low[i], x.high[i]}));
    return y;
  }

  // A constant operand by index of an axis of the result, or for all; nothing if it varies over several axes.
  std::optional<Bounds> Operand(const Node& node, size_t index, size_t rank) const {
    const Constant* constant = view_.ConstantInput(node, index);
    if (constant == nullptr) return Input(node, index);
    if (constant->floats.empty()) return std::nullopt;
    Bounds bounds;
    for (size_t i = 0; i < constant->shape.size(); ++i) {
      if (constant->shape[i] == 1) continue;
      if (bounds.axis >= 0) {
        const auto [low, high] = std::minmax_element(constant->floats.begin(), constant->floats.end());
        return Uniform({*low, *high});
      }
      bounds.axis = static_cast<int64_t>(rank - constant->shape.size() + i);
    }
    bounds.low.assign(constant->floats.begin(), constant->floats.end());
    bounds.high = bounds.low;
    return bounds;
  }

  Bounds Binary(const Node& node, const std::function<Interval(Interval, Interval)>& f) {
    const size_t rank = Rank(node.outputs[0]);
    if (node.inputs.size() != 2 || rank == 0 || view_.graph().opset < 7) return Uniform({});
    auto a = Operand(node, 0, rank);
    auto b = Operand(node, 1, rank);
    if (!a || !b) return Uniform({});
    // A computed operand of a lower rank has its axes elsewhere.
    for (size_t i = 0; i < 2; ++i) {
      Bounds& operand = i == 0 ? *a : *b;
      if (view_.ConstantInput(node, i) == nullptr && Rank(node.inputs[i]) != rank) operand = Uniform(Hull(operand));
    }
    if (a->axis >= 0 && b->axis >= 0 && (a->axis != b->axis || a->size() != b->size())) {
      if (view_.ConstantInput(node, 0) != nullptr) {
        *a = Uniform(Hull(*a));
      } else {
        *b = Uniform(Hull(*b));
      }
    }
    if (a->axis >= 0 && b->axis >= 0 && a->size() != b->size()) return Uniform({});
    Bounds y{std::max(a->axis, b->axis), {}, {}};
    for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
      Push(y, f(At(*a, static_cast<int64_t>(i)), At(*b, static_cast<int64_t>(i))));
    }
    return y;
  }

  static Interval Add(Interval a, Interval b) {
    Sum sum;
    sum.AddTerm(a);
    sum.AddTerm(b);
    return sum.Result(kConstantWidening);
  }

  static Interval Times(Interval a, Interval b) {
    const auto times = [](double x, double y) { return x == 0 || y == 0 ? 0.0 : x * y; };
    const double products[] = {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)};
    return {*std::min_element(products, products + 4), *std::max_element(products, products + 4)};
  }

  Bounds BatchNorm(const Node& node) {
    const Constant* terms[4];
    for (size_t i = 0; i < 4; ++i) {
      terms[i] = view_.ConstantInput(node, i + 1);
      if (terms[i] == nullptr || terms[i]->floats.size() != terms[0]->floats.size()) return Uniform({});
    }
    const float* epsilon = FindAttribute<float>(node, "epsilon");
    const Bounds x = By(Input(node, 0), 1);
    const auto channels = static_cast<int64_t>(terms[0]->floats.size());
    if (x.size() != 1 && static_cast<int64_t>(x.size()) != channels) return Uniform({});
    Bounds y{1, {}, {}};
    for (int64_t i = 0; i < channels; ++i) {
      const double deviation = std::sqrt(double{terms[3]->floats[i]} + (epsilon == nullptr ? 1e-5f : *epsilon));
      const double scale = terms[0]->floats[i] / deviation;
      if (!std::isfinite(scale)) return Uniform({});
      const double shift = -terms[2]->floats[i] * scale;
      const double offset = terms[1]->floats[i];
      Sum sum;
      sum.Add(scale, At(x, i));
      sum.AddTerm({shift, shift});
      sum.AddTerm({offset, offset});
      Push(y, sum.Result(kConstantWidening));
    }
    return y;
  }

  Bounds Clip(const Node& node) {
    Interval limits;
    for (size_t i = 0; i < 2; ++i) {
      double& limit = i == 0 ? limits.low : limits.high;
      const float* attribute = FindAttribute<float>(node, i == 0 ? "min" : "max");
      const Constant* input = view_.ConstantInput(node, i + 1);
      if (attribute != nullptr) limit = *attribute;
      if (input != nullptr && input->floats.size() == 1) limit = input->floats[0];
    }
    return Map(Input(node, 0), [=](Interval x) {
      const auto clip = [&](double value) { return std::min(std::max(value, limits.low), limits.high); };
      return Interval{clip(x.low), clip(x.high)};
    });
  }

  Bounds Transposed(const Node& node) {
    Bounds x = Input(node, 0);
    if (x.axis < 0) return x;
    const auto* perm = FindAttribute<std::vector<int64_t>>(node, "perm");
    const auto rank = static_cast<int64_t>(Rank(node.inputs[0]));
    if (perm == nullptr || perm->empty()) {
      x.axis = rank - 1 - x.axis;
      return x;
    }
    const auto found = std::find(perm->begin(), perm->end(), x.axis);
    if (found == perm->end()) return Uniform(Hull(x));
    x.axis = found - perm->begin();
    return x;
  }

  // Keeps channels apart where [N, C, ...] becomes [N, C * ...] or, a rank more, [N, C, 1, 1].
  Bounds Reshaped(const Node& node) {
    const Bounds x = Input(node, 0);
    const Shape* from = view_.FindShape(node.inputs[0]);
    const Shape* to = view_.FindShape(node.outputs[0]);
    if (x.axis != 1 || from == nullptr || to == nullptr || from->size() < 2 || to->size() < 2 ||
        (*from)[0] != (*to)[0] || x.size() < 2) {
      return Uniform(Hull(x));
    }
    if ((*from)[1] == (*to)[1]) return x;
    int64_t features = 1;
    for (size_t i = 1; i < from->size(); ++i) features *= (*from)[i];
    if (to->size() != 2 || (*to)[1] != features || features < 1 || features > kMaxChannels) return Uniform(Hull(x));
    Bounds y{1, {}, {}};
    const int64_t positions = features / static_cast<int64_t>(x.size());
    for (int64_t i = 0; i < features; ++i) Push(y, At(x, i / positions));
    return y;
  }

  Bounds Concatenated(const Node& node) {
    const auto* axis_of = FindAttribute<int64_t>(node, "axis");
    const auto rank = static_cast<int64_t>(Rank(node.outputs[0]));
    const int64_t axis = axis_of == nullptr ? 1 : *axis_of < 0 ? *axis_of + rank : *axis_of;
    Bounds y{axis, {}, {}};
    int64_t channels = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto x = Operand(node, i, static_cast<size_t>(rank));
      const Shape* shape = view_.FindShape(node.inputs[i]);
      if (!x || shape == nullptr || axis < 0 || axis >= static_cast<int64_t>(shape->size()) || (*shape)[axis] < 0) {
        return Uniform({});
      }
      channels += (*shape)[axis];
      if (channels > kMaxChannels) return Uniform({});
      const Bounds by_axis = By(*x, axis);
      for (int64_t j = 0; j < (*shape)[axis]; ++j) Push(y, At(by_axis, j));
    }
    return y;
  }

  Bounds Compute(const Node& node) {
    if (!node.domain.empty()) return Uniform({});
    if (const auto linear = AsLinear(view_, node)) return Linear(*linear);
    const std::string& op = node.op;
    const auto monotone = [&](const std::function<double(double)>& f) {
      return Map(Input(node, 0), [&](Interval x) { return Interval{f(x.low), f(x.high)}; });
    };
    if (op == "Relu") return monotone([](double x) { return std::max(x, 0.0); });
    if (op == "Sigmoid" || op == "HardSigmoid" || op == "Softmax") return Uniform({0, 1});
    if (op == "Tanh" || op == "Softsign") return Uniform({-1, 1});
    if (op == "Softplus") return Uniform({0, kInfinity});
    if (op == "LogSoftmax") return Uniform({-kInfinity, 0});
    // Not zero: an exponential is taken to stay above it. A divisor that is a sum of them is fine in practice.
    if (op == "Exp") return Uniform({std::numeric_limits<double>::min(), kInfinity});
    if (op == "Clip") return Clip(node);
    if (op == "Abs" || op == "Sqrt" || op == "ReduceL1" || op == "ReduceL2" || op == "ReduceSumSquare") {
      return Uniform({0, kInfinity});
    }
    if (op == "BatchNormalization") return BatchNorm(node);
    if (op == "Add") return Binary(node, Add);
    if (op == "Sub") return Binary(node, [](Interval a, Interval b) { return Add(a, {-b.high, -b.low}); });
    if (op == "Mul") return Binary(node, Times);
    if (op == "Div") {
      return Binary(node, [](Interval a, Interval b) {
        return b.low > 0 || b.high < 0 ? Times(a, {1 / b.high, 1 / b.low}) : Interval{};
      });
    }
    if (op == "Max") {
      return Binary(node, [](Interval a, Interval b) {
        return Interval{std::max(a.low, b.low), std::max(a.high, b.high)};
      });
    }
    if (op == "Identity" || op == "Dropout") return Input(node, 0);
    if (op == "MaxPool" || op == "GlobalMaxPool") return By(Input(node, 0), 1);
    if (op == "GlobalAveragePool") return Averaged(node);
    if (op == "AveragePool") {
      return Map(Averaged(node), [](Interval x) { return Interval{std::min(x.low, 0.0), std::max(x.high, 0.0)}; });
    }
    if (op == "ReduceSum" || op == "ReduceMean") {
      const Interval x = Hull(Input(node, 0));
      return Uniform({x.low > 0 ? x.low / 2 : x.low == 0 ? 0 : -kInfinity, x.high <= 0 ? 0 : kInfinity});
    }
    if (op == "Transpose") return Transposed(node);
    if (op == "Flatten" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze") return Reshaped(node);
    if (op == "Concat") return Concatenated(node);
    return Uniform({});
  }

  Bounds Averaged(const Node& node) const {
    return Map(By(Input(node, 0), 1), [](Interval x) {
      const double wider = std::isfinite(Magnitude(x)) ? kWidening * Magnitude(x) : 0;
      return Interval{x.low >= 0 ? std::max(0.0, x.low - wider) : x.low - wider,
                      x.high <= 0 ? std::min(0.0, x.high + wider) : x.high + wider};
    });
  }

  const GraphView& view_;
  std::unordered_map<std::string, Bounds>& bounds_;
  double work_ = 0;
  size_t kept_ = 0;
};

}  // namespace

BoundsMap::BoundsMap(const GraphView& view, const InputDomain* domain) : anything_(Uniform({})) {
  Propagation(view, bounds_).Run(domain);
}

const Bounds& BoundsMap::Of(const std::string& value) const {
  const auto found = bounds_.find(value);
  return found == bounds_.end() ? anything_ : found->second;
}

namespace {

// Units that enter a rectifier, by what they can be and the point up to which it is zero.
std::vector<int64_t> UnitsThat(const std::function<bool(Interval range, double threshold)>& do_it,
                               const GraphView& view, const Node& rectifier, const BoundsMap& bounds) {
  double threshold = 0;
  if (rectifier.op == "ThresholdedRelu") {
    const float* alpha = FindAttribute<float>(rectifier, "alpha");
    threshold = alpha == nullptr ? 1 : *alpha;
  }
  const Bounds& range = bounds.Of(rectifier.inputs[0]);
  const Shape* shape = view.FindShape(rectifier.inputs[0]);
  const int64_t all = shape == nullptr || shape->size() < 2 ? 1 : (*shape)[1];
  std::vector<int64_t> units;
  if (range.axis != 1 && range.size() != 1) return units;
  for (int64_t unit = 0; unit < (range.size() == 1 ? all : static_cast<int64_t>(range.size())); ++unit) {
    if (do_it(At(range, unit), threshold)) units.push_back(unit);
  }
  return units;
}

}  // namespace

std::vector<int64_t> NeverActiveUnits(const GraphView& view, const Node& rectifier, const BoundsMap& bounds) {
  return UnitsThat([](Interval range, double threshold) { return range.high <= threshold; }, view, rectifier, bounds);
}

std::vector<int64_t> AlwaysActiveUnits(const GraphView& view, const Node& rectifier, const BoundsMap& bounds) {
  return UnitsThat([](Interval range, double threshold) { return range.low > threshold; }, view, rectifier, bounds);
}

}  // namespace halfwave
