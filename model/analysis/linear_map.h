// The matrix of a linear layer, over the elements of one row of its input and its output, never written out in full.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/analysis/linear_node.h"
#include "model/graph/window.h"

namespace halfwave {

// Elements are numbered as they lie in the file's order, whatever axes they have.
class LinearMap {
 public:
  // An output for each index, that input; none for an index of -1.
  static LinearMap Select(std::vector<int32_t> index);
  // The same, each times its factor.
  static LinearMap Scale(std::vector<int32_t> index, std::vector<double> factors);
  // The layer over `outer` vectors, one after the other.
  static LinearMap Dense(const LinearNode& layer, int64_t outer);
  // The convolution over `channels` of positions, of which `taps` names those that each output position reads.
  static LinearMap Conv(const LinearNode& layer, std::vector<int32_t> taps, int64_t in_positions);
  // Each channel for itself: the positions of a window, times the factor of the output position, if there are factors.
  static LinearMap Pool(int64_t channels, std::vector<int32_t> taps, int64_t window, int64_t in_positions,
                        std::vector<double> factors = {});

  int64_t rows() const { return rows_; }
  // Whether the engine adds the entries of a row to its bias one after the other, as ForEach visits them, or
  // ForEachByPosition (model/kernels/ORDER.md).
  bool in_order() const { return kind_ == Kind::kDense; }
  // Of the inputs that a row reads.
  double max_terms() const { return max_terms_; }

  // Calls visit(column, weight) for the entries of a row, without those that are zero.
  template <typename Visit>
  void ForEach(int64_t row, const Visit& visit) const {
    if (kind_ == Kind::kScale) {
      if (taps_[row] < 0) return;
      const double factor = factors_.empty() ? 1 : factors_[row];
      if (factor != 0) visit(int64_t{taps_[row]}, factor);
      return;
    }
    const int64_t unit = kind_ == Kind::kDense ? row % units_ : row / positions_;
    if (kind_ == Kind::kDense) {
      const int64_t first = row / units_ * layer_.inputs;
      for (int64_t i = 0; i < layer_.inputs; ++i) VisitWeight(unit, i, 0, first + i, visit);
      return;
    }
    const int32_t* taps = taps_.data() + row % positions_ * window_;
    const int64_t first = kind_ == Kind::kConv ? layer_.FirstInput(unit) : unit;
    for (int64_t tap = 0; tap < window_; ++tap) {
      if (taps[tap] < 0) continue;
      if (kind_ == Kind::kPool) {
        visit(first * in_positions_ + taps[tap], factors_.empty() ? 1.0 : factors_[row % positions_]);
        continue;
      }
      for (int64_t i = 0; i < layer_.inputs; ++i) {
        VisitWeight(unit, i, tap, (first + i) * in_positions_ + taps[tap], visit);
      }
    }
  }

  // Of a dense layer whose inputs are a flattened image of so many positions: the same, position by position.
  template <typename Visit>
  void ForEachByPosition(int64_t row, int64_t positions, const Visit& visit) const {
    const int64_t first = row / units_ * layer_.inputs, channels = layer_.inputs / positions;
    for (int64_t i = 0; i < layer_.inputs; ++i) {
      const int64_t input = i % channels * positions + i / channels;
      VisitWeight(row % units_, input, 0, first + input, visit);
    }
  }

 private:
  enum class Kind { kScale, kDense, kConv, kPool };

  explicit LinearMap(Kind kind) : kind_(kind) {}

  template <typename Visit>
  void VisitWeight(int64_t unit, int64_t input, int64_t tap, int64_t column, const Visit& visit) const {
    const double weight = layer_.scale * layer_.Weight(unit, input, tap);
    if (weight != 0) visit(column, weight);
  }

  Kind kind_;
  int64_t rows_ = 0;
  double max_terms_ = 1;
  LinearNode layer_;
  int64_t units_ = 0;
  int64_t positions_ = 0;  // of an output channel
  int64_t in_positions_ = 0;
  int64_t window_ = 0;
  std::vector<int32_t> taps_;  // [positions, window], or one for each row
  std::vector<double> factors_;
};

// For each position of the output, which positions of the input a window reads: [positions, taps], -1 for padding.
std::vector<int32_t> WindowTaps(const Window& window, std::span<const int64_t> input);

}  // namespace halfwave
