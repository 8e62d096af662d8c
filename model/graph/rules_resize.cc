#include "model/base/status_macros.h"
#include "model/graph/resize.h"
#include "model/graph/rules.h"

namespace halfwave {

absl::StatusOr<Types> InferResize(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Resampling resampling, ResolveResampling(context));
  if (!IsFloat(input.type) && resampling.mode != Resampling::Mode::kNearest) {
    return context.Unsupported("resizes whole numbers; only the nearest ones are taken, nothing between is computed");
  }
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<ResizedAxis> axes, ResolveResize(context, input.shape));
  for (const ResizedAxis& axis : axes) input.shape[axis.axis] = axis.out;
  return Types{input};
}

}  // namespace halfwave
