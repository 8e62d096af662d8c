#include "model/engine/plan.h"

#include <algorithm>
#include <numeric>

namespace halfwave {
namespace {

constexpr int64_t kLine = 16;  // floats in a cache line

bool Overlap(const Buffer& a, const Buffer& b) { return a.first_step <= b.last_step && b.first_step <= a.last_step; }

int64_t End(const Buffer& buffer) { return buffer.offset + (buffer.elements + kLine - 1) / kLine * kLine; }

// Floats that a step reads and writes which still leave room for weights in a second-level cache.
constexpr int64_t kCachedElements = int64_t{1} << 17;

// The buffer's steps, and the others of the blocks that it crosses.
Buffer WithBlocks(Buffer buffer, const std::vector<Block>& blocks) {
  const Buffer own = buffer;
  for (const Block& block : blocks) {
    const int64_t begin = static_cast<int64_t>(block.begin), end = static_cast<int64_t>(block.end);
    if (!Crosses(own, block)) continue;
    if (own.first_step >= begin && own.first_step < end) buffer.first_step = begin;
    if (own.last_step >= begin && own.last_step < end) buffer.last_step = end - 1;
  }
  return buffer;
}

}  // namespace

void CutIntoBlocks(Plan& plan) {
  plan.blocks.clear();
  int64_t preferred = 0, cached = 0;  // of the last block
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    int64_t elements = plan.buffers[step.output].elements;
    for (const size_t input : step.inputs) elements += plan.buffers[input].elements;
    const int64_t wanted = step.layer->PreferredRows();
    const int64_t fitting = std::max<int64_t>(1, kCachedElements / std::max<int64_t>(elements, 1));
    const int64_t most = std::max(preferred, wanted), least = std::min(cached, fitting);
    if (!plan.blocks.empty() && (most <= preferred || most <= 2 * least)) {
      preferred = most;
      cached = least;
    } else {
      plan.blocks.push_back({i, i, 0});
      preferred = wanted;
      cached = fitting;
    }
    plan.blocks.back().end = i + 1;
    plan.blocks.back().rows = std::max(preferred, cached);
  }
}

void PlaceBuffers(Plan& plan) {
  std::vector<size_t> order(plan.buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.buffers[a].elements > plan.buffers[b].elements; });
  std::vector<Buffer> alive;
  for (const Buffer& buffer : plan.buffers) alive.push_back(WithBlocks(buffer, plan.blocks));
  std::vector<const Buffer*> placed;  // by offset
  plan.elements_per_row = 0;
  for (const size_t index : order) {
    Buffer& buffer = alive[index];
    buffer.offset = 0;
    for (const Buffer* other : placed) {
      if (Overlap(buffer, *other) && buffer.offset < End(*other) && other->offset < End(buffer)) {
        buffer.offset = End(*other);
      }
    }
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &buffer,
                                   [](const Buffer* a, const Buffer* b) { return a->offset < b->offset; }),
                  &buffer);
    plan.buffers[index].offset = buffer.offset;
    plan.elements_per_row = std::max(plan.elements_per_row, End(buffer));
  }
}

}  // namespace halfwave
