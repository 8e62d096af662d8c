// The memory to run one model, one batch at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/model.h"
#include "model/tensor/aligned_buffer.h"

namespace halfwave {

// Owned by one thread at a time. All memory is taken by the constructor; pages of rows that never come are never
// touched.
class Session {
 public:
  // max_rows: the largest batch, 1 or more.
  Session(std::shared_ptr<const Model> model, int64_t max_rows);

  const Model& model() const { return *model_; }
  int64_t max_rows() const { return max_rows_; }

  // Where the rows of input `index` go before Run: max_rows() rows, row-major, one after the other. Their values are
  // undefined after Run.
  std::span<float> input(size_t index);

  // Computes the first `rows` rows, 1 to max_rows(). `skip`, if not empty, holds a byte per row; rows whose byte is
  // not zero are computed but not counted. Allocates nothing.
  void Run(int64_t rows, std::span<const uint8_t> skip = {});

  // The rows of output `index`, as the last Run with as many rows left them.
  std::span<const float> output(size_t index, int64_t rows) const;

  // What the units did in the last Run.
  const BatchActivity& activity() const { return activity_; }

 private:
  float* BufferData(size_t buffer) { return memory_.data() + model_->plan().buffers[buffer].offset * max_rows_; }
  // The rows of `buffer` that begin with row `first`, for a step of the block.
  float* RowsIn(size_t buffer, const Block& block, int64_t first);
  void RunStep(const Step& step, const Block& block, int64_t first, int64_t rows, const uint8_t* skip);

  std::shared_ptr<const Model> model_;
  int64_t max_rows_;
  AlignedBuffer memory_;
  AlignedBuffer scratch_;
  std::vector<const float*> step_inputs_;
  std::vector<uint8_t> seen_units_;
  BatchActivity activity_;
};

}  // namespace halfwave
