// Functions of single elements, and of rows: what table.h offers besides sums of products.
#pragma once

#include <cstdint>

namespace halfwave::kernels {

// The ONNX operators of the same name; formulas in elementwise.h.
enum class ElementFunction : int32_t {
  kRelu,
  kLeakyRelu,  // a: alpha
  kElu,        // a: alpha
  kSelu,       // a: alpha, b: gamma
  kCelu,       // a: alpha
  kSigmoid,
  kTanh,
  kGeluTanh,
  kSoftplus,
  kMish,
};

struct RowKernels {
  // y[i] = f(x[i]); x and y may be the same memory. An element's bits do not depend on where it stands.
  void (*map)(ElementFunction function, float a, float b, int64_t count, const float* x, float* y);
  // Over the `length` elements `stride` apart, for each group and offset; x, y: [groups, length, stride], may be the
  // same memory. An overflow before Softmax counts as the largest float.
  void (*softmax)(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);
  void (*log_softmax)(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);
};

}  // namespace halfwave::kernels
