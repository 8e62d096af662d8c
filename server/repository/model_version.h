// One version of one model, ready to answer: its sessions, the scheduler in front of them, and what its units did.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "model/activity/answers.h"
#include "model/activity/monitor.h"
#include "model/activity/unit_map.h"
#include "model/engine/model.h"
#include "model/engine/session.h"
#include "server/batching/scheduler.h"
#include "server/metrics/metrics.h"

namespace halfwave {

// The metadata key under which a file can hold its profile.
inline constexpr const char* kProfileProperty = "halfwave.profile";

// The rows of one request, checked. What the pointers point to stays put until `done` has been called.
struct InferenceRequest {
  int64_t rows = 0;                 // 1 to max_batch_rows
  std::vector<const char*> inputs;  // per input of the model: rows * elements floats, row-major, not aligned
  size_t bytes = 0;                 // of all inputs
  bool finite = true;               // false: served, but not counted
  absl::Time deadline = absl::InfiniteFuture();
  const std::atomic<bool>* cancelled = nullptr;  // may turn true at any time

  // Called exactly once, from any thread. On OK the spans, one per output of the model and `rows` rows each, are valid
  // during the call only.
  using Outputs = std::span<const std::span<const float>>;
  absl::AnyInvocable<void(absl::StatusOr<Outputs>) &&> done;
};

struct ModelVersionOptions {
  SchedulerOptions scheduler;
  uint64_t activity_window = 10'000;
  uint64_t profile_from_first = 0;  // samples that are the reference of a model without a profile; 0: no reference
  int intra_op_threads = 1;         // of each session
};

// Thread-safe.
class ModelVersion {
 public:
  // Registers itself with `metrics`, which must outlive it and must not be scraped after it is gone. `units`: of a
  // model that has not all units of its file; statistics are the file's.
  ModelVersion(std::string name, std::string version, std::string sha256, std::shared_ptr<const Model> model,
               const ModelVersionOptions& options, Metrics& metrics, std::optional<UnitMap> units = std::nullopt);

  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  const std::string& sha256() const { return sha256_; }  // of its file
  const Model& model() const { return *model_; }
  // The file's, all units included; the model may have lost some.
  const std::vector<ActivationLayer>& activations() const { return units_.layers(); }
  int64_t max_batch_rows() const { return max_batch_rows_; }
  // The model's properties with those that depend on the server.
  std::map<std::string, std::string> Properties() const;
  ActivitySnapshot Activity() const { return monitor_.Snapshot(); }
  AnswerSnapshot Answers() const { return answers_.Snapshot(); }
  // Rows with an element outside the domain that the model's metadata declare.
  uint64_t RowsOutsideDomain() const { return rows_outside_domain_.load(std::memory_order_relaxed); }
  // Compares what units do and what is answered from now on with references of the model's units and classes. Once, at
  // most.
  void CompareWith(Reference units, AnswerCounts answers);

  // Accepts a request for the next batch; see Scheduler::Schedule. On an error `done` has not been called and never
  // will be. Nothing runs before Flush.
  absl::Status Submit(InferenceRequest request);
  void Flush() { scheduler_.Flush(); }

  // Answers what was accepted and refuses what comes; see Scheduler::Drain.
  void Drain(absl::Time deadline) { scheduler_.Drain(deadline); }

 private:
  struct Slot {
    std::unique_ptr<Session> session;
    std::vector<uint8_t> skip;  // per row: not finite, do not count
    BatchActivity activity;     // of the present batch, if units are gone
    AnswerCounts answers;       // of the present batch
    std::vector<std::span<const float>> outputs;
  };

  static std::vector<Slot> MakeSlots(const std::shared_ptr<const Model>& model, const ModelVersionOptions& options);
  void Execute(Slot& slot, std::span<const std::unique_ptr<Task>> batch);
  void CountAnswers(Slot& slot, int64_t rows);

  const std::string name_;
  const std::string version_;
  const std::string sha256_;
  const std::shared_ptr<const Model> model_;
  const UnitMap units_;
  const int64_t max_batch_rows_;
  const AnswerCounts no_answers_;
  ActivityMonitor monitor_;
  AnswerMonitor answers_;
  std::atomic<uint64_t> rows_outside_domain_{0};
  ModelMetrics* metrics_;
  std::vector<Slot> slots_;
  Scheduler scheduler_;  // last: its threads use the others
};

}  // namespace halfwave
