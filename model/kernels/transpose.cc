#include "model/kernels/transpose.h"

#include "Eigen/Core"

namespace halfwave::kernels {

void TransposeImages(int64_t images, int64_t rows, int64_t columns, const float* x, float* y) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int64_t elements = rows * columns;
  for (int64_t image = 0; image < images; ++image) {
    Eigen::Map<RowMajor>(y + image * elements, columns, rows) =
        Eigen::Map<const RowMajor>(x + image * elements, rows, columns).transpose();
  }
}

}  // namespace halfwave::kernels
