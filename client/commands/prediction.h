// What a model answered for one file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace halfwave::client {

struct Expected {
  std::string text;    // as the file has it
  int64_t index = -1;  // of the class; -1 if it has none, which only a model that answers labels may have
};

struct Prediction {
  std::string file;
  bool picture = false;
  bool inverted = false;  // a picture: to the model's polarity
  std::string version;    // of the model, that answered
  int64_t rows = 0;
  int64_t classes = 0;
  std::vector<float> values;        // rows x classes; empty if the model answers labels alone
  std::vector<std::string> labels;  // the model's own verdict, one per row; empty if it gives none
  std::vector<Expected> expected;   // one per row, or none
  absl::Duration elapsed;           // waiting for the server

  std::span<const float> Row(int64_t row) const { return std::span(values).subspan(row * classes, classes); }
  // The class with the largest value, the first of several; there must be values.
  int64_t Best(int64_t row) const;
  // Is the row's label, or its best class if there are no labels, the one expected?
  bool IsRight(int64_t row) const;
  int64_t Right() const;
};

}  // namespace halfwave::client
