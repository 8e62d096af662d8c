#include "model/layers/broadcast.h"

#include <utility>

namespace halfwave {
namespace {

// Whether the operand's rows have the output's elements in the output's order.
bool IsWholeRow(const Operand& operand, std::span<const int64_t> shape) {
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && operand.strides[i] != stride) return false;
    stride *= shape[i];
  }
  return operand.row_stride == stride;
}

}  // namespace

Broadcast::Broadcast(kernels::BinaryOp op, std::span<const int64_t> shape, Operand a, Operand b)
    : op_(op),
      a_(std::move(a)),
      b_(std::move(b)),
      loops_(kernels::MergeLoops<2>(shape, {a_.strides, b_.strides})),
      works_in_place_(IsWholeRow(a_.constant ? b_ : a_, shape)) {}

void Broadcast::Run(const LayerCall& call) const {
  OperandReader read(call);
  const float* a = read.Next(a_);
  const float* b = read.Next(b_);
  kernels::Broadcast(op_, call.rows, loops_, {a_.row_stride, b_.row_stride}, a, b, call.output);
}

Select::Select(std::span<const int64_t> shape, Operand condition, Operand a, Operand b)
    : condition_(std::move(condition)),
      a_(std::move(a)),
      b_(std::move(b)),
      loops_(kernels::MergeLoops<3>(shape, {condition_.strides, a_.strides, b_.strides})) {}

void Select::Run(const LayerCall& call) const {
  OperandReader read(call);
  const float* condition = read.Next(condition_);
  const float* a = read.Next(a_);
  const float* b = read.Next(b_);
  kernels::Select(call.rows, loops_, {condition_.row_stride, a_.row_stride, b_.row_stride}, condition, a, b,
                  call.output);
}

}  // namespace halfwave
