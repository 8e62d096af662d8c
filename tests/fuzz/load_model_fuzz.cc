// Any bytes as an ONNX file: read, prepared, and run on one row.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "onnx/onnx_pb.h"
#include "tests/fuzz/proto_mutator.h"

namespace {

using halfwave::Model;
using halfwave::Session;

constexpr int64_t kMaxModelBytes = 1 << 20;
constexpr int64_t kMaxRunElements = 1 << 18;  // larger ones are prepared, but not run

constexpr const char* kWords[] = {"Add",
                                  "ArgMax",
                                  "AveragePool",
                                  "BatchNormalization",
                                  "Cast",
                                  "Clip",
                                  "Concat",
                                  "Constant",
                                  "ConstantOfShape",
                                  "Conv",
                                  "Div",
                                  "Dropout",
                                  "Elu",
                                  "Exp",
                                  "Expand",
                                  "Flatten",
                                  "Gather",
                                  "Gelu",
                                  "Gemm",
                                  "GlobalAveragePool",
                                  "GlobalMaxPool",
                                  "HardSigmoid",
                                  "Identity",
                                  "InstanceNormalization",
                                  "LRN",
                                  "LeakyRelu",
                                  "LogSoftmax",
                                  "LpPool",
                                  "MatMul",
                                  "MaxPool",
                                  "Mul",
                                  "Normalizer",
                                  "PRelu",
                                  "Pad",
                                  "Range",
                                  "ReduceMean",
                                  "ReduceSum",
                                  "Relu",
                                  "Reshape",
                                  "Resize",
                                  "Scaler",
                                  "Shape",
                                  "Sigmoid",
                                  "Slice",
                                  "Softmax",
                                  "Split",
                                  "Squeeze",
                                  "Sub",
                                  "Sum",
                                  "Tanh",
                                  "Tile",
                                  "TopK",
                                  "Transpose",
                                  "Unsqueeze",
                                  "Upsample",
                                  "Where",
                                  "ZipMap",
                                  "ai.onnx",
                                  "ai.onnx.ml",
                                  "alpha",
                                  "auto_pad",
                                  "axes",
                                  "axis",
                                  "beta",
                                  "ceil_mode",
                                  "dilations",
                                  "group",
                                  "keepdims",
                                  "kernel_shape",
                                  "location",
                                  "mode",
                                  "pads",
                                  "perm",
                                  "SAME_UPPER",
                                  "shape",
                                  "strides",
                                  "transA",
                                  "transB",
                                  "value",
                                  "value_floats",
                                  "value_ints",
                                  "halfwave.labels",
                                  "halfwave.layout",
                                  "halfwave.selftest",
                                  "[\"a\"]",
                                  "{\"inputs\":{\"x\":{\"shape\":[1,4],\"data\":[1,2,3,4]}},\"outputs\":{}}"};

void RunOneRow(const std::shared_ptr<const Model>& model) {
  if (model->plan().elements_per_row > kMaxRunElements) return;
  Session session(model, /*max_rows=*/1);
  for (size_t i = 0; i < model->inputs().size(); ++i) {
    const std::span<float> input = session.input(i);
    std::fill(input.begin(), input.end(), 0.5f);
  }
  session.Run(1);
  for (size_t i = 0; i < model->outputs().size(); ++i) {
    volatile float sink = 0;
    for (const float value : session.output(i, 1)) sink = value;
    static_cast<void>(sink);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = halfwave::ParseOnnx({reinterpret_cast<const char*>(data), size}, {.max_model_bytes = kMaxModelBytes});
  if (!file.ok()) return 0;
  const auto model = Model::Create(std::move(file->graph), {.max_steps_per_row = 1e7});
  if (model.ok()) RunOneRow(*model);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  onnx::ModelProto scratch;
  return halfwave::MutateProto(scratch, data, size, max_size, seed, kWords);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                                            uint8_t* out, size_t max_size, unsigned seed) {
  onnx::ModelProto first, second;
  return halfwave::CrossProtos(first, second, {a, a_size}, {b, b_size}, {out, max_size}, seed);
}
