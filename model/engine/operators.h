// One function per operator (or per few that mean the same): turns the builder's current node into a layer. The types
// have been inferred, so the rules of model/graph hold. Errors name the node.
#pragma once

#include "model/engine/builder.h"
#include "model/kernels/reduce.h"

namespace halfwave {

absl::Status LowerAdd(Builder& builder);
absl::Status LowerAnd(Builder& builder);
absl::Status LowerArgMax(Builder& builder);
absl::Status LowerArgMin(Builder& builder);
absl::Status LowerArrayFeatureExtractor(Builder& builder);
absl::Status LowerAveragePool(Builder& builder);
absl::Status LowerBatchNormalization(Builder& builder);
absl::Status LowerBinarizer(Builder& builder);
absl::Status LowerCast(Builder& builder);
absl::Status LowerCelu(Builder& builder);
absl::Status LowerClip(Builder& builder);
absl::Status LowerConcat(Builder& builder);
absl::Status LowerConv(Builder& builder);
absl::Status LowerConvTranspose(Builder& builder);
absl::Status LowerCumSum(Builder& builder);
absl::Status LowerDepthToSpace(Builder& builder);
absl::Status LowerDiv(Builder& builder);
absl::Status LowerDropout(Builder& builder);
absl::Status LowerEinsum(Builder& builder);
absl::Status LowerElu(Builder& builder);
absl::Status LowerEqual(Builder& builder);
absl::Status LowerExpand(Builder& builder);
absl::Status LowerGather(Builder& builder);
absl::Status LowerGatherElements(Builder& builder);
absl::Status LowerGatherNd(Builder& builder);
absl::Status LowerGelu(Builder& builder);
absl::Status LowerGemm(Builder& builder);
absl::Status LowerGlobalAveragePool(Builder& builder);
absl::Status LowerGlobalLpPool(Builder& builder);
absl::Status LowerGlobalMaxPool(Builder& builder);
absl::Status LowerGreater(Builder& builder);
absl::Status LowerGreaterOrEqual(Builder& builder);
absl::Status LowerGroupNormalization(Builder& builder);
absl::Status LowerHardSigmoid(Builder& builder);
absl::Status LowerHardSwish(Builder& builder);
absl::Status LowerHardmax(Builder& builder);
absl::Status LowerInstanceNormalization(Builder& builder);
absl::Status LowerIsInf(Builder& builder);
absl::Status LowerLayerNormalization(Builder& builder);
absl::Status LowerLeakyRelu(Builder& builder);
absl::Status LowerLess(Builder& builder);
absl::Status LowerLessOrEqual(Builder& builder);
absl::Status LowerLogSoftmax(Builder& builder);
absl::Status LowerLpNormalization(Builder& builder);
absl::Status LowerLpPool(Builder& builder);
absl::Status LowerLrn(Builder& builder);
absl::Status LowerMatMul(Builder& builder);
absl::Status LowerMax(Builder& builder);
absl::Status LowerMaxPool(Builder& builder);
absl::Status LowerMean(Builder& builder);
absl::Status LowerMeanVarianceNormalization(Builder& builder);
absl::Status LowerMin(Builder& builder);
absl::Status LowerMish(Builder& builder);
absl::Status LowerMod(Builder& builder);
absl::Status LowerMul(Builder& builder);
absl::Status LowerNormalizer(Builder& builder);
absl::Status LowerObserve(Builder& builder);
absl::Status LowerOneHot(Builder& builder);
absl::Status LowerOr(Builder& builder);
absl::Status LowerPRelu(Builder& builder);
absl::Status LowerPad(Builder& builder);
absl::Status LowerPow(Builder& builder);
absl::Status LowerRelu(Builder& builder);
absl::Status LowerReshape(Builder& builder);
absl::Status LowerResize(Builder& builder);
absl::Status LowerRmsNormalization(Builder& builder);
absl::Status LowerSameMemory(Builder& builder);
absl::Status LowerScaler(Builder& builder);
absl::Status LowerSelu(Builder& builder);
absl::Status LowerShrink(Builder& builder);
absl::Status LowerSigmoid(Builder& builder);
absl::Status LowerSlice(Builder& builder);
absl::Status LowerSoftmax(Builder& builder);
absl::Status LowerSoftplus(Builder& builder);
absl::Status LowerSoftsign(Builder& builder);
absl::Status LowerSpaceToDepth(Builder& builder);
absl::Status LowerSplit(Builder& builder);
absl::Status LowerSub(Builder& builder);
absl::Status LowerSum(Builder& builder);
absl::Status LowerSwish(Builder& builder);
absl::Status LowerTanh(Builder& builder);
absl::Status LowerThresholdedRelu(Builder& builder);
absl::Status LowerTile(Builder& builder);
absl::Status LowerTopK(Builder& builder);
absl::Status LowerTranspose(Builder& builder);
absl::Status LowerTrilu(Builder& builder);
absl::Status LowerWhere(Builder& builder);
absl::Status LowerXor(Builder& builder);

// A function of each element.
absl::Status LowerUnary(Builder& builder, void (*function)(int64_t count, const float* x, float* y));
absl::Status LowerReduce(Builder& builder, kernels::Reduction reduction);

}  // namespace halfwave
