// The HTTP side: /metrics for Prometheus, /healthz and /readyz for whoever watches the process, and what the units of a
// model do as JSON under /v1/models/{name}/health.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace httplib {
class Server;
}

namespace halfwave {

// GET /v1/models/{model}/health?version=VERSION&units=LAYER&units=...; decoded, otherwise as it came.
struct HealthQuery {
  std::string model;
  std::string version;             // empty: not given
  std::vector<std::string> units;  // layers; "*": all
};

class HttpServer {
 public:
  struct Handlers {
    std::function<std::string()> metrics;  // the text exposition format
    std::function<bool()> ready;
    // JSON. An error is answered as {"error": its message}: NOT_FOUND with 404, UNAVAILABLE with 503, others with 500.
    std::function<absl::StatusOr<std::string>(const HealthQuery&)> health;
  };

  explicit HttpServer(Handlers handlers);
  ~HttpServer();  // Stop()s

  // Binds and serves on threads of its own. Port 0 takes a free one. FAILED_PRECONDITION, naming the address, if it
  // cannot be bound.
  absl::Status Start(const std::string& host, int port);
  int port() const { return port_; }
  // Returns within seconds. The handlers may be called until it does; and later by a request that was still being sent
  // then, so the process should end soon.
  void Stop();

 private:
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
  std::future<void> finished_;
  int port_ = 0;
};

}  // namespace halfwave
