#include "server/rpc/services.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "model/base/status_macros.h"
#include "server/log/log.h"
#include "server/rpc/health.h"
#include "server/rpc/status.h"
#include "server/version.h"

namespace halfwave {
namespace {

// Runs a synchronous method: times it, counts its outcome, logs its failure.
template <typename Body>
grpc::Status Answer(const ServiceContext& context, Method method, Body body) {
  const absl::Time start = absl::Now();
  const absl::Status status = body();
  if (!status.ok()) {
    LogWarning("request_failed", {{"method", kMethodNames[static_cast<size_t>(method)]},
                                  {"code", absl::StatusCodeToString(status.code())},
                                  {"error", std::string(status.message())}});
  }
  context.metrics.ObserveRequest(method, status.code(), absl::Now() - start);
  return ToGrpcStatus(status);
}

void Describe(const GraphValue& value, inference::ModelMetadataResponse::TensorMetadata* out) {
  out->set_name(value.name);
  out->set_datatype(DataTypeName(value.type));
  out->mutable_shape()->Add(value.shape.begin(), value.shape.end());
}

}  // namespace

grpc::Status InferenceService::ServerLive(grpc::ServerContext*, const inference::ServerLiveRequest*,
                                          inference::ServerLiveResponse* response) {
  return Answer(context_, Method::kServerLive, [&] {
    response->set_live(true);
    return absl::OkStatus();
  });
}

grpc::Status InferenceService::ServerReady(grpc::ServerContext*, const inference::ServerReadyRequest*,
                                           inference::ServerReadyResponse* response) {
  return Answer(context_, Method::kServerReady, [&] {
    response->set_ready(context_.ready());
    return absl::OkStatus();
  });
}

grpc::Status InferenceService::ModelReady(grpc::ServerContext*, const inference::ModelReadyRequest* request,
                                          inference::ModelReadyResponse* response) {
  return Answer(context_, Method::kModelReady, [&] {
    const auto found = context_.repository.Find(request->name(), request->version());
    if (absl::IsNotFound(found.status())) return found.status();
    response->set_ready(found.ok() && context_.ready());
    return absl::OkStatus();
  });
}

grpc::Status InferenceService::ServerMetadata(grpc::ServerContext*, const inference::ServerMetadataRequest*,
                                              inference::ServerMetadataResponse* response) {
  return Answer(context_, Method::kServerMetadata, [&] {
    response->set_name("halfwave");
    response->set_version(kVersion);
    return absl::OkStatus();
  });
}

grpc::Status InferenceService::ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                                             inference::ModelMetadataResponse* response) {
  return Answer(context_, Method::kModelMetadata, [&] {
    const auto found = context_.repository.Find(request->name(), request->version());
    if (!found.ok()) return found.status();
    const ModelVersion& version = **found;
    response->set_name(version.name());
    response->add_versions(version.version());
    response->set_platform("onnx_onnxv1");
    for (const GraphValue& input : version.model().inputs()) Describe(input, response->add_inputs());
    for (const GraphValue& output : version.model().outputs()) Describe(output, response->add_outputs());
    for (auto& [key, value] : version.Properties()) (*response->mutable_properties())[key] = value;
    return absl::OkStatus();
  });
}

grpc::Status InferenceService::RepositoryIndex(grpc::ServerContext*, const inference::RepositoryIndexRequest* request,
                                               inference::RepositoryIndexResponse* response) {
  return Answer(context_, Method::kRepositoryIndex, [&] {
    for (const std::string& name : context_.repository.names()) {
      const auto found = context_.repository.Find(name, "");
      if (request->ready() && !found.ok()) continue;
      auto* model = response->add_models();
      model->set_name(name);
      model->set_version(found.ok() ? (*found)->version() : "");
      model->set_state(found.ok() ? "READY" : "UNAVAILABLE");
      if (!found.ok()) model->set_reason(std::string(found.status().message()));
    }
    return absl::OkStatus();
  });
}

grpc::Status NeuronHealthService::GetHealth(grpc::ServerContext*, const v1::GetHealthRequest* request,
                                            v1::GetHealthResponse* response) {
  return Answer(context_, Method::kGetHealth, [&] {
    const auto found = context_.repository.Find(request->model_name(), request->model_version());
    if (!found.ok()) return found.status();
    absl::StatusOr<v1::GetHealthResponse> health =
        DescribeHealth(**found, {request->unit_layers().begin(), request->unit_layers().end()});
    if (!health.ok()) return health.status();
    *response = *std::move(health);
    return absl::OkStatus();
  });
}

grpc::Status NeuronHealthService::WatchHealth(grpc::ServerContext* context, const v1::WatchHealthRequest* request,
                                              grpc::ServerWriter<v1::HealthChange>* writer) {
  return Answer(context_, Method::kWatchHealth, [&]() -> absl::Status {
    HALFWAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ModelVersion> model,
                              context_.repository.Find(request->model_name(), request->model_version()));
    HALFWAVE_ASSIGN_OR_RETURN(const absl::Duration interval, IntervalOf(*request));
    HALFWAVE_RETURN_IF_ERROR(watches_.Enter());
    const absl::Cleanup leave = [this] { watches_.Leave(); };
    return Watch(*context, *model, interval, *writer);
  });
}

// A client that has gone is how a watch ends, no error.
absl::Status NeuronHealthService::Watch(const grpc::ServerContext& call, const ModelVersion& model,
                                        absl::Duration interval, grpc::ServerWriter<v1::HealthChange>& writer) {
  UnitStates states;
  std::vector<v1::HealthChange> changes = states.Update(model.Activity());
  writer.SendInitialMetadata();
  while (!call.IsCancelled()) {
    for (const v1::HealthChange& change : changes) {
      if (!writer.Write(change)) return absl::OkStatus();
    }
    HALFWAVE_RETURN_IF_ERROR(watches_.Wait(interval, [&] { return call.IsCancelled(); }));
    changes = states.Update(model.Activity());
  }
  return absl::OkStatus();
}

}  // namespace halfwave
