// How far what the engine computes in fp32 may be from the real number.
#pragma once

#include <bit>
#include <cstdint>

namespace halfwave {

// Half the distance between 1 and the next float.
inline constexpr double kHalfUlp = 0x1p-24;

// Of a sum of so many products, in whatever order they are added: the share of the magnitudes of all terms together by
// which it may be off. Higham, Accuracy and Stability of Numerical Algorithms, 2002, ch. 3: gamma_K, with some more for
// weights that were multiplied with a factor and rounded, and for the second order.
inline constexpr double SumRounding(double terms) { return 1.01 * kHalfUlp * (terms + 8); }

// What rounding to fp32 can change a number by whose magnitude is at most x: half an ulp of the largest power of two in
// it.
inline double RoundingOf(double x) {
  return kHalfUlp * std::bit_cast<double>(std::bit_cast<uint64_t>(x) & 0xFFF0'0000'0000'0000);
}

// Below the smallest normal float more is lost than a share.
inline constexpr double kUnderflow = 0x1p-120;

// Winograd's F(4x4,3x3) transforms pixels and weights, adds products up over the channels, and transforms the sums
// back: what errors can grow to is an element of |A'| [(|G| |g| |G'|) (|B'| |d| |B|)] |A|. For pixels of 1 and a kernel
// with a single weight of 1, the largest is this, for the row times for the column of that weight: the last row of |A'|
// times |G| e_i times |B'| 1. Pixels beside the kernel have their part in it: they stand for the largest of their
// channel, and that all terms have one sign says nothing of the sign of the result.
inline constexpr double WinogradGrowth(int64_t row, int64_t column) {
  constexpr double kGrowth[] = {22. / 3, 34. / 3, 88. / 3};
  return kGrowth[row] * kGrowth[column];
}
inline constexpr double kWinogradOperations = 40;  // of the transforms, one after the other

}  // namespace halfwave
