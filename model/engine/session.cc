#include "model/engine/session.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

namespace halfwave {
namespace {

// An element that a step writes takes about as long as so many multiply-adds.
constexpr double kElementWork = 8;

// What share of the work that makes a thread worth waking makes a layer worth splitting: one meets faster than one
// wakes.
constexpr double kMeeting = 1.0 / 40;

double WorkPerRow(const Model& model) {
  double work = 0;
  for (const LayerSummary& layer : model.layers()) work += layer.multiply_adds;
  const Plan& plan = model.plan();
  for (const Step& step : plan.steps) work += kElementWork * static_cast<double>(plan.buffers[step.output].elements);
  return work;
}

// Of one row, in layers that are worth splitting.
double WorkToSplit(const Model& model, double worth_splitting) {
  double work = 0;
  for (const Step& step : model.plan().steps) {
    const double of_step = step.layer->WorkToSplit();
    if (of_step >= worth_splitting) work += of_step;
  }
  return work;
}

// `active` says on how many rows a unit was active, given two such numbers.
template <typename Active>
void Add(const LayerCounts& from, Active active, LayerCounts& to) {
  std::transform(to.active.begin(), to.active.end(), from.active.begin(), to.active.begin(), active);
  to.zeros += from.zeros;
  to.saturated += from.saturated;
}

// Of different rows.
void Add(const BatchActivity& from, BatchActivity& to) {
  to.samples += from.samples;
  to.samples_not_counted += from.samples_not_counted;
  for (size_t i = 0; i < to.layers.size(); ++i) Add(from.layers[i], std::plus<>(), to.layers[i]);
}

// Of two parts of one row.
void Merge(const BatchActivity& from, BatchActivity& to) {
  const auto either = [](uint32_t a, uint32_t b) { return std::max(a, b); };
  for (size_t i = 0; i < to.layers.size(); ++i) Add(from.layers[i], either, to.layers[i]);
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, int64_t max_rows, int threads, double worth_waking)
    : model_(std::move(model)),
      max_rows_(max_rows),
      worth_waking_(worth_waking),
      work_per_row_(WorkPerRow(*model_)),
      work_to_split_(WorkToSplit(*model_, worth_waking * kMeeting)),
      team_(threads) {
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
  // Lane i is used when there are more than i shares, as equal as possible.
  for (int i = 0; i < threads; ++i) {
    lanes_.push_back(std::make_unique<Lane>(*model_, (max_rows + i) / (i + 1), of_batch));
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

int Session::SharesOf(int64_t rows) const {
  const double work = rows == 1 ? work_to_split_ : static_cast<double>(rows) * work_per_row_;
  const int64_t most = rows == 1 ? threads() : std::min<int64_t>(rows, threads());
  return static_cast<int>(std::clamp<double>(work / worth_waking_, 1, static_cast<double>(most)));
}

void Session::Run(int64_t rows, std::span<const uint8_t> skip) {
  assert(rows >= 1 && rows <= max_rows_);
  assert(skip.empty() || skip.size() >= static_cast<size_t>(rows));
  const int shares = SharesOf(rows);
  team_.Run(shares, [&](int share) {
    const uint8_t* bytes = skip.empty() ? nullptr : skip.data();
    if (rows < shares) {  // one row, together
      const Lane::Crew crew = {share, shares, *lanes_[0], team_, worth_waking_ * kMeeting};
      return lanes_[share]->Run(0, rows, bytes, &crew);
    }
    const int64_t first = rows * share / shares, end = rows * (share + 1) / shares;
    lanes_[share]->Run(first, end - first, bytes);
  });
  for (int share = 1; share < shares; ++share) {
    const BatchActivity& more = lanes_[share]->activity();
    if (rows < shares) {
      Merge(more, lanes_[0]->activity());
    } else {
      Add(more, lanes_[0]->activity());
    }
  }
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
