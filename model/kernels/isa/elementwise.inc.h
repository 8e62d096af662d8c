// Functions of single elements. Every element, a row's last ones included, goes through the same packet functions, so
// its bits do not depend on where it stands.
#pragma once

#include "model/kernels/isa/packet.inc.h"
#include "model/kernels/isa/row_table.h"

namespace halfwave::kernels {
namespace {

inline Packet KeepNan(const Packet& x, const Packet& y) { return Select(Equal(x, x), y, x); }
inline Packet Larger(const Packet& a, const Packet& b) { return Select(Less(a, b), b, a); }
inline Packet Smaller(const Packet& a, const Packet& b) { return Select(Less(b, a), b, a); }
inline Packet Minus(const Packet& x) { return Eigen::internal::pnegate(x); }
inline Packet Subtract(const Packet& a, const Packet& b) { return Eigen::internal::psub(a, b); }
inline Packet Divide(const Packet& a, const Packet& b) { return Eigen::internal::pdiv(a, b); }
// Eigen's never gets to zero; from -104 on the result is nearer to zero than to the smallest float.
inline Packet Exp(const Packet& x) {
  return KeepNan(x, Select(Less(x, Broadcast(-104)), Broadcast(0), Eigen::internal::pexp(x)));
}
inline Packet ExpMinus1(const Packet& x) { return Eigen::internal::generic_expm1(x); }
inline Packet TanhOf(const Packet& x) { return KeepNan(x, Eigen::internal::ptanh(x)); }
// log(1 + e^x), without overflow
inline Packet LogOnePlusExp(const Packet& x) {
  const Packet tail = Eigen::internal::generic_plog1p(Exp(Minus(Eigen::internal::pabs(x))));
  return Add(Larger(x, Broadcast(0)), tail);
}
// 1 / (1 + e^-x)
inline Packet SigmoidOf(const Packet& x) { return Divide(Broadcast(1), Add(Broadcast(1), Exp(Minus(x)))); }
inline Packet IfNegative(const Packet& x, const Packet& then, const Packet& otherwise) {
  return Select(Less(x, Broadcast(0)), then, otherwise);
}

template <ElementFunction kFunction>
inline Packet Apply(const Packet& x, const Packet& a, const Packet& b) {
  switch (kFunction) {
    case ElementFunction::kRelu:
      return IfNegative(x, Broadcast(0), x);
    case ElementFunction::kLeakyRelu:
      return IfNegative(x, Multiply(a, x), x);
    case ElementFunction::kElu:
      return KeepNan(x, IfNegative(x, Multiply(a, ExpMinus1(x)), x));
    case ElementFunction::kSelu:
      return KeepNan(x, Multiply(b, IfNegative(x, Multiply(a, ExpMinus1(x)), x)));
    case ElementFunction::kCelu:
      return KeepNan(x, IfNegative(x, Multiply(a, ExpMinus1(Divide(x, a))), x));
    case ElementFunction::kSigmoid:
      return SigmoidOf(x);
    case ElementFunction::kTanh:
      return TanhOf(x);
    case ElementFunction::kGeluTanh: {
      const Packet cube = Multiply(Multiply(x, x), x);
      const Packet inner = Add(x, Multiply(Broadcast(0.044715f), cube));
      return Divide(x, Add(Broadcast(1), Exp(Multiply(Broadcast(-1.59576912160573071f), inner))));  // -2 sqrt(2 / pi)
    }
    case ElementFunction::kSoftplus:
      return KeepNan(x, LogOnePlusExp(x));
    case ElementFunction::kMish:
      // Far below zero the exponential is not quite zero, which an x without a limit would make visible.
      return KeepNan(x, Multiply(Larger(x, Broadcast(-100)), TanhOf(LogOnePlusExp(x))));
  }
  return x;
}

template <ElementFunction kFunction>
void MapWith(float a, float b, int64_t count, const float* x, float* y) {
  const Packet pa = Broadcast(a), pb = Broadcast(b);
  for (; count >= kLanes; count -= kLanes, x += kLanes, y += kLanes) Store(y, Apply<kFunction>(Load(x), pa, pb));
  if (count > 0) StorePart(y, count, Apply<kFunction>(LoadPart(x, count), pa, pb));
}

void Map(ElementFunction function, float a, float b, int64_t count, const float* x, float* y) {
  switch (function) {
    case ElementFunction::kRelu:
      return MapWith<ElementFunction::kRelu>(a, b, count, x, y);
    case ElementFunction::kLeakyRelu:
      return MapWith<ElementFunction::kLeakyRelu>(a, b, count, x, y);
    case ElementFunction::kElu:
      return MapWith<ElementFunction::kElu>(a, b, count, x, y);
    case ElementFunction::kSelu:
      return MapWith<ElementFunction::kSelu>(a, b, count, x, y);
    case ElementFunction::kCelu:
      return MapWith<ElementFunction::kCelu>(a, b, count, x, y);
    case ElementFunction::kSigmoid:
      return MapWith<ElementFunction::kSigmoid>(a, b, count, x, y);
    case ElementFunction::kTanh:
      return MapWith<ElementFunction::kTanh>(a, b, count, x, y);
    case ElementFunction::kGeluTanh:
      return MapWith<ElementFunction::kGeluTanh>(a, b, count, x, y);
    case ElementFunction::kSoftplus:
      return MapWith<ElementFunction::kSoftplus>(a, b, count, x, y);
    case ElementFunction::kMish:
      return MapWith<ElementFunction::kMish>(a, b, count, x, y);
  }
}

}  // namespace
}  // namespace halfwave::kernels
