#include "server/app.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/kernels/isa.h"
#include "proto/health_json.h"
#include "server/log/log.h"
#include "server/processors.h"
#include "server/rpc/health.h"
#include "server/version.h"

namespace halfwave {
namespace {

constexpr std::chrono::seconds kTimeForLastAnswers(2);
constexpr absl::Duration kQuiet = absl::Milliseconds(50);
constexpr absl::Duration kLongestWaitForQuiet = absl::Seconds(1);

std::string Several(int64_t count, const char* things) {
  return absl::StrCat(count, " ", things, count == 1 ? "" : "s");
}

std::string Describe(int64_t workers, int64_t threads) {
  return absl::StrCat(workers == 0 ? "any number of workers" : Several(workers, "worker"), ", ",
                      Several(threads, "thread"), " each");
}

ThreadCounts ChooseThreads(const Options& options) {
  const Processors processors = UsableProcessors();
  const ThreadCounts counts = FitThreads(options.workers, options.intra_op_threads, processors.count);
  if (counts.capped) {
    LogWarning("threads_capped", {{"asked", Describe(options.workers, options.intra_op_threads)},
                                  {"given", Describe(counts.workers, counts.intra_op)},
                                  {"processors", absl::StrCat(processors.count)},
                                  {"limit", processors.limit}});
  }
  return counts;
}

RepositoryOptions ToRepositoryOptions(const Options& options) {
  const ThreadCounts threads = ChooseThreads(options);
  RepositoryOptions repository;
  repository.path = options.model;
  repository.reader.max_model_bytes = options.max_model_bytes;
  repository.prune_proven = options.prune_proven;
  repository.model.add_softmax = options.add_softmax;
  repository.model.weights = options.weights == "fp16" ? WeightFormat::kHalf : WeightFormat::kFloat;
  repository.model.max_steps_per_row = options.max_macs_per_row;
  repository.version.activity_window = static_cast<uint64_t>(options.activity_window);
  repository.version.profile_from_first = static_cast<uint64_t>(options.profile_from_first);
  repository.version.intra_op_threads = static_cast<int>(threads.intra_op);
  SchedulerOptions& scheduler = repository.version.scheduler;
  scheduler.slots = static_cast<size_t>(threads.workers);
  scheduler.permits = std::make_shared<Permits>(scheduler.slots);  // for all models together
  scheduler.max_batch_rows = options.max_batch_rows;
  scheduler.max_queue_rows = options.max_queue_rows;
  scheduler.max_queue_bytes = static_cast<size_t>(options.max_queue_bytes);
  return repository;
}

}  // namespace

App::~App() { Stop(); }

absl::Status App::Start() {
  metrics_.SetBuild(kernels::Kernels().name);
  HALFWAVE_ASSIGN_OR_RETURN(repository_, Repository::Load(ToRepositoryOptions(options_), metrics_));
  HALFWAVE_RETURN_IF_ERROR(StartGrpc());
  http_ = std::make_unique<HttpServer>(
      HttpServer::Handlers{.metrics = [this] { return MetricsText(); },
                           .ready = [this] { return ready_.load(); },
                           .health = [this](const HealthQuery& query) { return HealthAsJson(query); }});
  HALFWAVE_ASSIGN_OR_RETURN(const Address address, ParseAddress("http", options_.http));
  HALFWAVE_RETURN_IF_ERROR(http_->Start(address.host, address.port));
  SetReady(true);
  LogInfo("ready", {{"version", kVersion},
                    {"kernels", kernels::Kernels().name},
                    {"grpc_port", absl::StrCat(grpc_port_)},
                    {"http_port", absl::StrCat(http_->port())}});
  return absl::OkStatus();
}

absl::Status App::StartGrpc() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  const ServiceContext context{*repository_, metrics_, [this] { return ready_.load(); }};
  inference_service_ = std::make_unique<InferenceService>(context);
  health_service_ = std::make_unique<NeuronHealthService>(context);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options_.grpc, grpc::InsecureServerCredentials(), &grpc_port_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else two servers would share the port unawares
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(inference_service_.get());
  builder.RegisterService(health_service_.get());
  driver_ = std::make_unique<InferenceDriver>(InferenceDriver::Options{.allow_non_finite = options_.allow_non_finite},
                                              context, *inference_service_, builder.AddCompletionQueue());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || grpc_port_ == 0) {
    server_.reset();
    driver_.reset();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen for gRPC on ", options_.grpc,
                     "; the port is in use or the address is not this machine's: choose another with --grpc"));
  }
  driver_->Start();
  return absl::OkStatus();
}

absl::StatusOr<std::string> App::HealthAsJson(const HealthQuery& query) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::shared_ptr<ModelVersion> model, repository_->Find(query.model, query.version));
  const MutexLock lock(one_health_answer_);
  HALFWAVE_ASSIGN_OR_RETURN(const v1::GetHealthResponse health, DescribeHealth(*model, query.units));
  return HealthJson(health);
}

void App::SetReady(bool ready) {
  ready_ = ready;
  metrics_.SetReady(ready);
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", ready);
  for (const std::string& name : repository_->names()) {
    health->SetServingStatus(name, ready && repository_->Find(name, "").ok());
  }
}

// gRPC cancels, without a word, calls that arrive while it shuts down. Until then they are answered UNAVAILABLE, which
// sends clients elsewhere; so the shutdown waits for a moment in which nobody calls.
void App::WaitUntilClientsHaveGone() {
  const absl::Time deadline = absl::Now() + kLongestWaitForQuiet;
  uint64_t before = 0;
  do {
    before = driver_->arrivals();
    absl::SleepFor(kQuiet);
  } while (driver_->arrivals() != before && absl::Now() < deadline);
}

void App::Stop() {
  if (server_ != nullptr) {
    SetReady(false);
    health_service_->StopWatches();
    repository_->Drain(absl::Now() + absl::Seconds(options_.drain_seconds));
    WaitUntilClientsHaveGone();
    // All that is left are answers on their way out, and streams such as grpc.health.v1's Watch that never end by
    // themselves.
    server_->Shutdown(std::chrono::system_clock::now() + kTimeForLastAnswers);
    driver_->Stop();
    server_.reset();
  }
  if (http_ != nullptr) http_->Stop();
}

}  // namespace halfwave
