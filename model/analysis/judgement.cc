#include "model/analysis/judgement.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace halfwave {

absl::StatusOr<std::vector<int64_t>> ClassesFrom(const std::vector<std::string>& labels,
                                                 const std::vector<std::string>& names, int64_t classes) {
  std::vector<int64_t> indices;
  for (const std::string& label : labels) {
    const auto named = std::find(names.begin(), names.end(), label);
    double number = named - names.begin();
    if (named == names.end() && (!absl::SimpleAtod(label, &number) || number != std::floor(number))) number = -1;
    if (number < 0 || number >= static_cast<double>(classes)) {
      return absl::InvalidArgumentError(absl::StrCat("row ", indices.size(), ": expected the name of a class or its ",
                                                     "number, 0 to ", classes - 1, ", found '", label.substr(0, 40),
                                                     "'"));
    }
    indices.push_back(static_cast<int64_t>(number));
  }
  return indices;
}

std::vector<std::string> LabelsOf(const Table& table) {
  if (!table.answers.empty()) return table.answers;
  std::vector<std::string> labels;
  for (const float value : table.values) labels.push_back(absl::StrCat(value));
  return labels;
}

void Judgement::Add(std::span<const float> scores, int64_t right_class, bool probabilities) {
  const bool yes_or_no = scores.size() == 1;
  const auto highest = std::max_element(scores.begin(), scores.end());
  const int64_t answered = yes_or_no ? (scores[0] > 0.5f ? 1 : 0) : highest - scores.begin();
  ++rows_;
  ++confusion_[right_class][answered];
  if (answered == right_class) ++right_;
  if (!probabilities) return;
  const double confidence = yes_or_no && answered == 0 ? 1 - *highest : *highest;
  Bin& bin = bins_[static_cast<size_t>(std::clamp(confidence * kBins, 0.0, kBins - 1.0))];
  ++bin.rows;
  bin.right += answered == right_class ? 1 : 0;
  bin.confidence += confidence;
}

double Judgement::CalibrationError() const {
  double sum = 0;
  for (const Bin& bin : bins_) sum += std::abs(static_cast<double>(bin.right) - bin.confidence);
  return rows_ == 0 ? 0 : sum / static_cast<double>(rows_);
}

double Judgement::Overconfidence() const {
  double sum = 0;
  for (const Bin& bin : bins_) sum += bin.confidence - static_cast<double>(bin.right);
  return rows_ == 0 ? 0 : sum / static_cast<double>(rows_);
}

}  // namespace halfwave
