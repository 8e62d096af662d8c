// What data show of a trained network: its units, its gradients, its answers, and what to do about what is found.
//
//   HALFWAVE_ASSIGN_OR_RETURN(const Diagnosis diagnosis, Diagnose("digits.onnx", "digits.csv", {}));
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/analysis/duplicate_units.h"
#include "model/analysis/finding.h"
#include "model/analysis/gradients.h"
#include "model/analysis/judgement.h"
#include "model/analysis/profile.h"

namespace halfwave {

struct LayerDiagnosis {
  LayerProfile profile;
  std::vector<int64_t> silent;     // units that no row made active: dead or inactive, if there were enough rows
  std::vector<int64_t> always_on;  // units above zero on every row, a feature map at every position
  std::vector<DuplicateUnit> duplicates;
  double activity = 0;   // active among all pairs of unit and row
  double sparsity = 0;   // exact zeros among the activation's outputs
  double saturated = 0;  // outputs close to a limit; saturating layers only
  LayerGradient gradient;
};

struct Diagnosis {
  std::string sha256;
  std::string head;
  std::vector<std::string> classes;  // their names; empty if the model has none
  int64_t rows = 0;
  int64_t window = 0;  // rows from which on a silent unit is called dead (or inactive)
  std::vector<LayerDiagnosis> layers;
  int64_t gradient_rows = 0;      // that gradients were computed for
  std::string without_gradients;  // why there are none; empty if there are
  std::vector<uint64_t> predicted;
  std::optional<Judgement> judgement;  // if the right answers are known
  bool probabilities = false;          // whether the scores are, so that `judgement` knows of calibration
  Findings findings;                   // of the data, then of the weights alone; warnings first in both

  bool window_full() const { return rows >= window; }
  int64_t units(ActivationFamily family) const;
  // Units of such layers that no row made active, as a share of them; 0 if there are none.
  double SilentShare(ActivationFamily family) const;
};

struct DoctorOptions {
  std::string labels = "";  // a file with the right class of each row; empty: the data's own column `label`, if any
  float scale = 1;          // every number of the data is multiplied by it
  int64_t window = 10'000;
  // If there is one: told now and then how much of the work is done, 0 to 1.
  std::function<void(double done)> progress = nullptr;
  ReaderOptions reader = {};
  ModelOptions model = {};
};

// Runs the rows of `data` through the model of `file`. The errors of ReadOnnxFile, Model::Create, ReadTable, RowsFor
// and ClassesFrom, with the file's name; INVALID_ARGUMENT if there are not as many labels as rows.
absl::StatusOr<Diagnosis> Diagnose(const std::filesystem::path& file, const std::string& data,
                                   const DoctorOptions& options);

// What the diagnosis says of the data, in words, warnings first; see README.md of model/tools for the list.
Findings FindInData(const Diagnosis& diagnosis);

}  // namespace halfwave
