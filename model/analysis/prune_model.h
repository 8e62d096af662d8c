// A smaller model file that answers the same.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/analysis/bounds.h"
#include "model/analysis/fold_always_on.h"
#include "model/analysis/prune.h"
#include "model/engine/model.h"
#include "model/onnx/reader.h"

namespace halfwave {

struct PruneOptions {
  // What comes in, for the proof; nothing: what the metadata declare, or else any finite numbers.
  std::optional<InputDomain> domain;
  // A file of rows. Units of rectifiers that none of them makes active go as well, which is no proof.
  std::string observed = "";
  float scale = 1;       // every number of it is multiplied by it
  double seconds = 0.5;  // for measuring the speed of each batch
  // If there is one: told now and then how much of the work is done, 0 to 1.
  std::function<void(double done)> progress = nullptr;
  ReaderOptions reader = {};
  ModelOptions model = {};
};

struct PruneReport {
  struct Layer : PrunedLayer {
    int64_t proven = 0;    // units that are zero for every input of the domain
    int64_t constant = 0;  // others that nothing of the input reaches
    int64_t observed = 0;  // others that were zero on all rows of the file
  };
  struct Cost {
    double parameters = 0;
    double multiply_adds = 0;  // of one row
    double file_bytes = 0;
    std::array<double, 2> seconds = {};  // a call, at each of kBatches; medians, the two models by turns
  };
  static constexpr std::array<int64_t, 2> kBatches = {1, 64};

  std::optional<InputDomain> domain;  // that the proof is over
  bool domain_is_declared = false;    // by the metadata
  std::vector<Layer> layers;
  std::vector<FoldedLayer> folded;  // of the layers above
  Cost before, after;
  int64_t rows_compared = 0;      // of the file, or drawn from the domain
  bool equal_bits = false;        // of all outputs on these rows
  bool within_tolerance = false;  // |change| <= 1e-5 * largest |output| of the row + 1e-6
  double largest_change = 0;      // of an output, as a share of the largest of its row
  std::string bytes;              // of the smaller file; empty if nothing went
};

// Removes what can be proven zero over the domain, units that always give one number (see ConstantUnits), and with
// `observed` what was zero; then ReLUs that are proven always on (see FoldAlwaysOn). The errors of ReadOnnxFile,
// Model::Create, PruneUnits, ReadTable and RowsFor; INVALID_ARGUMENT for a domain that is inverted or of another
// size than the input.
absl::StatusOr<PruneReport> PruneModel(const std::filesystem::path& file, const PruneOptions& options);

}  // namespace halfwave
