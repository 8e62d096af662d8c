// What the units of a model do, as a message.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/activity/health.h"
#include "proto/neuron_health.pb.h"
#include "server/repository/model_version.h"

namespace halfwave {

// The state of every layer, and of each unit of the named ones ("*" names all). NOT_FOUND, listing the layers, for a
// name that none has.
absl::StatusOr<v1::GetHealthResponse> DescribeHealth(const ModelVersion& model,
                                                     const std::vector<std::string>& unit_layers);

v1::LayerHealth::Family ToProto(ActivationFamily family);
v1::UnitHealth::State ToProto(UnitState state);

}  // namespace halfwave
