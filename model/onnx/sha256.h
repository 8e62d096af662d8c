// SHA-256 (FIPS 180-4, computed by OpenSSL).
#pragma once

#include <string>

#include "model/onnx/byte_source.h"

namespace halfwave {

// 64 lowercase hexadecimal digits. What cannot be read is left out.
std::string Sha256Hex(const ByteSource& source);

}  // namespace halfwave
