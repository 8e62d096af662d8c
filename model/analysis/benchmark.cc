#include "model/analysis/benchmark.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kMaxSessionBytes = int64_t{1} << 34;
constexpr int64_t kPoolRows = 64;        // that inputs go through at least, so that nothing learns them by heart
constexpr double kTurnSeconds = 100e-6;  // what is shorter than that is measured several calls at a time
constexpr size_t kMinTurns = 5;
constexpr double kProgressSeconds = 0.1;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The value that a share of the others lies below.
double Quantile(std::vector<double> values, double share) {
  const auto at = values.begin() + static_cast<int64_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double Median(const std::vector<double>& values) { return Quantile(values, 0.5); }

// What reading the clock adds to every interval between two readings.
double ClockSeconds() {
  std::vector<double> intervals;
  for (int i = 0; i < 1000; ++i) intervals.push_back(SecondsSince(Clock::now()));
  return Median(intervals);
}

// The layer of each step; fills `layers`.
std::vector<size_t> GroupSteps(const Model& model, std::vector<BenchmarkLayer>& layers) {
  std::vector<size_t> layer_of_step;
  const std::vector<size_t>* previous = nullptr;
  for (const Step& step : model.plan().steps) {
    const bool same = previous != nullptr && previous->empty() == step.nodes.empty() &&
                      (step.nodes.empty() || previous->front() == step.nodes.front());
    if (!same) layers.emplace_back();
    previous = &step.nodes;
    BenchmarkLayer& layer = layers.back();
    layer_of_step.push_back(layers.size() - 1);
    for (const size_t node : step.nodes) {
      if (std::count(layer.nodes.begin(), layer.nodes.end(), node) != 0) continue;
      layer.nodes.push_back(node);
      layer.multiply_adds += model.layers()[node].multiply_adds;
      layer.file_weight_bytes += model.layers()[node].parameters * kFloat;
    }
    if (const std::string algorithm = step.layer->Algorithm(); !algorithm.empty()) {
      layer.algorithms.push_back(algorithm);
    }
    layer.weight_bytes += step.layer->WeightBytes();
    const bool computes = !step.activation || !step.activation->only_observed;
    if (computes) layer.buffer_bytes += model.plan().buffers[step.output].elements * kFloat;
  }
  return layer_of_step;
}

// What a model is fed, batch after batch, in a circle: the rows of its self-test if it has one, else noise, the
// negative half of it zero; zeros where it wants no floats.
class Rows {
 public:
  Rows(const Model& model, int64_t batch) : batch_(batch), batches_(std::max<int64_t>(1, kPoolRows / batch)) {
    std::minstd_rand random(1);
    std::uniform_real_distribution<float> noise(-1, 1);
    for (const GraphValue& input : model.inputs()) {
      const size_t row = static_cast<size_t>(RowElements(input.shape));
      std::vector<float>& values = values_.emplace_back(row * batch_ * batches_);
      if (model.metadata().self_test) {
        const std::vector<float>& rows = model.metadata().self_test->inputs.at(input.name).data;
        for (size_t i = 0; i < values.size(); ++i) values[i] = rows[i % rows.size()];
      } else if (IsFloat(input.type)) {
        for (float& value : values) value = std::max(noise(random), 0.0f);
      }
    }
  }

  void CopyNextTo(Session& session) {
    for (size_t i = 0; i < values_.size(); ++i) {
      const size_t count = values_[i].size() / batches_;
      std::copy_n(values_[i].begin() + next_ * count, count, session.input(i).begin());
    }
    next_ = (next_ + 1) % batches_;
  }

 private:
  int64_t batch_, batches_, next_ = 0;
  std::vector<std::vector<float>> values_;  // of each input
};

// Adds up what each layer takes, between the ticks of a session's steps.
class Stopwatch {
 public:
  Stopwatch(const std::vector<size_t>& layer_of_step, size_t layers, double clock_seconds)
      : layer_of_step_(layer_of_step), clock_seconds_(clock_seconds), seconds_(layers) {}

  void Start() { last_ = Clock::now(); }
  void Copied() { Tick(copy_seconds_); }
  void StepDone(size_t step) { Tick(seconds_[layer_of_step_[step]]); }

  // The times of one call each, on average since the last time it was asked.
  void Take(int calls, std::vector<double>& copy, std::vector<std::vector<double>>& layers) {
    copy.push_back(std::exchange(copy_seconds_, 0) / calls);
    for (size_t i = 0; i < seconds_.size(); ++i) layers[i].push_back(std::exchange(seconds_[i], 0) / calls);
  }

 private:
  void Tick(double& seconds) {
    const Clock::time_point now = Clock::now();
    seconds += std::max(0.0, std::chrono::duration<double>(now - last_).count() - clock_seconds_);
    last_ = now;
  }

  const std::vector<size_t>& layer_of_step_;
  double clock_seconds_;
  Clock::time_point last_;
  double copy_seconds_ = 0;
  std::vector<double> seconds_;
};

// Calls that are timed as a whole take turns with calls in which each step is timed.
BenchmarkBatch MeasureBatch(const std::shared_ptr<const Model>& model, const std::vector<size_t>& layer_of_step,
                            size_t layers, int64_t batch, double seconds, const std::function<void(double)>& progress) {
  Session session(model, batch);
  Rows rows(*model, batch);
  Stopwatch stopwatch(layer_of_step, layers, ClockSeconds());
  const auto call = [&] {
    rows.CopyNextTo(session);
    session.Run(batch);
  };
  const auto call_by_steps = [&] {
    stopwatch.Start();
    rows.CopyNextTo(session);
    stopwatch.Copied();
    session.Run(batch);
  };
  double once = 1;  // of the fastest of some calls
  for (int i = 0; i < 4; ++i) {
    const Clock::time_point start = Clock::now();
    call();
    once = std::min(once, SecondsSince(start));
  }
  const int calls = std::clamp(static_cast<int>(kTurnSeconds / std::max(once, 1e-9)), 1, 1000);

  std::vector<double> call_seconds, copy_seconds;
  std::vector<std::vector<double>> layer_seconds(layers);
  const Clock::time_point begin = Clock::now();
  for (double elapsed = 0, told = -kProgressSeconds; call_seconds.size() < kMinTurns || elapsed < seconds;
       elapsed = SecondsSince(begin)) {
    if (progress && elapsed >= told + kProgressSeconds) {
      progress(std::min(1.0, elapsed / seconds));
      told = elapsed;
    }
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    call_seconds.push_back(SecondsSince(start) / calls);
    session.set_after_step([&](size_t step) { stopwatch.StepDone(step); });
    for (int i = 0; i < calls; ++i) call_by_steps();
    session.set_after_step(nullptr);
    stopwatch.Take(calls, copy_seconds, layer_seconds);
  }

  BenchmarkBatch result;
  result.rows = batch;
  result.calls = static_cast<int64_t>(call_seconds.size()) * calls;
  result.median_seconds = Median(call_seconds);
  result.p10_seconds = Quantile(call_seconds, 0.1);
  result.p90_seconds = Quantile(call_seconds, 0.9);
  result.copy_seconds = Median(copy_seconds);
  for (const std::vector<double>& times : layer_seconds) result.layer_seconds.push_back(Median(times));
  result.session_bytes = session.bytes();
  return result;
}

}  // namespace

absl::StatusOr<Benchmark> RunBenchmark(const std::filesystem::path& path, const BenchmarkOptions& options) {
  Benchmark benchmark;
  const Clock::time_point start = Clock::now();
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel file, ReadOnnxFile(path, options.reader));
  HALFWAVE_ASSIGN_OR_RETURN(benchmark.model, Model::Create(std::move(file.graph), options.model));
  Session(benchmark.model, 1);
  benchmark.load_seconds = SecondsSince(start);
  file.sha256.wait();  // it would disturb what is measured next

  const Model& model = *benchmark.model;
  benchmark.file_bytes = static_cast<int64_t>(std::filesystem::file_size(path));
  benchmark.workspace_bytes = model.plan().elements_per_row * kFloat;
  for (const int64_t batch : options.batches) {
    if (batch <= kMaxSessionBytes / std::max<int64_t>(benchmark.workspace_bytes, 1)) continue;
    return absl::ResourceExhaustedError(absl::StrCat("a batch of ", batch, " rows wants ", benchmark.workspace_bytes,
                                                     " bytes for each, together more than ", kMaxSessionBytes));
  }
  const std::vector<size_t> layer_of_step = GroupSteps(model, benchmark.layers);
  for (const size_t input : model.plan().inputs) {
    benchmark.unshared_bytes += model.plan().buffers[input].elements * kFloat;
  }
  for (const BenchmarkLayer& layer : benchmark.layers) benchmark.unshared_bytes += layer.buffer_bytes;
  if (model.metadata().self_test) {
    benchmark.self_test_rows = model.metadata().self_test->inputs.begin()->second.shape[0];
  }
  for (size_t i = 0; i < options.batches.size(); ++i) {
    std::function<void(double)> progress;
    if (options.progress) {
      progress = [&](double done) {
        options.progress((static_cast<double>(i) + done) / static_cast<double>(options.batches.size()));
      };
    }
    benchmark.batches.push_back(MeasureBatch(benchmark.model, layer_of_step, benchmark.layers.size(),
                                             options.batches[i], options.seconds, progress));
  }
  return benchmark;
}

}  // namespace halfwave
