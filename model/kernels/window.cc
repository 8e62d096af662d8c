#include "model/kernels/window.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

using ConstArrayMap = Eigen::Map<const Eigen::ArrayXf>;
using ArrayMap = Eigen::Map<Eigen::ArrayXf>;

using Sizes = Window::Sizes;

// The coordinate of the image that step `k` of the window at `out` sees along dimension d, or -1 for padding.
template <bool kTransposed>
int64_t SeenAt(const Window& w, size_t d, int64_t out, int64_t k) {
  int64_t at = 0;
  if (kTransposed) {
    const int64_t steps = out + w.pads_begin[d] - k * w.dilations[d];
    if (steps % w.strides[d] != 0) return -1;
    at = steps / w.strides[d];
  } else {
    at = out * w.strides[d] - w.pads_begin[d] + k * w.dilations[d];
  }
  return at < 0 || at >= w.size[d] ? -1 : at;
}

// Calls visit(position) for each step of the window at `out`: the position in the image that it sees, or -1.
template <bool kTransposed, typename Visit>
void ForEachStep(const Window& w, const Sizes& out, Visit visit) {
  for (int64_t kz = 0; kz < w.kernel[0]; ++kz) {
    const int64_t z = SeenAt<kTransposed>(w, 0, out[0], kz);
    for (int64_t ky = 0; ky < w.kernel[1]; ++ky) {
      const int64_t y = SeenAt<kTransposed>(w, 1, out[1], ky);
      for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
        const int64_t x = SeenAt<kTransposed>(w, 2, out[2], kx);
        visit(z < 0 || y < 0 || x < 0 ? -1 : (z * w.size[1] + y) * w.size[2] + x);
      }
    }
  }
}

// Calls visit(pixel) for each pixel of the image that the window at `out` sees.
template <typename Visit>
void ForEachPixel(const Window& w, const Sizes& out, const float* image, Visit visit) {
  ForEachStep<false>(w, out, [&](int64_t position) {
    if (position >= 0) visit(ConstArrayMap(image + position * w.channels, w.channels));
  });
}

// Calls visit(image, out, output) for each output position of each image.
template <typename Visit>
void ForEachWindow(const Window& w, int64_t images, const float* x, float* y, Visit visit) {
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t oz = 0; oz < w.out[0]; ++oz) {
      for (int64_t oy = 0; oy < w.out[1]; ++oy) {
        for (int64_t ox = 0; ox < w.out[2]; ++ox) {
          visit(x + image * w.image_elements(), Sizes{oz, oy, ox}, ArrayMap(y, w.channels));
          y += w.channels;
        }
      }
    }
  }
}

// How many steps of the window at `out` fall inside the image and its padding.
int64_t StepsInPaddedImage(const Window& w, const Sizes& out) {
  int64_t product = 1;
  for (size_t d = 0; d < out.size(); ++d) {
    const int64_t start = out[d] * w.strides[d] - w.pads_begin[d], end = w.size[d] + w.pads_end[d];
    int64_t steps = 0;
    for (int64_t k = 0; k < w.kernel[d]; ++k) steps += start + k * w.dilations[d] < end ? 1 : 0;
    product *= steps;
  }
  return product;
}

// The position of the row-major index `position` if the first dimension varied fastest.
int64_t ColumnMajor(const Sizes& size, int64_t position) {
  const int64_t z = position / (size[1] * size[2]), y = position / size[2] % size[1], x = position % size[2];
  return (x * size[1] + y) * size[0] + z;
}

double Power(float value, float p) {
  const double magnitude = std::abs(value);
  return p == 1 ? magnitude : p == 2 ? magnitude * magnitude : std::pow(magnitude, p);
}

float Root(double sum, float p) {
  return static_cast<float>(p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / static_cast<double>(p)));
}

template <bool kTransposed>
void CopySteps(const Window& w, int64_t begin, int64_t end, int64_t first, int64_t count, const float* x,
               float* columns) {
  const int64_t in_image = begin % w.positions();
  const float* image = x + begin / w.positions() * w.image_elements() + first;
  Sizes out = {in_image / w.out[2] / w.out[1], in_image / w.out[2] % w.out[1], in_image % w.out[2]};
  for (int64_t position = begin; position < end; ++position) {
    ForEachStep<kTransposed>(w, out, [&](int64_t seen) {
      if (seen < 0) {
        std::fill_n(columns, count, 0.0f);
      } else {
        std::copy_n(image + seen * w.channels, count, columns);
      }
      columns += count;
    });
    // The next position: the last dimension counts fastest.
    if (++out[2] < w.out[2]) continue;
    out[2] = 0;
    if (++out[1] < w.out[1]) continue;
    out[1] = 0;
    if (++out[0] < w.out[0]) continue;
    out[0] = 0;
    image += w.image_elements();
  }
}

}  // namespace

void Im2Col(const Window& window, int64_t begin, int64_t end, int64_t first, int64_t count, const float* x,
            float* columns) {
  if (window.transposed) {
    CopySteps<true>(window, begin, end, first, count, x, columns);
  } else {
    CopySteps<false>(window, begin, end, first, count, x, columns);
  }
}

void MaxPool(const Window& window, int64_t images, const float* x, float* y) {
  ForEachWindow(window, images, x, y, [&](const float* image, const Sizes& at, ArrayMap out) {
    bool first = true;
    ForEachPixel(window, at, image, [&](const ConstArrayMap& pixel) {
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

void MaxPoolIndices(const Window& w, bool column_major, int64_t images, const float* x, float* y) {
  ForEachWindow(w, images, x, y, [&](const float* image, const Sizes& at, ArrayMap out) {
    const int64_t image_start = image - x;
    for (int64_t channel = 0; channel < w.channels; ++channel) {
      int64_t best = -1;
      float largest = 0;
      ForEachStep<false>(w, at, [&](int64_t position) {
        if (position < 0) return;
        const float value = image[position * w.channels + channel];
        if (best >= 0 && !(value > largest) && !(std::isnan(value) && !std::isnan(largest))) return;
        best = position;
        largest = value;
      });
      if (best >= 0) {
        best = image_start + channel * w.image_positions() + (column_major ? ColumnMajor(w.size, best) : best);
      }
      out[channel] = static_cast<float>(best);
    }
  });
}

void AveragePool(const Window& window, bool count_padding, int64_t images, const float* x, float* y) {
  ForEachWindow(window, images, x, y, [&](const float* image, const Sizes& at, ArrayMap out) {
    out.setZero();
    int64_t seen = 0;
    ForEachPixel(window, at, image, [&](const ConstArrayMap& pixel) {
      out += pixel;
      ++seen;
    });
    if (count_padding) seen = StepsInPaddedImage(window, at);
    out /= static_cast<float>(std::max<int64_t>(seen, 1));
  });
}

void LpPool(const Window& window, float p, int64_t images, const float* x, float* y) {
  ForEachWindow(window, images, x, y, [&](const float* image, const Sizes& at, ArrayMap out) {
    for (int64_t channel = 0; channel < window.channels; ++channel) {
      double sum = 0;
      ForEachPixel(window, at, image, [&](const ConstArrayMap& pixel) { sum += Power(pixel[channel], p); });
      out[channel] = Root(sum, p);
    }
  });
}

namespace {

// Of `count` channels, kCount if it is known: then the sums stay in registers.
template <int kCount>
void Average(int64_t positions, int64_t channels, int64_t count, const float* x, float* y) {
  using Pixel = Eigen::Array<float, kCount, 1>;
  Eigen::Array<float, kCount, 1, 0, 32> sums = Pixel::Zero(count);
  for (int64_t position = 0; position < positions; ++position) {
    sums += Eigen::Map<const Pixel>(x + position * channels, count);
  }
  Eigen::Map<Pixel>(y, count) = sums / static_cast<float>(positions);
}

}  // namespace

void GlobalAveragePool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y) {
  for (int64_t image = 0; image < images; ++image, x += positions * channels, y += channels) {
    int64_t channel = 0;
    for (; channel + 32 <= channels; channel += 32) Average<32>(positions, channels, 32, x + channel, y + channel);
    Average<Eigen::Dynamic>(positions, channels, channels - channel, x + channel, y + channel);
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

void GlobalLpPool(int64_t images, int64_t positions, int64_t channels, float p, const float* x, float* y) {
  for (int64_t image = 0; image < images; ++image, x += positions * channels) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      double sum = 0;
      for (int64_t position = 0; position < positions; ++position) sum += Power(x[position * channels + channel], p);
      *y++ = Root(sum, p);
    }
  }
}

}  // namespace halfwave::kernels
