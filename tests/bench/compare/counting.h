// What counting the activity of units costs.
#pragma once

#include <vector>

#include "tests/bench/compare/entries.h"

namespace halfwave::compare {

// Runs one session of each model by turns with counting and without, and prints a line for each cell: both medians of
// CPU time, the median of the paired ratios (with / without) and its interval, and the same of counting against itself;
// then the geometric mean over all cells, and the largest.
void CompareCounting(const std::vector<Entry>& entries, const std::vector<int64_t>& batches, bool quick);

}  // namespace halfwave::compare
