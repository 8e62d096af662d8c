// One server, over gRPC. Every call but WatchHealth blocks for at most the deadline.
//
//   InferenceClient client("localhost:8001", absl::Seconds(10));
//   CLIENT_ASSIGN_OR_RETURN(inference::ModelMetadataResponse model, client.Metadata("digits", ""));
//
// Errors are the server's own code and words, but for two: UNAVAILABLE that IsUnreachable() when nobody answers at
// that address, and DEADLINE_EXCEEDED.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/neuron_health.grpc.pb.h"
#include "proto/open_inference.grpc.pb.h"

namespace halfwave::client {

// A batch of rows for a model's only input.
struct InferenceInput {
  std::string model;
  std::string version;  // empty: the newest
  std::string input;
  std::vector<int64_t> shape;     // shape[0] rows
  std::span<const float> values;  // row-major
  std::string datatype = "FP32";  // that the model wants; BYTES is INVALID_ARGUMENT
};

// The model's answer: of its outputs those that ChooseOutputs takes. One of the two is there, or both.
struct InferenceOutput {
  std::string version;              // that computed it
  std::vector<int64_t> shape;       // of the scores
  std::vector<float> values;        // the scores
  std::vector<std::string> labels;  // one per row
};

// Thread-safe.
class InferenceClient {
 public:
  // `server` is host:port, or a host alone, whose port is then 8001. Does not connect yet.
  InferenceClient(const std::string& server, absl::Duration deadline);

  absl::StatusOr<inference::RepositoryIndexResponse> Index();
  absl::StatusOr<inference::ModelMetadataResponse> Metadata(const std::string& model, const std::string& version);
  absl::StatusOr<InferenceOutput> Infer(const InferenceInput& input);
  // unit_layers: of which each unit is to be told of; "*": all.
  absl::StatusOr<v1::GetHealthResponse> Health(const std::string& model, const std::string& version,
                                               const std::vector<std::string>& unit_layers = {});
  // Calls on_change for each change until that returns false, which is OK, or the server ends the watch. Here the
  // deadline does not apply.
  absl::Status WatchHealth(const v1::WatchHealthRequest& request,
                           const std::function<bool(const v1::HealthChange&)>& on_change);

 private:
  template <typename Request, typename Response, typename Method>
  absl::StatusOr<Response> Call(Method method, const Request& request);
  absl::Status ToStatus(const grpc::Status& status) const;

  std::string server_;
  absl::Duration deadline_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference_;
  std::unique_ptr<v1::NeuronHealth::Stub> health_;
};

// Did no server answer, as opposed to one that answered with an error?
bool IsUnreachable(const absl::Status& status);

}  // namespace halfwave::client
