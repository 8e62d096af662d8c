// Compiled once per instruction set, each time with another name for Eigen's namespace and for the table, which is all
// that it exports.
#include "model/kernels/isa/dense.inc.h"
#include "model/kernels/isa/depthwise.inc.h"
#include "model/kernels/isa/softmax.inc.h"
#include "model/kernels/isa/winograd.inc.h"

namespace halfwave::kernels {

extern const KernelTable HALFWAVE_ISA_TABLE;
const KernelTable HALFWAVE_ISA_TABLE = {
    HALFWAVE_ISA_NAME,
    {DensePackedElements<float>, PackDense<float>, DenseScratchElements, RunDense<float>, kPanel},
    {DensePackedElements<Half>, PackDense<Half>, DenseScratchElements, RunDense<Half>, kPanel},
    {Map, SoftmaxOf<false>, SoftmaxOf<true>},
    {{DirectPackedElements<float>, PackDirect<float>, DirectScratchElements, RunDirect<float>},
     {DirectPackedElements<Half>, PackDirect<Half>, DirectScratchElements, RunDirect<Half>},
     {WinogradPackedElements<float>, PackWinograd<float>, WinogradScratchElements, RunWinograd<float>},
     {WinogradPackedElements<Half>, PackWinograd<Half>, WinogradScratchElements, RunWinograd<Half>},
     {DepthwisePackedElements, PackDepthwise, DepthwiseScratchElements, RunDepthwise},
     RunMaxPool},
};

}  // namespace halfwave::kernels
