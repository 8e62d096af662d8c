#include "model/kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfwave::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Larger(double a, double b) { return b > a || std::isnan(b) ? b : a; }
double Smaller(double a, double b) { return b < a || std::isnan(b) ? b : a; }

// add(add(add(start, x0), x1), ...) over all steps of the loops.
template <typename Add>
double Fold(std::span<const Loop<1>> loops, const float* x, double start, Add add) {
  double sum = start;
  auto visit = [&](const Loop<1>& loop, const std::array<const float*, 1>& data) {
    for (int64_t i = 0; i < loop.size; ++i) sum = add(sum, data[0][i * loop.strides[0]]);
  };
  ForEachInnerLoop<1>(loops, {x}, visit);
  return sum;
}

double LogSumExp(std::span<const Loop<1>> loops, const float* x) {
  const double max = Fold(loops, x, -kInfinity, Larger);
  if (!std::isfinite(max)) return max;
  return max + std::log(Fold(loops, x, 0, [=](double sum, double v) { return sum + std::exp(v - max); }));
}

double ReduceOne(Reduction reduction, std::span<const Loop<1>> loops, const float* x) {
  const auto sum = [&] { return Fold(loops, x, 0, [](double s, double v) { return s + v; }); };
  const auto squares = [&] { return Fold(loops, x, 0, [](double s, double v) { return s + v * v; }); };
  switch (reduction) {
    case Reduction::kSum:
      return sum();
    case Reduction::kMean: {
      double count = 1;
      for (const Loop<1>& loop : loops) count *= static_cast<double>(loop.size);
      return sum() / count;
    }
    case Reduction::kMax:
      return Fold(loops, x, -kInfinity, Larger);
    case Reduction::kMin:
      return Fold(loops, x, kInfinity, Smaller);
    case Reduction::kProd:
      return Fold(loops, x, 1, [](double product, double v) { return product * v; });
    case Reduction::kL1:
      return Fold(loops, x, 0, [](double s, double v) { return s + std::abs(v); });
    case Reduction::kL2:
      return std::sqrt(squares());
    case Reduction::kLogSum:
      return std::log(sum());
    case Reduction::kLogSumExp:
      return LogSumExp(loops, x);
    case Reduction::kSumSquare:
      return squares();
  }
  return 0;
}

// Calls visit(offset of the first element in x, offset in [groups, stride]) for each group of `length` elements.
template <typename Visit>
void ForEachGroup(int64_t groups, int64_t length, int64_t stride, Visit visit) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t offset = 0; offset < stride; ++offset)
      visit(group * length * stride + offset, group * stride + offset);
  }
}

// The index of the element no other is better than.
template <typename Better>
int64_t FindBest(int64_t length, int64_t stride, bool last, const float* x, Better better) {
  int64_t best = 0;
  for (int64_t i = 1; i < length; ++i) {
    if (last ? !better(x[best * stride], x[i * stride]) : better(x[i * stride], x[best * stride])) best = i;
  }
  return best;
}

// Strict orders over all floats, NaN included.
bool IsAbove(float a, float b) { return a > b || (std::isnan(a) && !std::isnan(b)); }
bool IsBelow(float a, float b) { return a < b || (std::isnan(a) && !std::isnan(b)); }

}  // namespace

void Reduce(Reduction reduction, int64_t rows, int64_t row_elements, std::span<const Loop<1>> kept,
            std::span<const Loop<1>> reduced, const float* x, float* y) {
  auto visit = [&](const Loop<1>& loop, const std::array<const float*, 1>& data) {
    for (int64_t i = 0; i < loop.size; ++i) {
      *y++ = static_cast<float>(ReduceOne(reduction, reduced, data[0] + i * loop.strides[0]));
    }
  };
  for (int64_t row = 0; row < rows; ++row) ForEachInnerLoop<1>(kept, {x + row * row_elements}, visit);
}

void ArgMax(int64_t groups, int64_t length, int64_t stride, bool last, const float* x, float* y) {
  ForEachGroup(groups, length, stride, [&](int64_t start, int64_t out) {
    y[out] = static_cast<float>(FindBest(length, stride, last, x + start, IsAbove));
  });
}

void ArgMin(int64_t groups, int64_t length, int64_t stride, bool last, const float* x, float* y) {
  ForEachGroup(groups, length, stride, [&](int64_t start, int64_t out) {
    y[out] = static_cast<float>(FindBest(length, stride, last, x + start, IsBelow));
  });
}

void TopK(int64_t groups, int64_t length, int64_t stride, int64_t k, bool largest, const float* x, float* order,
          float* values, float* indices) {
  ForEachGroup(groups, length, stride, [&](int64_t start, int64_t) {
    const auto at = [&](float index) { return x[start + static_cast<int64_t>(index) * stride]; };
    for (int64_t i = 0; i < length; ++i) order[i] = static_cast<float>(i);
    std::partial_sort(order, order + k, order + length, [&](float a, float b) {
      const float left = at(a), right = at(b);
      if (IsAbove(left, right)) return largest;
      if (IsAbove(right, left)) return !largest;
      return a < b;
    });
    const int64_t out = start / (length * stride) * k * stride + start % stride;
    for (int64_t i = 0; i < k; ++i) {
      if (values != nullptr) values[out + i * stride] = at(order[i]);
      if (indices != nullptr) indices[out + i * stride] = order[i];
    }
  });
}

void Hardmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  ForEachGroup(groups, length, stride, [&](int64_t start, int64_t) {
    const int64_t best = FindBest(length, stride, false, x + start, IsAbove);
    for (int64_t i = 0; i < length; ++i) y[start + i * stride] = i == best ? 1.0f : 0.0f;
  });
}

void CumSum(int64_t groups, int64_t length, int64_t stride, bool exclusive, bool reverse, const float* x, float* y) {
  ForEachGroup(groups, length, stride, [&](int64_t start, int64_t) {
    double sum = 0;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t at = start + (reverse ? length - 1 - i : i) * stride;
      const double before = sum;
      sum += x[at];
      y[at] = static_cast<float>(exclusive ? before : sum);
    }
  });
}

}  // namespace halfwave::kernels
