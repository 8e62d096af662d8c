#pragma once

#include <string>
#include <string_view>

namespace halfwave {

// SHA-256 of the bytes as 64 lowercase hexadecimal digits (FIPS 180-4, computed by OpenSSL).
std::string Sha256Hex(std::string_view bytes);

}  // namespace halfwave
