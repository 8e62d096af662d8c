// An operator made ready to run: weights in the order its kernel wants, every size known but the number of rows.
#pragma once

#include <cstdint>
#include <span>

namespace halfwave {

// One call's data. The inputs hold `rows` rows each, and so does the output once Run has returned.
struct LayerCall {
  int64_t rows;
  std::span<const float* const> inputs;
  float* output;
  float* scratch;  // ScratchElements(rows) floats, uninitialised
};

// Immutable once made: any number of threads may run it at once, each with memory of its own.
class Layer {
 public:
  virtual ~Layer() = default;

  // Allocates nothing and cannot fail.
  virtual void Run(const LayerCall& call) const = 0;

  // Floats of scratch memory a call with `rows` rows needs; never falls as rows grow.
  virtual int64_t ScratchElements([[maybe_unused]] int64_t rows) const { return 0; }

  // Whether the output may be the memory of the first input.
  virtual bool WorksInPlace() const { return false; }
};

}  // namespace halfwave
