#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/layers/concat.h"
#include "model/layers/fill.h"
#include "model/layers/rearrange.h"
#include "model/layers/strided_copy.h"

namespace halfwave {
namespace {

int64_t Product(const Shape& shape, size_t begin, size_t end) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                         shape.begin() + static_cast<std::ptrdiff_t>(end), int64_t{1}, std::multiplies<>());
}

void EmitCopy(Builder& builder, const Value& input, std::vector<int64_t> strides, int64_t offset, size_t output = 0) {
  builder.Emit(std::make_unique<StridedCopy>(input.elements(), builder.OutputShape(output), std::move(strides), offset),
               {input}, false, output);
}

// The element of the input behind each element of the output, given the place along each dimension.
using Source = std::function<int64_t(size_t axis, int64_t place)>;  // -1: none

std::vector<int64_t> MapElements(const Shape& input, const Shape& output, const Source& source) {
  const std::vector<int64_t> strides = RowMajorStrides(input);
  std::vector<int64_t> map(RowElements(output));
  for (size_t element = 0; element < map.size(); ++element) {
    auto rest = static_cast<int64_t>(element);
    int64_t from = 0;
    for (size_t axis = output.size(); axis-- > 0;) {
      const int64_t place = source(axis, rest % output[axis]);
      from = from < 0 || place < 0 ? -1 : from + place * strides[axis];
      rest /= output[axis];
    }
    map[element] = from;
  }
  return map;
}

// Where a padded place takes its value from, along a dimension of `size`.
int64_t PaddedSource(const std::string& mode, int64_t place, int64_t size) {
  if (place >= 0 && place < size) return place;
  if (mode == "edge") return std::clamp<int64_t>(place, 0, size - 1);
  if (mode == "reflect") return place < 0 ? -place : 2 * (size - 1) - place;
  if (mode == "wrap") return (place + size) % size;
  return -1;
}

absl::StatusOr<float> PadValue(Builder& builder) {
  if (builder.context().opset() < 11) return builder.Attribute<float>("value", 0.0f);
  if (!builder.context().Has(2)) return 0.0f;
  const Constant* value = builder.context().FindConstant(2);
  if (value != nullptr && value->floats.size() == 1) return value->floats[0];
  if (value != nullptr && value->ints.size() == 1) return static_cast<float>(value->ints[0]);
  return builder.context().Unsupported("its value is not one constant number");
}

}  // namespace

absl::Status LowerSameMemory(Builder& builder) {
  builder.Alias(builder.Take(0));
  return absl::OkStatus();
}

// Outside of training nothing is dropped: the mask, where it is read, is all ones.
absl::Status LowerDropout(Builder& builder) {
  builder.Alias(builder.Take(0));
  if (builder.OutputIsUsed(1)) {
    std::vector<float> ones(RowElements(builder.OutputShape(1)), 1.0f);
    builder.Emit(std::make_unique<Fill>(std::move(ones)), {}, false, 1);
  }
  return absl::OkStatus();
}

absl::Status LowerReshape(Builder& builder) {
  const Value input = builder.Take(0);
  if (!builder.Flatten(input)) builder.Alias(builder.ToLayout(input, false));
  return absl::OkStatus();
}

absl::Status LowerTranspose(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const auto permutation, ResolvePermutation(builder.context(), input.shape.size()));
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape);
  std::vector<int64_t> strides;
  for (const size_t axis : permutation) strides.push_back(in_strides[axis]);
  EmitCopy(builder, input, std::move(strides), 0);
  return absl::OkStatus();
}

absl::Status LowerSlice(Builder& builder) {
  // The node's own types say which dimension is the batch.
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<SliceAxis> axes, ResolveSlice(builder.context(), shape));
  const Value input = builder.TakeRowMajor(0);
  std::vector<int64_t> strides = RowMajorStrides(input.shape);
  int64_t offset = 0;
  for (const SliceAxis& axis : axes) {
    offset += axis.start * strides[axis.axis];
    strides[axis.axis] *= axis.step;
  }
  EmitCopy(builder, input, std::move(strides), offset);
  return absl::OkStatus();
}

absl::Status LowerSplit(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const SplitParts parts, ResolveSplit(builder.context(), shape));
  const Value input = builder.TakeRowMajor(0);
  const std::vector<int64_t> strides = RowMajorStrides(input.shape);
  int64_t offset = 0;
  for (size_t i = 0; i < parts.sizes.size(); ++i) {
    if (builder.OutputIsUsed(i)) EmitCopy(builder, input, strides, offset, i);
    offset += parts.sizes[i] * strides[parts.axis];
  }
  return absl::OkStatus();
}

absl::Status LowerConcat(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", 1));
  const Shape output = builder.OutputShape();
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, output.size()));
  std::vector<Value> inputs;
  std::vector<int64_t> parts;
  for (size_t i = 0; i < builder.node().inputs.size(); ++i) {
    inputs.push_back(builder.TakeRowMajor(i));
    parts.push_back(Product(inputs.back().shape, axis, output.size()));
  }
  builder.Emit(std::make_unique<Concat>(Product(output, 0, axis), std::move(parts)), inputs, false);
  return absl::OkStatus();
}

absl::Status LowerExpand(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  EmitCopy(builder, input, BroadcastStrides(input.shape, builder.OutputShape()), 0);
  return absl::OkStatus();
}

absl::Status LowerTile(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  auto map = MapElements(input.shape, builder.OutputShape(),
                         [&](size_t axis, int64_t place) { return place % input.shape[axis]; });
  builder.Emit(std::make_unique<Rearrange>(input.elements(), 1, std::move(map)), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerPad(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string mode, builder.Attribute<std::string>("mode", "constant"));
  HALFWAVE_ASSIGN_OR_RETURN(const float value, PadValue(builder));
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Padding padding, ResolvePadding(builder.context(), input.shape.size()));
  auto map = MapElements(input.shape, builder.OutputShape(), [&](size_t axis, int64_t place) {
    return PaddedSource(mode, place - padding.before[axis], input.shape[axis]);
  });
  builder.Emit(std::make_unique<Rearrange>(input.elements(), 1, std::move(map), value), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerGather(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  const Shape data = RowShape(shape);
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, data.size()));
  const int64_t groups = Product(data, 0, axis), block = Product(data, axis + 1, data.size());
  const Constant* constant_data = builder.context().FindConstant(0);
  const Constant* indices = builder.context().FindConstant(1);
  if (indices == nullptr) {
    std::optional<std::vector<float>> values;
    std::vector<Value> inputs;
    if (constant_data != nullptr && IsFloat(constant_data->type)) {
      values = constant_data->floats;
    } else {
      inputs.push_back(builder.TakeRowMajor(0));
    }
    inputs.push_back(builder.TakeRowMajor(1));
    const int64_t count = inputs.back().elements();
    builder.Emit(std::make_unique<Gather>(groups, data[axis], block, count, std::move(values)), inputs, false);
    return absl::OkStatus();
  }
  const Value input = builder.TakeRowMajor(0);
  std::vector<int64_t> map;
  for (const int64_t index : indices->ints) {
    map.push_back(static_cast<int64_t>(*NormalizeAxis(index, static_cast<size_t>(data[axis]))));
  }
  builder.Emit(std::make_unique<Rearrange>(data[axis] * block, block, std::move(map), 0.0f, groups), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerDepthToSpace(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t block, builder.Attribute<int64_t>("blocksize", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string mode, builder.Attribute<std::string>("mode", "DCR"));
  const Value input = builder.TakeRowMajor(0);
  const Shape output = builder.OutputShape();
  const int64_t channels = output[1], height = input.shape[2], width = input.shape[3];
  std::vector<int64_t> map;
  map.reserve(RowElements(output));
  for (int64_t n = 0; n < output[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t y = 0; y < output[2]; ++y) {
        for (int64_t x = 0; x < output[3]; ++x) {
          const int64_t place = y % block * block + x % block;
          const int64_t from = mode == "CRD" ? c * block * block + place : place * channels + c;
          map.push_back(((n * input.shape[1] + from) * height + y / block) * width + x / block);
        }
      }
    }
  }
  builder.Emit(std::make_unique<Rearrange>(input.elements(), 1, std::move(map)), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerSpaceToDepth(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t block, builder.Attribute<int64_t>("blocksize", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string mode, builder.Attribute<std::string>("mode", "DCR"));
  const bool depth_last = builder.context().opset() >= 28 && mode == "CRD";
  const Value input = builder.TakeRowMajor(0);
  const Shape output = builder.OutputShape();
  const int64_t channels = input.shape[1], height = input.shape[2], width = input.shape[3];
  std::vector<int64_t> map;
  map.reserve(RowElements(output));
  for (int64_t n = 0; n < output[0]; ++n) {
    for (int64_t c = 0; c < output[1]; ++c) {
      const int64_t place = depth_last ? c % (block * block) : c / channels;
      const int64_t from = depth_last ? c / (block * block) : c % channels;
      for (int64_t y = 0; y < output[2]; ++y) {
        for (int64_t x = 0; x < output[3]; ++x) {
          map.push_back(((n * channels + from) * height + y * block + place / block) * width + x * block +
                        place % block);
        }
      }
    }
  }
  builder.Emit(std::make_unique<Rearrange>(input.elements(), 1, std::move(map)), {input}, false);
  return absl::OkStatus();
}

}  // namespace halfwave
