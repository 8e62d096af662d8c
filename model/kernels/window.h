// Sliding windows over channels-last images.
#pragma once

#include <cstdint>

namespace halfwave::kernels {

// The geometry of a two-dimensional window over one image [height, width, channels].
struct Window2d {
  int64_t height, width, channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_y, stride_x;
  int64_t dilation_y, dilation_x;
  int64_t pad_top, pad_left, pad_bottom, pad_right;
  int64_t out_height, out_width;

  int64_t positions() const { return out_height * out_width; }
  int64_t image_elements() const { return height * width * channels; }
  bool IsPointwise() const {
    return kernel_height == 1 && kernel_width == 1 && stride_y == 1 && stride_x == 1 && out_height == height &&
           out_width == width;
  }
};

// Writes what the window sees at output positions [begin, end), counted through all images, as rows of
// [kernel_height, kernel_width, count] for the channels [first, first + count); zero where it sees padding.
// x: [images, height, width, channels]. columns: [end - begin, kernel_height * kernel_width * count].
void Im2Col(const Window2d& window, int64_t begin, int64_t end, int64_t first, int64_t count, const float* x,
            float* columns);

// The largest element of each window; padding never counts. x: [images, height, width, channels].
// y: [images, out_height, out_width, channels].
void MaxPool(const Window2d& window, int64_t images, const float* x, float* y);

// The mean of each window, over the elements in the image, or, with `count_padding`, over those in the padded image.
void AveragePool(const Window2d& window, bool count_padding, int64_t images, const float* x, float* y);

// The mean over all positions. x: [images, positions, channels]. y: [images, channels].
void GlobalAveragePool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y);

// The largest element over all positions, in the same shapes.
void GlobalMaxPool(int64_t images, int64_t positions, int64_t channels, const float* x, float* y);

}  // namespace halfwave::kernels
