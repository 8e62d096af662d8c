// ModelInfer on the wire to and from what a model version takes and gives.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "proto/open_inference.pb.h"
#include "server/repository/model_version.h"

namespace halfwave {

// The rows of a request as floats, in the order of the model's inputs: where they lie in its message, if that is what
// they are there, else in `converted`.
struct DecodedRows {
  int64_t rows = 0;
  std::vector<const char*> inputs;
  std::vector<std::vector<float>> converted;  // in no order
  size_t bytes = 0;                           // held until the answer, in the message and here
  bool finite = true;
};

// Checks the inputs of a request against the model. The pointers of the result point into `request` and into the result
// itself (which may be moved). Values are rounded to float32: integers are exact up to 2^24. INVALID_ARGUMENT
// names the tensor, what was expected and what came: a missing, unknown or doubled name, a wrong datatype, shape or
// size, a batch that is empty or too large, raw and typed contents at once, and, unless allow_non_finite, a NaN or an
// infinity (which an FP64 beyond the range of float32 counts as).
absl::StatusOr<DecodedRows> DecodeRows(const inference::ModelInferRequest& request, const ModelVersion& version,
                                       bool allow_non_finite);

// The outputs the request asks for, as indices into the model's; all of them if it names none. INVALID_ARGUMENT for a
// name that is unknown or there twice.
absl::StatusOr<std::vector<size_t>> DecodeOutputs(const inference::ModelInferRequest& request,
                                                  const ModelVersion& version);

// Fills the answer: raw contents of each output's own datatype, in the order of `outputs`.
void EncodeResponse(const inference::ModelInferRequest& request, const ModelVersion& version, int64_t rows,
                    const std::vector<size_t>& outputs, InferenceRequest::Outputs values,
                    inference::ModelInferResponse& response);

}  // namespace halfwave
