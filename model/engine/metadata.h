// What a model file says about itself, in its metadata_props or in the sidecar beside it. The one place that knows the
// keys; README.md of this folder lists them for people who export models.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/base/shape.h"

namespace halfwave {

// How a picture becomes an input: each 8-bit channel value p turns into (p * scale - mean) / std.
struct ImageInput {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 1;  // 1: grey, 3: red, green, blue
  float scale = 1.0f / 255.0f;
  std::vector<float> mean;  // one value, or one per channel
  std::vector<float> std;
  std::string polarity = "any";  // of what is drawn: "light-on-dark", "dark-on-light" or "any"
  std::string fit = "pad";       // "pad": keep the aspect ratio; "ink": cut to what is drawn first; "stretch"
};

// A tensor with its values, as the self-test holds it. shape[0] is the number of rows.
struct NamedTensor {
  Shape shape;
  std::vector<float> data;
};

struct Range {
  float low = 0;
  float high = 0;
};

struct SelfTest {
  std::map<std::string, NamedTensor> inputs;
  std::map<std::string, NamedTensor> outputs;
};

struct ModelMetadata {
  std::vector<std::string> labels;  // of the classes, in order; empty if the file names none
  std::string layout;               // "NCHW", "NHWC" or "flat"; empty if not said
  std::optional<ImageInput> image;  // if the input is a picture
  std::optional<SelfTest> self_test;
  std::map<std::string, Range> domain;  // by input: what all its elements are between
};

// Reads and checks the halfwave.* keys. INVALID_ARGUMENT names the key, what it must hold and what it holds. Other
// keys are left alone.
absl::StatusOr<ModelMetadata> ParseMetadata(const std::map<std::string, std::string>& properties);

}  // namespace halfwave
