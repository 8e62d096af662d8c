// How long it takes from a file to a session that can run.
#pragma once

#include <vector>

#include "tests/bench/compare/entries.h"
#include "tests/bench/compare/peer.h"

namespace halfwave::compare {

// Loads each model's file by turns with both engines, and prints a line for each: both medians with their intervals,
// and the median of the paired ratios, ORT's time / ours. The file is in the page cache; ours also takes the file's
// SHA-256.
void CompareLoading(const Peer& runtime, const std::vector<Entry>& entries);

}  // namespace halfwave::compare
