#pragma once

#include <span>
#include <vector>

#include "model/kernels/broadcast.h"
#include "model/layers/operand.h"

namespace halfwave {

// y = op(a, b), both stretched to rows of `shape`. At least one of them is computed. The call's inputs are the computed
// operands in order.
class Broadcast : public Layer {
 public:
  Broadcast(kernels::BinaryOp op, std::span<const int64_t> shape, Operand a, Operand b);
  void Run(const LayerCall& call) const override;
  bool WorksInPlace() const override { return works_in_place_; }
  int64_t WeightBytes() const override { return a_.WeightBytes() + b_.WeightBytes(); }

 private:
  kernels::BinaryOp op_;
  Operand a_, b_;
  std::vector<kernels::Loop<2>> loops_;
  bool works_in_place_;
};

// y = condition ? a : b (ONNX's Where), in the same way for three operands.
class Select : public Layer {
 public:
  Select(std::span<const int64_t> shape, Operand condition, Operand a, Operand b);
  void Run(const LayerCall& call) const override;
  int64_t WeightBytes() const override { return condition_.WeightBytes() + a_.WeightBytes() + b_.WeightBytes(); }

 private:
  Operand condition_, a_, b_;
  std::vector<kernels::Loop<3>> loops_;
};

}  // namespace halfwave
