#include "server/metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace halfwave {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// The fields of /proc/self/stat from the third on; the second, the program's name, may hold spaces. proc(5) counts
// fields from 1.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = text.rfind(')');
  std::vector<std::string> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(text.substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
  }
  return 0;
}

void Add(std::vector<MetricFamily>& families, const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back({name, help, type, {metric}});
}

}  // namespace

std::vector<MetricFamily> CollectProcess() {
  constexpr size_t kUserTicks = 14 - 3, kSystemTicks = 15 - 3, kThreads = 20 - 3, kStart = 22 - 3, kVirtual = 23 - 3,
                   kResident = 24 - 3;
  std::vector<MetricFamily> families;
  const std::vector<std::string> stat = StatFields();
  if (stat.size() > kResident) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const auto number = [&](size_t field) { return static_cast<double>(std::stoull(stat[field])); };
    Add(families, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", MetricType::Counter,
        (number(kUserTicks) + number(kSystemTicks)) / ticks);
    Add(families, "process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::Gauge,
        number(kResident) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    Add(families, "process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::Gauge, number(kVirtual));
    Add(families, "process_threads", "Number of OS threads in the process.", MetricType::Gauge, number(kThreads));
    Add(families, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
        MetricType::Gauge, BootTime() + number(kStart) / ticks);
  }
  std::error_code error;
  int64_t descriptors = -1;  // the one that lists them is not counted
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    (void)entry;
    ++descriptors;
  }
  if (!error) {
    Add(families, "process_open_fds", "Number of open file descriptors.", MetricType::Gauge,
        static_cast<double>(descriptors));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Add(families, "process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge,
        static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace halfwave
