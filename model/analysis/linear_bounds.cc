#include "model/analysis/linear_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "model/analysis/corner_sums.h"
#include "model/analysis/rounding.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// So many elements are substituted at a time. Of each, a column of coefficients for its lower and one for its upper
// bound: the kernels below add rows of kColumns numbers.
constexpr int64_t kElements = 32;
constexpr int64_t kColumns = 2 * kElements;

// Of all values together. A row of kColumns numbers for each, perhaps three times, is what substitution may need.
constexpr int64_t kMaxElements = 1 << 19;

// Infinity times zero is zero here: a term that is not there.
double Times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

// kColumns numbers for each element of one value, of which most are zero as a rule, and take no memory.
class Coefficients {
 public:
  void Reset(int64_t elements) {
    for (const int64_t element : touched_) place_[element] = -1;
    touched_.clear();
    rows_.clear();
    if (static_cast<int64_t>(place_.size()) < elements) place_.resize(elements, -1);
  }
  // Zero at first. Good until the next call.
  double* Row(int64_t element) {
    if (place_[element] < 0) {
      place_[element] = static_cast<int32_t>(touched_.size());
      touched_.push_back(element);
      rows_.resize(touched_.size() * kColumns);
    }
    return rows_.data() + int64_t{place_[element]} * kColumns;
  }
  // That Row was called for.
  const std::vector<int64_t>& touched() const { return touched_; }

 private:
  std::vector<int32_t> place_;  // of each element's row; -1 for none
  std::vector<double> rows_;
  std::vector<int64_t> touched_;
};

void AddMultiple(double weight, const double* __restrict from, double* __restrict to) {
  for (int64_t i = 0; i < kColumns; ++i) to[i] += weight * from[i];
}

// Two lines, each below an activation.
struct LowLines {
  double flat_slope, flat_offset, steep_slope, steep_offset;
};

// What is known of a step beside the bounds of its value.
struct StepState {
  std::vector<double> error;            // of an affine step, for each row: what rounding may make of it
  std::vector<Lines> lines;             // of an activation, for each element
  std::vector<LowLines> other;          // both lines that may be the one below
  std::vector<int64_t> least, largest;  // of a maximum, for each row: inputs it is not below, not above; -1 for none
};

class Substitution {
 public:
  Substitution(const std::vector<BoundStep>& steps, const std::vector<ElementBounds>& bounds,
               const std::vector<StepState>& states, const InputRegion& region, bool one_input)
      : steps_(steps), bounds_(bounds), states_(states), region_(region), one_input_(one_input) {}

  double work() const { return work_; }

  // Bounds of at most kElements elements of a value, each as good as any value on the way makes it.
  void Run(size_t value, std::span<const int64_t> elements, ElementBounds& result) {
    count_ = static_cast<int64_t>(elements.size());
    std::fill_n(best_, kElements, -kInfinity);
    std::fill_n(best_ + kElements, kElements, kInfinity);
    Pass(value, elements);
    Walk();
    Pass(value, elements);
    Release(done_);
    Release(walked_);
    for (size_t i = 0; i < elements.size(); ++i) {
      double& low = result.low[elements[i]];
      double& high = result.high[elements[i]];
      low = std::max(low, best_[i]);
      high = std::min(high, best_[kElements + i]);
    }
  }

 private:
  using ByValue = std::map<size_t, std::unique_ptr<Coefficients>>;

  void Pass(size_t value, std::span<const int64_t> elements) {
    std::fill_n(constant_, kColumns, 0.0);
    Coefficients& first = In(pending_, value);
    for (size_t i = 0; i < elements.size(); ++i) {
      double* row = first.Row(elements[i]);
      row[i] = row[kElements + i] = 1;
    }
    Release(done_);
    while (!pending_.empty()) {
      auto last = pending_.extract(std::prev(pending_.end()));
      if (pending_.empty() && last.key() != value) Conclude(last.key(), *last.mapped());
      Push(last.key(), *last.mapped());
      done_.insert(std::move(last));
    }
    Improve(constant_);
  }

  // Where the last pass found the extrema: what the network makes of the inputs that are worst for each column. The
  // line below a kink that is higher there raises the bound most (the direction of steepest ascent for its slope). Any
  // choice is sound.
  void Walk() {
    Release(walked_);
    for (const auto& [value, coefficients] : done_) {
      const BoundStep& step = steps_[value];
      Coefficients& y = In(walked_, value);
      for (const int64_t r : coefficients->touched()) {
        double* out = y.Row(r);
        if (const auto* affine = std::get_if<AffineStep>(&step.what)) {
          if (!affine->offset.empty()) std::fill_n(out, kColumns, affine->offset[r]);
          for (const AffineStep::Operand& operand : affine->operands) {
            Coefficients& x = In(walked_, operand.value);
            operand.map.ForEach(r, [&](int64_t column, double weight) {
              AddMultiple(weight, x.Row(column), out);
              work_ += kColumns;
            });
          }
        } else if (const auto* bend = std::get_if<BendStep>(&step.what)) {
          const double* x = In(walked_, bend->value).Row(r);
          for (int64_t i = 0; i < kColumns; ++i) out[i] = RangeOf(bend->activation, r, {x[i], x[i]}).low;
        } else if (const auto* maximum = std::get_if<MaxStep>(&step.what)) {
          std::copy_n(In(walked_, maximum->value).Row(std::max<int64_t>(states_[value].least[r], 0)), kColumns, out);
        } else {
          const double* c = coefficients->Row(r);
          const double low = bounds_[value].low[r], high = bounds_[value].high[r];
          for (int64_t i = 0; i < kColumns; ++i) out[i] = (c[i] > 0) == (i < kElements) ? low : high;
        }
      }
      work_ += static_cast<double>(coefficients->touched().size()) * kColumns;
    }
  }

  void Release(ByValue& all) {
    for (auto& [value, coefficients] : all) spare_.push_back(std::move(coefficients));
    all.clear();
  }

  // Those of a value, all zero if there were none.
  Coefficients& In(ByValue& all, size_t value) {
    std::unique_ptr<Coefficients>& coefficients = all[value];
    if (coefficients == nullptr) {
      if (spare_.empty()) spare_.push_back(std::make_unique<Coefficients>());
      coefficients = std::move(spare_.back());
      spare_.pop_back();
      coefficients->Reset(steps_[value].elements);
    }
    return *coefficients;
  }

  // total[i] + what the value's own bounds make of its coefficients, both ways.
  void AddExtrema(size_t value, Coefficients& coefficients, double* total) const {
    for (const int64_t element : coefficients.touched()) {
      const double* row = coefficients.Row(element);
      const double low = bounds_[value].low[element], high = bounds_[value].high[element];
      for (int64_t i = 0; i < kElements; ++i) total[i] += Times(row[i], row[i] > 0 ? low : high);
      for (int64_t i = kElements; i < kColumns; ++i) total[i] += Times(row[i], row[i] > 0 ? high : low);
    }
  }

  void Improve(const double* total) {
    for (int64_t i = 0; i < count_; ++i) {
      if (total[i] > best_[i]) best_[i] = total[i];
      if (total[kElements + i] < best_[kElements + i]) best_[kElements + i] = total[kElements + i];
    }
  }

  // Nothing else is pending: what is known of this value alone gives bounds.
  void Conclude(size_t value, Coefficients& coefficients) {
    double total[kColumns];
    std::copy_n(constant_, kColumns, total);
    AddExtrema(value, coefficients, total);
    Improve(total);
  }

  // A row between two lines of the row that is read.
  void PushLines(const Lines& lines, const double* row, Coefficients& to, int64_t element) {
    const double slopes[2] = {lines.low_slope, lines.high_slope}, offsets[2] = {lines.low_offset, lines.high_offset};
    for (int side = 0; side < 2; ++side) {
      for (int64_t i = side * kElements; i < (side + 1) * kElements; ++i) {
        constant_[i] += Times(row[i], offsets[row[i] > 0 ? side : 1 - side]);
      }
    }
    if (slopes[0] == 0 && slopes[1] == 0) return;
    double* target = to.Row(element);
    for (int side = 0; side < 2; ++side) {
      const double with = slopes[side], against = slopes[1 - side];
      for (int64_t i = side * kElements; i < (side + 1) * kElements; ++i) {
        target[i] += row[i] > 0 ? row[i] * with : row[i] * against;
      }
    }
  }

  // The same with the line below that is higher at x, for each column.
  void PushChosenLines(const Lines& lines, const LowLines& low, const double* x, const double* row, Coefficients& to,
                       int64_t element) {
    double* target = to.Row(element);
    for (int64_t i = 0; i < kColumns; ++i) {
      if (row[i] == 0) continue;
      const bool above = (row[i] > 0) == (i >= kElements);
      const bool steep = low.steep_slope * x[i] + low.steep_offset > low.flat_slope * x[i] + low.flat_offset;
      const double slope = above ? lines.high_slope : steep ? low.steep_slope : low.flat_slope;
      constant_[i] += row[i] * (above ? lines.high_offset : steep ? low.steep_offset : low.flat_offset);
      target[i] += row[i] * slope;
    }
  }

  void PushAffine(const AffineStep& affine, const StepState& state, Coefficients& coefficients) {
    for (const int64_t r : coefficients.touched()) {
      const double* row = coefficients.Row(r);
      const double offset = affine.offset.empty() ? 0 : affine.offset[r];
      const double error = state.error.empty() ? 0 : state.error[r];
      for (int64_t i = 0; i < kElements; ++i) constant_[i] += row[i] * offset - Times(std::abs(row[i]), error);
      for (int64_t i = kElements; i < kColumns; ++i) constant_[i] += row[i] * offset + Times(std::abs(row[i]), error);
    }
    for (const AffineStep::Operand& operand : affine.operands) {
      Coefficients& to = In(pending_, operand.value);
      for (const int64_t r : coefficients.touched()) {
        const double* row = coefficients.Row(r);
        operand.map.ForEach(r, [&](int64_t column, double weight) {
          AddMultiple(weight, row, to.Row(column));
          work_ += kColumns;
        });
      }
    }
  }

  void PushMaximum(size_t value, const MaxStep& maximum, const StepState& state, Coefficients& coefficients) {
    Coefficients& to = In(pending_, maximum.value);
    for (const int64_t r : coefficients.touched()) {
      const double* row = coefficients.Row(r);
      const int64_t least = state.least[r], largest = state.largest[r];
      const ElementBounds& bounds = bounds_[value];
      for (int side = 0; side < 2; ++side) {
        for (int64_t i = side * kElements; i < (side + 1) * kElements; ++i) {
          if (row[i] == 0) continue;
          const bool from_below = (row[i] > 0) == (side == 0);
          const int64_t source = from_below ? least : largest;
          if (source < 0) {
            constant_[i] += row[i] * (from_below ? bounds.low[r] : bounds.high[r]);
          } else {
            to.Row(source)[i] += row[i];
          }
        }
      }
    }
  }

  // Puts what the step reads in the place of what it computes.
  void Push(size_t value, Coefficients& coefficients) {
    const BoundStep& step = steps_[value];
    work_ += static_cast<double>(coefficients.touched().size()) * kColumns;
    if (const auto* affine = std::get_if<AffineStep>(&step.what)) {
      PushAffine(*affine, states_[value], coefficients);
    } else if (const auto* activation = std::get_if<BendStep>(&step.what)) {
      Coefficients& to = In(pending_, activation->value);
      for (const int64_t element : coefficients.touched()) {
        const Lines& lines = states_[value].lines[element];
        const LowLines& low = states_[value].other[element];
        if (walked_.empty() || low.flat_slope == low.steep_slope) {
          PushLines(lines, coefficients.Row(element), to, element);
        } else {
          PushChosenLines(lines, low, In(walked_, activation->value).Row(element), coefficients.Row(element), to,
                          element);
        }
      }
    } else if (const auto* maximum = std::get_if<MaxStep>(&step.what)) {
      PushMaximum(value, *maximum, states_[value], coefficients);
    } else if (value == 0 && one_input_ && !region_.constraints.empty()) {
      PushConstrainedInput(coefficients);
    } else {
      AddExtrema(value, coefficients, constant_);
    }
  }

  void PushConstrainedInput(Coefficients& coefficients) {
    std::vector<double> column(steps_[0].elements);
    work_ += static_cast<double>(column.size()) * static_cast<double>(region_.constraints.size()) * kColumns * 400;
    for (int64_t i = 0; i < kColumns; ++i) {
      if (i % kElements >= count_) continue;
      const double sign = i < kElements ? 1 : -1;
      std::fill(column.begin(), column.end(), 0.0);
      for (const int64_t element : coefficients.touched()) column[element] = sign * coefficients.Row(element)[i];
      constant_[i] += sign * region_.Minimum(column);
    }
  }

  const std::vector<BoundStep>& steps_;
  const std::vector<ElementBounds>& bounds_;
  const std::vector<StepState>& states_;
  const InputRegion& region_;
  const bool one_input_;
  double work_ = 0;
  int64_t count_ = 0;
  ByValue pending_;  // to be substituted
  ByValue done_;     // of the last pass
  ByValue walked_;   // values of the inputs that are worst
  std::vector<std::unique_ptr<Coefficients>> spare_;
  double constant_[kColumns] = {};
  double best_[kColumns] = {};
};

// The bounds of a channel for each element.
ElementBounds Spread(const Bounds& bounds, const Shape& shape, int64_t elements) {
  ElementBounds result;
  result.low.resize(elements);
  result.high.resize(elements);
  int64_t behind = 1, along = 1;
  for (size_t d = shape.size(); d-- > 0 && static_cast<int64_t>(d) >= bounds.axis;) {
    along = RowSize(shape[d]);
    if (static_cast<int64_t>(d) > bounds.axis) behind *= along;
  }
  const bool by_channel = bounds.axis >= 0 && static_cast<int64_t>(bounds.size()) == along;
  const double least = *std::min_element(bounds.low.begin(), bounds.low.end());
  const double most = *std::max_element(bounds.high.begin(), bounds.high.end());
  for (int64_t i = 0; i < elements; ++i) {
    result.low[i] = by_channel ? bounds.low[i / behind % along] : least;
    result.high[i] = by_channel ? bounds.high[i / behind % along] : most;
  }
  return result;
}

class Computation {
 public:
  Computation(const GraphView& view, const LinearBoundsOptions& options, const std::vector<BoundStep>& steps,
              const InputRegion& region, std::vector<ElementBounds>& bounds)
      : view_(view),
        options_(options),
        steps_(steps),
        region_(region),
        one_input_(view.graph().inputs.size() == 1),
        bounds_(bounds),
        states_(steps.size()),
        substitution_(steps, bounds, states_, region, one_input_) {}

  void Run() {
    const bool seeded = one_input_ && !region_.box.low.empty();
    const BoundsMap by_channel(view_, seeded ? &region_.box : nullptr);
    bounds_.assign(steps_.size(), {});
    int64_t elements = 0;
    for (const BoundStep& step : steps_) elements += step.elements;
    for (size_t value = 0; value < steps_.size(); ++value) {
      const BoundStep& step = steps_[value];
      if (step.elements == 0) continue;
      bounds_[value] = Spread(by_channel.Of(step.value), *view_.FindShape(step.value), step.elements);
      if (value == 0 && seeded) bounds_[0] = {region_.box.low, region_.box.high};
      std::visit([&](const auto& what) { Forward(value, what); }, step.what);
      if (step.bends && !std::holds_alternative<BendStep>(step.what) && elements <= kMaxElements) Refine(value);
    }
  }

 private:
  void Narrow(size_t value, int64_t element, double low, double high) {
    double& least = bounds_[value].low[element];
    double& most = bounds_[value].high[element];
    if (low > least) least = low;  // and not if it is no number
    if (high < most) most = high;
  }

  void Forward(size_t, const OpaqueStep&) {}

  // Interval arithmetic of one step, which the substitution starts from.
  void Forward(size_t value, const AffineStep& affine) {
    const int64_t rows = steps_[value].elements;
    StepState& state = states_[value];
    if (affine.rounding > 0) state.error.resize(rows);
    const std::vector<double> winograd = affine.winograd ? WinogradMagnitudes(affine) : std::vector<double>();
    for (int64_t r = 0; r < rows; ++r) {
      const double offset = affine.offset.empty() ? 0 : affine.offset[r];
      double low = offset, high = offset;
      double above = 0, below = 0, terms = affine.constant_terms, chain = 0;
      bool never_negative = offset >= 0, never_positive = offset <= 0;
      for (const AffineStep::Operand& operand : affine.operands) {
        const ElementBounds& x = bounds_[operand.value];
        operand.map.ForEach(r, [&](int64_t column, double weight) {
          const double a = weight * (weight > 0 ? x.low[column] : x.high[column]);
          const double b = weight * (weight > 0 ? x.high[column] : x.low[column]);
          low += a;
          high += b;
          above += std::max(b, 0.0);
          below += std::max(-a, 0.0);
          if (a == 0 && b == 0) return;
          ++terms;
          chain += RoundingOf(std::max(std::abs(low), std::abs(high)) + chain);
          never_negative = never_negative && a >= 0;
          never_positive = never_positive && b <= 0;
          ++work_;
        });
      }
      const bool signs_hold = !affine.winograd;
      if (affine.rounding > 0) {
        const double constant = affine.offset_magnitude.empty() ? 0 : std::abs(affine.offset_magnitude[r]);
        // Of additions in the order of the entries, or, where that is not known, each of a partial sum that is no
        // larger than all terms above zero, or all below; and of products, weights and constants.
        const bool in_order = affine.operands.size() == 1 && affine.operands[0].map.in_order();
        if (in_order && affine.positions > 1) chain = std::max(chain, ChainByPosition(affine, r, offset));
        const double sums = in_order ? chain : SumRounding(terms) * (std::max(above, below) + constant);
        double error = sums + 4 * kHalfUlp * (above + below + constant) + kUnderflow;
        if (affine.winograd) error = affine.rounding * winograd[r / (rows / affine.winograd->units)] + kUnderflow;
        state.error[r] = error;
        low -= error;
        high += error;
      }
      if (signs_hold && never_negative) low = std::max(low, 0.0);
      if (signs_hold && never_positive) high = std::min(high, 0.0);
      Narrow(value, r, low, high);
    }
    if (steps_[value].bends && ReadsTheInput(affine)) {
      for (int64_t r = 0; r < rows; ++r) {
        const double bias = affine.offset.empty() ? 0 : affine.offset[r];
        const auto range = CornerSums(affine.operands[0].map, r, bias, bounds_[affine.operands[0].value]);
        if (range) Narrow(value, r, range->low, range->high);
      }
    }
  }

  // Whether a dense layer reads the network's input, perhaps moved, and so multiplies its own weights with it: before
  // an activation, as nothing is folded into weights across one.
  bool ReadsTheInput(const AffineStep& affine) const {
    if (affine.operands.size() != 1 || !affine.operands[0].map.in_order() || affine.positions != 1) return false;
    return IsMovedInput(steps_, affine.operands[0].value, view_.graph().inputs.size());
  }

  // What rounding can make of the partial sums of a dense layer that reads an image position by position.
  double ChainByPosition(const AffineStep& affine, int64_t row, double offset) const {
    const ElementBounds& x = bounds_[affine.operands[0].value];
    double low = offset, high = offset, chain = 0;
    affine.operands[0].map.ForEachByPosition(row, affine.positions, [&](int64_t column, double weight) {
      low += weight * (weight > 0 ? x.low[column] : x.high[column]);
      high += weight * (weight > 0 ? x.high[column] : x.low[column]);
      chain += RoundingOf(std::max(std::abs(low), std::abs(high)) + chain);
    });
    return chain;
  }

  // For each unit: what its rounding is a share of, wherever in the image it stands.
  std::vector<double> WinogradMagnitudes(const AffineStep& affine) const {
    const LinearNode& layer = *affine.winograd;
    const ElementBounds& x = bounds_[affine.operands[0].value];
    const size_t positions = x.low.size() / layer.inputs;
    std::vector<double> largest(layer.inputs), result(layer.units);
    for (size_t i = 0; i < x.low.size(); ++i) {
      double& of_channel = largest[i / positions];
      of_channel = std::max({of_channel, std::abs(x.low[i]), std::abs(x.high[i])});
    }
    for (int64_t unit = 0; unit < layer.units; ++unit) {
      for (int64_t input = 0; input < layer.inputs; ++input) {
        double sum = 0;
        for (int64_t tap = 0; tap < 9; ++tap) {
          sum += std::abs(layer.scale * layer.Weight(unit, input, tap)) * WinogradGrowth(tap / 3, tap % 3);
        }
        result[unit] += Times(sum, largest[input]);
      }
      result[unit] += std::abs(layer.Bias(unit));
    }
    return result;
  }

  void Forward(size_t value, const BendStep& step) {
    const ElementBounds& x = bounds_[step.value];
    StepState& state = states_[value];
    state.lines.resize(steps_[value].elements);
    state.other.resize(steps_[value].elements);
    for (int64_t i = 0; i < steps_[value].elements; ++i) {
      const Reach in = {x.low[i], x.high[i]};
      const Reach out = RangeOf(step.activation, i, in);
      Narrow(value, i, out.low, out.high);
      state.lines[i] = LinesOf(step.activation, i, in, LowLine::kSmallerArea);
      const Lines flat = LinesOf(step.activation, i, in, LowLine::kFlat);
      const Lines steep = LinesOf(step.activation, i, in, LowLine::kSteep);
      state.other[i] = {flat.low_slope, flat.low_offset, steep.low_slope, steep.low_offset};
    }
  }

  void Forward(size_t value, const MaxStep& maximum) {
    const ElementBounds& x = bounds_[maximum.value];
    StepState& state = states_[value];
    for (int64_t r = 0; r < steps_[value].elements; ++r) {
      int64_t best = -1;
      double low = -kInfinity, high = -kInfinity;
      maximum.window.ForEach(r, [&](int64_t column, double) {
        if (best < 0 || x.low[column] > low) {
          best = column;
          low = x.low[column];
        }
        high = std::max(high, x.high[column]);
      });
      double others = -kInfinity;
      maximum.window.ForEach(r, [&](int64_t column, double) {
        if (column != best) others = std::max(others, x.high[column]);
      });
      state.least.push_back(best);
      state.largest.push_back(low >= others ? best : -1);
      if (best >= 0) Narrow(value, r, low, high);
    }
  }

  // Substitutes back what is undecided, neighbours together: they read the same elements. A feature map's channels at
  // one position are neighbours.
  void Refine(size_t value) {
    const ElementBounds& bounds = bounds_[value];
    std::vector<int64_t> undecided;
    const Shape& shape = *view_.FindShape(steps_[value].value);
    const int64_t elements = steps_[value].elements;
    const int64_t channels = shape.size() > 2 ? RowSize(shape[1]) : elements;
    for (int64_t position = 0; position < elements / channels; ++position) {
      for (int64_t channel = 0; channel < channels; ++channel) {
        const int64_t element = channel * (elements / channels) + position;
        if (bounds.low[element] <= 0 && bounds.high[element] > 0) undecided.push_back(element);
      }
    }
    for (size_t first = 0; first < undecided.size(); first += kElements) {
      if (work_ + substitution_.work() > options_.max_work) return;
      const size_t count = std::min<size_t>(kElements, undecided.size() - first);
      substitution_.Run(value, std::span(undecided).subspan(first, count), bounds_[value]);
    }
  }

  const GraphView& view_;
  const LinearBoundsOptions& options_;
  const std::vector<BoundStep>& steps_;
  const InputRegion& region_;
  const bool one_input_;
  std::vector<ElementBounds>& bounds_;
  std::vector<StepState> states_;
  Substitution substitution_;
  double work_ = 0;
};

}  // namespace

LinearBounds::LinearBounds(const GraphView& view, const LinearBoundsOptions& options)
    : view_(view), options_(options), steps_(MakeBoundSteps(view)) {
  for (size_t i = 0; i < steps_.size(); ++i) index_.emplace(steps_[i].value, i);
}

void LinearBounds::Compute(const InputRegion& region) { Computation(view_, options_, steps_, region, bounds_).Run(); }

const ElementBounds* LinearBounds::Of(const std::string& value) const {
  const auto found = index_.find(value);
  if (found == index_.end() || found->second >= bounds_.size()) return nullptr;
  const ElementBounds& bounds = bounds_[found->second];
  return bounds.low.empty() ? nullptr : &bounds;
}

}  // namespace halfwave
