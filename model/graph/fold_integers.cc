#include "model/graph/fold_integers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "model/graph/axes.h"
#include "model/graph/batch_symbol.h"
#include "model/graph/onnx_types.h"
#include "model/graph/rules.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxValues = 4096;
constexpr int64_t kMaxFill = int64_t{1} << 24;  // elements of a ConstantOfShape

using Ints = std::vector<int64_t>;
using Fold = std::optional<Constant> (*)(const NodeContext&);

Constant IntConstant(Shape shape, Ints values, DataType type = DataType::kInt64) {
  return {type, std::move(shape), {}, std::move(values), {}};
}

// Input `index`, if it holds known integers, not too many.
const Constant* Integers(const NodeContext& context, size_t index) {
  const Constant* constant = context.FindConstant(index);
  const bool fits =
      constant != nullptr && IsInteger(constant->type) && static_cast<int64_t>(constant->ints.size()) <= kMaxValues;
  return fits ? constant : nullptr;
}

std::optional<Constant> FoldShape(const NodeContext& context) {
  const auto input = context.InputShape(0);
  const auto first = context.Attribute<int64_t>("start", 0);
  if (!input.ok() || !first.ok()) return std::nullopt;
  const auto rank = static_cast<int64_t>(input->size());
  const auto last = context.Attribute<int64_t>("end", rank);
  if (!last.ok()) return std::nullopt;
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  Ints values;
  for (int64_t i = clamp(*first); i < clamp(*last); ++i) {
    const int64_t dimension = (*input)[i];
    const auto value = dimension < 0 ? SymbolOfBatches(-dimension) : dimension;
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  const auto count = static_cast<int64_t>(values.size());
  return IntConstant({count}, std::move(values));
}

std::optional<Constant> FoldSize(const NodeContext& context) {
  const auto input = context.InputShape(0);
  if (!input.ok()) return std::nullopt;
  const int64_t elements = RowElements(*input);
  const auto value = BatchAxis(*input) ? SymbolOfBatches(elements) : elements;
  if (!value) return std::nullopt;
  return IntConstant({}, {*value});
}

// The same values under another shape, that of the node's rule for it.
std::optional<Constant> SameValues(const NodeContext& context, const absl::StatusOr<Types>& types) {
  const Constant* data = Integers(context, 0);
  if (data == nullptr || !types.ok()) return std::nullopt;
  if (NumElements((*types)[0].shape) != static_cast<int64_t>(data->ints.size())) return std::nullopt;
  return IntConstant((*types)[0].shape, data->ints, (*types)[0].type);
}

std::optional<Constant> FoldReshape(const NodeContext& context) { return SameValues(context, InferReshape(context)); }
std::optional<Constant> FoldSqueeze(const NodeContext& context) { return SameValues(context, InferSqueeze(context)); }
std::optional<Constant> FoldUnsqueeze(const NodeContext& context) {
  return SameValues(context, InferUnsqueeze(context));
}
std::optional<Constant> FoldIdentity(const NodeContext& context) { return SameValues(context, InferSame(context)); }

std::optional<Constant> FoldCast(const NodeContext& context) {
  const auto to = context.Attribute<int64_t>("to", 0);
  const auto type = to.ok() ? FromOnnxType(*to) : std::nullopt;
  if (!type || !IsInteger(*type)) return std::nullopt;
  std::optional<Constant> result = SameValues(context, InferCast(context));
  if (result && *type == DataType::kBool) {
    for (int64_t& value : result->ints) value = value != 0 ? 1 : 0;
  }
  return result;
}

std::optional<Constant> FoldGather(const NodeContext& context) {
  const Constant* data = Integers(context, 0);
  const Constant* indices = Integers(context, 1);
  if (data == nullptr || indices == nullptr || data->shape.size() != 1) return std::nullopt;
  Ints values;
  for (const int64_t index : indices->ints) {
    const auto at = NormalizeAxis(index, data->ints.size());
    if (!at) return std::nullopt;
    values.push_back(data->ints[*at]);
  }
  return IntConstant(indices->shape, std::move(values), data->type);
}

std::optional<Constant> FoldConcat(const NodeContext& context) {
  Ints values;
  DataType type = DataType::kInt64;
  for (size_t i = 0; i < context.inputs(); ++i) {
    const Constant* part = Integers(context, i);
    if (part == nullptr || part->shape.size() != 1) return std::nullopt;
    values.insert(values.end(), part->ints.begin(), part->ints.end());
    type = part->type;
  }
  const auto count = static_cast<int64_t>(values.size());
  return IntConstant({count}, std::move(values), type);
}

// Along a list.
std::optional<Constant> FoldSlice(const NodeContext& context) {
  const Constant* data = Integers(context, 0);
  if (data == nullptr || data->shape.size() != 1) return std::nullopt;
  const auto axes = ResolveSlice(context, data->shape);
  if (!axes.ok()) {  // what takes nothing is an error for data, but not for a list of dimensions
    return std::nullopt;
  }
  const SliceAxis& axis = axes->front();
  Ints values;
  for (int64_t i = 0; i < axis.count; ++i) values.push_back(data->ints[axis.start + i * axis.step]);
  return IntConstant({axis.count}, std::move(values), data->type);
}

// a op b, broadcast. `combine` answers nothing where the result would not be exact.
std::optional<Constant> Combine(const NodeContext& context, DataType type,
                                const std::function<std::optional<int64_t>(int64_t, int64_t)>& combine) {
  const Constant* a = Integers(context, 0);
  const Constant* b = Integers(context, 1);
  if (a == nullptr || b == nullptr) return std::nullopt;
  const bool one_a = a->ints.size() == 1, one_b = b->ints.size() == 1;
  if (a->shape != b->shape && !one_a && !one_b) return std::nullopt;
  const auto shape = BroadcastShapes(a->shape, b->shape);
  if (!shape) return std::nullopt;
  Ints values;
  const size_t count = one_a ? b->ints.size() : a->ints.size();  // none where one of them has none
  for (size_t i = 0; i < count; ++i) {
    const auto value = combine(a->ints[one_a ? 0 : i], b->ints[one_b ? 0 : i]);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return IntConstant(*shape, std::move(values), type);
}

// Sums, products and quotients that stay far from overflow; the symbol of the batch stays one or the answer is none.
std::optional<Constant> FoldArithmetic(const NodeContext& context) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  const std::string& op = context.node().op;
  const auto is_plain = [](int64_t value) { return value >= -kLimit && value <= kLimit; };
  return Combine(context, DataType::kInt64, [&](int64_t x, int64_t y) -> std::optional<int64_t> {
    if (is_plain(x) && is_plain(y)) {
      if (op == "Div" && y == 0) return std::nullopt;
      return op == "Add"   ? x + y
             : op == "Sub" ? x - y
             : op == "Mul" ? x * y
             : op == "Div" ? x / y
             : op == "Min" ? std::min(x, y)
                           : std::max(x, y);
    }
    const auto batches_x = BatchesOfSymbol(x), batches_y = BatchesOfSymbol(y);
    if (op == "Mul" && (batches_x || batches_y) && !(batches_x && batches_y)) {
      const int64_t batches = batches_x ? *batches_x : *batches_y;
      const int64_t factor = batches_x ? y : x;
      return factor >= 1 && factor <= kLimit ? SymbolOfBatches(batches * factor) : std::nullopt;
    }
    if (op == "Div" && batches_x && batches_y && *batches_x % *batches_y == 0) return *batches_x / *batches_y;
    if (op == "Div" && batches_x && y >= 1 && *batches_x % y == 0) return *batches_x / y * kBatchSymbol;
    return std::nullopt;
  });
}

std::optional<Constant> FoldComparison(const NodeContext& context) {
  const std::string& op = context.node().op;
  return Combine(context, DataType::kBool, [&](int64_t x, int64_t y) -> std::optional<int64_t> {
    if ((BatchesOfSymbol(x) || BatchesOfSymbol(y)) && !(op == "Equal" && (x == -1 || y == -1))) return std::nullopt;
    return op == "Equal" ? x == y : op == "Greater" ? x > y : x < y;
  });
}

std::optional<Constant> FoldWhere(const NodeContext& context) {
  const Constant* condition = Integers(context, 0);
  const Constant* a = Integers(context, 1);
  const Constant* b = Integers(context, 2);
  if (condition == nullptr || a == nullptr || b == nullptr || a->shape != b->shape || condition->shape != a->shape) {
    return std::nullopt;
  }
  Ints values;
  for (size_t i = 0; i < a->ints.size(); ++i) values.push_back(condition->ints[i] != 0 ? a->ints[i] : b->ints[i]);
  return IntConstant(a->shape, std::move(values), a->type);
}

std::optional<Constant> FoldReduceProd(const NodeContext& context) {
  const Constant* data = Integers(context, 0);
  const auto keep = context.Attribute<int64_t>("keepdims", 1);
  if (data == nullptr || data->shape.size() != 1 || !keep.ok() || !ResolveReducedAxes(context, 1).ok()) {
    return std::nullopt;
  }
  int64_t product = 1, batches = 1;
  for (const int64_t value : data->ints) {
    const auto symbol = BatchesOfSymbol(value);
    const int64_t factor = symbol.value_or(value);
    if ((symbol && batches < 0) || factor < 0 || (factor > 0 && product > (int64_t{1} << 31) / factor)) {
      return std::nullopt;
    }
    product *= factor;
    if (symbol) batches = kBatchSymbol;
  }
  const auto value = batches < 0 ? SymbolOfBatches(product) : product;
  if (!value) return std::nullopt;
  return IntConstant(*keep != 0 ? Shape{1} : Shape{}, {*value}, data->type);
}

// Since opset 27 in float16 and bfloat16 too, computed in fp32 unless the file asks for less, which nobody does.
std::optional<Constant> FoldFloatRange(const NodeContext& context) {
  double ends[3] = {};
  for (size_t i = 0; i < 3; ++i) {
    const Constant* constant = context.FindConstant(i);
    if (constant == nullptr || constant->floats.size() != 1) return std::nullopt;
    ends[i] = constant->floats[0];
  }
  const double count = std::ceil((ends[1] - ends[0]) / ends[2]);
  if (!(count <= kMaxValues)) return std::nullopt;
  Constant range{context.FindConstant(0)->type, {std::max<int64_t>(static_cast<int64_t>(count), 0)}, {}, {}, {}};
  for (int64_t i = 0; i < range.shape[0]; ++i) {
    range.floats.push_back(static_cast<float>(ends[0] + static_cast<double>(i) * ends[2]));
  }
  return range;
}

std::optional<Constant> FoldRange(const NodeContext& context) {
  if (const Constant* first = context.FindConstant(0); first != nullptr && IsFloat(first->type)) {
    return FoldFloatRange(context);
  }
  const Constant* start = Integers(context, 0);
  const Constant* limit = Integers(context, 1);
  const Constant* delta = Integers(context, 2);
  if (start == nullptr || limit == nullptr || delta == nullptr || start->ints.size() != 1 || limit->ints.size() != 1 ||
      delta->ints.size() != 1 || delta->ints[0] == 0 || BatchesOfSymbol(limit->ints[0])) {
    return std::nullopt;
  }
  constexpr int64_t kFarthest = int64_t{1} << 40;
  Ints values;
  const int64_t step = delta->ints[0];
  if (RowSize(step) > kFarthest) return std::nullopt;
  for (int64_t value = start->ints[0]; step > 0 ? value < limit->ints[0] : value > limit->ints[0]; value += step) {
    if (static_cast<int64_t>(values.size()) == kMaxValues || RowSize(value) > kFarthest) return std::nullopt;
    values.push_back(value);
  }
  const auto count = static_cast<int64_t>(values.size());
  return IntConstant({count}, std::move(values), start->type);
}

std::optional<Constant> FoldConstantOfShape(const NodeContext& context) {
  const Constant* shape = Integers(context, 0);
  const auto value = context.Attribute("value", Constant{DataType::kFloat, {1}, {0.0f}, {}, {}});
  if (shape == nullptr || !value.ok() || value->floats.size() + value->ints.size() != 1) return std::nullopt;
  const auto count = NumElements(shape->ints);
  if (!count || *count > kMaxFill) return std::nullopt;
  Constant result{value->type, shape->ints, {}, {}, {}};
  if (IsFloat(value->type)) {
    result.floats.assign(*count, value->floats[0]);
  } else {
    result.ints.assign(*count, value->ints[0]);
  }
  return result;
}

const std::unordered_map<std::string_view, Fold>& Table() {
  static const auto& table = *new std::unordered_map<std::string_view, Fold>{
      {"Add", FoldArithmetic},        {"Cast", FoldCast},
      {"Concat", FoldConcat},         {"ConstantOfShape", FoldConstantOfShape},
      {"Div", FoldArithmetic},        {"Equal", FoldComparison},
      {"Gather", FoldGather},         {"Greater", FoldComparison},
      {"Identity", FoldIdentity},     {"Less", FoldComparison},
      {"Max", FoldArithmetic},        {"Min", FoldArithmetic},
      {"Mul", FoldArithmetic},        {"Range", FoldRange},
      {"ReduceProd", FoldReduceProd}, {"Reshape", FoldReshape},
      {"Shape", FoldShape},           {"Size", FoldSize},
      {"Slice", FoldSlice},           {"Squeeze", FoldSqueeze},
      {"Sub", FoldArithmetic},        {"Unsqueeze", FoldUnsqueeze},
      {"Where", FoldWhere},
  };
  return table;
}

}  // namespace

std::optional<Constant> FoldIntegers(const NodeContext& context) {
  if (!context.node().domain.empty()) return std::nullopt;
  const auto found = Table().find(context.node().op);
  return found == Table().end() ? std::nullopt : found->second(context);
}

}  // namespace halfwave
