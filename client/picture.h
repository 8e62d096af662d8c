// A decoded picture, and the decoders. Every byte of a file is untrusted: a bad one gets an error, never a crash, and
// no picture takes more memory than kMaxPixels allow.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halfwave::client {

inline constexpr int64_t kMaxPixels = int64_t{64} << 20;

// Rows from the top, red, green and blue of each pixel, 8 bits each. Transparency has been laid over white, or
// over black if all that can be seen is light.
struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;
};

// INVALID_ARGUMENT unless width and height are above zero and their product is at most kMaxPixels.
absl::Status CheckPictureSize(int64_t width, int64_t height);

// Any PNG: grey, colour, palette, transparency, 1 to 16 bits.
absl::StatusOr<Picture> DecodePng(absl::string_view bytes);

// PGM and PPM, as text (P2, P3) or binary (P5, P6), 8 or 16 bits.
absl::StatusOr<Picture> DecodePnm(absl::string_view bytes);

}  // namespace halfwave::client
