#include "tests/bench/compare/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace halfwave::compare {
namespace {

template <int kLanes>
using Vector [[gnu::vector_size(kLanes * sizeof(float))]] = float;

// Chains enough for two multipliers of latency 4, and few enough for 16 registers.
constexpr int kChains = 12;
constexpr int64_t kSteps = 20000;

// Keeps the compiler from leaving out what makes `value`.
template <typename Value>
[[gnu::always_inline]] inline void Need(Value& value) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(value));
#else
  asm volatile("" : "+m"(value));
#endif
}

template <int kLanes>
[[gnu::always_inline]] inline void RunChains() {
  const Vector<kLanes> factor = Vector<kLanes>{} + 0.5f, summand = Vector<kLanes>{} + 1.0f;
  Vector<kLanes> sums[kChains] = {};
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      sums[i] = sums[i] * factor + summand;
      Need(sums[i]);
    }
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f"), gnu::optimize("fp-contract=fast")]] void RunChains16() { RunChains<16>(); }
[[gnu::target("avx2,fma"), gnu::optimize("fp-contract=fast")]] void RunChains8() { RunChains<8>(); }
#endif
void RunChains4() { RunChains<4>(); }

}  // namespace

double MultiplyAddsPerMicrosecond() {
  auto* run = RunChains4;
  int lanes = 4;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    run = RunChains16;
    lanes = 16;
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    run = RunChains8;
    lanes = 8;
  }
#endif
  using Clock = std::chrono::steady_clock;
  Clock::duration best = Clock::duration::max();
  for (int i = 0; i < 10; ++i) {
    const Clock::time_point start = Clock::now();
    run();
    best = std::min(best, Clock::now() - start);
  }
  return kSteps * kChains * lanes / std::chrono::duration<double, std::micro>(best).count();
}

}  // namespace halfwave::compare
