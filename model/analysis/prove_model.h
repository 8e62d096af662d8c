// Which units of a model are dead, and which always on, for every input of a domain: proven, not observed.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/analysis/linear_bounds.h"
#include "model/engine/model.h"
#include "model/onnx/reader.h"

namespace halfwave {

// What bounds of all elements say of an activation's units.
struct UnitProof {
  std::vector<int64_t> dead;       // never active, at any position; in ascending order
  std::vector<int64_t> always_on;  // active at every position
  int64_t units = 0;
  // Elements: a dense unit, or one position of a feature map.
  int64_t elements = 0;
  int64_t inactive = 0;
  int64_t active = 0;
};

// `units`: how many the activation has, along dimension 1 or the last; 0 for those of dimension 1. Bounds that have not
// been computed decide nothing.
UnitProof ProveUnits(const GraphView& view, const Node& activation, const LinearBounds& bounds, int64_t units = 0);

struct ProveOptions {
  // The box: one of these, else the model's metadata (halfwave.domain), else any finite numbers.
  std::optional<InputDomain> domain;
  std::string profile = "";  // a file: from the least to the greatest value of each input element
  // A file of rows, for what follows, every number times `scale`.
  std::string data = "";
  float scale = 1;
  int64_t rows = 0;  // only so many of them; 0 for all
  // A domain around each row: what differs from it by no more in any element, and is in the box.
  std::optional<double> ball;
  // Or one domain: what of the box keeps to the sum and to so many principal directions of the rows, each widened on
  // both sides by `slack` of its extent over the rows.
  std::optional<int64_t> directions;
  double slack = 0.1;
  LinearBoundsOptions bounds = {};
  // If there is one: told now and then how much of the work is done, 0 to 1.
  std::function<void(double done)> progress = nullptr;
  ReaderOptions reader = {};
  ModelOptions model = {};
};

struct ProveReport {
  struct Layer {
    ActivationLayer layer;
    // Sums over the domains. Elements are single neurons: a unit's, or one position of a feature map.
    int64_t dead = 0, always_on = 0;
    int64_t elements_inactive = 0, elements_active = 0;
    // Of all domains: in ascending order.
    std::vector<int64_t> dead_units, always_on_units;
  };
  std::vector<Layer> layers;  // in the order of the model's activations
  std::string domain;         // in words
  int64_t domains = 0;        // balls, or 1
  double seconds = 0;         // for a domain, on average
  double most_seconds = 0;
};

// The errors of ReadOnnxFile, Model::Create, ReadTable, RowsFor, ProfileFromJson and CheckProfileFits; INVALID_ARGUMENT
// for a domain that is inverted or of another size than the input, and naming row and column for a row outside the box;
// UNIMPLEMENTED for a model with several inputs.
absl::StatusOr<ProveReport> ProveModel(const std::filesystem::path& file, const ProveOptions& options);

// What the metadata declare of the only input. Nothing if they declare nothing, or if there are several inputs.
std::optional<InputDomain> DeclaredDomain(const Model& model);

// INVALID_ARGUMENT for a domain that is not finite, inverted or of another size than the model's input.
absl::Status CheckDomain(const InputDomain& domain, const Model& model);

}  // namespace halfwave
