// Two macros that pass an error on, for functions that return absl::Status or absl::StatusOr:
//
//   HALFWAVE_RETURN_IF_ERROR(CheckHeader(bytes));
//   HALFWAVE_ASSIGN_OR_RETURN(Graph graph, ReadOnnx(bytes));
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define HALFWAVE_RETURN_IF_ERROR(expression)             \
  do {                                                   \
    absl::Status halfwave_status_ = (expression);        \
    if (!halfwave_status_.ok()) return halfwave_status_; \
  } while (false)

#define HALFWAVE_CONCAT_INNER_(a, b) a##b
#define HALFWAVE_CONCAT_(a, b) HALFWAVE_CONCAT_INNER_(a, b)

#define HALFWAVE_ASSIGN_OR_RETURN(declaration, expression) \
  HALFWAVE_ASSIGN_OR_RETURN_IMPL_(HALFWAVE_CONCAT_(halfwave_or_, __LINE__), declaration, expression)

#define HALFWAVE_ASSIGN_OR_RETURN_IMPL_(temporary, declaration, expression) \
  auto temporary = (expression);                                            \
  if (!temporary.ok()) return std::move(temporary).status();                \
  declaration = *std::move(temporary)
