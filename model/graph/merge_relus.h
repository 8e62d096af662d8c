// A rewriting pass: rectifiers of what is never negative.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// ReLU(ReLU(x)) = ReLU(x): turns a Relu whose input is never negative into an Observe node (see uses.h), which counts
// in its place. Never negative is what a Relu, a Clip from 0 or more, a sigmoid, a softmax or a softplus makes, also
// seen through nodes that only move values about. Equal in all bits, NaN included. The nodes must be sorted.
void MergeRelus(Graph& graph);

}  // namespace halfwave
