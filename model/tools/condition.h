// What a training pipeline may demand of a network: "dead>5%".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/analysis/doctor.h"

namespace halfwave::tools {

// A figure of a diagnosis, and the limit beyond which it fails.
struct Condition {
  std::string text;  // as it was given
  std::string name;
  bool above = true;  // fails above the limit; else below it
  double limit = 0;   // a share or a number, not a percentage
};

// The figures that there are, for a usage text: each name with what it means.
std::string KnownFigures();

// NAME>NUMBER or NAME<NUMBER, the number perhaps followed by %. INVALID_ARGUMENT says what is wrong with it.
absl::StatusOr<Condition> ParseCondition(const std::string& text);

// Nothing if it holds off, else a sentence about what was found. INVALID_ARGUMENT if the diagnosis does not know the
// figure: accuracy without labels.
absl::StatusOr<std::string> FailureOf(const Condition& condition, const Diagnosis& diagnosis);

}  // namespace halfwave::tools
