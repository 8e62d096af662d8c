// Functions of single elements. `x` and `y` may be the same memory. The formulas are those of the ONNX operators of the
// same name.
#pragma once

#include <cstdint>

namespace halfwave::kernels {

void Relu(int64_t count, const float* x, float* y);                            // max(0, x); NaN stays NaN
void LeakyRelu(int64_t count, float alpha, const float* x, float* y);          // x < 0 ? alpha x : x
void Elu(int64_t count, float alpha, const float* x, float* y);                // x < 0 ? alpha (e^x - 1) : x
void Selu(int64_t count, float alpha, float gamma, const float* x, float* y);  // gamma Elu(alpha, x)
void Sigmoid(int64_t count, const float* x, float* y);                         // 1 / (1 + e^-x)
void Tanh(int64_t count, const float* x, float* y);
void Celu(int64_t count, float alpha, const float* x, float* y);  // max(0, x) + min(0, alpha (e^(x / alpha) - 1))
void Gelu(int64_t count, const float* x, float* y);               // x / 2 (1 + erf(x / sqrt 2))
void GeluTanh(int64_t count, const float* x, float* y);           // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
void HardSigmoid(int64_t count, float alpha, float beta, const float* x, float* y);  // alpha x + beta, within 0 and 1
void HardSwish(int64_t count, const float* x, float* y);                             // x HardSigmoid(1/6, 1/2, x)
void Mish(int64_t count, const float* x, float* y);                                  // x tanh(Softplus(x))
void Softplus(int64_t count, const float* x, float* y);                              // ln(1 + e^x)
void Softsign(int64_t count, const float* x, float* y);                              // x / (1 + |x|)
void ThresholdedRelu(int64_t count, float alpha, const float* x, float* y);          // x > alpha ? x : 0
void Clip(int64_t count, float low, float high, const float* x, float* y);           // min(high, max(low, x))

void Abs(int64_t count, const float* x, float* y);
void Ceil(int64_t count, const float* x, float* y);
void Floor(int64_t count, const float* x, float* y);
void Round(int64_t count, const float* x, float* y);  // halves to the even neighbour
void Truncate(int64_t count, const float* x, float* y);
void Sign(int64_t count, const float* x, float* y);  // -1, 0 or 1
void Negate(int64_t count, const float* x, float* y);
void Reciprocal(int64_t count, const float* x, float* y);
void Sqrt(int64_t count, const float* x, float* y);
void Exp(int64_t count, const float* x, float* y);
void Log(int64_t count, const float* x, float* y);
void Erf(int64_t count, const float* x, float* y);
void Sin(int64_t count, const float* x, float* y);
void Cos(int64_t count, const float* x, float* y);
void Tan(int64_t count, const float* x, float* y);
void Asin(int64_t count, const float* x, float* y);
void Acos(int64_t count, const float* x, float* y);
void Atan(int64_t count, const float* x, float* y);
void Sinh(int64_t count, const float* x, float* y);
void Cosh(int64_t count, const float* x, float* y);
void Asinh(int64_t count, const float* x, float* y);
void Acosh(int64_t count, const float* x, float* y);
void Atanh(int64_t count, const float* x, float* y);
void Shrink(int64_t count, float bias, float lambd, const float* x,
            float* y);                                             // |x| <= lambd ? 0 : x -+ bias, towards zero
void Swish(int64_t count, float alpha, const float* x, float* y);  // x Sigmoid(alpha x)
void Not(int64_t count, const float* x, float* y);                 // x == 0 ? 1 : 0
void ToBool(int64_t count, const float* x, float* y);              // x == 0 ? 0 : 1; NaN is true
void IsNan(int64_t count, const float* x, float* y);               // 1 or 0
void IsInf(int64_t count, bool negative, bool positive, const float* x, float* y);  // of a sign that is asked for
// The nearest float16 or bfloat16, halves to even; too large becomes infinite, subnormal numbers stay.
void RoundToHalf(int64_t count, const float* x, float* y);
void RoundToBFloat16(int64_t count, const float* x, float* y);

// Row-wise with one constant per element of a row; x, y: [rows, elements].
void ScaleRows(int64_t rows, int64_t elements, const float* scale, const float* shift, const float* x,
               float* y);  // scale x + shift

// y[r, i] = e^(x[r, i] - max) / sum, over `length` elements `stride` floats apart; never overflows, and each group of
// `length` sums to one. x, y: [groups, length, stride].
void Softmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);

// The logarithm of Softmax, computed as x - max - ln(sum).
void LogSoftmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);

}  // namespace halfwave::kernels
