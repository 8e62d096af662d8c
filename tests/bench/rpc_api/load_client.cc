#include "tests/bench/rpc_api/load_client.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "proto/open_inference.grpc.pb.h"

namespace halfwave {
namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Clock = std::chrono::steady_clock;

constexpr int kInputs = 784;
constexpr auto kWarmUp = std::chrono::milliseconds(60);
constexpr auto kMeasure = std::chrono::milliseconds(260);

double Micros(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

ModelInferRequest MakeRequest() {
  ModelInferRequest request;
  request.set_model_name("m");
  auto* input = request.add_inputs();
  input->set_name("x");
  input->set_datatype("FP32");
  input->add_shape(1);
  input->add_shape(kInputs);
  request.add_raw_input_contents(std::string(kInputs * sizeof(float), '\1'));
  return request;
}

class Call {
 public:
  void Send(GRPCInferenceService::Stub* stub, const ModelInferRequest& request, grpc::CompletionQueue* queue) {
    context_ = std::make_unique<grpc::ClientContext>();
    start_ = Clock::now();
    reader_ = stub->AsyncModelInfer(context_.get(), request, queue);
    reader_->Finish(&response_, &status_, this);
  }
  const grpc::Status& status() const { return status_; }
  Clock::time_point start() const { return start_; }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<ModelInferResponse>> reader_;
  ModelInferResponse response_;
  grpc::Status status_;
  Clock::time_point start_;
};

Load GenerateLoad(GRPCInferenceService::Stub* stub, const ModelInferRequest& request, int concurrency) {
  const auto begin = Clock::now() + kWarmUp;
  const auto end = begin + kMeasure;
  grpc::CompletionQueue queue;
  std::vector<Call> calls(concurrency);
  for (Call& call : calls) call.Send(stub, request, &queue);
  Load load;
  std::vector<double> latencies;
  void* tag;
  bool ok;
  for (int in_flight = concurrency; in_flight > 0 && queue.Next(&tag, &ok);) {
    auto* call = static_cast<Call*>(tag);
    const auto now = Clock::now();
    if (!call->status().ok()) Die(call->status().error_message().c_str());
    ++load.requests;
    if (now >= begin && now < end) latencies.push_back(Micros(now - call->start()));
    if (now < end) {
      call->Send(stub, request, &queue);
    } else {
      --in_flight;
    }
  }
  load.per_second = static_cast<double>(latencies.size()) * 1e6 / Micros(kMeasure);
  load.p50_us = Quantile(latencies, 0.50);
  load.p99_us = Quantile(latencies, 0.99);
  return load;
}

}  // namespace

LoadClient::LoadClient(int port) {
  int to[2];
  int from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) Die("cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  std::string name = "rpc_api_bench";
  std::string flag = kLoadClientFlag;
  char* const argv[] = {name.data(), flag.data(), nullptr};
  if (posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv, environ) != 0) Die("cannot start the client");
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  to_ = fdopen(to[1], "w");
  from_ = fdopen(from[0], "r");
  std::fprintf(to_, "%d\n", port);
}

LoadClient::~LoadClient() {
  std::fclose(to_);  // end of input: the child leaves
  std::fclose(from_);
  waitpid(pid_, nullptr, 0);
}

Load LoadClient::Run(int concurrency) {
  std::fprintf(to_, "%d\n", concurrency);
  std::fflush(to_);
  Load load;
  if (std::fscanf(from_, "%ld %lf %lf %lf", &load.requests, &load.per_second, &load.p50_us, &load.p99_us) != 4) {
    Die("the client failed");
  }
  return load;
}

int LoadClientMain() {
  int port = 0;
  int concurrency = 0;
  if (std::scanf("%d", &port) != 1) Die("the client was given no port");
  auto stub = GRPCInferenceService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  const ModelInferRequest request = MakeRequest();
  while (std::scanf("%d", &concurrency) == 1) {
    const Load load = GenerateLoad(stub.get(), request, concurrency);
    std::printf("%ld %.9g %.9g %.9g\n", load.requests, load.per_second, load.p50_us, load.p99_us);
    std::fflush(stdout);
  }
  return 0;
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto nth = values.begin() + static_cast<long>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

void Die(const char* what) {
  std::fprintf(stderr, "rpc_api_bench: %s\n", what);
  std::exit(1);
}

}  // namespace halfwave
