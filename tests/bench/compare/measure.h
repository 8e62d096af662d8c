// Both engines on one model and batch, side by side.
#pragma once

#include <string>
#include <vector>

#include "model/engine/session.h"
#include "tests/bench/compare/pairs.h"
#include "tests/bench/compare/peer.h"

namespace halfwave::compare {

struct Cell {
  std::string model;
  int64_t batch = 0;
  int threads = 1;
  double ort_us = 0, ours_us = 0;  // medians, per call
  Estimate ratio;                  // ORT's time / ours, over the pairs
  Estimate scatter;                // the same of ORT against itself: neighbouring pairs
  double of_peak = 0;              // our multiply-adds, as the file has them, of those the multipliers can do
  double difference = 0;           // the largest of the outputs, in units of the project's tolerance
  bool row_by_row = false;         // how ORT had to run the file
};

// Fills `to` with rows of `row` floats from row `first` of the pool on, beginning again behind the last.
void CopyRows(const std::vector<float>& pool, int64_t first, int64_t row, std::vector<float>& to);

// Runs both by turns, each with the same rows of `pool` (whole rows, used in a circle). Ours copies its rows in within
// the time measured, as its memory is used again; ORT reads its bound buffer where it is.
Cell Measure(PeerModel& peer, Session& session, int64_t rows, const std::vector<float>& pool, const Effort& effort);

}  // namespace halfwave::compare
