// One tensor of a request or an answer, to and from the floats that the engine computes with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/graph/graph.h"
#include "proto/open_inference.pb.h"

namespace halfwave {

// The values of input tensor `index`, which must be `elements` values of `type`, raw or typed. FP32 stays where it
// lies in `request`; any other type is converted into `converted`. Both must outlive the result. INVALID_ARGUMENT says
// what was expected and what came, but does not name the tensor.
absl::StatusOr<const char*> DecodeValues(const inference::ModelInferRequest& request, int index, DataType type,
                                         int64_t elements, std::vector<float>& converted);

// Adds an output of `rows` rows to the answer, in raw contents of the output's own type. `values` are all its rows; of
// type kString, indices into its labels.
void EncodeValues(const GraphValue& output, int64_t rows, std::span<const float> values,
                  inference::ModelInferResponse& response);

}  // namespace halfwave
