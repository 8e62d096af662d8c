#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/paths.h"

namespace halfwave {
namespace {

using testing::HasSubstr;
using testing::Not;

// One layer of each family, with `window` samples seen, compared with a reference.
ActivitySnapshot SnapshotOf(uint64_t samples, uint64_t window) {
  ActivityMonitor monitor({{"relu", "Relu", ActivationFamily::kRectifier, 2, 2, false},
                           {"elu", "Elu", ActivationFamily::kLeaky, 2, 2, false},
                           {"tanh", "Tanh", ActivationFamily::kSaturating, 2, 2, false}},
                          window);
  monitor.SetReference({1000, {{500, 500}, {500, 0}, {500, 500}}});
  BatchActivity batch;
  batch.samples = samples;
  const auto active = static_cast<uint32_t>(samples);
  batch.layers.assign(3, {{active, 0}, samples, 0});
  monitor.Record(batch);
  return monitor.Snapshot();
}

// Two classes, both of them half of the reference; all samples are sure of the first.
AnswerSnapshot AnswersOf(uint64_t samples, uint64_t window) {
  AnswerCounts counts(2, /*probabilities=*/true);
  AnswerMonitor monitor(counts, window);
  AnswerCounts reference = counts;
  for (int i = 0; i < 500; ++i) {
    reference.Add(std::vector<float>{0.9f, 0.1f});
    reference.Add(std::vector<float>{0.1f, 0.9f});
  }
  monitor.SetReference(reference);
  for (uint64_t i = 0; i < samples; ++i) counts.Add(std::vector<float>{1, 0});
  monitor.Record(counts);
  return monitor.Snapshot();
}

std::string Scrape(uint64_t samples, uint64_t window) {
  Metrics metrics;
  metrics.SetBuild("x86-64-v3");
  ModelMetrics* model = metrics.AddModel({.model = "m",
                                          .version = "1",
                                          .sha256 = "hash",
                                          .head = "softmax",
                                          .batch = "free",
                                          .queue_depth = [] { return size_t{3}; },
                                          .activity = [=] { return SnapshotOf(samples, window); },
                                          .answers = [=] { return AnswersOf(samples, window); },
                                          .rows_outside_domain = [] { return uint64_t{4}; }});
  model->ObserveQueue(absl::Microseconds(30));
  model->ObserveBatch(5, absl::Milliseconds(2));
  metrics.ObserveRequest(Method::kModelInfer, absl::StatusCode::kOk, absl::Milliseconds(3));
  metrics.ObserveRequest(Method::kModelInfer, absl::StatusCode::kInvalidArgument, absl::Microseconds(10));
  return metrics.Serialize();
}

// Name, type, label names and help of every metric: what dashboards and alerts rely on.
std::string Interface(const std::string& scrape) {
  std::map<std::string, std::string> help, type;
  std::map<std::string, std::set<std::string>> labels;
  std::istringstream lines(scrape);
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, std::regex("# HELP (\\S+) (.*)"))) {
      current = match[1];
      help[current] = match[2];
    } else if (std::regex_match(line, match, std::regex("# TYPE (\\S+) (.*)"))) {
      type[current] = match[2];
    } else {
      const size_t open = line.find('{'), close = line.rfind('}');
      if (open == std::string::npos) continue;
      const std::string list = line.substr(open + 1, close - open - 1);
      const std::regex name("([a-z0-9_]+)=\"");
      for (std::sregex_iterator it(list.begin(), list.end(), name), end; it != end; ++it)
        labels[current].insert((*it)[1]);
    }
  }
  std::string text;
  for (const auto& [name, words] : help) {
    text += name + " " + type[name] + " {";
    for (const std::string& label : labels[name]) text += (text.back() == '{' ? "" : ",") + label;
    text += "}\n    " + words + "\n";
  }
  return text;
}

TEST(Metrics, NamesLabelsAndHelpAreAsInTheGoldenFile) {
  const auto path = ProjectRoot() / "tests" / "golden" / "metrics.txt";
  std::ifstream file(path);
  std::ostringstream golden;
  golden << file.rdbuf();
  const std::string now = Interface(Scrape(100, 100));
  if (now != golden.str()) std::cout << "The interface is now:\n" << now;
  EXPECT_EQ(now, golden.str()) << "if the change is meant, put what is printed above into " << path;
}

TEST(Metrics, FailuresAreCountedAndTimedLikeSuccesses) {
  const std::string scrape = Scrape(100, 100);
  EXPECT_THAT(scrape, HasSubstr("halfwave_requests_total{code=\"INVALID_ARGUMENT\",method=\"ModelInfer\"} 1"));
  EXPECT_THAT(scrape, HasSubstr("halfwave_request_seconds_count{code=\"INVALID_ARGUMENT\",method=\"ModelInfer\"} 1"));
  EXPECT_THAT(
      scrape,
      HasSubstr("halfwave_request_seconds_bucket{code=\"INVALID_ARGUMENT\",method=\"ModelInfer\",le=\"2e-05\"} 1"));
}

TEST(Metrics, NoUnitIsCalledDeadBeforeTheWindowIsFull) {
  EXPECT_THAT(Scrape(99, 100), Not(HasSubstr("halfwave_layer_dead_units")));
  EXPECT_THAT(Scrape(99, 100), HasSubstr("halfwave_layer_sparsity_ratio"));
  const std::string full = Scrape(100, 100);
  EXPECT_THAT(full,
              HasSubstr("halfwave_layer_dead_units{activation=\"Relu\",layer=\"relu\",model=\"m\",version=\"1\"} 1"));
  EXPECT_THAT(full,
              HasSubstr("halfwave_layer_inactive_units{activation=\"Elu\",layer=\"elu\",model=\"m\",version=\"1\"} 1"));
  EXPECT_THAT(
      full,
      HasSubstr("halfwave_layer_always_on_units{activation=\"Relu\",layer=\"relu\",model=\"m\",version=\"1\"} 1"));
}

TEST(Metrics, OnlyRectifiersHaveDeadUnits) {
  const std::string full = Scrape(100, 100);
  EXPECT_THAT(full, Not(HasSubstr("halfwave_layer_dead_units{activation=\"Elu\"")));
  EXPECT_THAT(full, Not(HasSubstr("halfwave_layer_dead_units{activation=\"Tanh\"")));
}

TEST(Metrics, UnitsAreComparedWithAReferenceIfThereIsOne) {
  const std::string full = Scrape(100, 100);
  EXPECT_THAT(full, HasSubstr("halfwave_reference_samples{model=\"m\",version=\"1\"} 1000"));
  EXPECT_THAT(full, HasSubstr("halfwave_layer_went_silent_units{activation=\"Relu\",layer=\"relu\",model=\"m\","
                              "version=\"1\"} 1"));
  EXPECT_THAT(full, HasSubstr("halfwave_layer_not_watched_units{activation=\"Elu\",layer=\"elu\",model=\"m\","
                              "version=\"1\"} 1"));
  EXPECT_THAT(full, HasSubstr("halfwave_layer_drift_js{"));
  Metrics metrics;
  metrics.AddModel({.model = "m",
                    .version = "1",
                    .sha256 = "",
                    .head = "",
                    .batch = "",
                    .queue_depth = [] { return size_t{0}; },
                    .activity =
                        [] {
                          return ActivityMonitor({{"relu", "Relu", {}, 2, 2, false}}, 10).Snapshot();
                        },
                    .answers = [] { return AnswerMonitor(AnswerCounts(2, true), 10).Snapshot(); },
                    .rows_outside_domain = [] { return uint64_t{0}; }});
  EXPECT_THAT(metrics.Serialize(), HasSubstr("halfwave_reference_samples{model=\"m\",version=\"1\"} 0"));
  EXPECT_THAT(metrics.Serialize(), Not(HasSubstr("halfwave_layer_went_silent_units")));
  EXPECT_THAT(metrics.Serialize(), Not(HasSubstr("halfwave_layer_drift")));
}

TEST(Metrics, AnswersAreComparedWithAReferenceIfThereIsOne) {
  const std::string full = Scrape(100, 100);
  for (const char* of : {"classes", "confidence"}) {
    EXPECT_THAT(full, HasSubstr(std::string("halfwave_answer_drift_psi{model=\"m\",of=\"") + of));
  }
  EXPECT_THAT(full, HasSubstr("halfwave_samples_outside_domain_total{model=\"m\",version=\"1\"} 4"));
  EXPECT_THAT(Scrape(0, 100), Not(HasSubstr("halfwave_answer_drift")));
}

TEST(Metrics, TheProcessIsMeasured) {
  const std::string scrape = Scrape(1, 1);
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                           "process_max_fds", "process_start_time_seconds"}) {
    EXPECT_THAT(scrape, HasSubstr(std::string("\n") + name + " "));
  }
}

}  // namespace
}  // namespace halfwave
