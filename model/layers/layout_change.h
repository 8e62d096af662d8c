#pragma once

#include "model/kernels/transpose.h"
#include "model/layers/layer.h"

namespace halfwave {

// Reorders each image of each row from [rows, columns] to [columns, rows]: between row-major and channels-last.
class LayoutChange : public Layer {
 public:
  LayoutChange(int64_t images, int64_t rows, int64_t columns) : images_(images), rows_(rows), columns_(columns) {}
  void Run(const LayerCall& call) const override {
    kernels::TransposeImages(call.rows * images_, rows_, columns_, call.inputs[0], call.output);
  }
  const char* Algorithm() const override { return "transpose"; }

 private:
  int64_t images_, rows_, columns_;
};

}  // namespace halfwave
