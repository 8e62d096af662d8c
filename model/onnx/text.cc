#include "model/onnx/text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

constexpr size_t kMaxNameBytes = 4096;

// The bytes of the character at `at`, 0 if it is not well-formed.
size_t CharacterBytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const uint8_t first = byte(at);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  uint32_t code = first & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return first < 0xC0 || first > 0xF4 || code < kSmallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

}  // namespace

std::string ToUtf8(std::string bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = CharacterBytes(bytes, at);
    if (length == 0) bytes[at] = '?';
    at += std::max<size_t>(length, 1);
  }
  return bytes;
}

absl::Status CheckName(const std::string& what, const std::string& name) {
  const auto begin = absl::CHexEscape(name.substr(0, 64));
  if (name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat(what, " '", begin, "...' has a name of ", name.size(),
                                                   " bytes; at most ", kMaxNameBytes, " are allowed"));
  }
  const auto control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; };
  if (std::any_of(name.begin(), name.end(), control) || ToUtf8(name) != name) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " '", begin, "' has a name that is not plain text in UTF-8; rename it"));
  }
  return absl::OkStatus();
}

}  // namespace halfwave
