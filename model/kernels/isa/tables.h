// The tables that CMakeLists.txt has compiled into this program.
#pragma once

#include "model/kernels/isa/table.h"

namespace halfwave::kernels {

#if defined(__x86_64__)
extern const KernelTable kX86_64_v2Kernels, kX86_64_v3Kernels, kX86_64_v4Kernels;
#elif defined(__aarch64__)
extern const KernelTable kNeonKernels;
#endif
extern const KernelTable kReferenceKernels;

}  // namespace halfwave::kernels
