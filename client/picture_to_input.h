// From an arbitrary picture to the numbers a model was trained on.
//
// 1. Colour becomes grey (ITU-R 601 luma) for a model with one channel.
// 2. The background is the median of the picture's border. A background lighter than the middle between the picture's
//    darkest and lightest grey means dark on light; the picture is inverted if the model wants the other polarity.
// 3. Fit::kInk: light that falls off evenly across the picture is taken away; contrast is stretched so that the
//    background becomes 0 and the strongest ink 255; ink is every pixel above a quarter of that; the window is the
//    ink's bounding box, widened about its centre to the model's aspect.
//    Fit::kPad: the window is the whole picture, widened in the same way. Fit::kStretch: the whole picture.
// 4. The window is averaged by area into the model's pixels (Fit::kPad, kStretch: enlarged bilinearly); outside the
//    picture is background.
// 5. Each value p in 0..255 becomes (p * scale - mean) / std.
//
// A picture of exactly the model's size skips 2 to 4: it is used as it is, unless nearly all of its border says that
// it is inverted.
#pragma once

#include <cstdint>
#include <vector>

#include "client/picture.h"

namespace halfwave::client {

enum class Polarity { kAny, kLightOnDark, kDarkOnLight };
enum class Fit { kPad, kInk, kStretch };
enum class Layout { kNchw, kNhwc, kFlat };  // kFlat: rows of pixels, one channel after the other
enum class Invert { kAuto, kYes, kNo };     // kYes, kNo: whatever the border says

struct PictureInput {
  int64_t width = 0;
  int64_t height = 0;
  int64_t channels = 1;  // 1: grey, 3: red, green, blue
  float scale = 1.0f / 255;
  std::vector<float> mean = {0};  // one value, or one per channel
  std::vector<float> std = {1};
  Polarity polarity = Polarity::kAny;
  Fit fit = Fit::kPad;
  Layout layout = Layout::kNchw;
  Invert invert = Invert::kAuto;
};

struct PreparedPicture {
  std::vector<float> values;  // width * height * channels, in the layout asked for
  bool inverted = false;
  bool blank = false;  // every pixel is the same grey: nothing is drawn
};

// `picture` must hold at least one pixel.
PreparedPicture ToInput(const Picture& picture, const PictureInput& input);

// What polarity the border of a picture suggests.
Polarity DetectPolarity(const Picture& picture);

}  // namespace halfwave::client
