// The HTTP side: /metrics for Prometheus, /healthz and /readyz for whoever watches the process.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"

namespace httplib {
class Server;
}

namespace halfwave {

class HttpServer {
 public:
  struct Handlers {
    std::function<std::string()> metrics;  // the text exposition format
    std::function<bool()> ready;
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
