#include "client/inference_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/choose_outputs.h"
#include "client/status_macros.h"

namespace halfwave::client {
namespace {

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

// The raw contents of output `index`, which an answer may also hold typed.
std::string RawContents(const inference::ModelInferResponse& response, int index, const ValueType& type) {
  if (index < response.raw_output_contents_size()) return response.raw_output_contents(index);
  std::string raw;
  if (type.to_raw != nullptr) type.to_raw(response.outputs(index).contents(), raw);
  return raw;
}

// The number of values of a tensor of that shape; -1 if it is not the shape of so many rows.
int64_t CountValues(std::span<const int64_t> shape, int64_t rows) {
  constexpr int64_t kMost = int64_t{1} << 31;
  if (shape.empty() || shape[0] != rows) return -1;
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || count > kMost / std::max<int64_t>(size, 1)) return -1;
    count *= size;
  }
  return count;
}

absl::Status WrongSize(const inference::ModelInferResponse::InferOutputTensor& output, int64_t expected, size_t found) {
  return absl::InternalError(
      absl::StrCat("output '", output.name(), "': expected ", expected, " values, the server sent ", found));
}

absl::Status ReadScores(const inference::ModelInferResponse& response, int index, InferenceOutput& result) {
  const auto& output = response.outputs(index);
  const ValueType& type = *FindValueType(output.datatype());
  result.shape.assign(output.shape().begin(), output.shape().end());
  const int64_t count = CountValues(result.shape, result.shape[0]);
  const std::string raw = RawContents(response, index, type);
  const size_t found = raw.size() / type.bytes;
  if (static_cast<int64_t>(found) != count) return WrongSize(output, count, found);
  result.values.resize(count);
  type.from_raw(raw.data(), count, result.values.data());
  return absl::OkStatus();
}

absl::Status ReadLabels(const inference::ModelInferResponse& response, int index, int64_t rows,
                        InferenceOutput& result) {
  const ValueType& type = *FindValueType(response.outputs(index).datatype());
  result.labels = type.texts(RawContents(response, index, type));
  if (static_cast<int64_t>(result.labels.size()) == rows) return absl::OkStatus();
  return WrongSize(response.outputs(index), rows, result.labels.size());
}

absl::StatusOr<InferenceOutput> ReadAnswer(const inference::ModelInferResponse& response, int64_t rows) {
  if (response.outputs_size() == 0) return absl::InternalError("the server's answer holds no output");
  const ChosenOutputs chosen = ChooseOutputs(response.outputs());
  for (const int index : {chosen.scores, chosen.labels}) {
    if (index < 0) continue;
    const auto& output = response.outputs(index);
    if (CountValues({output.shape().data(), static_cast<size_t>(output.shape_size())}, rows) >= 0) continue;
    return absl::InternalError(absl::StrCat("output '", output.name(), "': expected values for ", rows,
                                            " rows, the server sent the shape [", absl::StrJoin(output.shape(), ", "),
                                            "]"));
  }
  if (chosen.scores < 0 && chosen.labels < 0) {
    return absl::InternalError(absl::StrCat("output '", response.outputs(0).name(),
                                            "': expected numbers or one label a row, the server sent ",
                                            response.outputs(0).datatype()));
  }
  InferenceOutput result;
  result.version = response.model_version();
  if (chosen.scores >= 0) CLIENT_RETURN_IF_ERROR(ReadScores(response, chosen.scores, result));
  if (chosen.labels >= 0) CLIENT_RETURN_IF_ERROR(ReadLabels(response, chosen.labels, rows, result));
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
  const ValueType* type = FindValueType(input.datatype);
  if (type == nullptr || type->from_floats == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", input.input, "': cannot send values of type ", input.datatype));
  }
  inference::ModelInferRequest request;
  request.set_model_name(input.model);
  request.set_model_version(input.version);
  auto* tensor = request.add_inputs();
  tensor->set_name(input.input);
  tensor->set_datatype(input.datatype);
  tensor->mutable_shape()->Add(input.shape.begin(), input.shape.end());
  std::string& raw = *request.add_raw_input_contents();
  raw.resize(input.values.size() * type->bytes);
  type->from_floats(input.values.data(), input.values.size(), raw.data());
  const auto response = Call<inference::ModelInferRequest, inference::ModelInferResponse>(
      [&](auto&&... arguments) { return inference_->ModelInfer(arguments...); }, request);
  if (!response.ok()) return response.status();
  return ReadAnswer(*response, input.shape[0]);
}

absl::StatusOr<v1::GetHealthResponse> InferenceClient::Health(const std::string& model, const std::string& version,
                                                              const std::vector<std::string>& unit_layers) {
  v1::GetHealthRequest request;
  request.set_model_name(model);
  request.set_model_version(version);
  for (const std::string& layer : unit_layers) request.add_unit_layers(layer);
  return Call<v1::GetHealthRequest, v1::GetHealthResponse>(
      [&](auto&&... arguments) { return health_->GetHealth(arguments...); }, request);
}

absl::Status InferenceClient::WatchHealth(const v1::WatchHealthRequest& request,
                                          const std::function<bool(const v1::HealthChange&)>& on_change) {
  grpc::ClientContext context;
  const std::unique_ptr<grpc::ClientReader<v1::HealthChange>> reader = health_->WatchHealth(&context, request);
  v1::HealthChange change;
  bool wanted = true;
  while (wanted && reader->Read(&change)) wanted = on_change(change);
  if (!wanted) context.TryCancel();
  const grpc::Status status = reader->Finish();
  return wanted && !status.ok() ? ToStatus(status) : absl::OkStatus();
}

}  // namespace halfwave::client
