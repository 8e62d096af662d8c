#include "server/http/http_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "httplib.h"

namespace halfwave {
namespace {

constexpr size_t kThreads = 16;
constexpr time_t kIdleSeconds = 1;
constexpr std::chrono::seconds kTimeToStop(3);

constexpr const char* kIndex =
    "halfwave: an inference server for ReLU networks\n\n"
    "/metrics  Prometheus metrics: requests, latency, batches, and what the units of each layer do\n"
    "/healthz  200 while the process lives\n"
    "/readyz   200 while it takes traffic, 503 otherwise\n\n"
    "Predictions go over gRPC.\n";

}  // namespace

HttpServer::HttpServer(Handlers handlers) : server_(std::make_unique<httplib::Server>()) {
  // The library's default would share the port with another process without a word.
  server_->set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  // An idle connection holds a thread; it may do so for a second.
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_keep_alive_timeout(kIdleSeconds);
  server_->set_read_timeout(kIdleSeconds);
  server_->set_write_timeout(kIdleSeconds);
  server_->Get(
      "/", [](const httplib::Request&, httplib::Response& response) { response.set_content(kIndex, "text/plain"); });
  server_->Get("/metrics",
               [metrics = std::move(handlers.metrics)](const httplib::Request&, httplib::Response& response) {
                 response.set_content(metrics(), "text/plain; version=0.0.4; charset=utf-8");
               });
  server_->Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  server_->Get("/readyz", [ready = std::move(handlers.ready)](const httplib::Request&, httplib::Response& response) {
    const bool is_ready = ready();
    response.status = is_ready ? 200 : 503;
    response.set_content(is_ready ? "ready\n" : "not ready\n", "text/plain");
  });
}

HttpServer::~HttpServer() { Stop(); }

absl::Status HttpServer::Start(const std::string& host, int port) {
  const int bound =
      port == 0 ? server_->bind_to_any_port(host.c_str()) : (server_->bind_to_port(host.c_str(), port) ? port : -1);
  if (bound < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen for HTTP on ", host, ":", port,
                     "; the port is in use or the address is not this machine's: choose another with --http"));
  }
  port_ = bound;
  std::promise<void> finished;
  finished_ = finished.get_future();
  thread_ = std::thread([this, finished = std::move(finished)]() mutable {
    server_->listen_after_bind();
    finished.set_value();
  });
  while (!server_->is_running()) std::this_thread::yield();  // Stop before that would be lost
  return absl::OkStatus();
}

void HttpServer::Stop() {
  if (!thread_.joinable()) return;
  server_->stop();
  if (finished_.wait_for(kTimeToStop) == std::future_status::ready) {
    thread_.join();
  } else {  // a client that sends its request a byte at a time must not keep the process from ending
    thread_.detach();
    (void)server_.release();
  }
}

}  // namespace halfwave
