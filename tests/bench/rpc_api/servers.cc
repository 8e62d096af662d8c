#include "tests/bench/rpc_api/servers.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/rpc_api/load_client.h"

namespace halfwave {
namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr int kOutputs = 10;
constexpr int kPostedCalls = 128;  // above the largest concurrency: a request never waits for a free slot

// Only ModelInfer is asynchronous in `service`; the small methods stay synchronous, as in the product.
std::unique_ptr<grpc::Server> Start(grpc::ServerBuilder* builder, grpc::Service* service, int* port) {
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), port);
  builder->RegisterService(service);
  auto server = builder->BuildAndStart();
  if (server == nullptr) Die("the server did not start");
  return server;
}

using QueueService = GRPCInferenceService::WithAsyncMethod_ModelInfer<GRPCInferenceService::Service>;

// Owned by the completion queue: deleted when its last event comes out.
class QueueRpc final : public Rpc {
 public:
  QueueRpc(QueueService* service, grpc::ServerCompletionQueue* queue)
      : Rpc(&request_, &response_), service_(service), queue_(queue), writer_(&context_) {
    service->RequestModelInfer(&context_, &request_, &writer_, queue, queue, this);
  }
  // True if the event was a new request; it is then the caller's to answer. Otherwise the object is gone.
  bool OnEvent(bool ok) {
    if (!ok || answered_) {
      delete this;
      return false;
    }
    new QueueRpc(service_, queue_);
    return true;
  }
  void Answer() override {
    answered_ = true;  // before Finish: its event may come out on another thread at once
    writer_.Finish(response_, grpc::Status::OK, this);
  }

 private:
  QueueService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  ModelInferRequest request_;
  ModelInferResponse response_;
  grpc::ServerAsyncResponseWriter<ModelInferResponse> writer_;
  bool answered_ = false;
};

class QueueServer final : public Server {
 public:
  QueueServer(int threads, bool drain, Sink sink) : sink_(std::move(sink)) {
    grpc::ServerBuilder builder;
    for (int i = 0; i < threads; ++i) queues_.push_back(builder.AddCompletionQueue());
    server_ = Start(&builder, &service_, &port_);
    for (auto& queue : queues_) threads_.emplace_back([this, drain, q = queue.get()] { Loop(q, drain); });
  }
  ~QueueServer() override {
    server_->Shutdown();
    for (auto& queue : queues_) queue->Shutdown();
    for (auto& thread : threads_) thread.join();
  }
  int port() const override { return port_; }

 private:
  void Loop(grpc::ServerCompletionQueue* queue, bool drain) {
    for (int i = 0; i < kPostedCalls; ++i) new QueueRpc(&service_, queue);
    std::vector<Rpc*> batch;
    const auto collect = [&batch](void* tag, bool ok) {
      auto* rpc = static_cast<QueueRpc*>(tag);
      if (rpc->OnEvent(ok)) batch.push_back(rpc);
    };
    void* tag;
    bool ok;
    while (queue->Next(&tag, &ok)) {
      collect(tag, ok);
      while (drain && queue->AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) == queue->GOT_EVENT) {
        collect(tag, ok);
      }
      if (!batch.empty()) sink_(batch);
      batch.clear();
    }
  }

  QueueService service_;
  const Sink sink_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // after the queues and the service: it must go before them
  std::vector<std::thread> threads_;
};

class CallbackRpc final : public Rpc, public grpc::ServerUnaryReactor {
 public:
  using Rpc::Rpc;
  void Answer() override { Finish(grpc::Status::OK); }
  void OnDone() override { delete this; }
};

class CallbackServer final : public Server {
 public:
  explicit CallbackServer(Sink sink) : service_(std::move(sink)) {
    grpc::ServerBuilder builder;
    server_ = Start(&builder, &service_, &port_);
  }
  ~CallbackServer() override { server_->Shutdown(); }
  int port() const override { return port_; }

 private:
  struct Service final : GRPCInferenceService::WithCallbackMethod_ModelInfer<GRPCInferenceService::Service> {
    explicit Service(Sink s) : sink(std::move(s)) {}
    grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext*, const ModelInferRequest* request,
                                         ModelInferResponse* response) override {
      auto* rpc = new CallbackRpc(request, response);
      Rpc* const batch[] = {rpc};
      sink(batch);
      return rpc;  // perhaps finished already, yet not deleted: OnDone waits until this method has returned
    }
    const Sink sink;
  };
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // last: it must go before its service
};

}  // namespace

void Rpc::FillResponse() {
  response_->set_model_name(request_->model_name());
  auto* output = response_->add_outputs();
  output->set_name("y");
  output->set_datatype("FP32");
  output->add_shape(1);
  output->add_shape(kOutputs);
  response_->add_raw_output_contents(request_->raw_input_contents(0).substr(0, kOutputs * sizeof(float)));
}

std::unique_ptr<Server> StartQueueServer(int threads, bool drain, Sink sink) {
  return std::make_unique<QueueServer>(threads, drain, std::move(sink));
}

std::unique_ptr<Server> StartCallbackServer(Sink sink) { return std::make_unique<CallbackServer>(std::move(sink)); }

}  // namespace halfwave
