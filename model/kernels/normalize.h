// Normalisation of groups of elements. `x` and `y` may be the same memory, but for LocalResponseNorm. Statistics are in
// double precision, the variance around the mean. The formulas are those of the ONNX operators.
#pragma once

#include "model/kernels/loop.h"

namespace halfwave::kernels {

// y = (x - mean) / sqrt(variance + epsilon) * scale[i] + bias[i] over the `length` elements of each group; `scale` and
// `bias`, of `length` elements, may be null: 1 and 0. x: [groups, length].
void LayerNorm(int64_t groups, int64_t length, float epsilon, const float* scale, const float* bias, const float* x,
               float* y);

// The mean and 1 / sqrt(variance + epsilon) of the `length` elements of each group; either may be null. x: [groups,
// length]. mean, inverse_deviation: [groups].
void Moments(int64_t groups, int64_t length, float epsilon, const float* x, float* mean, float* inverse_deviation);

// y = x / sqrt(mean of x^2 + epsilon) * scale[i] + bias[i], in the same shapes.
void RmsNorm(int64_t groups, int64_t length, float epsilon, const float* scale, const float* bias, const float* x,
             float* y);

// y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c] over each `groups`-th of an image's channels with all
// their positions; with groups = channels it is InstanceNormalization. x: [images, channels, positions].
void GroupNorm(int64_t images, int64_t groups, int64_t channels, int64_t positions, float epsilon, const float* scale,
               const float* bias, const float* x, float* y);

// y = (x - mean) / (sqrt(variance) + 1e-9) over the elements of each row that differ only in the steps of `reduced`.
// x: [rows, row_elements], all of them reached by the steps of `kept` and `reduced`.
void MeanVarianceNorm(int64_t rows, int64_t row_elements, std::span<const Loop<1>> kept,
                      std::span<const Loop<1>> reduced, const float* x, float* y);

// y = x / (bias + alpha / size * sum of x^2)^beta, the sum over the channels from (size - 1) / 2 before to size / 2
// behind. x: [images, channels, positions].
void LocalResponseNorm(int64_t images, int64_t channels, int64_t positions, int64_t size, float alpha, float beta,
                       float bias, const float* x, float* y);

// y = x / p-norm of the `length` elements `stride` apart, p 1 or 2; zero where the norm is. x: [groups, length,
// stride].
void LpNorm(int64_t groups, int64_t length, int64_t stride, int p, const float* x, float* y);

}  // namespace halfwave::kernels
