#include "model/engine/lane.h"

#include <algorithm>
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

Lane::Lane(const Model& model, int64_t max_rows, int64_t max_rows_together, std::vector<float*> of_batch)
    : model_(model),
      of_batch_(std::move(of_batch)),
      memory_(model.plan().elements_per_row * max_rows),
      scratch_(LargestScratch(model.plan(), max_rows_together)) {
  const Plan& plan = model.plan();
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    data_.push_back(of_batch_[i] != nullptr ? of_batch_[i] : memory_.data() + plan.buffers[i].offset * max_rows);
  }
  size_t most_inputs = 0;
  for (const Step& step : plan.steps) most_inputs = std::max(most_inputs, step.inputs.size());
  step_inputs_.resize(most_inputs);
  int64_t most_units = 0;
  for (const ActivationLayer& layer : model.activations()) {
    most_units = std::max(most_units, layer.units);
    activity_.layers.push_back({std::vector<uint32_t>(layer.units, 0), 0, 0});
  }
  seen_units_.resize(most_units);
}

void Lane::StartCounting(int64_t rows, const uint8_t* skip) {
  activity_.samples_not_counted = static_cast<uint64_t>(
      skip == nullptr ? 0 : std::count_if(skip, skip + rows, [](uint8_t byte) { return byte != 0; }));
  activity_.samples = static_cast<uint64_t>(rows) - activity_.samples_not_counted;
  for (LayerCounts& counts : activity_.layers) {
    std::fill(counts.active.begin(), counts.active.end(), 0);
    counts.zeros = counts.saturated = 0;
  }
}

template <typename Visit>
void Lane::ForEachStep(int64_t first, int64_t rows, const uint8_t* skip, Visit visit) {
  if (skip != nullptr) skip += first;
  if (counting_) StartCounting(rows, skip);
  const Plan& plan = model_.plan();
  for (const Block& block : plan.blocks) {
    Part part = {block, 0, 0, first, skip};
    // As equal as possible.
    for (int64_t parts = (rows + block.rows - 1) / block.rows; parts > 0; --parts) {
      part.count = (rows - part.first + parts - 1) / parts;
      for (size_t i = block.begin; i < block.end; ++i) {
        visit(plan.steps[i], part);
        if (after_step_) after_step_(i);
      }
      part.first += part.count;
      if (skip != nullptr) part.skip += part.count;
    }
  }
}

void Lane::Run(int64_t first, int64_t rows, const uint8_t* skip) {
  ForEachStep(first, rows, skip, [&](const Step& step, const Part& part) { RunStep(step, part, *this, 0, 1); });
}

void Lane::RunTogether(int64_t rows, const uint8_t* skip, const Crew& crew) {
  enum { kNothing, kAlone, kSplit } last = kNothing;
  ForEachStep(0, rows, skip, [&](const Step& step, const Part& part) {
    const bool split = step.layer->WorkToSplit(part.count) >= crew.worth_splitting;
    if (last == kSplit || (last == kAlone && split)) crew.team.Meet();
    if (split) {
      RunStep(step, part, crew.first, crew.part, crew.parts);
    } else if (crew.part == 0) {
      RunStep(step, part, *this, 0, 1);
    }
    last = split ? kSplit : kAlone;
  });
  if (crew.part != 0) activity_.samples = activity_.samples_not_counted = 0;
}

float* Lane::RowsIn(size_t index, const Part& part) const {
  const Buffer& buffer = model_.plan().buffers[index];
  if (of_batch_[index] != nullptr) return data_[index] + (part.first_of_batch + part.first) * buffer.elements;
  return data_[index] + (Crosses(buffer, part.block) ? part.first * buffer.elements : 0);
}

void Lane::RunStep(const Step& step, const Part& part, const Lane& lane, int share, int shares) {
  const int64_t rows = part.count;
  for (size_t i = 0; i < step.inputs.size(); ++i) step_inputs_[i] = lane.RowsIn(step.inputs[i], part);
  float* output = lane.RowsIn(step.output, part);
  LayerCall call{rows, {step_inputs_.data(), step.inputs.size()}, output, scratch_.data(), nullptr, share, shares};
  if (!step.activation || !counting_) return step.layer->Run(call);

  const RowLayout& layout = step.activation->layout;
  LayerCounts& counts = activity_.layers[step.activation->index];
  if (step.activation->fused) {
    const kernels::UnitCounts unit_counts = {counts.active.data(), &counts.zeros, part.skip};
    call.counts = &unit_counts;
    return step.layer->Run(call);
  }
  if (before_activation_) {
    before_activation_({step.activation->index, part.first_of_batch + part.first, rows, layout, step_inputs_[0]});
  }
  kernels::CountActive(rows, layout.images, layout.channels, layout.positions, layout.channels_last, part.skip,
                       step_inputs_[0], seen_units_.data(), counts.active.data());
  if (step.activation->only_observed) {
    counts.zeros += kernels::CountNotPositive(rows, layout.elements(), part.skip, step_inputs_[0]);
    return;
  }
  step.layer->Run(call);
  counts.zeros += kernels::CountZeros(rows, layout.elements(), part.skip, output);
  const ActivationLayer& activation = model_.activations()[step.activation->index];
  if (activation.family == ActivationFamily::kSaturating) {
    const bool from_zero = activation.op == "Sigmoid" || activation.op == "HardSigmoid";  // to 1; the others: -1 to 1
    const float low = from_zero ? (1 - kSaturation) / 2 : -kSaturation;
    const float high = from_zero ? (1 + kSaturation) / 2 : kSaturation;
    counts.saturated += kernels::CountOutside(rows, layout.elements(), low, high, part.skip, output);
  }
}

}  // namespace halfwave
