// Any bytes as a ModelInfer request to a small model of two inputs: decoded, every value of what was accepted looked
// at, and answered.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "google/protobuf/stubs/logging.h"
#include "server/rpc/codec.h"
#include "tests/fuzz/proto_mutator.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace {

using namespace halfwave;

constexpr int64_t kMaxRows = 8;

constexpr const char* kWords[] = {"a",      "b",     "sum",   "positive",    "adder",         "1",
                                  "FP32",   "FP64",  "FP16",  "BF16",        "INT8",          "INT16",
                                  "INT32",  "INT64", "UINT8", "UINT16",      "BOOL",          "UINT32",
                                  "UINT64", "BYTES", "x",     "binary_data", "classification"};

// Never destroyed: a finding ends the process while its threads run.
const ModelVersion& Adder() {
  static Metrics* const metrics = new Metrics;
  static const ModelVersion* const version = [] {
    const auto model = LoadModel(OnnxBuilder()
                                     .Input("a", {-1, 3})
                                     .Input("b", {-1, 3})
                                     .Node("Add", {"a", "b"}, {"sum"})
                                     .Node("Relu", {"sum"}, {"positive"})
                                     .Output("sum")
                                     .Output("positive")
                                     .Bytes());
    if (!model.ok()) {
      std::cerr << model.status() << "\n";
      std::abort();
    }
    ModelVersionOptions options;
    options.scheduler.max_batch_rows = kMaxRows;
    return new ModelVersion("adder", "1", "hash", *model, options, *metrics);
  }();
  return *version;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // it would tell of every text that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  const ModelVersion& version = Adder();
  const auto outputs = DecodeOutputs(request, version);
  for (const bool allow_non_finite : {false, true}) {
    const auto decoded = DecodeRows(request, version, allow_non_finite);
    if (!decoded.ok()) continue;
    if (decoded->rows < 1 || decoded->rows > kMaxRows || decoded->inputs.size() != 2) std::abort();
    volatile float sink = 0;
    for (const char* values : decoded->inputs) {
      for (int64_t i = 0; i < decoded->rows * 3; ++i) {
        float value = 0;
        std::memcpy(&value, values + i * sizeof(float), sizeof(float));
        sink = value;
      }
    }
    static_cast<void>(sink);
    if (!outputs.ok()) continue;
    const std::vector<float> row(decoded->rows * 3, 0.5f);
    const std::span<const float> values[] = {row, row};
    inference::ModelInferResponse response;
    EncodeResponse(request, version, decoded->rows, *outputs, values, response);
    if (response.SerializeAsString().empty()) std::abort();
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  inference::ModelInferRequest scratch;
  return MutateProto(scratch, data, size, max_size, seed, kWords);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                                            uint8_t* out, size_t max_size, unsigned seed) {
  inference::ModelInferRequest first, second;
  return CrossProtos(first, second, {a, a_size}, {b, b_size}, {out, max_size}, seed);
}
