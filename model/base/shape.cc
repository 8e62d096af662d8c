#include "model/base/shape.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace halfwave {

std::optional<int64_t> NumElements(std::span<const int64_t> shape) {
  constexpr int64_t kMax = int64_t{1} << 62;
  int64_t product = 1;
  bool empty = false;
  for (const int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    if (dimension == 0) {
      empty = true;
    } else {
      if (product > kMax / dimension) return std::nullopt;
      product *= dimension;
    }
  }
  return empty ? 0 : product;
}

int64_t RowSize(int64_t dimension) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return dimension < 0 ? -std::max(dimension, -kMax) : dimension;
}

Shape RowShape(const Shape& shape) {
  Shape row = shape;
  for (int64_t& dimension : row) dimension = RowSize(dimension);
  return row;
}

int64_t RowElements(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t dimension : shape) product *= RowSize(dimension);
  return product;
}

std::optional<size_t> BatchAxis(const Shape& shape) {
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) return i;
  }
  return std::nullopt;
}

std::string ShapeToString(std::span<const int64_t> shape) { return absl::StrCat("[", absl::StrJoin(shape, ","), "]"); }

std::optional<size_t> NormalizeAxis(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

}  // namespace halfwave
