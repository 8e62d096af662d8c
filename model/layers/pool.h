// Pooling over channels-last rows [height, width, channels].
#pragma once

#include "model/kernels/window.h"
#include "model/layers/layer.h"

namespace halfwave {

class MaxPool : public Layer {
 public:
  explicit MaxPool(const kernels::Window2d& window) : window_(window) {}
  void Run(const LayerCall& call) const override { kernels::MaxPool(window_, call.rows, call.inputs[0], call.output); }

 private:
  kernels::Window2d window_;
};

class AveragePool : public Layer {
 public:
  AveragePool(const kernels::Window2d& window, bool count_padding) : window_(window), count_padding_(count_padding) {}
  void Run(const LayerCall& call) const override {
    kernels::AveragePool(window_, count_padding_, call.rows, call.inputs[0], call.output);
  }

 private:
  kernels::Window2d window_;
  bool count_padding_;
};

class GlobalAveragePool : public Layer {
 public:
  GlobalAveragePool(int64_t positions, int64_t channels) : positions_(positions), channels_(channels) {}
  void Run(const LayerCall& call) const override {
    kernels::GlobalAveragePool(call.rows, positions_, channels_, call.inputs[0], call.output);
  }

 private:
  int64_t positions_, channels_;
};

class GlobalMaxPool : public Layer {
 public:
  GlobalMaxPool(int64_t positions, int64_t channels) : positions_(positions), channels_(channels) {}
  void Run(const LayerCall& call) const override {
    kernels::GlobalMaxPool(call.rows, positions_, channels_, call.inputs[0], call.output);
  }

 private:
  int64_t positions_, channels_;
};

}  // namespace halfwave
