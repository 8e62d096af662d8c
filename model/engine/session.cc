#include "model/engine/session.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include "model/kernels/count.h"

namespace halfwave {
namespace {

// A unit counts as saturated where |tanh| or |2 sigmoid - 1|, or what stands for them, exceeds 0.99.
constexpr float kSaturation = 0.99f;

int64_t LargestScratch(const Plan& plan, int64_t rows) {
  int64_t largest = 0;
  for (const Step& step : plan.steps) largest = std::max(largest, step.layer->ScratchElements(rows));
  return largest;
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model, int64_t max_rows)
    : model_(std::move(model)),
      max_rows_(max_rows),
      memory_(model_->plan().elements_per_row * max_rows),
      scratch_(LargestScratch(model_->plan(), max_rows)) {
  size_t most_inputs = 0;
  for (const Step& step : model_->plan().steps) most_inputs = std::max(most_inputs, step.inputs.size());
  step_inputs_.resize(most_inputs);
  int64_t most_units = 0;
  for (const ActivationLayer& layer : model_->activations()) {
    most_units = std::max(most_units, layer.units);
    activity_.layers.push_back({std::vector<uint32_t>(layer.units, 0), 0, 0});
  }
  seen_units_.resize(most_units);
}

std::span<float> Session::input(size_t index) {
  const size_t buffer = model_->plan().inputs[index];
  return {BufferData(buffer), static_cast<size_t>(model_->plan().buffers[buffer].elements * max_rows_)};
}

std::span<const float> Session::output(size_t index, int64_t rows) const {
  const Buffer& buffer = model_->plan().buffers[model_->plan().outputs[index]];
  return {memory_.data() + buffer.offset * max_rows_, static_cast<size_t>(buffer.elements * rows)};
}

void Session::Run(int64_t rows, std::span<const uint8_t> skip) {
  assert(rows >= 1 && rows <= max_rows_);
  assert(skip.empty() || skip.size() >= static_cast<size_t>(rows));
  activity_.samples_not_counted = static_cast<uint64_t>(
      skip.empty() ? 0 : std::count_if(skip.begin(), skip.begin() + rows, [](uint8_t byte) { return byte != 0; }));
  activity_.samples = static_cast<uint64_t>(rows) - activity_.samples_not_counted;
  for (LayerCounts& counts : activity_.layers) {
    std::fill(counts.active.begin(), counts.active.end(), 0);
    counts.zeros = counts.saturated = 0;
  }
  const Plan& plan = model_->plan();
  for (const Block& block : plan.blocks) {
    // In parts as equal as possible.
    int64_t first = 0;
    for (int64_t parts = (rows + block.rows - 1) / block.rows; parts > 0; --parts) {
      const int64_t count = (rows - first + parts - 1) / parts;
      const uint8_t* skipped = skip.empty() ? nullptr : skip.data() + first;
      for (size_t i = block.begin; i < block.end; ++i) RunStep(plan.steps[i], block, first, count, skipped);
      first += count;
    }
  }
}

float* Session::RowsIn(size_t index, const Block& block, int64_t first) {
  const Buffer& buffer = model_->plan().buffers[index];
  return BufferData(index) + (Crosses(buffer, block) ? first * buffer.elements : 0);
}

void Session::RunStep(const Step& step, const Block& block, int64_t first, int64_t rows, const uint8_t* skip) {
  for (size_t i = 0; i < step.inputs.size(); ++i) step_inputs_[i] = RowsIn(step.inputs[i], block, first);
  float* output = RowsIn(step.output, block, first);
  LayerCall call{rows, {step_inputs_.data(), step.inputs.size()}, output, scratch_.data()};
  if (!step.activation) return step.layer->Run(call);

  const RowLayout& layout = step.activation->layout;
  const ActivationFamily family = model_->activations()[step.activation->index].family;
  const std::string& op = model_->activations()[step.activation->index].op;
  const bool from_zero = op == "Sigmoid" || op == "HardSigmoid";  // to 1; the others go from -1 to 1
  LayerCounts& counts = activity_.layers[step.activation->index];
  if (step.activation->fused) {
    const kernels::UnitCounts unit_counts = {counts.active.data(), &counts.zeros, skip};
    call.counts = &unit_counts;
    return step.layer->Run(call);
  }
  kernels::CountActive(rows, layout.images, layout.channels, layout.positions, layout.channels_last, skip,
                       step_inputs_[0], seen_units_.data(), counts.active.data());
  if (step.activation->only_observed) {
    counts.zeros += kernels::CountNotPositive(rows, layout.elements(), skip, step_inputs_[0]);
    return;
  }
  step.layer->Run(call);
  counts.zeros += kernels::CountZeros(rows, layout.elements(), skip, output);
  if (family == ActivationFamily::kSaturating) {
    const float low = from_zero ? (1 - kSaturation) / 2 : -kSaturation;
    const float high = from_zero ? (1 + kSaturation) / 2 : kSaturation;
    counts.saturated += kernels::CountOutside(rows, layout.elements(), low, high, skip, output);
  }
}

}  // namespace halfwave
