// Sliding windows over channels-last images.
#pragma once

#include <array>
#include <cstdint>

namespace halfwave::kernels {

// The geometry of a window over one image [depth, height, width, channels]. Entries are in that order; an image with
// fewer dimensions leaves the first ones at the defaults.
struct Window {
  using Sizes = std::array<int64_t, 3>;

  int64_t channels = 1;
  Sizes size = {1, 1, 1};
  Sizes kernel = {1, 1, 1};
  Sizes strides = {1, 1, 1};
  Sizes dilations = {1, 1, 1};
  Sizes pads_begin = {0, 0, 0};
  Sizes pads_end = {0, 0, 0};
  Sizes out = {1, 1, 1};
  // The window of a transposed convolution: strides, dilations and padding are those of the convolution from `out` to
  // `size` that it turns around. Only Im2Col knows it.
  bool transposed = false;

  static int64_t Product(const Sizes& sizes) { return sizes[0] * sizes[1] * sizes[2]; }
  int64_t positions() const { return Product(out); }
  int64_t steps() const { return Product(kernel); }
  int64_t image_positions() const { return Product(size); }
  int64_t image_elements() const { return image_positions() * channels; }
  bool IsPointwise() const {
    constexpr Sizes kOnes = {1, 1, 1};
    return kernel == kOnes && strides == kOnes && out == size && pads_begin == Sizes{0, 0, 0};
  }
};

// Writes what the window sees at output positions [begin, end), counted through all images, as rows of
// [kernel, count] for the channels [first, first + count); zero where it sees padding.
// x: [images, size, channels]. columns: [end - begin, steps * count].
void Im2Col(const Window& window, int64_t begin, int64_t end, int64_t first, int64_t count, const float* x,
            float* columns);

// The largest element of each window; padding never counts. x: [images, size, channels]. y: [images, out, channels].
void MaxPool(const Window& window, int64_t images, const float* x, float* y);

// Where MaxPool found each element, the first of several: its index in the row-major tensor [images, channels, size],
// or, if `column_major`, in one whose spatial dimensions vary from the first on. -1 where a window saw nothing. Above
// 2^24 a float cannot tell neighbours apart.
void MaxPoolIndices(const Window& window, bool column_major, int64_t images, const float* x, float* y);

// The mean of each window, over the elements in the image, or, with `count_padding`, over those in the padded image.
void AveragePool(const Window& window, bool count_padding, int64_t images, const float* x, float* y);

// The p-norm of each window, (sum of |x|^p)^(1/p). p > 0.
void LpPool(const Window& window, float p, int64_t images, const float* x, float* y);

// The mean over all positions. x: [images, positions, channels]. y: [images, channels].
void GlobalAveragePool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y);

// The largest element over all positions, in the same shapes.
void GlobalMaxPool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y);

// The p-norm over all positions, in the same shapes.
void GlobalLpPool(int64_t images, int64_t positions, int64_t channels, float p, const float* x, float* y);

}  // namespace halfwave::kernels
