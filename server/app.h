// The whole server as an object: owns every part and knows the order in which they start and stop.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/mutex.h"
#include "server/http/http_server.h"
#include "server/metrics/metrics.h"
#include "server/options.h"
#include "server/repository/repository.h"
#include "server/rpc/inference_driver.h"
#include "server/rpc/services.h"

namespace halfwave {

class App {
 public:
  explicit App(const Options& options) : options_(options) {}  // validated options
  ~App();                                                      // Stop()s

  // Loads the models, opens both ports, and takes traffic. The error says what could not be loaded or which port
  // could not be opened.
  absl::Status Start();

  // Not ready from here on; takes no new request, answers every accepted one, and returns. Idempotent.
  void Stop();

  // The ports that were opened.
  int grpc_port() const { return grpc_port_; }
  int http_port() const { return http_ ? http_->port() : 0; }

  // What /metrics shows, also once the ports are closed.
  std::string MetricsText() const { return metrics_.Serialize(); }

 private:
  absl::Status StartGrpc();
  void WaitUntilClientsHaveGone();
  void SetReady(bool ready);
  absl::StatusOr<std::string> HealthAsJson(const HealthQuery& query);

  const Options options_;
  std::atomic<bool> ready_{false};
  Metrics metrics_;
  Mutex one_health_answer_;  // at a time is put together: for 100,000 units it takes 85 MB
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<InferenceService> inference_service_;
  std::unique_ptr<NeuronHealthService> health_service_;
  std::unique_ptr<InferenceDriver> driver_;
  std::unique_ptr<grpc::Server> server_;  // after what it refers to
  std::unique_ptr<HttpServer> http_;
  int grpc_port_ = 0;
};

}  // namespace halfwave
