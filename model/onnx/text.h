// Text out of a file, which may hold any bytes, made fit for messages, logs and answers.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace halfwave {

// The bytes with each one that is not part of well-formed UTF-8 (RFC 3629) replaced by '?'.
std::string ToUtf8(std::string bytes);

// INVALID_ARGUMENT unless the name of `what` is UTF-8 without control characters, of at most 4,096 bytes. It may be
// empty.
absl::Status CheckName(const std::string& what, const std::string& name);

}  // namespace halfwave
