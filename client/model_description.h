// What a server says about a model, in the shape in which the client uses it. The one place of the client that knows
// the halfwave.* keys.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/picture_to_input.h"
#include "proto/open_inference.pb.h"

namespace halfwave::client {

struct ModelDescription {
  std::string name;
  std::string version;
  std::string input;
  std::string datatype;        // of the input
  std::vector<int64_t> shape;  // of the input; the first is the batch
  int64_t values_per_row = 0;
  std::vector<std::string> labels;  // of the classes, in order; empty if the model names none
  std::string head;                 // "softmax", "logits", ...; empty if the server does not say
  bool answers_labels = false;      // is one of its outputs the class itself?
  int64_t max_batch_rows = 1;
  std::optional<std::pair<float, float>> domain;  // of the input's values, if the model says
  std::map<std::string, std::string> properties;

  // Does the input take whole numbers alone?
  bool TakesIntegers() const;
  // Are the outputs probabilities, rather than scores of any size?
  bool HasProbabilities() const;
  // The name of a class, or its number if it has none.
  std::string Label(int64_t index) const;
};

// INVALID_ARGUMENT if it is not a model that one table of numbers can be given to.
absl::StatusOr<ModelDescription> Describe(const inference::ModelMetadataResponse& metadata);

// What the user said instead of the model's halfwave.input.* and halfwave.layout; keys as in halfwave.input.KEY, and
// "layout" and "invert".
using PictureOverrides = std::map<std::string, std::string>;

// How pictures become inputs of this model: what the user said, else what the model says, else what its input's shape
// says. INVALID_ARGUMENT names the option that is wrong or missing.
absl::StatusOr<PictureInput> DescribePictures(const ModelDescription& model, const PictureOverrides& overrides);

// INVALID_ARGUMENT, naming the place, for a value that an input of whole numbers cannot take.
absl::Status CheckIntegers(const ModelDescription& model, const std::vector<float>& values);

// value to (value * scale - mean) / std in a table of rows, for those of the three that the user gave. With one mean
// or std per channel the model's layout decides which value belongs to which.
absl::Status NormaliseTable(const ModelDescription& model, const PictureOverrides& overrides,
                            std::vector<float>& values);

}  // namespace halfwave::client
