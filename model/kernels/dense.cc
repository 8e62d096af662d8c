#include "model/kernels/dense.h"

#include <algorithm>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Strided = Eigen::OuterStride<>;

// Eigen packs all columns of the weights, a few hundred rows at a time; with more columns the packed block would no
// longer fit on the stack (EIGEN_STACK_ALLOCATION_LIMIT) and be allocated.
constexpr int64_t kMaxColumns = 512;

}  // namespace

void Dense(int64_t rows, int64_t in, int64_t out, const float* x, int64_t x_stride, const float* w, const float* bias,
           float* y, int64_t y_stride) {
  const Eigen::Map<const RowMajor, 0, Strided> inputs(x, rows, in, Strided(x_stride));
  const Eigen::Map<const RowMajor> weights(w, in, out);
  const Eigen::Map<const Eigen::RowVectorXf> biases(bias, out);
  Eigen::Map<RowMajor, 0, Strided> outputs(y, rows, out, Strided(y_stride));
  outputs.rowwise() = biases;
  for (int64_t first = 0; first < out; first += kMaxColumns) {
    const int64_t count = std::min(kMaxColumns, out - first);
    outputs.middleCols(first, count).noalias() += inputs * weights.middleCols(first, count);
  }
}

}  // namespace halfwave::kernels
