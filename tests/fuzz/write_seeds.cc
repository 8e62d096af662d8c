// Writes the first inputs of the fuzzers:  write_seeds FOLDER  makes FOLDER/load_model and FOLDER/decode_request.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "proto/open_inference.pb.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;
using Attributes = OnnxBuilder::Attributes;
using Ints = std::vector<int64_t>;

constexpr std::uintmax_t kLargestSeed = 50'000;  // larger ones make a fuzzer slow

void Write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

void WriteNetworks(const fs::path& folder) {
  Write(folder / "mlp", OnnxBuilder()
                            .Input("x", {-1, 4})
                            .Weight("w", {4, 3}, Noise(12, 1))
                            .Weight("b", {3}, Noise(3, 2))
                            .Weight("v", {3, 2}, Noise(6, 3))
                            .Node("Gemm", {"x", "w", "b"}, {"h"})
                            .Node("Relu", {"h"}, {"r"})
                            .Node("MatMul", {"r", "v"}, {"g"})
                            .Node("Softmax", {"g"}, {"y"})
                            .Output("y")
                            .Metadata("halfwave.labels", R"(["no","yes"])")
                            .Bytes());
  Write(folder / "cnn", OnnxBuilder()
                            .Input("x", {1, 2, 6, 6})
                            .Weight("k", {4, 1, 3, 3}, Noise(36, 4))
                            .Weight("s", {4}, Noise(4, 5, 0.5f, 1))
                            .Weight("w", {4, 3}, Noise(12, 6))
                            .IntWeight("t", {1, -1})
                            .Node("Conv", {"x", "k"}, {"c"}, {{"pads", Ints{1, 1, 1, 1}}, {"group", int64_t{2}}})
                            .Node("BatchNormalization", {"c", "s", "s", "s", "s"}, {"n"})
                            .Node("Relu", {"n"}, {"r"})
                            .Node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
                            .Node("GlobalAveragePool", {"p"}, {"a"})
                            .Node("Reshape", {"a", "t"}, {"f"})
                            .Node("Gemm", {"f", "w"}, {"y"})
                            .Output("y")
                            .Bytes());
  Write(folder / "shapes", OnnxBuilder()
                               .Input("x", {-1, 2, 3})
                               .IntWeight("zero", {0})
                               .IntWeight("rest", {-1})
                               .Node("Shape", {"x"}, {"s"})
                               .Node("Gather", {"s", "zero"}, {"n"})
                               .Node("Concat", {"n", "rest"}, {"t"}, {{"axis", int64_t{0}}})
                               .Node("Reshape", {"x", "t"}, {"f"})
                               .Node("Add", {"f", "f"}, {"y"})
                               .Output("y")
                               .Bytes());
  const std::pair<const char*, Attributes> layers[] = {
      {"LeakyRelu", {{"alpha", 0.1f}}},
      {"Sigmoid", {}},
      {"Flatten", {}},
      {"Transpose", {{"perm", Ints{0, 2, 3, 1}}}},
      {"AveragePool",
       {{"kernel_shape", Ints{2, 2}}, {"ceil_mode", int64_t{1}}, {"auto_pad", std::string("SAME_UPPER")}}},
      {"ReduceMean", {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}},
      {"ArgMax", {{"axis", int64_t{1}}}},
      {"LRN", {{"size", int64_t{3}}}},
      {"Slice", {{"starts", Ints{0}}, {"ends", Ints{1}}, {"axes", Ints{1}}}},
      {"Pad", {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}}},
      {"Squeeze", {{"axes", Ints{1}}}},
      {"Cast", {{"to", int64_t{1}}}},
      {"Clip", {{"min", 0.0f}, {"max", 6.0f}}},
      {"DepthToSpace", {{"blocksize", int64_t{2}}}}};
  for (const auto& [op, attributes] : layers) {
    Write(folder / op, OnnxBuilder(9).Input("x", {-1, 4, 4, 4}).Node(op, {"x"}, {"y"}, attributes).Output("y").Bytes());
  }
}

// Every model of the project and of the shared material that is small.
void CopyModels(const fs::path& from, const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(from, error), end; entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".onnx" || entry->file_size() > kLargestSeed) continue;
    std::string name = fs::relative(entry->path(), from).string();
    std::replace(name.begin(), name.end(), '/', '_');
    fs::copy_file(entry->path(), folder / name, fs::copy_options::overwrite_existing, error);
  }
}

void WriteRequests(const fs::path& folder) {
  for (const bool raw : {false, true}) {
    for (const int rows : {1, 8}) {
      inference::ModelInferRequest request;
      request.set_model_name("adder");
      request.set_id("1");
      for (const char* name : {"a", "b"}) {
        auto* input = request.add_inputs();
        input->set_name(name);
        input->set_datatype("FP32");
        input->add_shape(rows);
        input->add_shape(3);
        const std::vector<float> values = Noise(rows * 3, 7);
        if (raw) request.add_raw_input_contents(values.data(), values.size() * sizeof(float));
        if (!raw) input->mutable_contents()->mutable_fp32_contents()->Add(values.begin(), values.end());
      }
      if (raw) request.add_outputs()->set_name("sum");
      Write(folder / (std::string(raw ? "raw" : "typed") + std::to_string(rows)), request.SerializeAsString());
    }
  }
}

}  // namespace
}  // namespace halfwave

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "Usage: write_seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder / "load_model");
  std::filesystem::create_directories(folder / "decode_request");
  halfwave::WriteNetworks(folder / "load_model");
  halfwave::CopyModels(halfwave::ProjectRoot() / "model" / "zoo", folder / "load_model");
  halfwave::CopyModels(halfwave::SharedDir() / "corpus", folder / "load_model");
  halfwave::WriteRequests(folder / "decode_request");
  return 0;
}
