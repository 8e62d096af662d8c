#include "model/kernels/isa.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/kernels/isa/tables.h"

namespace halfwave::kernels {
namespace {

std::atomic<const KernelTable*> chosen = nullptr;

#if defined(__x86_64__)
#if defined(__clang__)
// clang 14 knows no levels. What it cannot ask for comes with the rest on every processor that was made.
bool HasV2() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }
bool HasV3() {
  return HasV2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
bool HasV4() {
  return HasV3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool HasV2() { return __builtin_cpu_supports("x86-64-v2"); }
bool HasV3() { return __builtin_cpu_supports("x86-64-v3"); }
bool HasV4() { return __builtin_cpu_supports("x86-64-v4"); }
#endif
#endif

}  // namespace

const std::vector<Isa>& Isas() {
  static const auto& list = *new std::vector<Isa> {
#if defined(__x86_64__)
    {&kX86_64_v4Kernels, HasV4()}, {&kX86_64_v3Kernels, HasV3()}, {&kX86_64_v2Kernels, HasV2()},
#elif defined(__aarch64__)
    {&kNeonKernels, true},
#endif
        {&kReferenceKernels, true},
  };
  return list;
}

absl::Status SelectIsa(std::string_view forced) {
  std::vector<std::string> available;
  for (const Isa& isa : Isas()) {
    if (!isa.available) continue;
    if (forced.empty() || forced == isa.table->name) {
      chosen = isa.table;
      return absl::OkStatus();
    }
    available.push_back(isa.table->name);
  }
  return absl::InvalidArgumentError(absl::StrCat("instruction set '", std::string(forced),
                                                 "' is not available here; this processor and program have ",
                                                 absl::StrJoin(available, ", ")));
}

absl::Status SelectIsa() {
  const char* forced = std::getenv(kForceIsa);
  return SelectIsa(forced == nullptr ? "" : forced);
}

const KernelTable& Kernels() {
  if (const KernelTable* table = chosen) return *table;
  if (const absl::Status status = SelectIsa(); !status.ok()) {
    std::fprintf(stderr, "%s: %s\n", kForceIsa, std::string(status.message()).c_str());
    std::abort();
  }
  return *chosen;
}

}  // namespace halfwave::kernels
