// The gRPC services. ModelInfer is asynchronous and driven by InferenceDriver; everything else is a short synchronous
// method here.
#pragma once

#include <functional>

#include "proto/neuron_health.grpc.pb.h"
#include "proto/open_inference.grpc.pb.h"
#include "server/metrics/metrics.h"
#include "server/repository/repository.h"
#include "server/rpc/health_watch.h"

namespace halfwave {

// Whether the server takes traffic; thread-safe.
using ReadyFunction = std::function<bool()>;

// What the services work on; all of it outlives them.
struct ServiceContext {
  const Repository& repository;
  Metrics& metrics;
  ReadyFunction ready;
};

class InferenceService
    : public inference::GRPCInferenceService::WithAsyncMethod_ModelInfer<inference::GRPCInferenceService::Service> {
 public:
  explicit InferenceService(ServiceContext context) : context_(std::move(context)) {}

  grpc::Status ServerLive(grpc::ServerContext* context, const inference::ServerLiveRequest* request,
                          inference::ServerLiveResponse* response) override;
  grpc::Status ServerReady(grpc::ServerContext* context, const inference::ServerReadyRequest* request,
                           inference::ServerReadyResponse* response) override;
  grpc::Status ModelReady(grpc::ServerContext* context, const inference::ModelReadyRequest* request,
                          inference::ModelReadyResponse* response) override;
  grpc::Status ServerMetadata(grpc::ServerContext* context, const inference::ServerMetadataRequest* request,
                              inference::ServerMetadataResponse* response) override;
  grpc::Status ModelMetadata(grpc::ServerContext* context, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override;
  grpc::Status RepositoryIndex(grpc::ServerContext* context, const inference::RepositoryIndexRequest* request,
                               inference::RepositoryIndexResponse* response) override;

 private:
  ServiceContext context_;
};

class NeuronHealthService : public v1::NeuronHealth::Service {
 public:
  explicit NeuronHealthService(ServiceContext context) : context_(std::move(context)) {}

  grpc::Status GetHealth(grpc::ServerContext* context, const v1::GetHealthRequest* request,
                         v1::GetHealthResponse* response) override;
  grpc::Status WatchHealth(grpc::ServerContext* context, const v1::WatchHealthRequest* request,
                           grpc::ServerWriter<v1::HealthChange>* writer) override;

  // Ends the watches under way, which would never end by themselves, and refuses new ones.
  void StopWatches() { watches_.Stop(); }

 private:
  absl::Status Watch(const grpc::ServerContext& call, const ModelVersion& model, absl::Duration interval,
                     grpc::ServerWriter<v1::HealthChange>& writer);

  ServiceContext context_;
  Watches watches_;
};

}  // namespace halfwave
