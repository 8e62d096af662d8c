// A rewriting pass: the rectifier after the maximum, where there is less to rectify.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Relu -> MaxPool becomes Observe -> MaxPool -> Relu (see uses.h), through any number of MaxPools, where nobody else
// reads what is between. The Observe counts what the Relu would have counted, the moved Relu is marked as not counted.
// The maximum commutes with a function that never falls, NaN stays NaN: values are equal, though a zero may have
// another sign. A Relu right behind a convolution stays, where the convolution can end with it. A window that may see
// nothing but padding (padding and dilation) stays as it is. The nodes must be sorted.
void ReluAfterMaxPool(Graph& graph);

}  // namespace halfwave
