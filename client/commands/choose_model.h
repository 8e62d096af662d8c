// Which model is meant when the user names none.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/inference_client.h"

namespace halfwave::client {

// `named` itself; if it is empty the only model that is ready. INVALID_ARGUMENT, which is the user's to mend, names
// those there are when several are ready; UNAVAILABLE says why none is.
absl::StatusOr<std::string> ChooseModel(const std::string& named, InferenceClient& client);

}  // namespace halfwave::client
