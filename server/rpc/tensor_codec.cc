#include "server/rpc/tensor_codec.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "proto/tensor_values.h"

namespace halfwave {
namespace {

using inference::InferTensorContents;

absl::Status CheckRawSize(const ValueType& type, int64_t elements, size_t bytes) {
  const size_t expected = elements * type.bytes;
  if (bytes == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input byte size mismatch: expected ", expected, " bytes (", elements,
                                                 " ", type.name, " values), found ", bytes));
}

absl::Status CheckTypedSize(const ValueType& type, int64_t elements, const InferTensorContents& contents) {
  if (type.count == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", type.name, " values in raw_input_contents, found ",
                                                   CountContents(contents) > 0 ? "typed contents" : "none"));
  }
  const int count = type.count(contents);
  if (CountContents(contents) != count) {
    return absl::InvalidArgumentError(absl::StrCat("expected its values in ", type.field, " alone, found others"));
  }
  if (count == elements) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected ", elements, " values in ", type.field, ", found ", count));
}

const char* Convert(const ValueType& type, const char* raw, int64_t elements, std::vector<float>& converted) {
  converted.resize(elements);
  type.from_raw(raw, elements, converted.data());
  return reinterpret_cast<const char*>(converted.data());
}

// The label that a computed index stands for; the nearest there is, for an index that stands for none.
const std::string& LabelAt(const std::vector<std::string>& labels, float index) {
  static const std::string* const kNone = new std::string;
  if (labels.empty()) return *kNone;
  if (!(index > 0)) return labels.front();
  return index < static_cast<float>(labels.size()) ? labels[static_cast<size_t>(index)] : labels.back();
}

}  // namespace

absl::StatusOr<const char*> DecodeValues(const inference::ModelInferRequest& request, int index, DataType data_type,
                                         int64_t elements, std::vector<float>& converted) {
  const ValueType* type = FindValueType(DataTypeName(data_type));
  if (type == nullptr || type->from_raw == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("inputs of type ", DataTypeName(data_type), " are not supported"));
  }
  const InferTensorContents& contents = request.inputs(index).contents();
  const bool as_it_is = data_type == DataType::kFloat;
  if (request.raw_input_contents_size() > 0) {
    if (CountContents(contents) > 0) {
      return absl::InvalidArgumentError("has both raw and typed contents; send one of them");
    }
    const std::string& raw = request.raw_input_contents(index);
    HALFWAVE_RETURN_IF_ERROR(CheckRawSize(*type, elements, raw.size()));
    return as_it_is ? raw.data() : Convert(*type, raw.data(), elements, converted);
  }
  HALFWAVE_RETURN_IF_ERROR(CheckTypedSize(*type, elements, contents));
  if (as_it_is) return reinterpret_cast<const char*>(contents.fp32_contents().data());
  std::string raw;
  const int fitting = type->to_raw(contents, raw);
  if (fitting < elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("value ", fitting, " in ", type->field, " does not fit ", type->name));
  }
  return Convert(*type, raw.data(), elements, converted);
}

void EncodeValues(const GraphValue& output, int64_t rows, std::span<const float> values,
                  inference::ModelInferResponse& response) {
  auto* tensor = response.add_outputs();
  tensor->set_name(output.name);
  tensor->set_datatype(DataTypeName(output.type));
  tensor->add_shape(rows);
  for (size_t i = 1; i < output.shape.size(); ++i) tensor->add_shape(output.shape[i]);
  if (output.type == DataType::kFloat) {
    response.add_raw_output_contents(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return;
  }
  std::string& raw = *response.add_raw_output_contents();
  if (output.type == DataType::kString) {
    for (const float index : values) AppendBytes(LabelAt(output.labels, index), raw);
    return;
  }
  const ValueType* type = FindValueType(DataTypeName(output.type));
  raw.resize(values.size() * type->bytes);
  type->from_floats(values.data(), values.size(), raw.data());
}

}  // namespace halfwave
