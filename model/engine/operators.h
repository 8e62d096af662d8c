// One function per operator (or per few that mean the same): turns the builder's current node into a layer. The shapes
// have been inferred, so the rules of model/graph hold. Errors name the node.
#pragma once

#include "model/engine/builder.h"

namespace halfwave {

absl::Status LowerAdd(Builder& builder);
absl::Status LowerAveragePool(Builder& builder);
absl::Status LowerBatchNormalization(Builder& builder);
absl::Status LowerCelu(Builder& builder);
absl::Status LowerClip(Builder& builder);
absl::Status LowerConcat(Builder& builder);
absl::Status LowerConv(Builder& builder);
absl::Status LowerDiv(Builder& builder);
absl::Status LowerElu(Builder& builder);
absl::Status LowerGelu(Builder& builder);
absl::Status LowerGemm(Builder& builder);
absl::Status LowerGlobalAveragePool(Builder& builder);
absl::Status LowerGlobalMaxPool(Builder& builder);
absl::Status LowerHardSigmoid(Builder& builder);
absl::Status LowerHardSwish(Builder& builder);
absl::Status LowerLeakyRelu(Builder& builder);
absl::Status LowerLogSoftmax(Builder& builder);
absl::Status LowerMatMul(Builder& builder);
absl::Status LowerMaxPool(Builder& builder);
absl::Status LowerMish(Builder& builder);
absl::Status LowerMul(Builder& builder);
absl::Status LowerPRelu(Builder& builder);
absl::Status LowerRelu(Builder& builder);
absl::Status LowerReshape(Builder& builder);
absl::Status LowerSameMemory(Builder& builder);
absl::Status LowerSelu(Builder& builder);
absl::Status LowerSigmoid(Builder& builder);
absl::Status LowerSlice(Builder& builder);
absl::Status LowerSoftmax(Builder& builder);
absl::Status LowerSoftplus(Builder& builder);
absl::Status LowerSoftsign(Builder& builder);
absl::Status LowerSub(Builder& builder);
absl::Status LowerTanh(Builder& builder);
absl::Status LowerThresholdedRelu(Builder& builder);
absl::Status LowerTranspose(Builder& builder);

}  // namespace halfwave
