#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/picture.h"
#include "client/status_macros.h"

#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

namespace halfwave::client {
namespace {

constexpr int kChannels = 4;

constexpr size_t kHeaderBytes = 24;  // the signature, and IHDR as far as width and height

absl::Status BadPng(absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected a complete PNG, found one that cannot be decoded (", reason, ")"));
}

int64_t BigEndian32(absl::string_view bytes) {
  int64_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

uint8_t Over(int paper, int value, int alpha) {
  return static_cast<uint8_t>((value * alpha + paper * (255 - alpha) + 127) / 255);
}

// What transparency lets through: white, unless all that can be seen is light, as with chalk on a transparent sheet.
int PaperUnder(const stbi_uc* rgba, int64_t pixels) {
  constexpr int kVisible = 128;
  constexpr int kLight = 192;
  bool transparent = false;
  bool light = false;
  for (const stbi_uc* pixel = rgba; pixel < rgba + pixels * kChannels; pixel += kChannels) {
    transparent |= pixel[3] < kVisible;
    if (pixel[3] < kVisible) continue;
    if (std::min({pixel[0], pixel[1], pixel[2]}) < kLight) return 255;
    light = true;
  }
  return transparent && light ? 0 : 255;
}

}  // namespace

absl::Status CheckPictureSize(int64_t width, int64_t height) {
  if (width >= 1 && height >= 1 && width <= kMaxPixels && height <= kMaxPixels / width) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected a picture of at most ", kMaxPixels >> 20,
                                                 " megapixels, found ", width, " x ", height, "; scale it down first"));
}

absl::StatusOr<Picture> DecodePng(absl::string_view bytes) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  if (bytes.size() < kHeaderBytes || bytes.substr(12, 4) != "IHDR") return BadPng("no header");
  CLIENT_RETURN_IF_ERROR(CheckPictureSize(BigEndian32(bytes.substr(16)), BigEndian32(bytes.substr(20))));
  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> rgba(
      stbi_load_from_memory(data, size, &width, &height, &channels, kChannels), &stbi_image_free);
  if (rgba == nullptr) return BadPng(stbi_failure_reason());
  Picture picture{width, height, {}};
  const int64_t pixels = picture.width * picture.height;
  picture.rgb.resize(pixels * 3);
  const int paper = PaperUnder(rgba.get(), pixels);
  for (int64_t i = 0; i < pixels; ++i) {
    const stbi_uc* pixel = rgba.get() + i * kChannels;
    for (int c = 0; c < 3; ++c) picture.rgb[i * 3 + c] = Over(paper, pixel[c], pixel[3]);
  }
  return picture;
}

}  // namespace halfwave::client
