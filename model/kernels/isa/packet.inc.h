// Names for the widest vector register of the instruction set that a unit is compiled for. Everything in *.inc.h has
// internal linkage: the same source is compiled several times into one program.
#pragma once

#include <cstdint>

#include "Eigen/Core"
#include "model/kernels/isa/table.h"

namespace halfwave::kernels {
namespace {

using Packet = Eigen::internal::packet_traits<float>::type;
using PacketOfInts = Eigen::internal::unpacket_traits<Packet>::integer_packet;

constexpr int kLanes = Eigen::internal::unpacket_traits<Packet>::size;
constexpr int kRegisters = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS;

inline Packet Load(const float* p) { return Eigen::internal::ploadu<Packet>(p); }
inline Packet LoadAligned(const float* p) { return Eigen::internal::pload<Packet>(p); }
inline void Store(float* p, const Packet& value) { Eigen::internal::pstoreu(p, value); }
inline Packet Broadcast(float value) { return Eigen::internal::pset1<Packet>(value); }
inline Packet Add(const Packet& a, const Packet& b) { return Eigen::internal::padd(a, b); }
inline Packet Multiply(const Packet& a, const Packet& b) { return Eigen::internal::pmul(a, b); }
// a b + c, rounded once where the instruction set can
inline Packet MultiplyAdd(const Packet& a, const Packet& b, const Packet& c) { return Eigen::internal::pmadd(a, b, c); }
// The first `width` lanes, or all of them if there are fewer; the others are 0, and not stored.
inline Packet LoadPart(const float* p, int64_t width) {
  if (width >= kLanes) return Load(p);
  alignas(64) float part[kLanes] = {};
  for (int64_t i = 0; i < width; ++i) part[i] = p[i];
  return LoadAligned(part);
}

inline void StorePart(float* p, int64_t width, const Packet& value) {
  if (width >= kLanes) return Store(p, value);
  alignas(64) float part[kLanes];
  Store(part, value);
  for (int64_t i = 0; i < width; ++i) p[i] = part[i];
}

// All bits set where a < b, a == b; none elsewhere.
inline Packet Less(const Packet& a, const Packet& b) { return Eigen::internal::pcmp_lt(a, b); }
inline Packet Equal(const Packet& a, const Packet& b) { return Eigen::internal::pcmp_eq(a, b); }
inline Packet Select(const Packet& mask, const Packet& a, const Packet& b) {
  return Eigen::internal::pselect(mask, a, b);
}

// Lanes that count how often a mask was set.
inline PacketOfInts CountMask(const PacketOfInts& count, const Packet& mask) {
  return Eigen::internal::psub(count, Eigen::internal::preinterpret<PacketOfInts>(mask));
}
inline PacketOfInts NoCounts() { return Eigen::internal::pset1<PacketOfInts>(0); }

inline uint64_t SumOf(const PacketOfInts& counts) {
  int32_t lanes[kLanes];
  Eigen::internal::pstoreu(lanes, counts);
  int32_t sum = 0;
  for (const int32_t lane : lanes) sum += lane;
  return static_cast<uint64_t>(sum);
}
inline void AddTo(uint32_t* p, const PacketOfInts& counts) {
  int32_t* target = reinterpret_cast<int32_t*>(p);
  const PacketOfInts sum = Eigen::internal::padd(Eigen::internal::ploadu<PacketOfInts>(target), counts);
  Eigen::internal::pstoreu(target, sum);
}

constexpr int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace
}  // namespace halfwave::kernels
