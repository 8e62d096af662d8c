// The ways to serve ModelInfer that are compared: gRPC's completion queues and its callback API.
//
// A server hands every request it receives to a Sink, which answers it there or later, on any thread:
//
//   auto server = StartQueueServer(1, false, [](std::span<Rpc* const> batch) {
//     for (Rpc* rpc : batch) {
//       rpc->FillResponse();
//       rpc->Answer();
//     }
//   });
//
// Destroying a server requires that no request is unanswered.
#ifndef HALFWAVE_TESTS_BENCH_RPC_API_SERVERS_H_
#define HALFWAVE_TESTS_BENCH_RPC_API_SERVERS_H_

#include <functional>
#include <memory>
#include <span>

#include "proto/open_inference.grpc.pb.h"

namespace halfwave {

// One received request. `Answer` sends the response and gives the object up.
class Rpc {
 public:
  Rpc(const inference::ModelInferRequest* request, inference::ModelInferResponse* response)
      : request_(request), response_(response) {}
  virtual ~Rpc() = default;
  virtual void Answer() = 0;

  // Answers with the first ten inputs.
  void FillResponse();

 private:
  const inference::ModelInferRequest* request_;
  inference::ModelInferResponse* response_;
};

// Called on the thread that received the requests; from several threads at once unless there is one queue.
using Sink = std::function<void(std::span<Rpc* const>)>;

class Server {
 public:
  virtual ~Server() = default;
  virtual int port() const = 0;
};

// `threads` completion queues with one thread each. With `drain` a thread takes all events that are ready and hands
// the requests among them over together; otherwise one at a time.
std::unique_ptr<Server> StartQueueServer(int threads, bool drain, Sink sink);

// gRPC's own threads; one request at a time.
std::unique_ptr<Server> StartCallbackServer(Sink sink);

}  // namespace halfwave

#endif  // HALFWAVE_TESTS_BENCH_RPC_API_SERVERS_H_
