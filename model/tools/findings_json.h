#pragma once

#include "model/analysis/finding.h"
#include "nlohmann/json.hpp"

namespace halfwave::tools {

// An array of objects with the members of Finding.
nlohmann::ordered_json FindingsJson(const Findings& findings);

}  // namespace halfwave::tools
