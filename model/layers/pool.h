// Pooling over channels-last images [depth, height, width, channels]. A row holds `images` of them, one after another.
#pragma once

#include "model/kernels/isa.h"
#include "model/kernels/window.h"
#include "model/layers/image_shape.h"
#include "model/layers/layer.h"

namespace halfwave {

class MaxPool : public Layer {
 public:
  explicit MaxPool(const kernels::Window& window, int64_t images = 1) : window_(window), images_(images) {}
  void Run(const LayerCall& call) const override {
    if (!IsImage(window_)) return kernels::MaxPool(window_, call.rows * images_, call.inputs[0], call.output);
    const kernels::ConvShape shape = ToConvShape(window_, window_.channels);
    const kernels::ConvCall pool = {&shape,  call.rows, images_, call.inputs[0], nullptr,   call.output,
                                    nullptr, {},        {},      nullptr,        call.part, call.parts};
    kernels::Kernels().image.max_pool(&pool);
  }
  double WorkToSplit(int64_t rows) const override {
    const int64_t outputs = rows * images_ * window_.positions() * window_.channels;
    return IsImage(window_) ? static_cast<double>(outputs * window_.steps()) : 0;
  }

 private:
  kernels::Window window_;
  int64_t images_;
};

// The second output of ONNX's MaxPool, channels-last as the first; the indices count through the images of one row.
class MaxPoolIndices : public Layer {
 public:
  // column_major: attribute storage_order.
  MaxPoolIndices(const kernels::Window& window, bool column_major, int64_t images = 1)
      : window_(window), column_major_(column_major), images_(images) {}
  void Run(const LayerCall& call) const override {
    for (int64_t row = 0; row < call.rows; ++row) {
      kernels::MaxPoolIndices(window_, column_major_, images_,
                              call.inputs[0] + row * images_ * window_.image_elements(),
                              call.output + row * images_ * window_.positions() * window_.channels);
    }
  }

 private:
  kernels::Window window_;
  bool column_major_;
  int64_t images_;
};

class AveragePool : public Layer {
 public:
  AveragePool(const kernels::Window& window, bool count_padding, int64_t images = 1)
      : window_(window), count_padding_(count_padding), images_(images) {}
  void Run(const LayerCall& call) const override {
    kernels::AveragePool(window_, count_padding_, call.rows * images_, call.inputs[0], call.output);
  }

 private:
  kernels::Window window_;
  bool count_padding_;
  int64_t images_;
};

class LpPool : public Layer {
 public:
  LpPool(const kernels::Window& window, float p, int64_t images = 1) : window_(window), p_(p), images_(images) {}
  void Run(const LayerCall& call) const override {
    kernels::LpPool(window_, p_, call.rows * images_, call.inputs[0], call.output);
  }

 private:
  kernels::Window window_;
  float p_;
  int64_t images_;
};

class GlobalAveragePool : public Layer {
 public:
  GlobalAveragePool(int64_t positions, int64_t channels, int64_t images = 1)
      : positions_(positions), channels_(channels), images_(images) {}
  void Run(const LayerCall& call) const override {
    kernels::GlobalAveragePool(call.rows * images_, positions_, channels_, call.inputs[0], call.output);
  }

 private:
  int64_t positions_, channels_, images_;
};

class GlobalMaxPool : public Layer {
 public:
  GlobalMaxPool(int64_t positions, int64_t channels, int64_t images = 1)
      : positions_(positions), channels_(channels), images_(images) {}
  void Run(const LayerCall& call) const override {
    kernels::GlobalMaxPool(call.rows * images_, positions_, channels_, call.inputs[0], call.output);
  }

 private:
  int64_t positions_, channels_, images_;
};

class GlobalLpPool : public Layer {
 public:
  GlobalLpPool(int64_t positions, int64_t channels, float p, int64_t images = 1)
      : positions_(positions), channels_(channels), p_(p), images_(images) {}
  void Run(const LayerCall& call) const override {
    kernels::GlobalLpPool(call.rows * images_, positions_, channels_, p_, call.inputs[0], call.output);
  }

 private:
  int64_t positions_, channels_;
  float p_;
  int64_t images_;
};

}  // namespace halfwave
