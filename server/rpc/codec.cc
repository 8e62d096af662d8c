#include "server/rpc/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "server/rpc/tensor_codec.h"

namespace halfwave {
namespace {

using inference::ModelInferRequest;
using InputTensor = ModelInferRequest::InferInputTensor;

absl::Status InputError(const InputTensor& tensor, const ModelVersion& version, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat("input '", tensor.name(), "' of model '", version.name(), "': ", what));
}

std::string Names(const std::vector<GraphValue>& values) {
  return absl::StrJoin(values, ", ", [](std::string* out, const GraphValue& value) { out->append(value.name); });
}

// The rows a tensor says it has, once its shape fits the model's input.
absl::StatusOr<int64_t> CheckShape(const InputTensor& tensor, const GraphValue& input, const ModelVersion& version) {
  if (tensor.datatype() != DataTypeName(input.type)) {
    return InputError(
        tensor, version,
        absl::StrCat("expected datatype ", DataTypeName(input.type), ", found '", tensor.datatype(), "'"));
  }
  const Shape shape(tensor.shape().begin(), tensor.shape().end());
  const bool fits =
      shape.size() == input.shape.size() && std::equal(shape.begin() + 1, shape.end(), input.shape.begin() + 1);
  if (!fits) {
    return InputError(
        tensor, version,
        absl::StrCat("unexpected shape: expected ", ShapeToString(input.shape), ", found ", ShapeToString(shape)));
  }
  if (shape[0] < 1 || shape[0] > version.max_batch_rows()) {
    return InputError(tensor, version,
                      absl::StrCat("expected a batch of 1 to ", version.max_batch_rows(), " rows, found ", shape[0],
                                   "; send the rows in several requests"));
  }
  return shape[0];
}

// The index of the first value that is NaN or infinite, or `count`.
int64_t FindNonFinite(const char* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float value = 0;
    std::memcpy(&value, values + i * sizeof(float), sizeof(float));
    if (!std::isfinite(value)) return i;
  }
  return count;
}

size_t WireBytes(const ModelInferRequest& request, int index) {
  return request.raw_input_contents_size() > 0 ? request.raw_input_contents(index).size()
                                               : request.inputs(index).contents().ByteSizeLong();
}

absl::StatusOr<size_t> FindInput(const InputTensor& tensor, const ModelVersion& version) {
  const auto& inputs = version.model().inputs();
  const auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const GraphValue& input) { return input.name == tensor.name(); });
  if (found == inputs.end()) {
    return InputError(tensor, version, absl::StrCat("there is no such input; expected ", Names(inputs)));
  }
  return static_cast<size_t>(found - inputs.begin());
}

}  // namespace

absl::StatusOr<DecodedRows> DecodeRows(const ModelInferRequest& request, const ModelVersion& version,
                                       bool allow_non_finite) {
  const auto& inputs = version.model().inputs();
  if (request.raw_input_contents_size() > 0 && request.raw_input_contents_size() != request.inputs_size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected one entry in raw_input_contents for each of the ",
                                                   request.inputs_size(), " inputs, found ",
                                                   request.raw_input_contents_size()));
  }
  DecodedRows decoded;
  decoded.inputs.assign(inputs.size(), nullptr);
  for (int i = 0; i < request.inputs_size(); ++i) {
    const InputTensor& tensor = request.inputs(i);
    HALFWAVE_ASSIGN_OR_RETURN(const size_t index, FindInput(tensor, version));
    if (decoded.inputs[index] != nullptr) return InputError(tensor, version, "is there twice");
    HALFWAVE_ASSIGN_OR_RETURN(const int64_t rows, CheckShape(tensor, inputs[index], version));
    if (i > 0 && rows != decoded.rows) {
      return InputError(
          tensor, version,
          absl::StrCat("has ", rows, " rows, but input '", request.inputs(0).name(), "' has ", decoded.rows));
    }
    decoded.rows = rows;
    const int64_t elements = rows * RowElements(inputs[index].shape);
    std::vector<float> converted;
    const auto values = DecodeValues(request, i, inputs[index].type, elements, converted);
    if (!values.ok()) return InputError(tensor, version, std::string(values.status().message()));
    decoded.inputs[index] = *values;
    decoded.bytes += elements * sizeof(float);
    if (!converted.empty()) {
      decoded.bytes += WireBytes(request, i);
      decoded.converted.push_back(std::move(converted));
    }
    const int64_t bad = IsFloat(inputs[index].type) ? FindNonFinite(*values, elements) : elements;
    if (bad < elements) {
      decoded.finite = false;
      if (!allow_non_finite) {
        return InputError(tensor, version,
                          absl::StrCat("value ", bad % RowElements(inputs[index].shape), " of row ",
                                       bad / RowElements(inputs[index].shape),
                                       " is NaN or infinite; expected finite values (the server's "
                                       "option --allow-non-finite lets others pass)"));
      }
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (decoded.inputs[i] == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input '", inputs[i].name, "' of model '", version.name(),
                                                     "' is missing; expected ", Names(inputs)));
    }
  }
  return decoded;
}

absl::StatusOr<std::vector<size_t>> DecodeOutputs(const ModelInferRequest& request, const ModelVersion& version) {
  const auto& outputs = version.model().outputs();
  std::vector<size_t> indices;
  for (const auto& wanted : request.outputs()) {
    const auto found = std::find_if(outputs.begin(), outputs.end(),
                                    [&](const GraphValue& output) { return output.name == wanted.name(); });
    const auto index = static_cast<size_t>(found - outputs.begin());
    if (found == outputs.end() || std::find(indices.begin(), indices.end(), index) != indices.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("output '", wanted.name(), "' of model '", version.name(), "': ",
                       found == outputs.end() ? absl::StrCat("there is no such output; expected ", Names(outputs))
                                              : "is asked for twice"));
    }
    indices.push_back(index);
  }
  for (size_t i = 0; indices.size() < outputs.size() && request.outputs_size() == 0; ++i) indices.push_back(i);
  return indices;
}

void EncodeResponse(const ModelInferRequest& request, const ModelVersion& version, int64_t rows,
                    const std::vector<size_t>& outputs, InferenceRequest::Outputs values,
                    inference::ModelInferResponse& response) {
  response.set_model_name(version.name());
  response.set_model_version(version.version());
  response.set_id(request.id());
  for (const size_t index : outputs) {
    EncodeValues(version.model().outputs()[index], rows, values[index], response);
  }
}

}  // namespace halfwave
