// The forms a diagnosis comes in.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "model/analysis/doctor.h"

namespace halfwave::tools {

// name: of the model's file, for a reader.
void PrintDiagnosis(const Diagnosis& diagnosis, const std::string& name, std::ostream& out);

// A page that needs nothing beside itself.
std::string DiagnosisHtml(const Diagnosis& diagnosis, const std::string& name, const std::string& data);

// failures: what --fail-if found.
std::string DiagnosisJson(const Diagnosis& diagnosis, const std::string& name,
                          const std::vector<std::string>& failures);

}  // namespace halfwave::tools
