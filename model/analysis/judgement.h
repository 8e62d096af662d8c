// A classifier's answers against the classes that are known to be right.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/table.h"

namespace halfwave {

// The class of each row: a class's name or its number from 0. INVALID_ARGUMENT names the row (from 0) of anything else.
// names: of the classes, in order; empty if the model has none.
absl::StatusOr<std::vector<int64_t>> ClassesFrom(const std::vector<std::string>& labels,
                                                 const std::vector<std::string>& names, int64_t classes);

// The same of a file of labels: a column of numbers or names, or the column `label` of a table.
std::vector<std::string> LabelsOf(const Table& table);

class Judgement {
 public:
  static constexpr size_t kBins = 10;

  // Rows whose highest probability falls into one of kBins intervals of equal width.
  struct Bin {
    uint64_t rows = 0;
    uint64_t right = 0;
    double confidence = 0;  // the sum of their highest probabilities
  };

  // scores: at least two classes, or one for a yes-or-no answer that is a probability.
  explicit Judgement(int64_t classes) : confusion_(ClassCount(classes), std::vector<uint64_t>(ClassCount(classes))) {}

  // A row; `probabilities`: whether its scores are that.
  void Add(std::span<const float> scores, int64_t right_class, bool probabilities);

  uint64_t rows() const { return rows_; }
  uint64_t right() const { return right_; }
  double accuracy() const { return rows_ == 0 ? 0 : static_cast<double>(right_) / static_cast<double>(rows_); }
  // [class that is right][class that was answered]
  const std::vector<std::vector<uint64_t>>& confusion() const { return confusion_; }
  // By confidence; all empty if the scores are no probabilities.
  const std::array<Bin, kBins>& bins() const { return bins_; }
  // Expected calibration error: the mean over rows of |share right - mean confidence| of their bin (Guo et al., On
  // Calibration of Modern Neural Networks, 2017, eq. 5).
  double CalibrationError() const;
  // Mean confidence less accuracy: above zero, the network is surer than it is right.
  double Overconfidence() const;

 private:
  static size_t ClassCount(int64_t classes) { return static_cast<size_t>(classes < 2 ? 2 : classes); }

  uint64_t rows_ = 0;
  uint64_t right_ = 0;
  std::vector<std::vector<uint64_t>> confusion_;
  std::array<Bin, kBins> bins_ = {};
};

}  // namespace halfwave
