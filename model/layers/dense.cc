#include "model/layers/dense.h"

#include <utility>

#include "model/kernels/dense.h"

namespace halfwave {

Dense::Dense(int64_t positions, int64_t in, int64_t out, std::vector<float> weights, std::vector<float> bias)
    : positions_(positions), in_(in), out_(out), weights_(std::move(weights)), bias_(std::move(bias)) {}

void Dense::Run(const LayerCall& call) const {
  kernels::Dense(call.rows * positions_, in_, out_, call.inputs[0], in_, weights_.data(), bias_.data(), call.output,
                 out_);
}

}  // namespace halfwave
