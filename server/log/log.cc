#include "server/log/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/spdlog.h"

namespace halfwave {
namespace {

constexpr size_t kMaxField = 1000;
constexpr size_t kMaxLine = 4000;  // below PIPE_BUF, which a pipe that says it is ready has room for

// Standard error, but never waits for whoever reads it: the thread that logs also serves. Lines that find no room are
// dropped, and the next line that does says how many.
class PatientSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!HasRoom()) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) {
      const std::string note = absl::StrCat("log_dropped lines=", dropped_, " reason=\"standard error was full\"\n");
      dropped_ = 0;
      Write(note.data(), note.size());
      if (!HasRoom()) return;
    }
    Write(line.data(), line.size());
  }
  void flush_() override {}

 private:
  static bool HasRoom() {
    pollfd descriptor{STDERR_FILENO, POLLOUT, 0};
    return poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLOUT) != 0;
  }
  static void Write(const char* data, size_t size) {
    if (write(STDERR_FILENO, data, size) < 0) {
      // Nobody is left to tell.
    }
  }

  uint64_t dropped_ = 0;
};

spdlog::logger& Logger() {
  static spdlog::logger& logger = *[] {
    auto* created = new spdlog::logger("halfwave", std::make_shared<PatientSink>());
    created->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
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
  for (const auto& [key, full] : fields) {
    const std::string value = full.size() > kMaxField ? full.substr(0, kMaxField) + "..." : full;
    absl::StrAppend(&line, " ", absl::string_view(key.data(), key.size()), "=",
                    NeedsQuotes(value) ? Quoted(value) : value);
  }
  if (line.size() > kMaxLine) line.resize(kMaxLine);
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
