// What a prepared model consists of: steps in order, and the memory they pass rows through.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/activity/activity.h"
#include "model/layers/layer.h"
#include "model/tensor/layout.h"

namespace halfwave {

// Memory for one value: `elements` floats a row, at `offset` floats a row from the start of a session's memory. Values
// that are never needed at the same time share it.
struct Buffer {
  int64_t elements = 0;
  int64_t first_step = 0;  // the step that writes it; -1: filled before the first
  int64_t last_step = 0;   // the last that reads it; the number of steps if it is read after them
  int64_t offset = 0;
};

// The activation a step computes, for counting.
struct ActivationStep {
  size_t index = 0;  // into Plan::activations
  RowLayout layout;
  bool only_observed = false;  // the step computes nothing: the activation itself, a rectifier, stands elsewhere
  bool fused = false;          // the step's layer computes what enters the activation as well, and counts by itself
};

struct Step {
  std::unique_ptr<Layer> layer;
  std::vector<size_t> inputs;  // buffers
  size_t output = 0;           // buffer; may be inputs[0]
  std::optional<ActivationStep> activation;
  // Indices into Model::layers(): the node it computes or prepares something for, and those that were fused into it.
  // None of a step that only puts an output of the model into its layout.
  std::vector<size_t> nodes;
};

// Steps [begin, end) that are run one after the other for at most `rows` rows at a time, so that what passes between
// them stays in the cache.
struct Block {
  size_t begin = 0, end = 0;
  int64_t rows = 0;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<Block> blocks;  // all steps, in order
  std::vector<Buffer> buffers;
  std::vector<size_t> inputs;                            // buffers, in the order of the model's inputs
  std::vector<size_t> outputs;                           // buffers, in the order of the model's outputs; row-major
  std::vector<std::vector<std::string>> output_strings;  // per output: what its elements, as indices, stand for
  std::vector<ActivationLayer> activations;
  int64_t elements_per_row = 0;  // of a session's memory
};

// Fills `blocks`: few rows at a time where rows are large, many where layers prefer it.
void CutIntoBlocks(Plan& plan);

// Whether the buffer is written before the block, or read after it; if not, its rows begin anew each time.
inline bool Crosses(const Buffer& buffer, const Block& block) {
  return buffer.first_step < static_cast<int64_t>(block.begin) || buffer.last_step >= static_cast<int64_t>(block.end);
}

// Gives every buffer its offset: buffers whose steps overlap get disjoint memory, each on a cache line for any number
// of rows; one that crosses a block, from its beginning to its end. First fit, largest first. Sets elements_per_row.
void PlaceBuffers(Plan& plan);

}  // namespace halfwave
