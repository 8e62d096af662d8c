// Files a person names on the command line: read with a limit, and recognised by what they hold.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halfwave {

inline constexpr size_t kMaxFileBytes = size_t{256} << 20;

// The whole file; one that gzip made comes unpacked. INVALID_ARGUMENT: it cannot be read or unpacked, is a folder, is
// empty or is larger than kMaxFileBytes.
absl::StatusOr<std::string> ReadFile(const std::string& path);

enum class FileKind { kPng, kPnm, kNpy, kIdx, kCsv };

// By the first bytes; text that is nothing else is CSV. INVALID_ARGUMENT names what can be read and what was found.
absl::StatusOr<FileKind> RecogniseFile(absl::string_view bytes);

}  // namespace halfwave
