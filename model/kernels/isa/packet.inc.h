// Names for the widest vector register of the instruction set that a unit is compiled for. Where AVX-512 has what Eigen
// has no name for, parts of a register above all, it is here and nowhere else. Everything in *.inc.h has
// internal linkage: the same source is compiled several times into one program.
#pragma once

#include <cstdint>

#include "Eigen/Core"
#include "model/kernels/isa/half.inc.h"
#include "model/kernels/isa/table.h"

namespace halfwave::kernels {
namespace {

using Packet = Eigen::internal::packet_traits<float>::type;

constexpr int kLanes = Eigen::internal::unpacket_traits<Packet>::size;
constexpr int kRegisters = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS;

inline Packet Load(const float* p) { return Eigen::internal::ploadu<Packet>(p); }
inline Packet LoadAligned(const float* p) { return Eigen::internal::pload<Packet>(p); }
inline Packet LoadAligned(const Half* p) {
#if defined(__AVX512F__)
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p->bits)));
#else
  alignas(64) float floats[kLanes];
  for (int i = 0; i < kLanes; ++i) floats[i] = ToFloat(p[i]);
  return LoadAligned(floats);
#endif
}
inline void Store(float* p, const Packet& value) { Eigen::internal::pstoreu(p, value); }
inline Packet Broadcast(float value) { return Eigen::internal::pset1<Packet>(value); }
inline Packet Add(const Packet& a, const Packet& b) { return Eigen::internal::padd(a, b); }
inline Packet Multiply(const Packet& a, const Packet& b) { return Eigen::internal::pmul(a, b); }
// a b + c, rounded once where the instruction set can
inline Packet MultiplyAdd(const Packet& a, const Packet& b, const Packet& c) { return Eigen::internal::pmadd(a, b, c); }

// Weights in a cache line, and packets of them.
template <typename Weight>
constexpr int kLineWeights = 64 / sizeof(Weight);
template <typename Weight>
constexpr int kLinePackets = kLanes < kLineWeights<Weight> ? kLineWeights<Weight> / kLanes : 1;

// Into the first-level cache, and so into the second once pushed out: straight there takes longer on Zen 5.
inline void Fetch(const void* p) { __builtin_prefetch(p, 0, 3); }

// The first `width` lanes, or all of them if there are fewer; the others are 0, and not stored.
inline Packet LoadPart(const float* p, int64_t width) {
  if (width >= kLanes) return Load(p);
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << width) - 1), p);
#else
  alignas(64) float part[kLanes] = {};
  for (int64_t i = 0; i < width; ++i) part[i] = p[i];
  return LoadAligned(part);
#endif
}

inline void StorePart(float* p, int64_t width, const Packet& value) {
  if (width >= kLanes) return Store(p, value);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << width) - 1), value);
#else
  alignas(64) float part[kLanes];
  Store(part, value);
  for (int64_t i = 0; i < width; ++i) p[i] = part[i];
#endif
}

// The compiler's own vectors of a packet's size: it keeps the masks of AVX-512 in their registers, where Eigen's
// comparisons go back and forth between masks and packets.
using Floats [[gnu::vector_size(sizeof(Packet))]] = float;
using Counts [[gnu::vector_size(sizeof(Packet))]] = int32_t;
using Mask = Counts;  // all bits set, or none

inline Mask Less(const Packet& a, const Packet& b) { return (Floats)a < (Floats)b; }
inline Mask Equal(const Packet& a, const Packet& b) { return (Floats)a == (Floats)b; }
inline Packet Select(const Mask& mask, const Packet& a, const Packet& b) {
  return (Packet)(mask ? (Floats)a : (Floats)b);
}
// a where the two are equal or one is NaN.
inline Packet Max(const Packet& a, const Packet& b) { return Eigen::internal::pmax(a, b); }

// The larger one; NaN, if one is.
inline Packet LargerOrNan(const Packet& a, const Packet& b) { return Select(Equal(b, b), Max(a, b), b); }
// The largest of what lies at p, beside it, below, and beside that, of the first `width` lanes; NaN, if one is.
inline Packet LargestOfFour(const float* p, int64_t right, int64_t below, int64_t width) {
  const Packet upper = LargerOrNan(LoadPart(p, width), LoadPart(p + right, width));
  return LargerOrNan(upper, LargerOrNan(LoadPart(p + below, width), LoadPart(p + below + right, width)));
}

// max(x + 0, 0), and NaN where x is.
inline Packet Rectify(const Packet& x) { return Max(Add(x, Broadcast(0)), Broadcast(0)); }

// The lanes before `width`.
inline Mask FirstLanes(int64_t width) {
  Counts lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  return lane < static_cast<int32_t>(width);
}

// Lanes that count how often a mask was set.
inline Counts CountMask(const Counts& count, const Mask& mask) {
  if constexpr (kLanes == 16) return mask ? count + 1 : count;  // one instruction, with a mask
  return count - mask;
}

// Lanes that count how often a value was above zero.
inline Counts CountAbove(const Counts& count, const Packet& x) {
#if defined(__AVX512F__)
  // Not by a mask: comparing takes the multipliers' time on Zen 5, minima and maxima do not. The lesser of one and the
  // bits of a float is one, unless this is zero.
  const __m512i bits = _mm512_castps_si512(Max(Broadcast(0), x));
  return count + (Counts)_mm512_min_epi32(bits, _mm512_set1_epi32(1));
#else
  return CountMask(count, Less(Broadcast(0), x));
#endif
}

inline uint64_t SumOf(const Counts& counts) {
  uint64_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += static_cast<uint64_t>(counts[i]);
  return sum;
}
inline Counts LoadCounts(const uint32_t* p) {
  Counts counts;
  __builtin_memcpy(&counts, p, sizeof(counts));
  return counts;
}
inline void AddTo(uint32_t* p, const Counts& counts) {
  const Counts sum = LoadCounts(p) + counts;
  __builtin_memcpy(p, &sum, sizeof(sum));
}

// The first `width` lanes, or all of them if there are fewer.
inline void AddPartTo(uint32_t* p, int64_t width, const Counts& counts) {
  if (width >= kLanes) return AddTo(p, counts);
#if defined(__AVX512F__)
  const auto lanes = static_cast<__mmask16>((1u << width) - 1);
  const __m512i sum = _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, p), (__m512i)counts);
  _mm512_mask_storeu_epi32(p, lanes, sum);
#else
  for (int64_t i = 0; i < width; ++i) p[i] += static_cast<uint32_t>(counts[i]);
#endif
}

// Writes the values of x that are not zero, and where they stand, one behind the other. May write kLanes entries
// beyond. How many they are.
inline int64_t ListNotZero(const float* x, int64_t count, float* values, int32_t* positions) {
  int64_t listed = 0, i = 0;
#if defined(__AVX512F__)
  __m512i position = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; i + kLanes <= count; i += kLanes) {
    const Packet value = Load(x + i);
    const __mmask16 live = _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    Store(values + listed, _mm512_maskz_compress_ps(live, value));
    _mm512_storeu_si512(positions + listed, _mm512_maskz_compress_epi32(live, position));
    position = _mm512_add_epi32(position, _mm512_set1_epi32(kLanes));
    // Converted first: where g++ 12 spills a mask, it stores 16 bits and would count 32.
    listed += __builtin_popcount(_cvtmask16_u32(live));
  }
#endif
  for (; i < count; ++i) {
    values[listed] = x[i];
    positions[listed] = static_cast<int32_t>(i);
    listed += x[i] != 0 ? 1 : 0;
  }
  return listed;
}

// A number as a type: tells a lambda at compile time.
template <auto kValue>
struct Constant {
  static constexpr auto value = kValue;
};

constexpr int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace
}  // namespace halfwave::kernels
