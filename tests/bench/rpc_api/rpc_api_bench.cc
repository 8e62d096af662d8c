// Which gRPC server API should carry ModelInfer, with how many threads, and on which thread should the model run?
//
// Every combination serves the same request (784 floats in, 10 floats out) to a closed-loop client in a process of
// its own. The rounds are interleaved and shuffled, so that the machine's drift falls on every combination alike.
//
//   rpc_api_bench [--quick] [--rounds=N] [--seed=N]
//
// The tables go to stdout as Markdown. README.md beside this file holds the measured ones and what was decided.

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/rpc_api/load_client.h"
#include "tests/bench/rpc_api/servers.h"

namespace halfwave {
namespace {

constexpr int kWorkers = 2;
constexpr std::array<int, 3> kConcurrencies = {1, 16, 64};

// ---- What is compared ----

enum class Api { kQueue, kCallback };
enum class Place {
  kRpcThread,  // one request at a time, on the thread that received it
  kWorkers,    // handed over; a worker takes everything that waits as one batch
  kDrain,      // the completion-queue thread collects what is ready and runs it as one batch itself
};
enum Work { kNone, kLight, kHeavy, kWorkLevels };

struct Cost {
  double batch_us;
  double row_us;
};
constexpr std::array<Cost, kWorkLevels> kCosts = {{{0, 0}, {20, 5}, {200, 50}}};

struct Config {
  const char* name;
  Api api;
  int threads;  // completion queues, each with one thread; the callback API decides for itself
  Place place;
};
constexpr Config kConfigs[] = {
    {"queue x1, rpc thread", Api::kQueue, 1, Place::kRpcThread},
    {"queue x1, rpc thread (again)", Api::kQueue, 1, Place::kRpcThread},  // A/A: how far noise alone goes
    {"queue x1, drain", Api::kQueue, 1, Place::kDrain},
    {"queue x1, workers", Api::kQueue, 1, Place::kWorkers},
    {"queue x2, rpc thread", Api::kQueue, 2, Place::kRpcThread},
    {"queue x2, drain", Api::kQueue, 2, Place::kDrain},
    {"queue x2, workers", Api::kQueue, 2, Place::kWorkers},
    {"callback, rpc thread", Api::kCallback, 0, Place::kRpcThread},
    {"callback, workers", Api::kCallback, 0, Place::kWorkers},
};
constexpr int kConfigCount = std::size(kConfigs);

// ---- The pretended model ----

// A chain of dependent operations: its time does not depend on vector units or caches.
void Chain(long steps) {
  double value = 1.0;
  for (long i = 0; i < steps; ++i) {
    value = value * 0.999 + 0.001;
    asm volatile("" : "+x"(value));  // the compiler must not see through it
  }
}

double CalibrateStepsPerMicro() {
  using Clock = std::chrono::steady_clock;
  constexpr long kSteps = 200'000;
  double best_us = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    Chain(kSteps);
    best_us = std::min(best_us, std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return kSteps / best_us;
}

class Model {
 public:
  Model(Cost cost, double steps_per_micro) : cost_(cost), steps_per_micro_(steps_per_micro) {}

  void Run(std::span<Rpc* const> batch) {
    batches_.fetch_add(1, std::memory_order_relaxed);
    const double us = cost_.batch_us + cost_.row_us * static_cast<double>(batch.size());
    Chain(static_cast<long>(us * steps_per_micro_));
    for (Rpc* rpc : batch) {
      rpc->FillResponse();
      rpc->Answer();
    }
  }
  long batches() const { return batches_.load(std::memory_order_relaxed); }

 private:
  const Cost cost_;
  const double steps_per_micro_;
  std::atomic<long> batches_{0};
};

class WorkerPool {
 public:
  explicit WorkerPool(Model* model) {
    for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this, model] { Loop(model); });
  }
  ~WorkerPool() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void Submit(std::span<Rpc* const> rpcs) {
    {
      std::lock_guard lock(mutex_);
      waiting_.insert(waiting_.end(), rpcs.begin(), rpcs.end());
    }
    wake_.notify_one();
  }

 private:
  void Loop(Model* model) {
    std::vector<Rpc*> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      model->Run(batch);
      batch.clear();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Rpc*> waiting_;  // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::vector<std::thread> threads_;
};

// ---- Measuring and reporting ----

struct Sample {
  Load load;
  double server_cpu_us;  // of this process, per request
  double batch_rows;     // mean
};

double CpuMicros() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

using Series = std::vector<Sample>;  // one sample a round
using Results = std::array<std::array<std::array<Series, kConcurrencies.size()>, kConfigCount>, kWorkLevels>;

// Starts one server and loads it with every concurrency.
void Measure(const Config& config, Cost cost, double steps_per_micro, std::mt19937* random,
             std::array<Series, kConcurrencies.size()>* out) {
  Model model(cost, steps_per_micro);
  std::unique_ptr<WorkerPool> pool;
  Sink sink = [&model](std::span<Rpc* const> batch) { model.Run(batch); };
  if (config.place == Place::kWorkers) {
    pool = std::make_unique<WorkerPool>(&model);
    sink = [&pool](std::span<Rpc* const> batch) { pool->Submit(batch); };
  }
  const auto server = config.api == Api::kQueue ? StartQueueServer(config.threads, config.place == Place::kDrain, sink)
                                                : StartCallbackServer(sink);
  LoadClient client(server->port());
  std::array<int, kConcurrencies.size()> order;
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), *random);
  for (int i : order) {
    const double cpu = CpuMicros();
    const long batches = model.batches();
    const Load load = client.Run(kConcurrencies[i]);
    const auto requests = static_cast<double>(load.requests);
    (*out)[i].push_back({load, (CpuMicros() - cpu) / requests, requests / (model.batches() - batches)});
  }
}

std::vector<double> Column(const Series& series, const std::function<double(const Sample&)>& value) {
  std::vector<double> column;
  for (const Sample& sample : series) column.push_back(value(sample));
  return column;
}

void PrintRow(const char* name, const Series& series, const Series& reference) {
  const auto median = [&series](auto value) { return Quantile(Column(series, value), 0.5); };
  const auto rates = Column(series, [](const Sample& s) { return s.load.per_second / 1000; });
  std::vector<double> ratios;  // within a round, so that the machine's slow drift cancels
  for (size_t i = 0; i < rates.size(); ++i) ratios.push_back(rates[i] * 1000 / reference[i].load.per_second);
  std::printf(
      "| %s | %.1f (%.1f-%.1f) | %.2f (%.2f-%.2f) | %.0f | %.0f | %.0f | %.1f |\n", name, Quantile(rates, 0.5),
      Quantile(rates, 0), Quantile(rates, 1), Quantile(ratios, 0.5), Quantile(ratios, 0.25), Quantile(ratios, 0.75),
      median([](const Sample& s) { return s.load.p50_us; }), median([](const Sample& s) { return s.load.p99_us; }),
      median([](const Sample& s) { return s.server_cpu_us; }), median([](const Sample& s) { return s.batch_rows; }));
}

void PrintTables(const Results& results) {
  for (int work = 0; work < kWorkLevels; ++work) {
    for (size_t c = 0; c < kConcurrencies.size(); ++c) {
      std::printf("\n**Work %.0f us a batch + %.0f us a row, concurrency %d**\n\n", kCosts[work].batch_us,
                  kCosts[work].row_us, kConcurrencies[c]);
      std::printf("| server | k/s (min-max) | to first row (quartiles) | p50 us | p99 us | CPU us | rows/batch |\n");
      std::printf("|---|---|---|---|---|---|---|\n");
      for (int i = 0; i < kConfigCount; ++i) PrintRow(kConfigs[i].name, results[work][i][c], results[work][0][c]);
    }
  }
}

int Run(int rounds, unsigned seed) {
  const double steps_per_micro = CalibrateStepsPerMicro();
  std::printf("seed %u, %d rounds, %.0f steps/us\n", seed, rounds, steps_per_micro);
  std::mt19937 random(seed);
  std::vector<int> order(kWorkLevels * kConfigCount);
  std::iota(order.begin(), order.end(), 0);
  Results results;
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (int i : order) {
      const int work = i / kConfigCount, config = i % kConfigCount;
      Measure(kConfigs[config], kCosts[work], steps_per_micro, &random, &results[work][config]);
    }
    std::fprintf(stderr, "round %d of %d\n", round + 1, rounds);
  }
  PrintTables(results);
  return 0;
}

int Main(int argc, char** argv) {
  int rounds = 15;
  unsigned seed = std::random_device()();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == kLoadClientFlag) return LoadClientMain();
    if (flag == "--quick") {
      rounds = 1;
    } else if (flag.starts_with("--rounds=")) {
      rounds = std::max(1, std::atoi(flag.c_str() + flag.find('=') + 1));
    } else if (flag.starts_with("--seed=")) {
      seed = std::strtoul(flag.c_str() + flag.find('=') + 1, nullptr, 10);
    } else {
      Die("usage: rpc_api_bench [--quick] [--rounds=N] [--seed=N]");
    }
  }
  return Run(rounds, seed);
}

}  // namespace
}  // namespace halfwave

int main(int argc, char** argv) { return halfwave::Main(argc, argv); }
