// A model without the units that are proven to be zero, in place of the whole one: the same answers from less work.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "model/activity/unit_map.h"
#include "model/analysis/linear_bounds.h"
#include "model/analysis/prune.h"
#include "model/engine/model.h"

namespace halfwave {

// By activation: units that no input of the domain makes active; without a domain, no finite input. The errors of
// FindConstants.
absl::StatusOr<UnitsOfLayers> ProvenUnits(const Graph& graph, const std::optional<InputDomain>& domain,
                                          const LinearBoundsOptions& options = {});

struct ProvenModel {
  std::shared_ptr<const Model> model;
  UnitMap units;                    // the file's layers, and how counts come back to them
  int64_t removed = 0;              // units
  int64_t of = 0;                   // units of all rectifiers
  double multiply_adds_before = 0;  // of one row
  double multiply_adds = 0;
};

// Removes what is proven over the declared domain of `whole`, which was made of `graph` with these options: weights in
// single precision, of which the proof speaks. Compares the two in every bit, on rows drawn from the domain, before it
// returns the smaller one; if nothing can go, `whole` itself. INTERNAL if a bit differs or units do not fit,
// RESOURCE_EXHAUSTED if it would take long; the errors of
// PruneUnits and Model::Create.
absl::StatusOr<ProvenModel> PruneProven(Graph graph, std::shared_ptr<const Model> whole, const ModelOptions& options);

}  // namespace halfwave
