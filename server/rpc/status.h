#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace halfwave {

// The one door through which an error leaves: same code, same message. A message longer than what HTTP/2 metadata
// may carry is cut.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace halfwave
