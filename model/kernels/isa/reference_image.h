// The plain kernels over images, for the reference's table: a convolution is the sum over its window, whatever the
// weights were packed for. kHalf: they are stored in half precision.
#pragma once

#include "model/kernels/isa/conv_table.h"

namespace halfwave::kernels {

template <bool kHalf>
int64_t ReferenceConvPackedElements(const ConvShape* shape);
template <bool kHalf>
void ReferenceConvPack(const ConvShape* shape, const float* weights, const float* bias, float* packed);
template <bool kHalf>
void ReferenceConv(const ConvCall* call);
int64_t ReferenceDepthwisePackedElements(const ConvShape* shape);
void ReferenceDepthwisePack(const ConvShape* shape, const float* weights, const float* bias, float* packed);
int64_t ReferenceConvScratchElements(const ConvShape* shape);
void ReferenceDepthwise(const ConvCall* call);
void ReferenceMaxPool(const ConvCall* call);

// The activation of one value.
float ReferenceActivate(const Activation& activation, float x);
// Whether an output counts among UnitCounts::zeros.
bool ReferenceIsZero(const Activation& activation, float output);

}  // namespace halfwave::kernels
