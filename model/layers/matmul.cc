#include "model/layers/matmul.h"

#include <utility>

#include "model/kernels/matmul.h"

namespace halfwave {
namespace {

// Where the operand's matrix for each entry of `batch` begins.
std::vector<int64_t> Offsets(std::span<const int64_t> batch, const Operand& operand) {
  std::vector<int64_t> offsets = {0};
  for (size_t i = 0; i < batch.size(); ++i) {
    std::vector<int64_t> longer;
    for (const int64_t offset : offsets) {
      for (int64_t k = 0; k < batch[i]; ++k) longer.push_back(offset + k * operand.strides[i]);
    }
    offsets = std::move(longer);
  }
  return offsets;
}

}  // namespace

MatMul::MatMul(std::span<const int64_t> batch, int64_t rows, int64_t depth, int64_t columns, Operand a, Operand b)
    : rows_(rows),
      depth_(depth),
      columns_(columns),
      a_(std::move(a)),
      b_(std::move(b)),
      a_offsets_(Offsets(batch, a_)),
      b_offsets_(Offsets(batch, b_)) {}

void MatMul::Run(const LayerCall& call) const {
  OperandReader read(call);
  const float* a = read.Next(a_);
  const float* b = read.Next(b_);
  float* y = call.output;
  for (int64_t row = 0; row < call.rows; ++row) {
    for (size_t i = 0; i < a_offsets_.size(); ++i) {
      kernels::MatMul(rows_, depth_, columns_, a + row * a_.row_stride + a_offsets_[i],
                      b + row * b_.row_stride + b_offsets_[i], y);
      y += rows_ * columns_;
    }
  }
}

}  // namespace halfwave
