// What running a node costs.
#pragma once

#include "model/graph/rules.h"

namespace halfwave {

// The multiply-adds of one row for a node that has weights or multiplies matrices; 0 for the others. `outputs` are the
// node's types. A double, since hostile sizes overflow integers.
double MultiplyAdds(const NodeContext& context, const Types& outputs);

// The steps of one row, one for each time an element is touched: multiply-adds and whatever else a node does.
double Steps(const NodeContext& context, const Types& outputs);

}  // namespace halfwave
