// Layers that make few elements of many. Hardmax and CumSum, which keep the shape, are RowWise functions.
#pragma once

#include <span>

#include "model/kernels/reduce.h"
#include "model/layers/layer.h"

namespace halfwave {

// Reduces rows of `shape` over `axes` (of the row, not negative, each once); the other dimensions stay in their order.
// No axes: each element alone.
class Reduce : public Layer {
 public:
  Reduce(kernels::Reduction reduction, std::span<const int64_t> shape, std::span<const int64_t> axes)
      : reduction_(reduction), loops_(kernels::SplitLoops(shape, axes)) {}
  void Run(const LayerCall& call) const override {
    kernels::Reduce(reduction_, call.rows, loops_.elements, loops_.kept, loops_.reduced, call.inputs[0], call.output);
  }

 private:
  kernels::Reduction reduction_;
  kernels::AxisLoops loops_;
};

// The index of the largest, or smallest, of each group: rows of [groups, length, stride] become [groups, stride].
class ArgMax : public Layer {
 public:
  ArgMax(int64_t groups, int64_t length, int64_t stride, bool smallest, bool select_last_index)
      : groups_(groups), length_(length), stride_(stride), smallest_(smallest), last_(select_last_index) {}
  void Run(const LayerCall& call) const override {
    const auto function = smallest_ ? kernels::ArgMin : kernels::ArgMax;
    function(call.rows * groups_, length_, stride_, last_, call.inputs[0], call.output);
  }

 private:
  int64_t groups_, length_, stride_;
  bool smallest_, last_;
};

// One of the two outputs of ONNX's TopK, always sorted: rows of [groups, length, stride] become [groups, k, stride].
class TopK : public Layer {
 public:
  enum class Output { kValues, kIndices };

  // k <= length.
  TopK(int64_t groups, int64_t length, int64_t stride, int64_t k, bool largest, Output output)
      : groups_(groups), length_(length), stride_(stride), k_(k), largest_(largest), output_(output) {}
  void Run(const LayerCall& call) const override {
    kernels::TopK(call.rows * groups_, length_, stride_, k_, largest_, call.inputs[0], call.scratch,
                  output_ == Output::kValues ? call.output : nullptr,
                  output_ == Output::kIndices ? call.output : nullptr);
  }
  int64_t ScratchElements(int64_t /*rows*/) const override { return length_; }

 private:
  int64_t groups_, length_, stride_, k_;
  bool largest_;
  Output output_;
};

}  // namespace halfwave
