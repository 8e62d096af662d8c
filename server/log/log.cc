#include "server/log/log.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace halfwave {
namespace {

spdlog::logger& Logger() {
  static spdlog::logger& logger = *[] {
    auto* created = new spdlog::logger("halfwave", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    created->flush_on(spdlog::level::info);
    return created;
  }();
  return logger;
}

bool NeedsQuotes(const std::string& value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](unsigned char c) {
           return c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 127;
         });
}

// In double quotes, with what would break the line or the quotes escaped.
std::string Quoted(const std::string& value) {
  return absl::StrCat("\"", absl::StrReplaceAll(absl::Utf8SafeCEscape(value), {{"\\'", "'"}}), "\"");
}

void Log(spdlog::level::level_enum level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const auto& [key, value] : fields) {
    absl::StrAppend(&line, " ", absl::string_view(key.data(), key.size()), "=",
                    NeedsQuotes(value) ? Quoted(value) : value);
  }
  Logger().log(level, spdlog::string_view_t(line));
}

}  // namespace

void LogInfo(std::string_view event, std::initializer_list<LogField> fields) {
  Log(spdlog::level::info, event, fields);
}

void LogWarning(std::string_view event, std::initializer_list<LogField> fields) {
  Log(spdlog::level::warn, event, fields);
}

void LogError(std::string_view event, std::initializer_list<LogField> fields) {
  Log(spdlog::level::err, event, fields);
}

}  // namespace halfwave
