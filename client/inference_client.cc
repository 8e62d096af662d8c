#include "client/inference_client.h"

#include <grpcpp/grpcpp.h>

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/status_macros.h"

namespace halfwave::client {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian and used as they are");

constexpr absl::string_view kUnreachable = "halfwave.client/unreachable";
constexpr absl::string_view kDefaultPort = ":8001";

std::string WithPort(const std::string& server) {
  const bool bare_host = !absl::StrContains(server, ":") || absl::EndsWith(server, "]");
  return bare_host ? absl::StrCat(server, kDefaultPort) : server;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

// gRPC wraps the cause in what it tried; the cause comes last.
absl::string_view LastReason(absl::string_view words) {
  const size_t colon = words.rfind(": ");
  return colon == absl::string_view::npos ? words : words.substr(colon + 2);
}

absl::StatusOr<std::vector<float>> Values(const inference::ModelInferResponse& response, int64_t count) {
  std::vector<float> values;
  if (response.raw_output_contents_size() > 0) {
    const std::string& raw = response.raw_output_contents(0);
    values.resize(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  } else {
    const auto& typed = response.outputs(0).contents().fp32_contents();
    values.assign(typed.begin(), typed.end());
  }
  if (static_cast<int64_t>(values.size()) == count) return values;
  return absl::InternalError(absl::StrCat("output '", response.outputs(0).name(), "': expected ", count,
                                          " values, the server sent ", values.size()));
}

absl::StatusOr<InferenceOutput> FirstOutput(const inference::ModelInferResponse& response, int64_t rows) {
  if (response.outputs_size() == 0) return absl::InternalError("the server's answer holds no output");
  const auto& output = response.outputs(0);
  InferenceOutput result{response.model_version(), {output.shape().begin(), output.shape().end()}, {}};
  int64_t count = 1;
  for (const int64_t size : result.shape) {
    constexpr int64_t kMost = int64_t{1} << 31;
    count = size >= 0 && count <= kMost / std::max<int64_t>(size, 1) ? count * size : -1;
    if (count < 0) break;
  }
  if (output.datatype() != "FP32" || count < 0 || result.shape.empty() || result.shape[0] != rows) {
    return absl::InternalError(absl::StrCat("output '", output.name(), "': expected FP32 values for ", rows,
                                            " rows, the server sent ", output.datatype(), " of shape [",
                                            absl::StrJoin(result.shape, ", "), "]"));
  }
  CLIENT_ASSIGN_OR_RETURN(result.values, Values(response, count));
  return result;
}

}  // namespace

bool IsUnreachable(const absl::Status& status) { return status.GetPayload(kUnreachable).has_value(); }

InferenceClient::InferenceClient(const std::string& server, absl::Duration deadline)
    : server_(WithPort(server)),
      deadline_(deadline),
      channel_(Connect(server_)),
      inference_(inference::GRPCInferenceService::NewStub(channel_)),
      health_(v1::NeuronHealth::NewStub(channel_)) {}

absl::Status InferenceClient::ToStatus(const grpc::Status& status) const {
  const std::string& words = status.error_message();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(absl::StrCat("no answer from ", server_, " within ",
                                                    absl::FormatDuration(deadline_), "; --deadline allows more"));
  }
  const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/false);
  const bool lost = state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_CONNECTING ||
                    absl::StrContains(words, "failed to connect") || absl::StrContains(words, "Socket closed");
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && lost) {
    absl::Status unreachable =
        absl::UnavailableError(absl::StrCat("no server answers at ", server_, " (", LastReason(words),
                                            "); start one with halfwave-server, or name another with --server"));
    unreachable.SetPayload(kUnreachable, absl::Cord());
    return unreachable;
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), words);
}

template <typename Request, typename Response, typename Method>
absl::StatusOr<Response> InferenceClient::Call(Method method, const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline_));
  Response response;
  const grpc::Status status = method(&context, request, &response);
  if (!status.ok()) return ToStatus(status);
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> InferenceClient::Index() {
  return Call<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      [&](auto&&... arguments) { return inference_->RepositoryIndex(arguments...); }, {});
}

absl::StatusOr<inference::ModelMetadataResponse> InferenceClient::Metadata(const std::string& model,
                                                                           const std::string& version) {
  inference::ModelMetadataRequest request;
  request.set_name(model);
  request.set_version(version);
  return Call<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      [&](auto&&... arguments) { return inference_->ModelMetadata(arguments...); }, request);
}

absl::StatusOr<InferenceOutput> InferenceClient::Infer(const InferenceInput& input) {
  inference::ModelInferRequest request;
  request.set_model_name(input.model);
  request.set_model_version(input.version);
  auto* tensor = request.add_inputs();
  tensor->set_name(input.input);
  tensor->set_datatype("FP32");
  tensor->mutable_shape()->Add(input.shape.begin(), input.shape.end());
  request.add_raw_input_contents(input.values.data(), input.values.size_bytes());
  const auto response = Call<inference::ModelInferRequest, inference::ModelInferResponse>(
      [&](auto&&... arguments) { return inference_->ModelInfer(arguments...); }, request);
  if (!response.ok()) return response.status();
  return FirstOutput(*response, input.shape[0]);
}

absl::StatusOr<v1::GetHealthResponse> InferenceClient::Health(const std::string& model, const std::string& version) {
  v1::GetHealthRequest request;
  request.set_model_name(model);
  request.set_model_version(version);
  return Call<v1::GetHealthRequest, v1::GetHealthResponse>(
      [&](auto&&... arguments) { return health_->GetHealth(arguments...); }, request);
}

}  // namespace halfwave::client
