#include "server/http/http_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "httplib.h"
#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

constexpr size_t kThreads = 16;
constexpr time_t kIdleSeconds = 1;
constexpr std::chrono::seconds kTimeToStop(3);

constexpr const char* kIndex =
    "halfwave: an inference server for ReLU networks\n\n"
    "/metrics  Prometheus metrics: requests, latency, batches, and what the units of each layer do\n"
    "/healthz  200 while the process lives\n"
    "/readyz   200 while it takes traffic, 503 otherwise\n"
    "/v1/models/{name}/health  what the units of each layer do, as JSON; ?version=VERSION for one that is not the "
    "newest,\n"
    "          ?units=LAYER (* for all) for each unit of a layer\n\n"
    "Predictions go over gRPC.\n";

constexpr const char* kJson = "application/json";

// The name in /v1/models/{name}/health. No pattern of the library's: its matcher recurses once a character.
bool MatchHealthPath(absl::string_view path, std::string& model) {
  if (!absl::ConsumePrefix(&path, "/v1/models/") || !absl::ConsumeSuffix(&path, "/health") || path.empty())
    return false;
  model = std::string(path);
  return true;
}

int HttpCode(const absl::Status& status) {
  if (absl::IsNotFound(status)) return 404;
  return absl::IsUnavailable(status) ? 503 : 500;
}

void Answer(const absl::StatusOr<std::string>& json, httplib::Response& response) {
  if (json.ok()) return response.set_content(*json, kJson);
  using Json = nlohmann::json;
  response.status = HttpCode(json.status());
  response.set_content(
      Json{{"error", std::string(json.status().message())}}.dump(-1, ' ', false, Json::error_handler_t::replace),
      kJson);
}

HealthQuery ToHealthQuery(std::string model, const httplib::Params& parameters) {
  HealthQuery query;
  query.model = std::move(model);
  for (const auto& [key, value] : parameters) {
    if (key == "version") query.version = value;
    if (key == "units") query.units.push_back(value);
  }
  return query;
}

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
  server_->set_pre_routing_handler(
      [health = std::move(handlers.health)](const httplib::Request& request, httplib::Response& response) {
        if (request.ranges.size() > 1) {  // a header of "0-,0-,0-" would make a thousand copies of an answer
          response.status = 416;
          return httplib::Server::HandlerResponse::Handled;
        }
        std::string model;
        const bool reads = request.method == "GET" || request.method == "HEAD";
        if (!reads || !MatchHealthPath(request.path, model)) return httplib::Server::HandlerResponse::Unhandled;
        Answer(health(ToHealthQuery(std::move(model), request.params)), response);
        return httplib::Server::HandlerResponse::Handled;
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
