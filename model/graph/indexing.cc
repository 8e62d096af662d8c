#include "model/graph/indexing.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

absl::StatusOr<int64_t> InRange(const NodeContext& context, int64_t index, int64_t size) {
  if (const auto at = NormalizeAxis(index, static_cast<size_t>(size))) return static_cast<int64_t>(*at);
  return context.Invalid(absl::StrCat("takes element ", index, " of a dimension of ", size));
}

// Dimension `axis` of the indices runs along with that of the data. Returns what it is in the output.
absl::StatusOr<int64_t> RunAlong(const NodeContext& context, const Shape& data, const Shape& indices, size_t axis) {
  if (data[axis] >= 0 && indices[axis] >= 1 && indices[axis] <= data[axis]) return indices[axis];
  if (data[axis] >= 0) {
    return context.Invalid(
        absl::StrCat("indices of shape ", ShapeToString(indices), " do not fit data of shape ", ShapeToString(data)));
  }
  if (context.graph().fixed_batch == 1 && indices[axis] == -data[axis]) return data[axis];
  return context.Unsupported(absl::StrCat("its constant indices of shape ", ShapeToString(indices),
                                          " are not the same for every row of a batch"));
}

// The place along each of the leading dimensions of `shape`, counted through by `number`.
std::vector<int64_t> Places(int64_t number, const Shape& shape) {
  std::vector<int64_t> places(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    places[i] = number % RowSize(shape[i]);
    number /= RowSize(shape[i]);
  }
  return places;
}

}  // namespace

absl::StatusOr<Picked> ResolveGatherElements(const NodeContext& context, const Shape& data) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, context.Integers(1, "indices"));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, data.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(data, axis));
  if (shape.size() != data.size()) {
    return context.Invalid(
        absl::StrCat("indices of shape ", ShapeToString(shape), " do not fit data of shape ", ShapeToString(data)));
  }
  Picked picked;
  picked.output = shape;
  for (size_t i = 0; i < data.size(); ++i) {
    if (i == axis) continue;
    HALFWAVE_ASSIGN_OR_RETURN(picked.output[i], RunAlong(context, data, shape, i));
  }
  for (size_t element = 0; element < indices.size(); ++element) {
    std::vector<int64_t> places = Places(static_cast<int64_t>(element), shape);
    HALFWAVE_ASSIGN_OR_RETURN(places[axis], InRange(context, indices[element], data[axis]));
    int64_t source = 0;
    for (size_t i = 0; i < data.size(); ++i) source = source * RowSize(data[i]) + places[i];
    picked.sources.push_back(source);
  }
  return picked;
}

absl::StatusOr<Picked> ResolveGatherNd(const NodeContext& context, const Shape& data) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, context.Integers(1, "indices"));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t along, context.Attribute<int64_t>("batch_dims", 0));
  const auto rank = static_cast<int64_t>(data.size());
  const int64_t depth = shape.empty() ? 0 : shape.back();
  if (depth < 1 || along < 0 || along >= static_cast<int64_t>(shape.size()) || depth > rank - along) {
    return context.Invalid(absl::StrCat("indices of shape ", ShapeToString(shape), " with ", along,
                                        " batch_dims do not fit data of shape ", ShapeToString(data)));
  }
  Picked picked;
  const Shape tuples(shape.begin(), shape.end() - 1);
  picked.output = tuples;
  const auto first = static_cast<size_t>(along), end = static_cast<size_t>(along + depth);
  for (size_t i = 0; i < first; ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(picked.output[i], RunAlong(context, data, shape, i));
    if (RowSize(picked.output[i]) != RowSize(data[i])) {
      return context.Invalid(absl::StrCat("indices of shape ", ShapeToString(shape), " and data of shape ",
                                          ShapeToString(data), " differ in their first ", along, " dimensions"));
    }
  }
  for (size_t i = first; i < end; ++i) HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(data, i));
  const Shape block(data.begin() + static_cast<std::ptrdiff_t>(end), data.end());
  picked.output.insert(picked.output.end(), block.begin(), block.end());
  picked.block = RowElements(block);
  for (size_t tuple = 0; tuple < indices.size() / static_cast<size_t>(depth); ++tuple) {
    const std::vector<int64_t> places = Places(static_cast<int64_t>(tuple), tuples);
    int64_t source = 0;
    for (size_t i = 0; i < end; ++i) {
      int64_t place = i < first ? places[i] : 0;
      if (i >= first) {
        const int64_t index = indices[tuple * static_cast<size_t>(depth) + i - first];
        HALFWAVE_ASSIGN_OR_RETURN(place, InRange(context, index, data[i]));
      }
      source = source * RowSize(data[i]) + place;
    }
    picked.sources.push_back(source);
  }
  return picked;
}

absl::StatusOr<Triangle> ResolveTriangle(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t upper, context.Attribute<int64_t>("upper", 1));
  if (!context.Has(1)) return Triangle{upper != 0, 0};
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> k, context.Integers(1, "k"));
  if (k.size() != 1) return context.Invalid(absl::StrCat("its k has ", k.size(), " values, expected one"));
  return Triangle{upper != 0, k[0]};
}

absl::StatusOr<OneHotAxis> ResolveOneHot(const NodeContext& context, size_t rank) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", -1));
  OneHotAxis result{};
  HALFWAVE_ASSIGN_OR_RETURN(result.axis, context.Axis("axis", named, rank + 1));
  const Constant* depth = context.FindConstant(1);
  if (depth != nullptr && depth->floats.size() == 1 && std::abs(depth->floats[0]) < 1e9f) {
    result.depth = static_cast<int64_t>(depth->floats[0]);  // any type of number is allowed
  } else {
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> depths, context.Integers(1, "depth"));
    result.depth = depths.size() == 1 ? depths[0] : 0;
  }
  if (result.depth >= 1) return result;
  return context.Invalid("its depth is not one number above zero");
}

}  // namespace halfwave
