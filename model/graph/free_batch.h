// A rewriting pass: a file exported for one fixed batch size is made to take any.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Opens dimension 0 of every input of a fixed size B, and replaces a leading B in the target of every Reshape by 0,
// which copies the open dimension. Returns whether anything was fixed; UNIMPLEMENTED if inputs were fixed to different
// sizes, because then dimension 0 is not one batch. Whether the result still means the same is
// for shape inference and the check at load to say.
absl::StatusOr<bool> FreeBatch(Graph& graph);

}  // namespace halfwave
