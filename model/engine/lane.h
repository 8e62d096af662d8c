// What one thread of a session needs to run rows of a batch.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "model/base/thread_team.h"
#include "model/engine/model.h"
#include "model/tensor/aligned_buffer.h"
#include "model/tensor/layout.h"

namespace halfwave {

// What enters an activation, for some rows of a batch.
struct PreActivations {
  size_t layer;         // into Model::activations()
  int64_t first, rows;  // of the batch
  const RowLayout& layout;
  const float* values;  // [rows, layout.elements()]
};

// Passes rows from step to step in memory of its own, and counts what their units do. Used by one thread at a time. All
// memory is taken by the constructor; pages of rows that never come are never touched.
class Lane {
 public:
  // For one of several lanes that pass the same rows from step to step: each computes a share of the steps that are
  // worth it, and the first alone computes the others.
  struct Crew {
    int part, parts;
    const Lane& first;       // in whose memory all work
    ThreadTeam& team;        // whose present Run has `parts` shares, one for each of them
    double worth_splitting;  // see Sharing
  };

  // max_rows: the most rows that one Run is given, 1 or more. max_rows_together: that one RunTogether is given; the
  // first lane takes as many in one Run. of_batch: per buffer of the plan, memory that holds the buffer's rows of the
  // whole batch, or null: then the lane's own memory holds those that the lane computes. The model must outlive the
  // lane.
  Lane(const Model& model, int64_t max_rows, int64_t max_rows_together, std::vector<float*> of_batch);

  // Computes `rows` rows of the batch from row `first` on. `skip`, if not null, holds a byte per row of the batch; rows
  // whose byte is not zero are computed but not counted. Allocates nothing.
  void Run(int64_t first, int64_t rows, const uint8_t* skip);
  // Takes part in the same for the first rows of the batch, while each of the crew's other lanes does as well: returns
  // when this one's part is done. Each counts what it computes, and the first the samples.
  void RunTogether(int64_t rows, const uint8_t* skip, const Crew& crew);

  // Where a buffer begins.
  float* data(size_t buffer) const { return data_[buffer]; }

  // See Session.
  void set_counting(bool counting) { counting_ = counting; }
  void set_after_step(std::function<void(size_t step)> after_step) { after_step_ = std::move(after_step); }
  void set_before_activation(std::function<void(const PreActivations&)> before_activation) {
    before_activation_ = std::move(before_activation);
  }
  int64_t bytes() const { return static_cast<int64_t>((memory_.size() + scratch_.size()) * sizeof(float)); }

  // What the units did in the last Run that counted.
  BatchActivity& activity() { return activity_; }
  const BatchActivity& activity() const { return activity_; }

 private:
  // Rows [first, first + count) of the lane's, on their way through a block.
  struct Part {
    const Block& block;
    int64_t first, count;
    int64_t first_of_batch;  // where the lane's rows begin in the batch
    const uint8_t* skip;     // of these rows
  };

  void StartCounting(int64_t rows, const uint8_t* skip);
  // Calls visit(step, part) for all steps, in order, of each part.
  template <typename Visit>
  void ForEachStep(int64_t first, int64_t rows, const uint8_t* skip, Visit visit);
  float* RowsIn(size_t buffer, const Part& part) const;
  // In the memory of `lane`, one of so many shares.
  void RunStep(const Step& step, const Part& part, const Lane& lane, int share, int shares);

  const Model& model_;
  const std::vector<float*> of_batch_;
  AlignedBuffer memory_;
  AlignedBuffer scratch_;
  std::vector<float*> data_;  // per buffer
  std::vector<const float*> step_inputs_;
  std::vector<uint8_t> seen_units_;
  BatchActivity activity_;
  bool counting_ = true;
  std::function<void(size_t step)> after_step_;
  std::function<void(const PreActivations&)> before_activation_;
};

}  // namespace halfwave
