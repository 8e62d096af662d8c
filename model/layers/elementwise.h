// Layers that treat each element alone, or with one constant per element of a row.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "model/kernels/elementwise.h"
#include "model/layers/layer.h"

namespace halfwave {

// Any function of single elements, with its parameters bound: f(count, x, y), where x may be y.
class Elementwise : public Layer {
 public:
  using Function = std::function<void(int64_t count, const float* x, float* y)>;

  Elementwise(int64_t elements, Function function) : elements_(elements), function_(std::move(function)) {}
  void Run(const LayerCall& call) const override { function_(call.rows * elements_, call.inputs[0], call.output); }
  bool WorksInPlace() const override { return true; }

 private:
  int64_t elements_;  // of a row
  Function function_;
};

// Each row with its own constants: f(rows, elements, x, y), where x may be y.
class RowWise : public Layer {
 public:
  using Function = std::function<void(int64_t rows, int64_t elements, const float* x, float* y)>;

  // weight_bytes: what the function keeps.
  RowWise(int64_t elements, Function function, int64_t weight_bytes = 0)
      : elements_(elements), function_(std::move(function)), weight_bytes_(weight_bytes) {}
  void Run(const LayerCall& call) const override { function_(call.rows, elements_, call.inputs[0], call.output); }
  bool WorksInPlace() const override { return true; }
  int64_t WeightBytes() const override { return weight_bytes_; }

 private:
  int64_t elements_;
  Function function_;
  int64_t weight_bytes_;
};

}  // namespace halfwave
