#include "model/onnx/tensor_reader.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

absl::Status TensorError(const onnx::TensorProto& tensor, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name(), "': ", what));
}

// Converts `count` elements, stored as From either in raw_data or in the field the element type uses.
template <typename From, typename Field, typename To>
absl::Status Convert(const onnx::TensorProto& tensor, const Field& field, int64_t count, std::vector<To>& out) {
  if (tensor.has_raw_data()) {
    const std::string& raw = tensor.raw_data();
    if (raw.size() / sizeof(From) != static_cast<size_t>(count) || raw.size() % sizeof(From) != 0) {
      return TensorError(
          tensor,
          absl::StrCat("its shape ", ShapeToString(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())),
                       " needs ", count, " elements of ", sizeof(From), " bytes, found ", raw.size(), " bytes"));
    }
    out.resize(count);
    for (int64_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, raw.data() + i * sizeof(From), sizeof(From));
      out[i] = static_cast<To>(value);
    }
    return absl::OkStatus();
  }
  if (field.size() != count) {
    return TensorError(tensor, absl::StrCat("its shape needs ", count, " elements, found ", field.size()));
  }
  out.resize(count);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<To>(field.Get(static_cast<int>(i)));
  return absl::OkStatus();
}

absl::Status ReadElements(const onnx::TensorProto& tensor, int64_t count, Constant& constant) {
  constant.type = DataType::kFloat;
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      return Convert<float>(tensor, tensor.float_data(), count, constant.floats);
    case onnx::TensorProto::DOUBLE:
      return Convert<double>(tensor, tensor.double_data(), count, constant.floats);
    default:
      break;
  }
  constant.type = DataType::kInt64;
  switch (tensor.data_type()) {
    case onnx::TensorProto::INT64:
      return Convert<int64_t>(tensor, tensor.int64_data(), count, constant.ints);
    case onnx::TensorProto::INT32:
      return Convert<int32_t>(tensor, tensor.int32_data(), count, constant.ints);
    case onnx::TensorProto::BOOL:
      return Convert<uint8_t>(tensor, tensor.int32_data(), count, constant.ints);
    default:
      return absl::UnimplementedError(absl::StrCat(
          "tensor '", tensor.name(), "' has element type ",
          onnx::TensorProto::DataType_IsValid(tensor.data_type())
              ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(tensor.data_type()))
              : absl::StrCat(tensor.data_type()),
          "; supported are FLOAT, DOUBLE, INT64, INT32 and BOOL: export the model in float32"));
  }
}

}  // namespace

absl::StatusOr<Constant> ReadTensor(const onnx::TensorProto& tensor) {
  Constant constant;
  constant.shape.assign(tensor.dims().begin(), tensor.dims().end());
  const auto count = NumElements(constant.shape);
  if (!count)
    return TensorError(tensor, absl::StrCat("shape ", ShapeToString(constant.shape), " is negative or too large"));
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    return absl::UnimplementedError(absl::StrCat("tensor '", tensor.name(),
                                                 "' keeps its data outside the file, which is not supported; save the "
                                                 "model as a single file"));
  }
  HALFWAVE_RETURN_IF_ERROR(ReadElements(tensor, *count, constant));
  for (size_t i = 0; i < constant.floats.size(); ++i) {
    if (!std::isfinite(constant.floats[i])) {
      return TensorError(tensor, absl::StrCat("element ", i, " is ", constant.floats[i],
                                              "; a model with weights that are not finite is not served"));
    }
  }
  return constant;
}

}  // namespace halfwave
