// Drives ModelInfer: one thread on one completion queue, which decodes what has arrived, lets it gather into batches,
// and runs short batches itself. Why so: tests/bench/rpc_api/README.md.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "server/rpc/services.h"

namespace halfwave {

class InferenceDriver {
 public:
  struct Options {
    bool allow_non_finite = false;
  };

  // `queue` comes from the builder of the server that `service` is registered with.
  InferenceDriver(const Options& options, ServiceContext context, InferenceService& service,
                  std::unique_ptr<grpc::ServerCompletionQueue> queue);

  // Starts to take requests; call once, after the server was started.
  void Start();

  // Calls that have arrived so far.
  uint64_t arrivals() const { return arrivals_.load(); }

  // Call once the server was shut down: returns when every call has been answered and its memory freed.
  void Stop();

 private:
  class Call;

  void Run();
  void AddCall();
  // The model version has a request that waits for a flush.
  void Touch(const std::shared_ptr<ModelVersion>& version);

  const Options options_;
  const ServiceContext context_;
  InferenceService& service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::vector<std::shared_ptr<ModelVersion>> touched_;  // used by the thread alone
  std::atomic<uint64_t> arrivals_{0};
  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;  // nothing may be asked of a queue that was shut down
  std::thread thread_;
};

}  // namespace halfwave
