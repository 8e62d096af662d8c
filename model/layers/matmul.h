#pragma once

#include <span>
#include <vector>

#include "model/layers/operand.h"

namespace halfwave {

// Products of matrices in rows: a [.., rows, depth] times b [.., depth, columns], the leading dimensions of both
// stretched to `batch`, make [batch, rows, columns]. At least one operand is computed. Each is an Operand of its
// leading dimensions with one matrix as block: Computed(a_leading, batch, rows * depth), and so on. A product with one
// constant matrix on the right is faster as Dense.
class MatMul : public Layer {
 public:
  MatMul(std::span<const int64_t> batch, int64_t rows, int64_t depth, int64_t columns, Operand a, Operand b);
  void Run(const LayerCall& call) const override;
  int64_t WeightBytes() const override { return a_.WeightBytes() + b_.WeightBytes(); }

 private:
  int64_t rows_, depth_, columns_;
  Operand a_, b_;
  std::vector<int64_t> a_offsets_, b_offsets_;  // of each pair of matrices
};

}  // namespace halfwave
