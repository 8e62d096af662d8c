// The memory and the threads to run one model, one batch at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/base/thread_team.h"
#include "model/engine/lane.h"
#include "model/engine/model.h"
#include "model/engine/sharing.h"
#include "model/tensor/aligned_buffer.h"

namespace halfwave {

// Owned by one thread at a time. All memory is taken by the constructor; pages of rows that never come are never
// touched.
class Session {
 public:
  // What a thread must have to do, in multiply-adds, to be worth waking: about as long as that takes, some 50 us.
  static constexpr double kWorthWaking = 4e6;

  // max_rows: the largest batch, 1 or more. threads: how many may work on a batch, 1 or more: the one that calls Run,
  // and others that belong to the session and sleep between batches. Rows and counts do not depend on their number.
  // worth_waking: for tests, which want to see threads at work on little.
  Session(std::shared_ptr<const Model> model, int64_t max_rows, int threads = 1, double worth_waking = kWorthWaking);

  const Model& model() const { return *model_; }
  int64_t max_rows() const { return max_rows_; }
  int threads() const { return team_.size(); }
  // Memory for values and for what layers need beside them.
  int64_t bytes() const;

  // Where the rows of input `index` go before Run: max_rows() rows, row-major, one after the other. Their values are
  // undefined after Run.
  std::span<float> input(size_t index);

  // Computes the first `rows` rows, 1 to max_rows(). `skip`, if not empty, holds a byte per row; rows whose byte is
  // not zero are computed but not counted. Allocates nothing.
  void Run(int64_t rows, std::span<const uint8_t> skip = {});

  // The rows of output `index`, as the last Run with as many rows left them.
  std::span<const float> output(size_t index, int64_t rows) const;

  // What the units did in the last Run that counted.
  const BatchActivity& activity() const { return lanes_[0]->activity(); }

  // For those who measure. Counting is on unless it is turned off; the results are the same. `after_step`, if there is
  // one, is called with the index of each step every time the calling thread has run it, which is once for each part of
  // its rows.
  void set_counting(bool counting);
  void set_after_step(std::function<void(size_t step)> after_step);
  // For those who look inside, in a session of one thread whose model keeps its pre-activations: called for every
  // counted activation of a Run, in order, perhaps for some of its rows at a time.
  void set_before_activation(std::function<void(const PreActivations&)> before_activation);

 private:
  std::shared_ptr<const Model> model_;
  int64_t max_rows_;
  Sharing sharing_;
  AlignedBuffer memory_;                      // of inputs and outputs, where several threads compute their rows
  std::vector<std::unique_ptr<Lane>> lanes_;  // one a thread
  ThreadTeam team_;
};

}  // namespace halfwave
