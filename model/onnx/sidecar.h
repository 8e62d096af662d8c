#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace halfwave {

// Puts the keys of a JSON object into `metadata`: strings as they are, other values as JSON. INVALID_ARGUMENT, naming
// the file, if it is not such an object, larger than 64 MiB, or nested more than 32 deep.
absl::Status ReadSidecar(const std::filesystem::path& path, std::map<std::string, std::string>& metadata);

}  // namespace halfwave
