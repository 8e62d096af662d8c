// Structured log lines on standard error: time, level, event, then key=value pairs.
//
//   LogInfo("model_loaded", {{"model", name}, {"sha256", hash}});
//   2026-11-21T10:20:30.123Z info model_loaded model=digits sha256=8d96...
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace halfwave {

using LogField = std::pair<std::string_view, std::string>;

// Thread-safe; never waits: lines for which standard error has no room are dropped and counted. Values with spaces,
// quotes or control characters are quoted, so that a line stays one line; long ones are cut.
void LogInfo(std::string_view event, std::initializer_list<LogField> fields);
void LogWarning(std::string_view event, std::initializer_list<LogField> fields);
void LogError(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace halfwave
