// Any bytes as an ONNX file: read, prepared, and run on a row or two.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "model/engine/session.h"
#include "model/graph/shape_inference.h"
#include "model/onnx/reader.h"
#include "onnx/onnx_pb.h"
#include "tests/fuzz/proto_mutator.h"

namespace {

using halfwave::Model;
using halfwave::ModelOptions;
using halfwave::Session;
using halfwave::WeightFormat;

constexpr int64_t kMaxModelBytes = 1 << 20;
constexpr int64_t kMaxRunElements = 1 << 18;  // larger ones are prepared, but not run

// What the mutator writes where text stands, beside the names of all operators.
constexpr const char* kOtherWords[] = {"Constant",
                                       "ConstantOfShape",
                                       "Range",
                                       "Shape",
                                       "ai.onnx",
                                       "ai.onnx.ml",
                                       "alpha",
                                       "auto_pad",
                                       "axes",
                                       "axis",
                                       "beta",
                                       "blocksize",
                                       "ceil_mode",
                                       "coordinate_transformation_mode",
                                       "dilations",
                                       "group",
                                       "keepdims",
                                       "kernel_shape",
                                       "location",
                                       "mode",
                                       "norm",
                                       "num_groups",
                                       "offset",
                                       "output_padding",
                                       "p",
                                       "pads",
                                       "perm",
                                       "SAME_UPPER",
                                       "scale",
                                       "scales",
                                       "shape",
                                       "spatial",
                                       "strides",
                                       "to",
                                       "training_mode",
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

std::span<const char* const> Words() {
  static const std::vector<const char*>& words = *[] {
    auto* all = new std::vector<const char*>(std::begin(kOtherWords), std::end(kOtherWords));
    // Literals, which end in a zero; those of other domains begin with these.
    for (const halfwave::OperatorRule& rule : halfwave::Operators()) {
      const size_t domain = rule.op.rfind(':');
      all->push_back(rule.op.data() + (domain == std::string_view::npos ? 0 : domain + 1));
    }
    return all;
  }();
  return words;
}

void Run(const std::shared_ptr<const Model>& model, int64_t rows, int threads) {
  if (model->plan().elements_per_row > kMaxRunElements) return;
  Session session(model, rows, threads, /*worth_waking=*/1);
  for (size_t i = 0; i < model->inputs().size(); ++i) {
    const std::span<float> input = session.input(i);
    std::fill(input.begin(), input.end(), 0.5f);
  }
  session.Run(rows);
  for (size_t i = 0; i < model->outputs().size(); ++i) {
    volatile float sink = 0;
    for (const float value : session.output(i, rows)) sink = value;
    static_cast<void>(sink);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = halfwave::ParseOnnx({reinterpret_cast<const char*>(data), size}, {.max_model_bytes = kMaxModelBytes});
  if (!file.ok()) return 0;
  // The file's size says what else is asked, so that one file does the same every time.
  ModelOptions options = {.max_steps_per_row = 1e7};
  if (size % 8 == 1) options.add_softmax = true;
  if (size % 8 == 2) options.weights = WeightFormat::kHalf;
  const auto model = Model::Create(std::move(file->graph), options);
  if (model.ok()) Run(*model, /*rows=*/size % 8 == 3 ? 2 : 1, /*threads=*/size % 8 == 4 ? 2 : 1);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  onnx::ModelProto scratch;
  return halfwave::MutateProto(scratch, data, size, max_size, seed, Words());
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                                            uint8_t* out, size_t max_size, unsigned seed) {
  onnx::ModelProto first, second;
  return halfwave::CrossProtos(first, second, {a, a_size}, {b, b_size}, {out, max_size}, seed);
}
