// How the threads of a session share a batch.
#pragma once

#include <cstdint>

#include "model/engine/model.h"

namespace halfwave {

// Decided by the model and the number of rows alone. Work is in multiply-adds, or what takes as long.
class Sharing {
 public:
  // threads: the most to share among. worth_waking: what a thread must have to do.
  Sharing(const Model& model, int threads, double worth_waking);

  struct Shares {
    int count;
    // All rows go from step to step at the same time, and the shares are of what each step computes; else they are of
    // the rows.
    bool together;
  };
  Shares Of(int64_t rows) const;

  // What a step must have to do for the threads to share it.
  double worth_splitting() const { return worth_splitting_; }

 private:
  int threads_;
  double worth_waking_, worth_splitting_;
  double per_row_ = 0;                         // work of a row,
  double split_per_row_ = 0, split_once_ = 0;  // in steps worth splitting: of a row, and of reading their weights,
  double alone_per_row_ = 0;                   // and in the others
  double meetings_ = 0;
};

}  // namespace halfwave
