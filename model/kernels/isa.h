// Which instruction set the kernels use: chosen once, when the program starts.
//
//   if (absl::Status status = kernels::SelectIsa(); !status.ok()) ...  // main, before anything else
//   log("kernels for ", kernels::Kernels().name);
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "model/kernels/isa/table.h"

namespace halfwave::kernels {

// The environment variable that forces an instruction set by its name.
inline constexpr char kForceIsa[] = "HALFWAVE_FORCE_ISA";

// One entry of the list.
struct Isa {
  const KernelTable* table;
  bool available;  // this processor has it
};

// All that this program was compiled with, best first; the plain reference, which is always available, last.
const std::vector<Isa>& Isas();

// Makes Kernels() the set named `forced`, or the best that is available if the name is empty. Layers keep the table
// they were made with. INVALID_ARGUMENT, listing what is available, if this processor or program lacks it.
absl::Status SelectIsa(std::string_view forced);
// The same with the value of HALFWAVE_FORCE_ISA.
absl::Status SelectIsa();

// The chosen kernels. Without a call of SelectIsa before, HALFWAVE_FORCE_ISA decides, and ends the program if it names
// nothing that is available: to run something else would mislead.
const KernelTable& Kernels();

}  // namespace halfwave::kernels
