#include "model/kernels/matmul.h"

#include <algorithm>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Eigen packs all columns of the right side, a few hundred rows at a time; with more columns the packed block would no
// longer fit on the stack (EIGEN_STACK_ALLOCATION_LIMIT) and be allocated. So would, where one side is a vector, a copy
// of it with more rows.
constexpr int64_t kMaxColumns = 512;
constexpr int64_t kMaxDepth = int64_t{1} << 16;

using ConstMatrix = Eigen::Map<const RowMajor>;
using Matrix = Eigen::Map<RowMajor>;

// out += left * right
void AddProduct(const ConstMatrix& left, const ConstMatrix& right, Matrix& out) {
  for (int64_t first = 0; first < right.cols(); first += kMaxColumns) {
    const int64_t count = std::min(kMaxColumns, right.cols() - first);
    for (int64_t k = 0; k < right.rows(); k += kMaxDepth) {
      const int64_t depth = std::min(kMaxDepth, right.rows() - k);
      out.middleCols(first, count).noalias() += left.middleCols(k, depth) * right.block(k, first, depth, count);
    }
  }
}

}  // namespace

void MatMul(int64_t rows, int64_t depth, int64_t columns, const float* a, const float* b, float* y) {
  Matrix out(y, rows, columns);
  out.setZero();
  AddProduct(ConstMatrix(a, rows, depth), ConstMatrix(b, depth, columns), out);
}

}  // namespace halfwave::kernels
