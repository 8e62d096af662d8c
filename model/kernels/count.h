// Counting what units do.
#pragma once

#include <cstdint>

namespace halfwave::kernels {

// Adds 1 to active[u] for each row on which unit u is above zero somewhere. `skip`, if not null, holds one byte a row;
// rows whose byte is not zero are left out. x: [rows, images, positions, units] if channels_last, else
// [rows, images, units, positions]. `seen` is scratch of `units` bytes.
void CountActive(int64_t rows, int64_t images, int64_t units, int64_t positions, bool channels_last,
                 const uint8_t* skip, const float* x, uint8_t* seen, uint32_t* active);

// How many elements of the rows that are not skipped are exactly zero.
uint64_t CountZeros(int64_t rows, int64_t elements, const uint8_t* skip, const float* x);

// How many of them are zero or below: what a rectifier will make zero.
uint64_t CountNotPositive(int64_t rows, int64_t elements, const uint8_t* skip, const float* x);

// How many of them are above `high` or below `low`.
uint64_t CountOutside(int64_t rows, int64_t elements, float low, float high, const uint8_t* skip, const float* x);

}  // namespace halfwave::kernels
