#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/resize.h"
#include "model/layers/rearrange.h"

namespace halfwave {
namespace {

int64_t Product(const Shape& shape, size_t begin, size_t end) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                         shape.begin() + static_cast<std::ptrdiff_t>(end), int64_t{1}, std::multiplies<>());
}

// Which dimension in memory a dimension of the shape is: behind the images, the channels go last.
size_t InMemory(size_t axis, size_t rank, bool channels_last) {
  if (!channels_last || axis == 0 || rank < 3) return axis;
  return axis == 1 ? rank - 1 : axis - 1;
}

// Copies: all dimensions from the first to the last that are resized at once.
absl::Status LowerNearest(Builder& builder, const Value& input, const Resampling& resampling,
                          const std::vector<ResizedAxis>& axes) {
  const Shape shape = InMemoryOrder(input.shape, input.channels_last);
  std::vector<std::vector<int64_t>> sources(shape.size());  // by dimension in memory; empty: as it is
  size_t first = shape.size(), last = 0;
  for (const ResizedAxis& axis : axes) {
    const size_t at = InMemory(axis.axis, shape.size(), input.channels_last);
    sources[at] = NearestSources(resampling, axis);
    first = std::min(first, at);
    last = std::max(last, at);
  }
  std::vector<int64_t> map{0};
  for (size_t i = first; i <= last; ++i) {
    if (sources[i].empty()) {
      sources[i].resize(shape[i]);
      std::iota(sources[i].begin(), sources[i].end(), int64_t{0});
    }
    std::vector<int64_t> finer;
    finer.reserve(map.size() * sources[i].size());
    for (const int64_t outer : map) {
      for (const int64_t source : sources[i]) finer.push_back(outer < 0 || source < 0 ? -1 : outer * shape[i] + source);
    }
    map = std::move(finer);
  }
  const int64_t block = Product(shape, last + 1, shape.size());
  builder.Emit(std::make_unique<Rearrange>(Product(shape, first, last + 1) * block, block, std::move(map),
                                           resampling.extrapolation_value, Product(shape, 0, first)),
               {input}, input.channels_last);
  return absl::OkStatus();
}

// Weighted sums: one dimension after the other, the last first.
absl::Status LowerInterpolation(Builder& builder, const Value& input, const Resampling& resampling,
                                const std::vector<ResizedAxis>& axes) {
  Value value = input;
  for (size_t i = axes.size(); i-- > 0;) {
    const Shape shape = InMemoryOrder(value.shape, value.channels_last);
    const size_t at = InMemory(axes[i].axis, shape.size(), value.channels_last);
    Taps taps = ResizeTaps(resampling, axes[i]);
    auto map = std::make_unique<SparseMap>(
        axes[i].in, Product(shape, at + 1, shape.size()),
        SparseMap::Entries{std::move(taps.begins), std::move(taps.indices), std::move(taps.weights)},
        resampling.extrapolation_value, Product(shape, 0, at));
    if (i == 0) {
      builder.Emit(std::move(map), {value}, value.channels_last);
    } else {
      Shape resized = value.shape;
      resized[axes[i].axis] = axes[i].out;
      value = builder.EmitTemporary(std::move(map), {value}, std::move(resized), value.channels_last);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerResize(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Resampling resampling, ResolveResampling(builder.context()));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<ResizedAxis> axes, ResolveResize(builder.context(), shape));
  const Value input = builder.Take(0);
  if (axes.empty()) {
    builder.Alias(input);
    return absl::OkStatus();
  }
  if (resampling.mode == Resampling::Mode::kNearest) return LowerNearest(builder, input, resampling, axes);
  return LowerInterpolation(builder, input, resampling, axes);
}

}  // namespace halfwave
