// A rewriting pass: constants added to or multiplied with what a linear layer makes.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Folds Add, Sub, Mul and Div of a constant that has one value per output channel (or one in all) into the bias and the
// weights of the Conv, ConvTranspose, Gemm or MatMul directly before it; a MatMul with a bias becomes Dense (see
// uses.h). See fold_into_linear.h for when.
void FoldBias(Graph& graph);

}  // namespace halfwave
