// A plain interpreter of ONNX in double precision: what a network means, with loops, as the operators' specification
// says it. Shares no code with the engine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/engine/model.h"
#include "tests/support/onnx_builder.h"

namespace halfwave {

struct Tensor {
  Shape shape;  // the batch included
  std::vector<double> data;
};
using Tensors = std::map<std::string, Tensor>;

// All values of the network, whose nodes are in topological order. Throws std::runtime_error for what it does not know.
Tensors Interpret(const onnx::ModelProto& model, const Tensors& inputs);

// Noise for each input of the model, one vector per input, and the same for the interpreter.
std::vector<std::vector<float>> NoiseFor(const Model& model, int64_t rows, uint32_t seed, float low = -1,
                                         float high = 1);
Tensors ToTensors(const Model& model, int64_t rows, const std::vector<std::vector<float>>& inputs);

// Fails the current test where a row of an output is not what the interpreter computes, within the project's tolerance.
void ExpectReference(const Model& model, const Tensors& expected, const std::vector<std::vector<float>>& outputs,
                     int64_t rows);

// Loads the network, runs `rows` rows of noise and compares all outputs. Returns the model, null if it did not load.
std::shared_ptr<const Model> ExpectComputes(OnnxBuilder& network, int64_t rows = 3, uint32_t seed = 1,
                                            const ModelOptions& options = {});

}  // namespace halfwave
