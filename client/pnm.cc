#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/picture.h"
#include "client/status_macros.h"

namespace halfwave::client {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

// Takes whole numbers off the front of a text, over white space and comments.
class Numbers {
 public:
  explicit Numbers(absl::string_view bytes) : rest_(bytes) {}

  std::optional<int64_t> Next() {
    SkipSpace();
    if (rest_.empty() || !absl::ascii_isdigit(rest_[0])) return std::nullopt;
    int64_t value = 0;
    for (; !rest_.empty() && absl::ascii_isdigit(rest_[0]); rest_.remove_prefix(1)) {
      if (value > kMaxPixels * 10) return std::nullopt;
      value = value * 10 + (rest_[0] - '0');
    }
    return value;
  }
  absl::string_view rest() const { return rest_; }

 private:
  void SkipSpace() {
    while (!rest_.empty() && (absl::ascii_isspace(rest_[0]) || rest_[0] == '#')) {
      rest_.remove_prefix(rest_[0] == '#' ? std::min(rest_.find('\n'), rest_.size()) : 1);
    }
  }
  absl::string_view rest_;
};

// The picture's values, scaled to 8 bits; one or three per pixel.
absl::StatusOr<std::vector<uint8_t>> ReadText(Numbers numbers, int64_t count, int64_t maximum) {
  if (static_cast<int64_t>(numbers.rest().size()) < count) {  // every value takes a digit
    return Bad(absl::StrCat("expected ", count, " values, found ", numbers.rest().size(), " characters"));
  }
  std::vector<uint8_t> values(count);
  for (int64_t i = 0; i < count; ++i) {
    const std::optional<int64_t> value = numbers.Next();
    if (!value || *value > maximum) {
      return Bad(absl::StrCat("expected ", count, " values from 0 to ", maximum, ", found ",
                              value ? absl::StrCat(*value) : "none", " at value ", i));
    }
    values[i] = static_cast<uint8_t>((*value * 255 + maximum / 2) / maximum);
  }
  return values;
}

absl::StatusOr<std::vector<uint8_t>> ReadBinary(absl::string_view bytes, int64_t count, int64_t maximum) {
  const int64_t width = maximum > 255 ? 2 : 1;
  if (static_cast<int64_t>(bytes.size()) < count * width) {
    return Bad(
        absl::StrCat("expected ", count * width, " bytes of pixels, found ", bytes.size(), "; the file is cut off"));
  }
  std::vector<uint8_t> values(count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = static_cast<uint8_t>(bytes[i * width]);
    if (width == 2) value = value << 8 | static_cast<uint8_t>(bytes[i * 2 + 1]);
    values[i] = static_cast<uint8_t>((std::min(value, maximum) * 255 + maximum / 2) / maximum);
  }
  return values;
}

std::vector<uint8_t> Tripled(const std::vector<uint8_t>& grey) {
  std::vector<uint8_t> rgb(grey.size() * 3);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = grey[i / 3];
  return rgb;
}

}  // namespace

absl::StatusOr<Picture> DecodePnm(absl::string_view bytes) {
  const char kind = bytes.size() > 1 ? bytes[1] : '?';
  if (kind != '2' && kind != '3' && kind != '5' && kind != '6') {
    return Bad(absl::StrCat("expected PGM or PPM (P2, P3, P5 or P6), found P", std::string(1, kind)));
  }
  Numbers header(bytes.substr(2));
  const std::optional<int64_t> width = header.Next();
  const std::optional<int64_t> height = header.Next();
  const std::optional<int64_t> maximum = header.Next();
  if (!width || !height || !maximum || *maximum < 1 || *maximum > 65535) {
    return Bad("expected width, height and a largest value from 1 to 65535 at the start, found something else");
  }
  CLIENT_RETURN_IF_ERROR(CheckPictureSize(*width, *height));
  const bool colour = kind == '3' || kind == '6';
  const int64_t count = *width * *height * (colour ? 3 : 1);
  auto values = kind == '2' || kind == '3'
                    ? ReadText(header, count, *maximum)
                    : ReadBinary(header.rest().substr(header.rest().empty() ? 0 : 1), count, *maximum);
  if (!values.ok()) return values.status();
  return Picture{*width, *height, colour ? *std::move(values) : Tripled(*values)};
}

}  // namespace halfwave::client
