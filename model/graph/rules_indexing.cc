#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/indexing.h"
#include "model/graph/rules.h"

namespace halfwave {

absl::StatusOr<Types> InferGatherElements(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType data, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(Picked picked, ResolveGatherElements(context, data.shape));
  return Types{{data.type, std::move(picked.output)}};
}

absl::StatusOr<Types> InferGatherNd(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType data, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(Picked picked, ResolveGatherNd(context, data.shape));
  return Types{{data.type, std::move(picked.output)}};
}

absl::StatusOr<Types> InferTrilu(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_RETURN_IF_ERROR(ResolveTriangle(context).status());
  const size_t rank = input.shape.size();
  if (rank < 2) return context.Invalid(absl::StrCat("expects matrices, found ", ShapeToString(input.shape)));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, rank - 1));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, rank - 2));
  return Types{input};
}

absl::StatusOr<Types> InferOneHot(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType output, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const OneHotAxis one_hot, ResolveOneHot(context, output.shape.size()));
  const Constant* values = context.FindConstant(2);
  if (values == nullptr) return context.Unsupported("its values are computed at run time");
  if (values->floats.size() + values->ints.size() != 2) return context.Invalid("expects two values, off and on");
  output.type = values->type;
  output.shape.insert(output.shape.begin() + static_cast<std::ptrdiff_t>(one_hot.axis), one_hot.depth);
  return Types{output};
}

}  // namespace halfwave
