#pragma once

#include <string>

#include "absl/status/status.h"

namespace halfwave::tools {

// Whoever opens the file meanwhile finds the old one or the new one, never half of it. INVALID_ARGUMENT says why not.
absl::Status WriteFile(const std::string& bytes, const std::string& path);

}  // namespace halfwave::tools
