// Arithmetic on the small integer tensors that shapes are made of, exact, with an open batch as a symbol.
#pragma once

#include <optional>

#include "model/graph/node_context.h"

namespace halfwave {

// The value of the node's first output, if it is one of the operators that exporters compute shapes with and all its
// inputs are known (Shape and Size know theirs always); nothing otherwise.
std::optional<Constant> FoldIntegers(const NodeContext& context);

}  // namespace halfwave
