#include "client/picture_to_input.h"

#include <algorithm>
#include <cmath>

#include "client/resample.h"

namespace halfwave::client {
namespace {

constexpr float kWhite = 255;
constexpr float kInk = 64;           // of 255, after contrast has been stretched
constexpr double kClearShare = 0.9;  // of the border, for a picture of the model's own size to be inverted

Plane Grey(const Picture& picture) {
  Plane plane{picture.width, picture.height, std::vector<float>(picture.width * picture.height)};
  for (size_t i = 0; i < plane.values.size(); ++i) {
    const uint8_t* pixel = &picture.rgb[i * 3];
    plane.values[i] = static_cast<float>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 32768) >> 16);
  }
  return plane;
}

Plane Channel(const Picture& picture, int64_t channel) {
  Plane plane{picture.width, picture.height, std::vector<float>(picture.width * picture.height)};
  for (size_t i = 0; i < plane.values.size(); ++i) plane.values[i] = picture.rgb[i * 3 + channel];
  return plane;
}

std::vector<float> Border(const Plane& plane) {
  const int64_t width = plane.width;
  std::vector<float> border(plane.values.begin(), plane.values.begin() + width);
  border.insert(border.end(), plane.values.end() - width, plane.values.end());
  for (int64_t y = 1; y + 1 < plane.height; ++y) {
    border.push_back(plane.values[y * width]);
    border.push_back(plane.values[y * width + width - 1]);
  }
  return border;
}

float Median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

struct Range {
  float low = 0;
  float high = 0;
};

Range RangeOf(const Plane& plane) {
  const auto [low, high] = std::minmax_element(plane.values.begin(), plane.values.end());
  return {*low, *high};
}

// A plane without contrast tells by its colour alone.
Polarity PolarityOf(const Plane& grey) {
  const Range range = RangeOf(grey);
  const float middle = range.low < range.high ? (range.low + range.high) / 2 : kWhite / 2;
  return Median(Border(grey)) > middle ? Polarity::kDarkOnLight : Polarity::kLightOnDark;
}

Polarity Opposite(Polarity polarity) {
  return polarity == Polarity::kLightOnDark ? Polarity::kDarkOnLight : Polarity::kLightOnDark;
}

struct Decision {
  Polarity own;  // of the picture
  bool invert;
};

Decision Decide(Polarity own, const PictureInput& input) {
  if (input.polarity == Polarity::kAny) return {own, input.invert == Invert::kYes};
  if (input.invert == Invert::kAuto) return {own, own != input.polarity};
  const bool invert = input.invert == Invert::kYes;
  return {invert ? Opposite(input.polarity) : input.polarity, invert};
}

void InvertPlane(Plane& plane) {
  for (float& value : plane.values) value = kWhite - value;
}

bool HasModelSize(const Picture& picture, const PictureInput& input) {
  return picture.width == input.width && picture.height == input.height;
}

// Is nearly all of the border on the far side of the polarity the model wants?
bool ClearlyInverted(const Plane& grey, Polarity wanted) {
  const Range range = RangeOf(grey);
  if (range.low == range.high) return false;
  const std::vector<float> border = Border(grey);
  const auto far = std::count_if(border.begin(), border.end(), [&](float value) {
    const float share = (value - range.low) / (range.high - range.low);
    return wanted == Polarity::kLightOnDark ? share > 2.0f / 3 : share < 1.0f / 3;
  });
  return wanted != Polarity::kAny && static_cast<double>(far) >= kClearShare * static_cast<double>(border.size());
}

// The medians of a picture's four sides.
struct Sides {
  float left, right, top, bottom;
};

Sides SidesOf(const Plane& plane) {
  const int64_t width = plane.width;
  std::vector<float> left, right;
  for (int64_t y = 0; y < plane.height; ++y) {
    left.push_back(plane.values[y * width]);
    right.push_back(plane.values[y * width + width - 1]);
  }
  return {Median(std::move(left)), Median(std::move(right)),
          Median({plane.values.begin(), plane.values.begin() + width}),
          Median({plane.values.end() - width, plane.values.end()})};
}

// Takes away light that falls off evenly across the picture, as the sides show it; nothing changes where they agree,
// or where one differs so much that ink must lie on it. `grey` is light on dark.
void FlattenBackground(Plane& grey) {
  const Sides sides = SidesOf(grey);
  const float background = Median(Border(grey));
  const float limit = (RangeOf(grey).high - background) / 2;
  for (const float side : {sides.left, sides.right, sides.top, sides.bottom}) {
    if (std::abs(side - background) > limit) return;
  }
  const float across = (sides.right - sides.left) / static_cast<float>(std::max<int64_t>(grey.width - 1, 1));
  const float down = (sides.bottom - sides.top) / static_cast<float>(std::max<int64_t>(grey.height - 1, 1));
  if (across == 0 && down == 0) return;
  for (int64_t y = 0; y < grey.height; ++y) {
    for (int64_t x = 0; x < grey.width; ++x) {
      const float light = across * (static_cast<float>(x) - static_cast<float>(grey.width - 1) / 2) +
                          down * (static_cast<float>(y) - static_cast<float>(grey.height - 1) / 2);
      grey.values[y * grey.width + x] -= light;
    }
  }
}

// Light on dark, background 0, strongest ink 255.
Plane StretchContrast(Plane grey, Polarity own) {
  if (own == Polarity::kDarkOnLight) InvertPlane(grey);
  FlattenBackground(grey);
  const float background = Median(Border(grey));
  const float contrast = RangeOf(grey).high - background;
  for (float& value : grey.values) {
    value = contrast > 0 ? std::clamp((value - background) * (kWhite / contrast), 0.0f, kWhite) : 0;
  }
  return grey;
}

// The bounding box of the ink, right and bottom exclusive; empty if there is none.
Window InkBox(const Plane& ink) {
  int64_t left = ink.width, top = ink.height, right = 0, bottom = 0;
  for (int64_t y = 0; y < ink.height; ++y) {
    for (int64_t x = 0; x < ink.width; ++x) {
      if (ink.values[y * ink.width + x] <= kInk) continue;
      left = std::min(left, x);
      right = std::max(right, x + 1);
      top = std::min(top, y);
      bottom = y + 1;
    }
  }
  if (right == 0) return {};
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left),
          static_cast<double>(bottom - top)};
}

// Widened about its centre to the aspect of the model's pictures.
Window Widen(const Window& window, const PictureInput& input) {
  const auto width = static_cast<double>(input.width);
  const auto height = static_cast<double>(input.height);
  const double cell = std::max(window.width / width, window.height / height);
  const double wide = cell * width;
  const double high = cell * height;
  return {window.left - (wide - window.width) / 2, window.top - (high - window.height) / 2, wide, high};
}

// A model with one channel sees the stretched contrast; one with three the colours.
std::vector<Plane> FitInk(const Picture& picture, const Decision& decision, const PictureInput& input) {
  Plane ink = StretchContrast(Grey(picture), decision.own);
  Window window = InkBox(ink);
  if (window.width == 0) window = {0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
  window = Widen(window, input);
  std::vector<Plane> planes;
  if (input.channels == 1) {
    planes.push_back(Resample(ink, window, input.width, input.height, 0, Enlarging::kArea));
    if ((decision.own == Polarity::kDarkOnLight) != decision.invert) InvertPlane(planes[0]);
    return planes;
  }
  ink = {};
  for (int64_t c = 0; c < input.channels; ++c) {
    const Plane channel = Channel(picture, c);
    planes.push_back(Resample(channel, window, input.width, input.height, Median(Border(channel)), Enlarging::kArea));
    if (decision.invert) InvertPlane(planes.back());
  }
  return planes;
}

std::vector<Plane> FitWhole(const Picture& picture, bool invert, const PictureInput& input) {
  Window window{0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
  if (input.fit != Fit::kStretch) window = Widen(window, input);
  std::vector<Plane> planes;
  for (int64_t c = 0; c < input.channels; ++c) {
    const Plane channel = input.channels == 1 ? Grey(picture) : Channel(picture, c);
    planes.push_back(
        Resample(channel, window, input.width, input.height, Median(Border(channel)), Enlarging::kBilinear));
    if (invert) InvertPlane(planes.back());
  }
  return planes;
}

std::vector<float> LayOut(const std::vector<Plane>& planes, const PictureInput& input) {
  const int64_t pixels = input.width * input.height;
  std::vector<float> values(pixels * input.channels);
  for (int64_t c = 0; c < input.channels; ++c) {
    const float mean = input.mean[input.mean.size() == 1 ? 0 : c];
    const float std = input.std[input.std.size() == 1 ? 0 : c];
    for (int64_t i = 0; i < pixels; ++i) {
      const int64_t at = input.layout == Layout::kNhwc ? i * input.channels + c : c * pixels + i;
      values[at] = (planes[c].values[i] * input.scale - mean) / std;
    }
  }
  return values;
}

}  // namespace

Polarity DetectPolarity(const Picture& picture) { return PolarityOf(Grey(picture)); }

PreparedPicture ToInput(const Picture& picture, const PictureInput& input) {
  PreparedPicture prepared;
  Decision decision{};
  bool as_it_is = HasModelSize(picture, input);
  {
    const Plane grey = Grey(picture);
    const Range range = RangeOf(grey);
    prepared.blank = range.low == range.high;
    decision = Decide(PolarityOf(grey), input);
    if (as_it_is && input.invert == Invert::kAuto) decision.invert = ClearlyInverted(grey, input.polarity);
  }
  const bool ink = input.fit == Fit::kInk && !as_it_is;
  const std::vector<Plane> planes = ink ? FitInk(picture, decision, input) : FitWhole(picture, decision.invert, input);
  prepared.inverted = decision.invert;
  prepared.values = LayOut(planes, input);
  return prepared;
}

}  // namespace halfwave::client
