#include "client/resample.h"

#include <algorithm>
#include <cmath>

namespace halfwave::client {
namespace {

// The pixels that one cell is made of: weights[i] belongs to pixel first + i. They sum to less than one where the
// cell reaches outside.
struct Cell {
  int64_t first = 0;
  std::vector<double> weights;
};

Cell AreaCell(double low, double step, double length) {
  const double high = low + step;
  const double first = std::clamp(std::floor(low), 0.0, length);
  const double last = std::clamp(std::ceil(high), 0.0, length);
  Cell cell{static_cast<int64_t>(first), {}};
  for (double pixel = first; pixel < last; pixel += 1) {
    const double covered = std::min(high, pixel + 1) - std::max(low, pixel);
    cell.weights.push_back(std::max(covered, 0.0) / step);
  }
  return cell;
}

Cell BilinearCell(double low, double step, double length) {
  const double centre = low + step / 2;
  if (centre < 0 || centre >= length) return {};
  const double position = std::clamp(centre - 0.5, 0.0, length - 1);
  const auto first = static_cast<int64_t>(position);
  const double share = position - std::floor(position);
  return share > 0 ? Cell{first, {1 - share, share}} : Cell{first, {1}};
}

std::vector<Cell> Cells(double start, double extent, int64_t count, double length, Enlarging enlarging) {
  const double step = extent / static_cast<double>(count);
  std::vector<Cell> cells;
  for (int64_t i = 0; i < count; ++i) {
    const double low = start + static_cast<double>(i) * step;
    cells.push_back(step < 1 && enlarging == Enlarging::kBilinear ? BilinearCell(low, step, length)
                                                                  : AreaCell(low, step, length));
  }
  return cells;
}

}  // namespace

Plane Resample(const Plane& plane, const Window& window, int64_t width, int64_t height, float outside,
               Enlarging enlarging) {
  const std::vector<Cell> columns =
      Cells(window.left, window.width, width, static_cast<double>(plane.width), enlarging);
  const std::vector<Cell> rows = Cells(window.top, window.height, height, static_cast<double>(plane.height), enlarging);
  Plane result{width, height, std::vector<float>(width * height)};
  std::vector<double> line(plane.width);  // one row of cells, before it is divided into columns; `outside` is zero
  for (int64_t y = 0; y < height; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    for (size_t i = 0; i < rows[y].weights.size(); ++i) {
      const float* pixels = plane.values.data() + (rows[y].first + i) * plane.width;
      const double weight = rows[y].weights[i];
      for (int64_t x = 0; x < plane.width; ++x) line[x] += weight * (pixels[x] - outside);
    }
    for (int64_t x = 0; x < width; ++x) {
      double sum = outside;
      for (size_t i = 0; i < columns[x].weights.size(); ++i) {
        sum += columns[x].weights[i] * line[columns[x].first + i];
      }
      result.values[y * width + x] = static_cast<float>(sum);
    }
  }
  return result;
}

}  // namespace halfwave::client
