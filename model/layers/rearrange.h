// Layers that copy or mix elements by position.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "model/kernels/rearrange.h"
#include "model/layers/layer.h"

namespace halfwave {

// out[i * block + j] = in[map[i] * block + j], or `fill` where map[i] is -1: pads, tiles, gathers at constant indices,
// depth to space, nearest resizing. A row holds `groups` inputs of `in_elements` floats; each is mapped alike.
class Rearrange : public Layer {
 public:
  // Every map entry is -1 or names a block within in_elements.
  Rearrange(int64_t in_elements, int64_t block, std::vector<int64_t> map, float fill = 0, int64_t groups = 1);
  void Run(const LayerCall& call) const override {
    kernels::Rearrange(call.rows * groups_, in_elements_, sources_, block_, fill_, call.inputs[0], call.output);
  }

 private:
  int64_t in_elements_, block_;
  std::vector<int64_t> sources_;  // -1 or the first element of a block; as few and as long as the map allows
  float fill_;
  int64_t groups_;
};

// out[i] = sum of weights[k] * in[indices[k]] over k in [begins[i], begins[i + 1]), or `fill` where there is no k:
// linear and cubic resizing. Each entry is a block of `block` floats; a row holds `groups` inputs of `inputs` entries.
class SparseMap : public Layer {
 public:
  struct Entries {
    std::vector<int64_t> begins;  // one more than outputs
    std::vector<int64_t> indices;
    std::vector<float> weights;
  };

  SparseMap(int64_t inputs, int64_t block, Entries entries, float fill = 0, int64_t groups = 1)
      : inputs_(inputs), block_(block), entries_(std::move(entries)), fill_(fill), groups_(groups) {}
  void Run(const LayerCall& call) const override {
    kernels::SparseMap(call.rows * groups_, inputs_, block_, entries_.begins, entries_.indices, entries_.weights, fill_,
                       call.inputs[0], call.output);
  }

 private:
  int64_t inputs_, block_;
  Entries entries_;
  float fill_;
  int64_t groups_;
};

// Gathers at computed indices, each row at its own: rows of data [groups, length, block] and of indices [count] become
// [groups, count, block]. The data may be a constant; then the indices are the only input. See kernels::Gather for
// indices out of range.
class Gather : public Layer {
 public:
  Gather(int64_t groups, int64_t length, int64_t block, int64_t count,
         std::optional<std::vector<float>> data = std::nullopt)
      : groups_(groups), length_(length), block_(block), count_(count), data_(std::move(data)) {}
  void Run(const LayerCall& call) const override;
  int64_t WeightBytes() const override { return data_ ? BytesOf(*data_) : 0; }

 private:
  int64_t groups_, length_, block_, count_;
  std::optional<std::vector<float>> data_;
};

}  // namespace halfwave
