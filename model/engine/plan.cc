#include "model/engine/plan.h"

#include <algorithm>
#include <numeric>

namespace halfwave {
namespace {

constexpr int64_t kLine = 16;  // floats in a cache line

bool Overlap(const Buffer& a, const Buffer& b) { return a.first_step <= b.last_step && b.first_step <= a.last_step; }

int64_t End(const Buffer& buffer) { return buffer.offset + (buffer.elements + kLine - 1) / kLine * kLine; }

}  // namespace

void PlaceBuffers(Plan& plan) {
  std::vector<size_t> order(plan.buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return plan.buffers[a].elements > plan.buffers[b].elements; });
  std::vector<const Buffer*> placed;  // by offset
  plan.elements_per_row = 0;
  for (const size_t index : order) {
    Buffer& buffer = plan.buffers[index];
    buffer.offset = 0;
    for (const Buffer* other : placed) {
      if (Overlap(buffer, *other) && buffer.offset < End(*other) && other->offset < End(buffer)) {
        buffer.offset = End(*other);
      }
    }
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &buffer,
                                   [](const Buffer* a, const Buffer* b) { return a->offset < b->offset; }),
                  &buffer);
    plan.elements_per_row = std::max(plan.elements_per_row, End(buffer));
  }
}

}  // namespace halfwave
