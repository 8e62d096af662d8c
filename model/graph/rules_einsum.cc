#include "model/base/status_macros.h"
#include "model/graph/einsum.h"
#include "model/graph/rules.h"

namespace halfwave {

absl::StatusOr<Types> InferEinsum(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType first, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Einsum einsum, ResolveEinsum(context));
  if (!IsFloat(first.type)) return context.Unsupported("multiplies whole numbers; only floats are supported");
  TensorType output{first.type, {}};
  for (const int label : einsum.output) output.shape.push_back(einsum.sizes.at(label));
  return Types{output};
}

}  // namespace halfwave
