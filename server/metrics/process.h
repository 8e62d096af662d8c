#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace halfwave {

// The process_* metrics that Prometheus's own client libraries export (CPU, memory, descriptors, start), read from
// /proc now. What cannot be read is left out.
std::vector<prometheus::MetricFamily> CollectProcess();

}  // namespace halfwave
