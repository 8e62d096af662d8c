#include "model/engine/session.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace halfwave {
namespace {

void Add(const BatchActivity& from, BatchActivity& to) {
  to.samples += from.samples;
  to.samples_not_counted += from.samples_not_counted;
  for (size_t i = 0; i < to.layers.size(); ++i) {
    LayerCounts& counts = to.layers[i];
    const LayerCounts& more = from.layers[i];
    // A row whose positions were shared may be in both: no unit is active on more samples than there are.
    std::transform(
        counts.active.begin(), counts.active.end(), more.active.begin(), counts.active.begin(),
        [&](uint32_t a, uint32_t b) { return static_cast<uint32_t>(std::min<uint64_t>(a + b, to.samples)); });
    counts.zeros += more.zeros;
    counts.saturated += more.saturated;
  }
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, int64_t max_rows, int threads, double worth_waking)
    : model_(std::move(model)), max_rows_(max_rows), sharing_(*model_, threads, worth_waking), team_(threads) {
  const Plan& plan = model_->plan();
  std::vector<float*> of_batch(plan.buffers.size(), nullptr);
  if (threads > 1) {
    // A lane is not to overwrite what another has yet to read: inputs and outputs, which hold the rows of all of them,
    // share their memory with nothing.
    std::vector<size_t> buffers = plan.inputs;
    buffers.insert(buffers.end(), plan.outputs.begin(), plan.outputs.end());
    constexpr int64_t kLine = AlignedBuffer::kAlignment / sizeof(float);
    const auto size = [&](size_t buffer) {
      return (plan.buffers[buffer].elements * max_rows_ + kLine - 1) / kLine * kLine;
    };
    int64_t elements = 0;
    for (const size_t buffer : buffers) elements += size(buffer);
    memory_ = AlignedBuffer(elements);
    float* next = memory_.data();
    for (const size_t buffer : buffers) {
      of_batch[buffer] = next;
      next += size(buffer);
    }
  }
  // Lane i is used when there are more than i shares, as equal as possible, if each has rows of its own.
  for (int i = 0; i < threads; ++i) {
    lanes_.push_back(std::make_unique<Lane>(*model_, (max_rows + i) / (i + 1), max_rows, of_batch));
  }
}

std::span<float> Session::input(size_t index) {
  const size_t buffer = model_->plan().inputs[index];
  return {lanes_[0]->data(buffer), static_cast<size_t>(model_->plan().buffers[buffer].elements * max_rows_)};
}

std::span<const float> Session::output(size_t index, int64_t rows) const {
  const size_t buffer = model_->plan().outputs[index];
  return {lanes_[0]->data(buffer), static_cast<size_t>(model_->plan().buffers[buffer].elements * rows)};
}

void Session::Run(int64_t rows, std::span<const uint8_t> skip) {
  assert(rows >= 1 && rows <= max_rows_);
  assert(skip.empty() || skip.size() >= static_cast<size_t>(rows));
  const uint8_t* bytes = skip.empty() ? nullptr : skip.data();
  const Sharing::Shares shares = sharing_.Of(rows);
  team_.Run(shares.count, [&](int share) {
    if (shares.together) {
      return lanes_[share]->RunTogether(rows, bytes,
                                        {share, shares.count, *lanes_[0], team_, sharing_.worth_splitting()});
    }
    const int64_t first = rows * share / shares.count, end = rows * (share + 1) / shares.count;
    lanes_[share]->Run(first, end - first, bytes);
  });
  for (int share = 1; share < shares.count; ++share) Add(lanes_[share]->activity(), lanes_[0]->activity());
}

int64_t Session::bytes() const {
  auto bytes = static_cast<int64_t>(memory_.size() * sizeof(float));
  for (const auto& lane : lanes_) bytes += lane->bytes();
  return bytes;
}

void Session::set_counting(bool counting) {
  for (const auto& lane : lanes_) lane->set_counting(counting);
}

void Session::set_after_step(std::function<void(size_t step)> after_step) {
  lanes_[0]->set_after_step(std::move(after_step));
}

void Session::set_before_activation(std::function<void(const PreActivations&)> before_activation) {
  lanes_[0]->set_before_activation(std::move(before_activation));
}

}  // namespace halfwave
