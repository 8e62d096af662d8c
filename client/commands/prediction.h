// What a model answered for one file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace halfwave::client {

struct Prediction {
  std::string file;
  bool picture = false;
  bool inverted = false;  // a picture: to the model's polarity
  std::string version;    // of the model, that answered
  int64_t rows = 0;
  int64_t classes = 0;
  std::vector<float> values;      // rows x classes
  std::vector<int64_t> expected;  // one class per row, or none
  absl::Duration elapsed;         // waiting for the server

  std::span<const float> Row(int64_t row) const { return std::span(values).subspan(row * classes, classes); }
  // The class with the largest value, the first of several.
  int64_t Best(int64_t row) const;
  // Rows whose best class is the one expected.
  int64_t Right() const;
};

}  // namespace halfwave::client
