// The forms in which an inspection is printed.
#pragma once

#include <ostream>
#include <vector>

#include "model/analysis/inspection.h"

namespace halfwave::tools {

// For a person. Columns are as wide as they have to be, sentences are cut into lines of 100 cells.
void PrintText(const Inspection& inspection, std::ostream& out);

// One JSON document with the same content. Keys are only ever added.
void PrintJson(const Inspection& inspection, std::ostream& out);

// The graph in the language of Graphviz. `layers` are those of the model or of its file.
void PrintDot(const std::vector<LayerSummary>& layers, const Model& model, std::ostream& out);

}  // namespace halfwave::tools
