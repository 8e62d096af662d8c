#include "server/rpc/status.h"

#include <string>

namespace halfwave {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  constexpr size_t kMaxMessage = 2048;
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  if (message.size() > kMaxMessage) message = message.substr(0, kMaxMessage) + "...";
  return {static_cast<grpc::StatusCode>(status.raw_code()), message};
}

}  // namespace halfwave
