#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/axes.h"
#include "model/graph/batch_symbol.h"
#include "model/graph/rules.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxDimension = int64_t{1} << 31;

int64_t RowProduct(std::span<const int64_t> dimensions) {
  return std::accumulate(dimensions.begin(), dimensions.end(), int64_t{1},
                         [](int64_t product, int64_t dimension) { return product * RowSize(dimension); });
}

// Under another shape the batch may be counted together with what follows it, never with what comes before: the rows
// stay as they are exactly if as many elements come before the batch as did.
absl::Status ExpectRowsKept(const NodeContext& context, const Shape& from, const Shape& to) {
  const auto before = BatchAxis(from), after = BatchAxis(to);
  if (before.has_value() == after.has_value() &&
      (!before || RowProduct(std::span(from).first(*before)) == RowProduct(std::span(to).first(*after)))) {
    return absl::OkStatus();
  }
  return context.Unsupported(absl::StrCat("turns ", ShapeToString(from), " into ", ShapeToString(to),
                                          ", which does not keep the rows of a batch apart"));
}

// ONNX Reshape: 0 copies a dimension, -1 is what is left.
class ReshapeTarget {
 public:
  ReshapeTarget(const NodeContext& context, const Shape& input) : context_(context), input_(input) {}

  absl::StatusOr<Shape> Resolve(const std::vector<int64_t>& target, bool allow_zero) {
    const auto refuse = [&] {
      return context_.Invalid(absl::StrCat("target shape ", ShapeToString(target), " does not fit an input of shape ",
                                           ShapeToString(input_)));
    };
    Shape output = target;
    std::optional<size_t> open;
    int64_t known = 1;  // of what a row holds
    bool has_batch = false;
    for (size_t i = 0; i < output.size(); ++i) {
      int64_t& dimension = output[i];
      if (const auto batches = BatchesOfSymbol(dimension)) {
        dimension = -*batches;
      } else if (dimension == -1) {
        if (open) return refuse();
        open = i;
        continue;
      } else if (dimension == 0 && !allow_zero) {
        if (i >= input_.size()) return refuse();
        dimension = input_[i];
      } else if (dimension < 1) {
        return refuse();
      }
      has_batch = has_batch || dimension < 0;
      if (RowSize(dimension) > kMaxDimension || known > kMaxDimension) return refuse();
      known *= RowSize(dimension);
    }
    const int64_t row = RowElements(input_);
    if (NamesFixedBatch(output, known, row, open.has_value(), has_batch)) {
      known /= output[0];
      output[0] = input_[0];
      has_batch = true;
    }
    if (open) {
      if (row % known != 0) return refuse();
      const bool open_is_batch = BatchAxis(input_).has_value() && !has_batch;
      output[*open] = open_is_batch ? -row / known : row / known;
    } else if (known != row) {
      return refuse();
    }
    HALFWAVE_RETURN_IF_ERROR(ExpectRowsKept(context_, input_, output));
    return output;
  }

 private:
  // Whether the first number of a constant target is the batch that the file was exported with.
  bool NamesFixedBatch(const Shape& output, int64_t known, int64_t row, bool open, bool has_batch) const {
    const int64_t fixed = context_.graph().fixed_batch;
    if (fixed == 0 || has_batch || output.empty() || output[0] != fixed) return false;
    if (input_.empty() || input_[0] != kBatch) return false;
    return open || known / fixed == row;
  }

  const NodeContext& context_;
  const Shape& input_;
};

}  // namespace

absl::StatusOr<Types> InferReshape(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  std::vector<int64_t> target;
  if (context.opset() < 5) {
    HALFWAVE_ASSIGN_OR_RETURN(target, context.Attribute("shape", target));
  } else {
    HALFWAVE_ASSIGN_OR_RETURN(target, context.Integers(1, "target shape", /*batch_allowed=*/true));
  }
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t allow_zero, context.Attribute<int64_t>("allowzero", 0));
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, ReshapeTarget(context, input.shape).Resolve(target, allow_zero != 0));
  return Types{{input.type, std::move(shape)}};
}

absl::StatusOr<Types> InferFlatten(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 1));
  size_t axis = input.shape.size();
  if (named != static_cast<int64_t>(axis)) {
    HALFWAVE_ASSIGN_OR_RETURN(axis, context.Axis("axis", named, input.shape.size()));
  }
  const std::span<const int64_t> dimensions(input.shape);
  Shape shape{RowProduct(dimensions.first(axis)), RowProduct(dimensions.subspan(axis))};
  if (const auto batch = BatchAxis(input.shape)) {
    int64_t& grows = shape[*batch < axis ? 0 : 1];
    grows = -grows;
  }
  HALFWAVE_RETURN_IF_ERROR(ExpectRowsKept(context, input.shape, shape));
  return Types{{input.type, std::move(shape)}};
}

absl::StatusOr<Types> InferConcat(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType output, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, output.shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(output.shape, axis));
  for (size_t i = 1; i < context.inputs(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(i));
    const int64_t size = axis < shape.size() ? std::exchange(shape[axis], output.shape[axis]) : -1;
    if (shape != output.shape || size < 0 || size > kMaxDimension - output.shape[axis]) {
      return context.Invalid(absl::StrCat("cannot put input ", i, " beside the ones before, which together are ",
                                          ShapeToString(output.shape)));
    }
    output.shape[axis] += size;
  }
  return Types{output};
}

absl::StatusOr<Types> InferTranspose(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const auto permutation, ResolvePermutation(context, input.shape.size()));
  TensorType output{input.type, {}};
  for (const size_t axis : permutation) output.shape.push_back(input.shape[axis]);
  return Types{output};
}

absl::StatusOr<Types> InferSlice(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<SliceAxis> axes, ResolveSlice(context, input.shape));
  for (const SliceAxis& axis : axes) input.shape[axis.axis] = axis.count;
  return Types{input};
}

absl::StatusOr<Types> InferSqueeze(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, context.List("axes", 1, 13));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> axes, context.Axes("axes", named, input.shape.size()));
  TensorType output{input.type, {}};
  for (size_t i = 0; i < input.shape.size(); ++i) {
    const bool is_named = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (is_named && input.shape[i] != 1) {
      return context.Invalid(absl::StrCat("dimension ", i, " of ", ShapeToString(input.shape), " is not 1"));
    }
    if (!is_named && (input.shape[i] != 1 || !axes.empty())) output.shape.push_back(input.shape[i]);
  }
  return Types{output};
}

absl::StatusOr<Types> InferUnsqueeze(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, context.List("axes", 1, 13));
  if (named.empty()) return context.Invalid("does not say which dimensions to insert");
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<size_t> axes, context.Axes("axes", named, input.shape.size() + named.size()));
  std::sort(axes.begin(), axes.end());
  for (const size_t axis : axes) input.shape.insert(input.shape.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  return Types{input};
}

absl::StatusOr<Types> InferExpand(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<int64_t> target, context.Integers(1, "shape", /*batch_allowed=*/true));
  for (int64_t& dimension : target) {
    if (const auto batches = BatchesOfSymbol(dimension)) {
      dimension = -*batches;
    } else if (dimension < 1 || dimension > kMaxDimension) {
      return context.Invalid(absl::StrCat("expands to ", ShapeToString(target)));
    }
  }
  const int64_t fixed = context.graph().fixed_batch;
  const size_t rank = input.shape.size();
  if (fixed > 1 && target.size() == rank && rank > 0 && target[0] == fixed && input.shape[0] == kBatch) {
    target[0] = kBatch;
  }
  if (const auto shape = BroadcastShapes(input.shape, target)) return Types{{input.type, *shape}};
  return context.Invalid(absl::StrCat("cannot expand ", ShapeToString(input.shape), " to ", ShapeToString(target)));
}

absl::StatusOr<Types> InferTile(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, context.Integers(1, "repeats"));
  if (repeats.size() != input.shape.size()) {
    return context.Invalid(
        absl::StrCat("has ", repeats.size(), " repeats for an input of shape ", ShapeToString(input.shape)));
  }
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] == 1) continue;
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, i));
    if (repeats[i] < 1 || repeats[i] > kMaxDimension || input.shape[i] > kMaxDimension) {
      return context.Invalid(absl::StrCat("repeats dimension ", i, " ", repeats[i], " times"));
    }
    input.shape[i] *= repeats[i];
  }
  return Types{input};
}

absl::StatusOr<Types> InferGather(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType data, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape indices, context.InputShape(1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, data.shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(data.shape, axis));
  if (!context.IsComputed(1)) {
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> values, context.Integers(1, "indices"));
    for (const int64_t value : values) {
      if (!NormalizeAxis(value, static_cast<size_t>(data.shape[axis]))) {
        return context.Invalid(absl::StrCat("takes element ", value, " of a dimension of ", data.shape[axis]));
      }
    }
  }
  TensorType output = data;
  const auto at = output.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  output.shape.insert(output.shape.erase(at), indices.begin(), indices.end());
  return Types{output};
}

absl::StatusOr<Types> InferPad(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Padding padding, ResolvePadding(context, input.shape.size()));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string mode, context.Attribute<std::string>("mode", "constant"));
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    return context.Invalid(absl::StrCat("attribute 'mode' is '", mode, "', expected constant, reflect, edge or wrap"));
  }
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (padding.before[i] == 0 && padding.behind[i] == 0) continue;
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, i));
    const int64_t size = input.shape[i];
    const int64_t output = size + padding.before[i] + padding.behind[i];
    const int64_t most = std::max(padding.before[i], padding.behind[i]);
    const bool reaches = (mode == "reflect" && most >= size) || (mode == "wrap" && most > size);
    if (output < 1 || reaches || -padding.before[i] >= size || -padding.behind[i] >= size) {
      return context.Invalid(absl::StrCat("pads dimension ", i, " of ", ShapeToString(input.shape), " by ",
                                          padding.before[i], " and ", padding.behind[i], " (", mode, ")"));
    }
    input.shape[i] = output;
  }
  return Types{input};
}

absl::StatusOr<Types> InferSplit(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const SplitParts parts, ResolveSplit(context, input.shape));
  Types types;
  for (const int64_t size : parts.sizes) {
    types.push_back(input);
    types.back().shape[parts.axis] = size;
  }
  return types;
}

absl::StatusOr<Types> InferDepthToSpace(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t block, context.Attribute<int64_t>("blocksize", 0));
  Shape& shape = input.shape;
  constexpr int64_t kMaxBlock = 1 << 15;
  if (shape.size() != 4 || block < 1 || block > kMaxBlock || shape[1] < 1 || shape[1] % (block * block) != 0 ||
      shape[2] < 1 || shape[3] < 1) {
    return context.Invalid(absl::StrCat("blocks of ", block, " do not fit an input of shape ", ShapeToString(shape)));
  }
  return Types{{input.type, {shape[0], shape[1] / (block * block), shape[2] * block, shape[3] * block}}};
}

absl::StatusOr<Types> InferSpaceToDepth(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t block, context.Attribute<int64_t>("blocksize", 0));
  Shape& shape = input.shape;
  constexpr int64_t kMaxBlock = 1 << 15;
  if (shape.size() != 4 || block < 1 || block > kMaxBlock || shape[1] < 1 || shape[2] < 1 || shape[3] < 1 ||
      shape[2] % block != 0 || shape[3] % block != 0) {
    return context.Invalid(absl::StrCat("blocks of ", block, " do not fit an input of shape ", ShapeToString(shape)));
  }
  HALFWAVE_ASSIGN_OR_RETURN(const std::string mode, context.Attribute<std::string>("mode", "DCR"));
  if (context.opset() >= 28 && mode != "DCR" && mode != "CRD") {
    return context.Invalid(absl::StrCat("mode is '", mode, "'; known are DCR and CRD"));
  }
  return Types{{input.type, {shape[0], shape[1] * block * block, shape[2] / block, shape[3] / block}}};
}

}  // namespace halfwave
