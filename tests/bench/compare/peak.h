// What the processor's multipliers can do: the bound of everything that multiplies as often as the file says.
#pragma once

namespace halfwave::compare {

// Fused multiply-adds of floats per microsecond on this thread, in the widest vectors of the processor, measured for
// about a millisecond: the best of some tries, as the clock and the neighbours allow at this moment.
double MultiplyAddsPerMicrosecond();

}  // namespace halfwave::compare
