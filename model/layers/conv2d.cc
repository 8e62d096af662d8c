#include "model/layers/conv2d.h"

#include <algorithm>
#include <utility>

#include "model/kernels/dense.h"

namespace halfwave {
namespace {

// [out, in, y, x] to [y, x, in, out], within each group.
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

}  // namespace

Conv2d::Conv2d(const kernels::Window2d& window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
               std::vector<float> bias)
    : window_(window),
      group_(group),
      group_in_(window.channels / group),
      group_out_(out_channels / group),
      depth_(window.kernel_height * window.kernel_width * group_in_),
      weights_(Reorder(weights, group, group_in_, group_out_, window.kernel_height * window.kernel_width)),
      bias_(std::move(bias)) {}

int64_t Conv2d::ColumnsPerBlock(int64_t rows) const {
  return std::min(rows * window_.positions(), std::max<int64_t>(1, kMaxColumnElements / depth_));
}

int64_t Conv2d::ScratchElements(int64_t rows) const {
  return window_.IsPointwise() ? 0 : ColumnsPerBlock(rows) * depth_;
}

void Conv2d::Run(const LayerCall& call) const {
  const int64_t total = call.rows * window_.positions();
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
      kernels::Dense(count, depth_, group_out_, columns, pointwise ? window_.channels : depth_,
                     weights_.data() + g * depth_ * group_out_, bias_.data() + g * group_out_,
                     call.output + begin * out_channels + g * group_out_, out_channels);
    }
  }
}

}  // namespace halfwave
