#include "model/layers/rearrange.h"

#include <cassert>
#include <numeric>

namespace halfwave {
namespace {

// Whether the block after one from `source` would be copied along with it.
bool Continues(int64_t source, int64_t next, int64_t block) { return source < 0 ? next < 0 : next == source + block; }

}  // namespace

Rearrange::Rearrange(int64_t in_elements, int64_t block, std::vector<int64_t> map, float fill, int64_t groups)
    : in_elements_(in_elements), block_(block), sources_(std::move(map)), fill_(fill), groups_(groups) {
  int64_t run = 0;  // the largest number of blocks that divides every stretch of the map into wholes
  int64_t begin = 0;
  const auto size = static_cast<int64_t>(sources_.size());
  for (int64_t& source : sources_) {
    assert(source >= -1 && (source + 1) * block <= in_elements);
    if (source > 0) source *= block;
  }
  for (int64_t i = 1; i <= size; ++i) {
    if (i < size && Continues(sources_[i - 1], sources_[i], block_)) continue;
    run = std::gcd(run, i - begin);
    begin = i;
  }
  if (run <= 1) return;
  for (int64_t i = 0; i < size / run; ++i) sources_[i] = sources_[i * run];
  sources_.resize(size / run);
  sources_.shrink_to_fit();
  block_ *= run;
}

void Gather::Run(const LayerCall& call) const {
  const float* indices = call.inputs[data_ ? 0 : 1];
  for (int64_t row = 0; row < call.rows; ++row) {
    const float* data = data_ ? data_->data() : call.inputs[0] + row * groups_ * length_ * block_;
    kernels::Gather(groups_, length_, block_, count_, data, indices + row * count_,
                    call.output + row * groups_ * count_ * block_);
  }
}

}  // namespace halfwave
