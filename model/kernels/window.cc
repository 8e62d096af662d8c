#include "model/kernels/window.h"

#include <algorithm>
#include <limits>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

using ConstArrayMap = Eigen::Map<const Eigen::ArrayXf>;
using ArrayMap = Eigen::Map<Eigen::ArrayXf>;

// Calls visit(pixel) for each pixel of the image that the window at (oy, ox) sees.
template <typename Visit>
void ForEachPixel(const Window2d& w, int64_t oy, int64_t ox, const float* image, Visit visit) {
  for (int64_t ky = 0; ky < w.kernel_height; ++ky) {
    const int64_t y = oy * w.stride_y - w.pad_top + ky * w.dilation_y;
    if (y < 0 || y >= w.height) continue;
    for (int64_t kx = 0; kx < w.kernel_width; ++kx) {
      const int64_t x = ox * w.stride_x - w.pad_left + kx * w.dilation_x;
      if (x < 0 || x >= w.width) continue;
      visit(ConstArrayMap(image + (y * w.width + x) * w.channels, w.channels));
    }
  }
}

// Calls visit(image, oy, ox, output) for each output position of each image.
template <typename Visit>
void ForEachWindow(const Window2d& w, int64_t images, const float* x, float* y, Visit visit) {
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t oy = 0; oy < w.out_height; ++oy) {
      for (int64_t ox = 0; ox < w.out_width; ++ox) {
        visit(x + image * w.image_elements(), oy, ox, ArrayMap(y, w.channels));
        y += w.channels;
      }
    }
  }
}

// How many steps of a window of `kernel` from `start` fall inside the image and its padding.
int64_t StepsInPaddedImage(int64_t start, int64_t kernel, int64_t dilation, int64_t end) {
  int64_t steps = 0;
  for (int64_t k = 0; k < kernel; ++k) steps += start + k * dilation < end ? 1 : 0;
  return steps;
}

}  // namespace

void Im2Col(const Window2d& w, int64_t begin, int64_t end, int64_t first, int64_t count, const float* x,
            float* columns) {
  for (int64_t position = begin; position < end; ++position) {
    const float* image = x + position / w.positions() * w.image_elements();
    const int64_t oy = position % w.positions() / w.out_width;
    const int64_t ox = position % w.out_width;
    for (int64_t ky = 0; ky < w.kernel_height; ++ky) {
      const int64_t py = oy * w.stride_y - w.pad_top + ky * w.dilation_y;
      for (int64_t kx = 0; kx < w.kernel_width; ++kx) {
        const int64_t px = ox * w.stride_x - w.pad_left + kx * w.dilation_x;
        if (py < 0 || py >= w.height || px < 0 || px >= w.width) {
          std::fill_n(columns, count, 0.0f);
        } else {
          std::copy_n(image + (py * w.width + px) * w.channels + first, count, columns);
        }
        columns += count;
      }
    }
  }
}

void MaxPool(const Window2d& window, int64_t images, const float* x, float* y) {
  ForEachWindow(window, images, x, y, [&](const float* image, int64_t oy, int64_t ox, ArrayMap out) {
    bool first = true;
    ForEachPixel(window, oy, ox, image, [&](const ConstArrayMap& pixel) {
      if (first) {
        out = pixel;
      } else {
        out = (pixel > out || pixel.isNaN()).select(pixel, out);
      }
      first = false;
    });
    if (first) out.setConstant(std::numeric_limits<float>::lowest());  // a dilated window may step over the image
  });
}

void AveragePool(const Window2d& window, bool count_padding, int64_t images, const float* x, float* y) {
  ForEachWindow(window, images, x, y, [&](const float* image, int64_t oy, int64_t ox, ArrayMap out) {
    out.setZero();
    int64_t seen = 0;
    ForEachPixel(window, oy, ox, image, [&](const ConstArrayMap& pixel) {
      out += pixel;
      ++seen;
    });
    if (count_padding) {
      seen = StepsInPaddedImage(oy * window.stride_y - window.pad_top, window.kernel_height, window.dilation_y,
                                window.height + window.pad_bottom) *
             StepsInPaddedImage(ox * window.stride_x - window.pad_left, window.kernel_width, window.dilation_x,
                                window.width + window.pad_right);
    }
    out /= static_cast<float>(std::max<int64_t>(seen, 1));
  });
}

void GlobalAveragePool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y) {
  for (int64_t image = 0; image < images; ++image) {
    ArrayMap out(y + image * channels, channels);
    out.setZero();
    for (int64_t position = 0; position < positions; ++position) {
      out += ConstArrayMap(x + (image * positions + position) * channels, channels);
    }
    out /= static_cast<float>(positions);
  }
}

void GlobalMaxPool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y) {
  for (int64_t image = 0; image < images; ++image) {
    ArrayMap out(y + image * channels, channels);
    out = ConstArrayMap(x + image * positions * channels, channels);
    for (int64_t position = 1; position < positions; ++position) {
      const ConstArrayMap pixel(x + (image * positions + position) * channels, channels);
      out = (pixel > out || pixel.isNaN()).select(pixel, out);
    }
  }
}

}  // namespace halfwave::kernels
