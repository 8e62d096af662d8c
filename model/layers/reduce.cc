#include "model/layers/reduce.h"

#include <algorithm>

namespace halfwave {

Reduce::Reduce(kernels::Reduction reduction, std::span<const int64_t> shape, std::span<const int64_t> axes)
    : reduction_(reduction) {
  std::vector<int64_t> kept_shape, kept_strides, reduced_shape, reduced_strides;
  for (size_t i = shape.size(); i-- > 0; row_elements_ *= shape[i]) {
    const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end();
    auto& sizes = reduced ? reduced_shape : kept_shape;
    auto& strides = reduced ? reduced_strides : kept_strides;
    sizes.insert(sizes.begin(), shape[i]);
    strides.insert(strides.begin(), row_elements_);
  }
  kept_ = kernels::MergeLoops<1>(kept_shape, {kept_strides});
  reduced_ = kernels::MergeLoops<1>(reduced_shape, {reduced_strides});
}

void Reduce::Run(const LayerCall& call) const {
  kernels::Reduce(reduction_, call.rows, row_elements_, kept_, reduced_, call.inputs[0], call.output);
}

}  // namespace halfwave
