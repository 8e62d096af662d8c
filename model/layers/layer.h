// An operator made ready to run: weights in the order its kernel wants, every size known but the number of rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/kernels/isa/table.h"
#include "model/tensor/layout.h"

namespace halfwave {

// One call's data. The inputs hold `rows` rows each, and so does the output once Run has returned.
struct LayerCall {
  int64_t rows;
  std::span<const float* const> inputs;
  float* output;
  float* scratch;  // ScratchElements(rows) floats, uninitialised
  // If not null, where a layer that an activation was fused into counts that activation's units.
  const kernels::UnitCounts* counts = nullptr;
  // If there are several parts, rows is 1, and the call, of a layer that can be split, computes and counts one share of
  // the outputs: a unit is active if it is in any part.
  int part = 0, parts = 1;
};

// What a vector that a layer keeps takes; for Layer::WeightBytes.
template <typename T>
int64_t BytesOf(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

// Immutable once made: any number of threads may run it at once, each with memory of its own.
class Layer {
 public:
  virtual ~Layer() = default;

  // Allocates nothing and cannot fail.
  virtual void Run(const LayerCall& call) const = 0;

  // Floats of scratch memory a call with `rows` rows needs; never falls as rows grow.
  virtual int64_t ScratchElements([[maybe_unused]] int64_t rows) const { return 0; }

  // Makes `activation` part of the layer. `counted` is how the units of its output lie if they are to be counted, in
  // rows of LayerCall; null if they never are. False, and nothing changes, if the layer cannot. Before the first Run,
  // at most once with success.
  virtual bool Fuse([[maybe_unused]] const kernels::Activation& activation, [[maybe_unused]] const RowLayout* counted) {
    return false;
  }

  // Makes the layer add its second input, from now on one of its inputs, which lies as its output does: before an
  // activation, and so before Fuse. False, and nothing changes, if the layer cannot. At most once with success.
  virtual bool FuseSum() { return false; }

  // For a reader: the algorithm, where there is a choice of them, else "".
  virtual const char* Algorithm() const { return ""; }
  // Memory that weights and other constants of the file take, in the form in which they are kept.
  virtual int64_t WeightBytes() const { return 0; }

  // How many rows a call should have so that reading the weights does not take longer than computing with them.
  virtual int64_t PreferredRows() const { return 1; }

  // The multiply-adds of one row, or as many as take as long, that calls with several parts share, each with scratch
  // memory of its own, at the same time if need be; 0: the layer cannot be split.
  virtual double WorkToSplit() const { return 0; }

  // Whether the output may be the memory of the first input.
  virtual bool WorksInPlace() const { return false; }
};

}  // namespace halfwave
