#pragma once

#include <cstdint>

namespace halfwave::kernels {

// Turns each image [rows, columns] into [columns, rows]: row-major to channels-last with rows = channels, and back
// with rows = positions. x and y do not overlap.
void TransposeImages(int64_t images, int64_t rows, int64_t columns, const float* x, float* y);

}  // namespace halfwave::kernels
