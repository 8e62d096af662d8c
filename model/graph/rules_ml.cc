#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/rules.h"

namespace halfwave {

// Columns of the last dimension.
absl::StatusOr<Types> InferArrayFeatureExtractor(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType data, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape indices, context.InputShape(1));
  if (data.shape.empty()) return context.Invalid("takes columns of a scalar");
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(data.shape, data.shape.size() - 1));
  if (data.shape.size() == 1) data.shape.insert(data.shape.begin(), 1);
  constexpr int64_t kMostColumns = int64_t{1} << 31;
  int64_t count = 1;
  bool batch = false;
  for (const int64_t dimension : indices) {
    count *= RowSize(dimension);
    batch = batch || dimension < 0;
    if (count > kMostColumns) return context.Invalid("takes too many columns");
  }
  data.shape.back() = batch ? -count : count;
  return Types{data};
}

absl::StatusOr<Types> InferScaler(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  if (input.shape.empty()) return context.Invalid("scales a scalar");
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, input.shape.size() - 1));
  for (const char* name : {"offset", "scale"}) {
    HALFWAVE_ASSIGN_OR_RETURN(const auto values, context.Attribute(name, std::vector<float>()));
    if (values.size() > 1 && values.size() != static_cast<size_t>(input.shape.back())) {
      return context.Invalid(
          absl::StrCat("attribute '", name, "' has ", values.size(), " values for ", input.shape.back(), " features"));
    }
  }
  input.type = DataType::kFloat;
  return Types{input};
}

absl::StatusOr<Types> InferNormalizer(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string norm, context.Attribute<std::string>("norm", "MAX"));
  if (norm != "MAX" && norm != "L1" && norm != "L2") {
    return context.Invalid(absl::StrCat("attribute 'norm' is '", norm, "', expected MAX, L1 or L2"));
  }
  if (input.shape.empty()) return context.Invalid("normalises a scalar");
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, input.shape.size() - 1));
  input.type = DataType::kFloat;
  return Types{input};
}

absl::StatusOr<Types> InferZipMap(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  if (!IsFloat(input.type)) return context.Invalid("maps numbers that are not floats");
  return Types{input};
}

absl::StatusOr<Types> InferFolded(const NodeContext& context) {
  return context.Unsupported("depends on what is computed at run time; only a constant input is supported");
}

}  // namespace halfwave
