#include "model/layers/conv.h"

#include <algorithm>
#include <utility>

namespace halfwave {
namespace {

// [out, in, kernel] to [kernel, in, out], within each group.
std::vector<float> Reorder(const std::vector<float>& weights, int64_t group, int64_t in, int64_t out, int64_t kernel) {
  std::vector<float> reordered(weights.size());
  for (int64_t g = 0; g < group; ++g) {
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) {
        for (int64_t k = 0; k < kernel; ++k) {
          reordered[((g * kernel + k) * in + i) * out + o] = weights[((g * out + o) * in + i) * kernel + k];
        }
      }
    }
  }
  return reordered;
}

// [in, out, kernel] to [out, in, kernel], within each group.
std::vector<float> SwapChannels(const std::vector<float>& weights, int64_t group, int64_t in, int64_t out,
                                int64_t kernel) {
  std::vector<float> swapped(weights.size());
  for (int64_t g = 0; g < group; ++g) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t o = 0; o < out; ++o) {
        std::copy_n(weights.data() + ((g * in + i) * out + o) * kernel, kernel,
                    swapped.data() + ((g * out + o) * in + i) * kernel);
      }
    }
  }
  return swapped;
}

kernels::Window Transposed(kernels::Window window) {
  window.transposed = true;
  return window;
}

}  // namespace

Conv::Conv(const kernels::Window& window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
           const std::vector<float>& bias, int64_t images, WeightFormat format)
    : window_(window),
      group_(group),
      group_in_(window.channels / group),
      group_out_(out_channels / group),
      depth_(window.steps() * group_in_),
      images_(images) {
  const std::vector<float> reordered = Reorder(weights, group, group_in_, group_out_, window.steps());
  for (int64_t g = 0; g < group; ++g) {
    weights_.emplace_back(depth_, group_out_, reordered.data() + g * depth_ * group_out_, false,
                          bias.data() + g * group_out_, format);
  }
}

ConvTranspose::ConvTranspose(kernels::Window window, int64_t group, int64_t out_channels,
                             const std::vector<float>& weights, const std::vector<float>& bias, int64_t images,
                             WeightFormat format)
    : Conv(Transposed(window), group, out_channels,
           SwapChannels(weights, group, window.channels / group, out_channels / group, window.steps()), bias, images,
           format) {}

int64_t Conv::ColumnsPerBlock(int64_t rows) const {
  return std::min(rows * images_ * window_.positions(), std::max<int64_t>(1, kMaxColumnElements / depth_));
}

int64_t Conv::ColumnElements(int64_t rows) const {
  constexpr int64_t kLine = AlignedBuffer::kAlignment / sizeof(float);
  return window_.IsPointwise() ? 0 : (ColumnsPerBlock(rows) * depth_ + kLine - 1) / kLine * kLine;
}

int64_t Conv::WeightBytes() const {
  int64_t bytes = 0;
  for (const PackedDense& group : weights_) bytes += static_cast<int64_t>(group.bytes());
  return bytes;
}

int64_t Conv::ScratchElements(int64_t rows) const {
  return ColumnElements(rows) + weights_[0].ScratchElements(rows * images_ * window_.positions());
}

void Conv::Run(const LayerCall& call) const {
  const int64_t total = call.rows * images_ * window_.positions();
  const int64_t out_channels = group_ * group_out_;
  const bool pointwise = window_.IsPointwise();  // then the image itself is the matrix of columns
  const int64_t block = pointwise ? total : ColumnsPerBlock(call.rows);
  for (int64_t begin = 0; begin < total; begin += block) {
    const int64_t count = std::min(block, total - begin);
    for (int64_t g = 0; g < group_; ++g) {
      const float* columns = call.scratch;
      if (pointwise) {
        columns = call.inputs[0] + g * group_in_;
      } else {
        kernels::Im2Col(window_, begin, begin + count, g * group_in_, group_in_, call.inputs[0], call.scratch);
      }
      weights_[g].Run(count, columns, pointwise ? window_.channels : depth_, {}, nullptr,
                      call.output + begin * out_channels + g * group_out_, out_channels,
                      call.scratch + ColumnElements(call.rows));
    }
  }
}

}  // namespace halfwave
