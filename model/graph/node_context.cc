#include "model/graph/node_context.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/batch_symbol.h"

namespace halfwave {

const Constant* NodeContext::FindConstant(size_t index) const {
  if (!Has(index)) return nullptr;
  if (const auto found = graph_.constants.find(node_.inputs[index]); found != graph_.constants.end()) {
    return &found->second;
  }
  if (folded_ == nullptr) return nullptr;
  const auto found = folded_->find(node_.inputs[index]);
  return found == folded_->end() ? nullptr : &found->second;
}

absl::StatusOr<TensorType> NodeContext::Input(size_t index) const {
  if (!Has(index)) return Invalid(absl::StrCat("input ", index, " is missing"));
  if (const Constant* constant = FindConstant(index)) return TensorType{constant->type, constant->shape};
  const auto found = types_.find(node_.inputs[index]);
  if (found == types_.end()) return Invalid(absl::StrCat("nothing computes its input '", node_.inputs[index], "'"));
  return found->second;
}

absl::StatusOr<Shape> NodeContext::InputShape(size_t index) const {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, Input(index));
  return std::move(input.shape);
}

absl::StatusOr<TensorType> NodeContext::Images(size_t min_rank) const {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, Input(0));
  if (input.shape.size() < min_rank) {
    return Invalid(absl::StrCat("expects an input of rank ", min_rank, " or more, found ", ShapeToString(input.shape)));
  }
  for (size_t i = 1; i < input.shape.size(); ++i) HALFWAVE_RETURN_IF_ERROR(ExpectNotBatch(input.shape, i));
  return input;
}

absl::StatusOr<const Constant*> NodeContext::Floats(size_t index, const std::string& role) const {
  if (!Has(index)) return Invalid(absl::StrCat("has no ", role, " (input ", index, ")"));
  const Constant* constant = FindConstant(index);
  if (constant == nullptr) {
    return Unsupported(absl::StrCat("its ", role, " '", node_.inputs[index],
                                    "' is computed at run time; only a constant one is supported"));
  }
  if (!IsFloat(constant->type)) {
    return Invalid(absl::StrCat("its ", role, " '", node_.inputs[index], "' holds ", DataTypeName(constant->type),
                                ", expected floats"));
  }
  return constant;
}

absl::StatusOr<std::vector<int64_t>> NodeContext::Integers(size_t index, const std::string& role,
                                                           bool batch_allowed) const {
  if (!Has(index)) return Invalid(absl::StrCat("has no ", role, " (input ", index, ")"));
  const Constant* constant = FindConstant(index);
  if (constant == nullptr) {
    return Unsupported(absl::StrCat("its ", role, " '", node_.inputs[index],
                                    "' is computed at run time; only a constant one is supported"));
  }
  if (!IsInteger(constant->type)) {
    return Invalid(absl::StrCat("its ", role, " '", node_.inputs[index], "' holds ", DataTypeName(constant->type),
                                ", expected integers"));
  }
  if (DependsOnBatch(*constant) && !batch_allowed)
    return Unsupported(absl::StrCat("its ", role, " depends on the size of the batch"));
  return constant->ints;
}

absl::StatusOr<std::vector<int64_t>> NodeContext::List(const std::string& name, size_t index, int64_t since) const {
  if (opset() < since) return Attribute(name, std::vector<int64_t>());
  if (!Has(index)) return std::vector<int64_t>();
  return Integers(index, name);
}

absl::StatusOr<size_t> NodeContext::Axis(const std::string& name, int64_t axis, size_t rank) const {
  if (const auto index = NormalizeAxis(axis, rank)) return *index;
  return Invalid(absl::StrCat("'", name, "' is ", axis, ", but its input has ", rank, " dimensions"));
}

absl::StatusOr<std::vector<size_t>> NodeContext::Axes(const std::string& name, const std::vector<int64_t>& axes,
                                                      size_t rank) const {
  std::vector<size_t> result;
  for (const int64_t value : axes) {
    HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, Axis(name, value, rank));
    if (std::find(result.begin(), result.end(), axis) != result.end()) {
      return Invalid(absl::StrCat("'", name, "' names dimension ", value, " twice"));
    }
    result.push_back(axis);
  }
  return result;
}

absl::Status NodeContext::ExpectNotBatch(const Shape& shape, size_t axis) const {
  if (shape[axis] >= 0) return absl::OkStatus();
  return Unsupported(absl::StrCat("works along dimension ", axis, " of ", ShapeToString(shape),
                                  ", which is the batch: it would mix the rows"));
}

}  // namespace halfwave
