#include "server/rpc/inference_driver.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/log/log.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace halfwave {
namespace {

// Calls that wait for a request at any time; a request finds one even while the thread is busy with a batch.
constexpr int kWaitingCalls = 256;
// Events handled before what has gathered is flushed, so that a steady stream cannot put it off.
constexpr int kMaxEventsBeforeFlush = 256;

absl::Time DeadlineOf(const grpc::ServerContext& context) { return absl::FromChrono(context.deadline()); }

}  // namespace

// One ModelInfer from arrival to answer. Frees itself when gRPC has delivered both its last events.
class InferenceDriver::Call {
 public:
  enum class Event { kReceived, kAnswered, kDone };
  // What gRPC gives back: which call, which of its events.
  struct Tag {
    Call* call;
    Event event;
  };

  explicit Call(InferenceDriver& driver) : driver_(driver), writer_(&context_) {
    context_.AsyncNotifyWhenDone(&done_);
    driver_.service_.RequestModelInfer(&context_, &request_, &writer_, driver_.queue_.get(), driver_.queue_.get(),
                                       &received_);
  }

  void Handle(Event event, bool ok) {
    switch (event) {
      case Event::kReceived:
        if (!ok) {  // the server shuts down and no request came; then the other events do not come either
          delete this;
          return;
        }
        ++driver_.arrivals_;
        driver_.AddCall();
        Begin();
        break;
      case Event::kDone:
        if (context_.IsCancelled()) cancelled_.store(true);
        Release();
        break;
      case Event::kAnswered:
        Release();
        break;
    }
  }

 private:
  void Begin() {
    start_ = absl::Now();
    const absl::Status status = Submit();
    if (!status.ok()) Finish(status);
  }

  absl::Status Submit() {
    HALFWAVE_ASSIGN_OR_RETURN(version_,
                              driver_.context_.repository.Find(request_.model_name(), request_.model_version()));
    HALFWAVE_ASSIGN_OR_RETURN(outputs_, DecodeOutputs(request_, *version_));
    HALFWAVE_ASSIGN_OR_RETURN(DecodedRows rows, DecodeRows(request_, *version_, driver_.options_.allow_non_finite));
    InferenceRequest inference;
    inference.rows = rows.rows;
    inference.inputs = std::move(rows.inputs);
    converted_ = std::move(rows.converted);
    inference.bytes = rows.bytes;
    inference.finite = rows.finite;
    inference.deadline = DeadlineOf(context_);
    inference.cancelled = &cancelled_;
    inference.done = [this, count = rows.rows](absl::StatusOr<InferenceRequest::Outputs> values) {
      if (values.ok()) EncodeResponse(request_, *version_, count, outputs_, *values, response_);
      Finish(values.status());
    };
    HALFWAVE_RETURN_IF_ERROR(version_->Submit(std::move(inference)));
    driver_.Touch(version_);
    return absl::OkStatus();
  }

  // Answers, from any thread. The call may be gone when Finish of the writer returns, so everything else comes first.
  void Finish(const absl::Status& status) {
    if (status.code() == absl::StatusCode::kUnavailable) {
      context_.AddTrailingMetadata("grpc-retry-pushback-ms", "100");
    }
    if (!status.ok()) {
      LogWarning("request_failed", {{"method", "ModelInfer"},
                                    {"code", absl::StatusCodeToString(status.code())},
                                    {"peer", context_.peer()},
                                    {"error", std::string(status.message())}});
    }
    driver_.context_.metrics.ObserveRequest(Method::kModelInfer, status.code(), absl::Now() - start_);
    if (status.ok()) {
      writer_.Finish(response_, grpc::Status::OK, &answered_);
    } else {
      writer_.FinishWithError(ToGrpcStatus(status), &answered_);
    }
  }

  void Release() {
    if (--events_to_come_ == 0) delete this;
  }

  InferenceDriver& driver_;
  grpc::ServerContext context_;
  inference::ModelInferRequest request_;
  inference::ModelInferResponse response_;
  grpc::ServerAsyncResponseWriter<inference::ModelInferResponse> writer_;
  Tag received_{this, Event::kReceived};
  Tag answered_{this, Event::kAnswered};
  Tag done_{this, Event::kDone};
  int events_to_come_ = 2;  // answered and done; handled by the driver's thread alone
  std::atomic<bool> cancelled_{false};
  absl::Time start_;
  std::shared_ptr<ModelVersion> version_;
  std::vector<size_t> outputs_;
  std::vector<std::vector<float>> converted_;  // what the inputs point to where the message does not hold floats
};

InferenceDriver::InferenceDriver(const Options& options, ServiceContext context, InferenceService& service,
                                 std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : options_(options), context_(std::move(context)), service_(service), queue_(std::move(queue)) {}

void InferenceDriver::Start() {
  for (int i = 0; i < kWaitingCalls; ++i) AddCall();
  thread_ = std::thread([this] { Run(); });
}

void InferenceDriver::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    queue_->Shutdown();
  }
  thread_.join();
}

void InferenceDriver::AddCall() {
  const MutexLock lock(mutex_);
  if (!stopping_) new Call(*this);
}

void InferenceDriver::Touch(const std::shared_ptr<ModelVersion>& version) {
  if (std::find(touched_.begin(), touched_.end(), version) == touched_.end()) touched_.push_back(version);
}

void InferenceDriver::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    int events = 0;
    do {
      const auto* event = static_cast<Call::Tag*>(tag);
      event->call->Handle(event->event, ok);
    } while (++events < kMaxEventsBeforeFlush &&
             queue_->AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) == grpc::CompletionQueue::GOT_EVENT);
    for (const auto& version : touched_) version->Flush();
    touched_.clear();
  }
}

}  // namespace halfwave
