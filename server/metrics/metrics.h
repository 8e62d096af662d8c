// Everything the server measures, in Prometheus's format. The only folder that includes prometheus-cpp.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/activity/answers.h"
#include "model/activity/monitor.h"
#include "model/base/mutex.h"

namespace prometheus {
class Counter;
class Histogram;
class Registry;
}  // namespace prometheus

namespace halfwave {

// The methods that are counted, in the order of kMethodNames.
enum class Method {
  kServerLive,
  kServerReady,
  kModelReady,
  kServerMetadata,
  kModelMetadata,
  kModelInfer,
  kRepositoryIndex,
  kGetHealth,
  kWatchHealth,
};
inline constexpr std::array<const char*, 9> kMethodNames = {"ServerLive",      "ServerReady",   "ModelReady",
                                                            "ServerMetadata",  "ModelMetadata", "ModelInfer",
                                                            "RepositoryIndex", "GetHealth",     "WatchHealth"};

// What is asked of a model at each scrape. Must be thread-safe, and valid until the Metrics object is gone.
struct ModelReport {
  std::string model;
  std::string version;
  std::string sha256;
  std::string head;
  std::string batch;
  std::function<size_t()> queue_depth;
  std::function<ActivitySnapshot()> activity;
  std::function<AnswerSnapshot()> answers;
  std::function<uint64_t()> rows_outside_domain;
};

// The handles of one model version, made once. Thread-safe; owned by the Metrics object.
class ModelMetrics {
 public:
  void ObserveQueue(absl::Duration duration);
  void ObserveBatch(int64_t rows, absl::Duration compute);

 private:
  friend class Metrics;
  prometheus::Histogram* queue_seconds_ = nullptr;
  prometheus::Histogram* compute_seconds_ = nullptr;
  prometheus::Histogram* batch_rows_ = nullptr;
  prometheus::Counter* rows_ = nullptr;
};

// Thread-safe. Labels come from this program, from model files and from nowhere else.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // One answered request, whatever the outcome.
  void ObserveRequest(Method method, absl::StatusCode code, absl::Duration duration);

  // Adds a model version; the handles stay valid as long as this object.
  ModelMetrics* AddModel(ModelReport report);

  void SetReady(bool ready);
  // Publishes what this program was built from, and the instruction set its kernels use. To be called once.
  void SetBuild(const std::string& instruction_set);

  // Everything, in the text exposition format 0.0.4.
  std::string Serialize() const;

 private:
  struct Families;
  class ModelCollector;

  struct RequestHandles {
    prometheus::Counter* count = nullptr;
    prometheus::Histogram* seconds = nullptr;
  };
  static constexpr size_t kCodes = 17;  // of gRPC

  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Families> families_;
  std::unique_ptr<ModelCollector> models_;
  mutable Mutex mutex_;
  std::array<std::array<RequestHandles, kCodes>, kMethodNames.size()> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<ModelMetrics>> handles_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halfwave
