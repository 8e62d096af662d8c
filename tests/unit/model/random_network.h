// Small networks drawn at random from everything the engine can do: branches, residual sums, several readers of one
// value, outputs in the middle, maps turned into features and back.
#pragma once

#include <random>

#include "tests/support/onnx_builder.h"

namespace halfwave {

// The same network for the same seed. Its nodes are in topological order.
OnnxBuilder RandomNetwork(uint32_t seed);

// Turns the order of the nodes around, so that each stands before what it reads from.
std::string BytesWithNodesReversed(OnnxBuilder& network);

}  // namespace halfwave
