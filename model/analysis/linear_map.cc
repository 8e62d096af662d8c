#include "model/analysis/linear_map.h"

#include <utility>

namespace halfwave {

LinearMap LinearMap::Select(std::vector<int32_t> index) { return Scale(std::move(index), {}); }

LinearMap LinearMap::Scale(std::vector<int32_t> index, std::vector<double> factors) {
  LinearMap map(Kind::kScale);
  map.rows_ = static_cast<int64_t>(index.size());
  map.taps_ = std::move(index);
  map.factors_ = std::move(factors);
  return map;
}

LinearMap LinearMap::Dense(const LinearNode& layer, int64_t outer) {
  LinearMap map(Kind::kDense);
  map.layer_ = layer;
  map.units_ = layer.units;
  map.rows_ = outer * layer.units;
  map.max_terms_ = static_cast<double>(layer.inputs);
  return map;
}

LinearMap LinearMap::Conv(const LinearNode& layer, std::vector<int32_t> taps, int64_t in_positions) {
  LinearMap map(Kind::kConv);
  map.layer_ = layer;
  map.units_ = layer.units;
  map.window_ = layer.taps;
  map.positions_ = static_cast<int64_t>(taps.size()) / layer.taps;
  map.in_positions_ = in_positions;
  map.taps_ = std::move(taps);
  map.rows_ = layer.units * map.positions_;
  map.max_terms_ = static_cast<double>(layer.inputs * layer.taps);
  return map;
}

LinearMap LinearMap::Pool(int64_t channels, std::vector<int32_t> taps, int64_t window, int64_t in_positions,
                          std::vector<double> factors) {
  LinearMap map(Kind::kPool);
  map.factors_ = std::move(factors);
  map.units_ = channels;
  map.window_ = window;
  map.positions_ = static_cast<int64_t>(taps.size()) / window;
  map.in_positions_ = in_positions;
  map.taps_ = std::move(taps);
  map.rows_ = channels * map.positions_;
  map.max_terms_ = static_cast<double>(window);
  return map;
}

std::vector<int32_t> WindowTaps(const Window& window, std::span<const int64_t> input) {
  const size_t rank = input.size();
  int64_t positions = 1, taps = 1;
  for (size_t d = 0; d < rank; ++d) {
    positions *= window.output[d];
    taps *= window.kernel[d];
  }
  std::vector<int32_t> result;
  result.reserve(positions * taps);
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t at = 0, stride = 1, p = position, t = tap;
      for (size_t d = rank; d-- > 0; stride *= input[d]) {
        const int64_t x = p % window.output[d] * window.strides[d] - window.pads_begin[d] +
                          t % window.kernel[d] * window.dilations[d];
        p /= window.output[d];
        t /= window.kernel[d];
        at = at < 0 || x < 0 || x >= input[d] ? -1 : at + x * stride;
      }
      result.push_back(static_cast<int32_t>(at));
    }
  }
  return result;
}

}  // namespace halfwave
