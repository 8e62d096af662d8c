// ModelInfer on the wire to and from what a model version takes and gives.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "proto/open_inference.pb.h"
#include "server/repository/model_version.h"

namespace halfwave {

// The rows of a request as they lie in its message, in the order of the model's inputs.
struct DecodedRows {
  int64_t rows = 0;
  std::vector<const char*> inputs;
  size_t bytes = 0;
  bool finite = true;
};

// Checks the inputs of a request against the model. The pointers of the result point into `request`. INVALID_ARGUMENT
// names the tensor, what was expected and what came: a missing, unknown or doubled name, a wrong datatype, shape or
// size, a batch that is empty or too large, raw and typed contents at once, and, unless allow_non_finite, a NaN or an
// infinity.
absl::StatusOr<DecodedRows> DecodeRows(const inference::ModelInferRequest& request, const ModelVersion& version,
                                       bool allow_non_finite);

// The outputs the request asks for, as indices into the model's; all of them if it names none. INVALID_ARGUMENT for a
// name that is unknown or there twice.
absl::StatusOr<std::vector<size_t>> DecodeOutputs(const inference::ModelInferRequest& request,
                                                  const ModelVersion& version);

// Fills the answer: raw contents, in the order of `outputs`.
void EncodeResponse(const inference::ModelInferRequest& request, const ModelVersion& version, int64_t rows,
                    const std::vector<size_t>& outputs, InferenceRequest::Outputs values,
                    inference::ModelInferResponse& response);

}  // namespace halfwave
