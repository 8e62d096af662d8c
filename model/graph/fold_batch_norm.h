// A rewriting pass: batch normalisation, which after training is a factor and an offset per channel.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Folds BatchNormalization outside of training into the weights and bias of the Conv, ConvTranspose, Gemm or MatMul
// directly before it. A MatMul's output must be known to be of rank 2: of a higher one, normalisation takes dimension 1
// and the weights the last. See fold_into_linear.h for when; a variance that makes a factor that is not finite is left
// to be refused by name.
// Formula: ONNX operator specification, y = scale * (x - mean) / sqrt(variance + epsilon) + bias.
void FoldBatchNorm(Graph& graph);

}  // namespace halfwave
