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
  // If there are several parts, the call, of a layer that can be split, computes and counts one share of the outputs,
  // perhaps none: some units, some rows, or of a row alone some positions; its units are active if they are in any
  // part.
  int part = 0, parts = 1;
};

// What a vector that a layer keeps takes; for Layer::WeightBytes.
template <typename T>
int64_t BytesOf(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

// For Layer::WorkToSplit: as many multiply-adds as take as long as reading so many weights.
inline double WorkOfReading(int64_t weight_bytes) { return 0.75 * static_cast<double>(weight_bytes); }

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

  // Makes the layer give only the largest of each 2x2 outputs of its images, side by side. Before the first Run, behind
  // what else is fused. False, and nothing changes, if the layer cannot.
  virtual bool FuseMaxPool() { return false; }

  // For a reader: the algorithm, where there is a choice of them, else "".
  virtual const char* Algorithm() const { return ""; }
  // Memory that weights and other constants of the file take, in the form in which they are kept.
  virtual int64_t WeightBytes() const { return 0; }

  // How many rows a call should have so that reading the weights does not take longer than computing with them.
  virtual int64_t PreferredRows() const { return 1; }

  // What several parts of a call share, each with scratch memory of its own, at the same time if need be: the
  // multiply-adds of so many rows, and reading the weights, as many as take as long. 0, whatever `rows`: the layer
  // cannot be split.
  virtual double WorkToSplit([[maybe_unused]] int64_t rows) const { return 0; }

  // Whether the output may be the memory of the first input.
  virtual bool WorksInPlace() const { return false; }
};

}  // namespace halfwave
