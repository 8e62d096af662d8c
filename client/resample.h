// Scaling one channel of a picture.
#pragma once

#include <cstdint>
#include <vector>

namespace halfwave::client {

// Rows from the top.
struct Plane {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<float> values;
};

// The part of a picture to look at, in its pixels; it may reach beyond the picture.
struct Window {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;
};

enum class Enlarging {
  kArea,      // every cell is the average of what it covers, also where it is smaller than a pixel
  kBilinear,  // between the centres of pixels, where a cell is smaller than a pixel
};

// What the window shows, in width x height cells. A cell is the average, weighted by area, of the pixels it covers;
// what lies outside the picture counts as `outside`.
Plane Resample(const Plane& plane, const Window& window, int64_t width, int64_t height, float outside,
               Enlarging enlarging);

}  // namespace halfwave::client
