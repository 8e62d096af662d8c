// The client's own pair of macros that pass an error on; it depends on nothing of the server's.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CLIENT_RETURN_IF_ERROR(expression)           \
  do {                                               \
    absl::Status client_status_ = (expression);      \
    if (!client_status_.ok()) return client_status_; \
  } while (false)

#define CLIENT_CONCAT_INNER_(a, b) a##b
#define CLIENT_CONCAT_(a, b) CLIENT_CONCAT_INNER_(a, b)

#define CLIENT_ASSIGN_OR_RETURN(declaration, expression) \
  CLIENT_ASSIGN_OR_RETURN_IMPL_(CLIENT_CONCAT_(client_or_, __LINE__), declaration, expression)

#define CLIENT_ASSIGN_OR_RETURN_IMPL_(temporary, declaration, expression) \
  auto temporary = (expression);                                          \
  if (!temporary.ok()) return std::move(temporary).status();              \
  declaration = *std::move(temporary)
