// The rules of the operators: which types and shapes their outputs have, and what they refuse. A rule refuses whatever
// would let the rows of a batch mix. Each family has a file of its own, rules_<family>.cc.
#pragma once

#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

using Types = std::vector<TensorType>;  // of a node's outputs, in order

// --- elementwise ---
absl::StatusOr<Types> InferSame(const NodeContext& context);   // as the first input
absl::StatusOr<Types> InferTruth(const NodeContext& context);  // as the first input, but truth values
absl::StatusOr<Types> InferArithmetic(const NodeContext& context);
absl::StatusOr<Types> InferComparison(const NodeContext& context);
absl::StatusOr<Types> InferWhere(const NodeContext& context);
absl::StatusOr<Types> InferPRelu(const NodeContext& context);
absl::StatusOr<Types> InferGelu(const NodeContext& context);
absl::StatusOr<Types> InferDropout(const NodeContext& context);
absl::StatusOr<Types> InferCast(const NodeContext& context);
absl::StatusOr<Types> InferCastLike(const NodeContext& context);

// --- linear maps and normalisations ---
absl::StatusOr<Types> InferGemm(const NodeContext& context);
absl::StatusOr<Types> InferMatMul(const NodeContext& context);
absl::StatusOr<Types> InferEinsum(const NodeContext& context);
absl::StatusOr<Types> InferDense(const NodeContext& context);
absl::StatusOr<Types> InferConv(const NodeContext& context);
absl::StatusOr<Types> InferConvTranspose(const NodeContext& context);
absl::StatusOr<Types> InferBatchNormalization(const NodeContext& context);
absl::StatusOr<Types> InferInstanceNormalization(const NodeContext& context);
absl::StatusOr<Types> InferGroupNormalization(const NodeContext& context);
absl::StatusOr<Types> InferLayerNormalization(const NodeContext& context);
absl::StatusOr<Types> InferMeanVarianceNormalization(const NodeContext& context);
absl::StatusOr<Types> InferLrn(const NodeContext& context);

// --- windows ---
absl::StatusOr<Types> InferPool(const NodeContext& context);
absl::StatusOr<Types> InferGlobalPool(const NodeContext& context);
absl::StatusOr<Types> InferResize(const NodeContext& context);

// --- shapes ---
absl::StatusOr<Types> InferConcat(const NodeContext& context);
absl::StatusOr<Types> InferDepthToSpace(const NodeContext& context);
absl::StatusOr<Types> InferExpand(const NodeContext& context);
absl::StatusOr<Types> InferFlatten(const NodeContext& context);
absl::StatusOr<Types> InferGather(const NodeContext& context);
absl::StatusOr<Types> InferPad(const NodeContext& context);
absl::StatusOr<Types> InferReshape(const NodeContext& context);
absl::StatusOr<Types> InferSlice(const NodeContext& context);
absl::StatusOr<Types> InferSpaceToDepth(const NodeContext& context);
absl::StatusOr<Types> InferSplit(const NodeContext& context);
absl::StatusOr<Types> InferSqueeze(const NodeContext& context);
absl::StatusOr<Types> InferTile(const NodeContext& context);
absl::StatusOr<Types> InferTranspose(const NodeContext& context);
absl::StatusOr<Types> InferUnsqueeze(const NodeContext& context);

// --- picking by constant indices ---
absl::StatusOr<Types> InferGatherElements(const NodeContext& context);
absl::StatusOr<Types> InferGatherNd(const NodeContext& context);
absl::StatusOr<Types> InferOneHot(const NodeContext& context);
absl::StatusOr<Types> InferTrilu(const NodeContext& context);

// --- reductions ---
absl::StatusOr<Types> InferReduce(const NodeContext& context);
absl::StatusOr<Types> InferArgExtreme(const NodeContext& context);
absl::StatusOr<Types> InferTopK(const NodeContext& context);
absl::StatusOr<Types> InferSoftmax(const NodeContext& context);
absl::StatusOr<Types> InferAlongAxis(const NodeContext& context);  // LpNormalization, CumSum: one axis, same shape

// --- ai.onnx.ml ---
absl::StatusOr<Types> InferArrayFeatureExtractor(const NodeContext& context);
absl::StatusOr<Types> InferNormalizer(const NodeContext& context);
absl::StatusOr<Types> InferScaler(const NodeContext& context);
absl::StatusOr<Types> InferZipMap(const NodeContext& context);  // a map from label to number is served as the numbers

// --- what is computed at load or not at all ---
absl::StatusOr<Types> InferFolded(const NodeContext& context);

}  // namespace halfwave
