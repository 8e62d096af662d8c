// A server in this process that answers as a test tells it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/neuron_health.grpc.pb.h"
#include "proto/open_inference.grpc.pb.h"

namespace halfwave::client {

// Serves one model "m" of two values a row and the classes "no" and "yes"; its answer to a row (a, b) is (a, b), behind
// the outputs in `first_outputs`.
class PuppetServer : public inference::GRPCInferenceService::Service, public v1::NeuronHealth::Service {
 public:
  PuppetServer() {
    metadata.set_name("m");
    metadata.add_versions("1");
    auto* input = metadata.add_inputs();
    input->set_name("x");
    input->set_datatype("FP32");
    input->add_shape(-1);
    input->add_shape(2);
    auto* output = metadata.add_outputs();
    output->set_name("y");
    output->set_datatype("FP32");
    output->add_shape(-1);
    output->add_shape(2);
    const std::map<std::string, std::string> properties = {{"halfwave.labels", R"(["no", "yes"])"},
                                                           {"halfwave.head", "softmax"},
                                                           {"halfwave.max_batch_rows", "4"},
                                                           {"halfwave.input.width", "2"},
                                                           {"halfwave.input.height", "1"}};
    metadata.mutable_properties()->insert(properties.begin(), properties.end());
    AddModel("m", "READY", "");
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<inference::GRPCInferenceService::Service*>(this));
    builder.RegisterService(static_cast<v1::NeuronHealth::Service*>(this));
    server_ = builder.BuildAndStart();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  void AddModel(const std::string& name, const std::string& state, const std::string& reason) {
    auto* model = index.add_models();
    model->set_name(name);
    model->set_version("1");
    model->set_state(state);
    model->set_reason(reason);
  }

  // What is answered; set before the call.
  inference::ModelMetadataResponse metadata;
  inference::RepositoryIndexResponse index;
  v1::GetHealthResponse health;
  std::function<grpc::Status()> before_health = [] { return grpc::Status::OK; };
  std::vector<v1::HealthChange> changes;
  grpc::Status watch_status;  // after them
  grpc::Status infer_status;
  std::function<void(grpc::ServerContext&)> before_infer = [](grpc::ServerContext&) {};
  bool typed_contents = false;
  // Outputs of one value a row, in front of the other: the datatype, and the raw value of each row.
  std::vector<std::pair<std::string, std::string>> first_outputs;
  bool scores = true;   // is there the other?
  int64_t columns = 2;  // it has; 0: it is of rank 1

  // What came.
  std::vector<int64_t> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::string last_raw() {
    const std::lock_guard lock(mutex_);
    return last_raw_;
  }
  v1::GetHealthRequest last_health() {
    const std::lock_guard lock(mutex_);
    return last_health_;
  }

 private:
  grpc::Status RepositoryIndex(grpc::ServerContext*, const inference::RepositoryIndexRequest*,
                               inference::RepositoryIndexResponse* response) override {
    *response = index;
    return grpc::Status::OK;
  }

  grpc::Status ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    if (request->name() != metadata.name()) return {grpc::StatusCode::NOT_FOUND, "unknown model; served are: m"};
    *response = metadata;
    return grpc::Status::OK;
  }

  grpc::Status ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    before_infer(*context);
    if (!infer_status.ok()) return infer_status;
    {
      const std::lock_guard lock(mutex_);
      batches_.push_back(request->inputs(0).shape(0));
      last_raw_ = request->raw_input_contents(0);
    }
    if (request->inputs(0).datatype() != metadata.inputs(0).datatype()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "wrong datatype"};
    }
    response->set_model_version("1");
    for (const auto& [datatype, value] : first_outputs) {
      auto* first = response->add_outputs();
      first->set_name("label");
      first->set_datatype(datatype);
      first->add_shape(request->inputs(0).shape(0));
      std::string* raw = response->add_raw_output_contents();
      for (int64_t row = 0; row < request->inputs(0).shape(0); ++row) *raw += value;
    }
    if (!scores) return grpc::Status::OK;
    auto* output = response->add_outputs();
    output->set_name("y");
    output->set_datatype(request->inputs(0).datatype());
    output->add_shape(request->inputs(0).shape(0));
    if (columns > 0) output->add_shape(columns);
    const std::string& raw = request->raw_input_contents(0);
    if (typed_contents) {
      const auto* values = reinterpret_cast<const float*>(raw.data());
      output->mutable_contents()->mutable_fp32_contents()->Add(values, values + raw.size() / sizeof(float));
    } else {
      response->add_raw_output_contents(raw);
    }
    return grpc::Status::OK;
  }

  grpc::Status GetHealth(grpc::ServerContext*, const v1::GetHealthRequest* request,
                         v1::GetHealthResponse* response) override {
    {
      const std::lock_guard lock(mutex_);
      last_health_ = *request;
    }
    *response = health;
    return before_health();
  }

  grpc::Status WatchHealth(grpc::ServerContext*, const v1::WatchHealthRequest*,
                           grpc::ServerWriter<v1::HealthChange>* writer) override {
    for (const v1::HealthChange& change : changes) writer->Write(change);
    return watch_status;
  }

  int port_ = 0;
  std::mutex mutex_;
  std::vector<int64_t> batches_;
  std::string last_raw_;
  v1::GetHealthRequest last_health_;
  std::unique_ptr<grpc::Server> server_;
};

// An address where nobody listens: the port was free a moment ago.
inline std::string DeadAddress() {
  std::string address;
  {
    const PuppetServer server;
    address = server.address();
  }
  return address;
}

}  // namespace halfwave::client
