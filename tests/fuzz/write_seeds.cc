// Writes the first inputs of the fuzzers:  write_seeds FOLDER  makes FOLDER/load_model and FOLDER/decode_request.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "model/graph/shape_inference.h"
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

// Every operator over an image, with constants for the inputs behind the first, and the attributes below.
void WriteOperators(const fs::path& folder) {
  const std::map<std::string_view, Attributes> needed = {
      {"Conv", {{"kernel_shape", Ints{1, 1}}}},
      {"DepthToSpace", {{"blocksize", int64_t{2}}}},
      {"Einsum", {{"equation", std::string("nchw,c->nhw")}}},
      {"GroupNormalization", {{"num_groups", int64_t{2}}}},
      {"LRN", {{"size", int64_t{3}}}},
      {"LpPool", {{"kernel_shape", Ints{2, 2}}}},
      {"MaxPool", {{"kernel_shape", Ints{2, 2}}}},
      {"AveragePool", {{"kernel_shape", Ints{2, 2}}}},
      {"SpaceToDepth", {{"blocksize", int64_t{2}}}},
      {"Cast", {{"to", int64_t{16}}}},
      {"ai.onnx.ml::Normalizer", {{"norm", std::string("L2")}}},
  };
  for (const OperatorRule& rule : Operators()) {
    if (rule.kind == OperatorKind::kInternal) continue;
    const size_t domain = rule.op.rfind(':');
    const std::string op(domain == std::string_view::npos ? rule.op : rule.op.substr(domain + 1));
    const auto attributes = needed.find(rule.op);
    for (size_t inputs = rule.min_inputs; inputs <= std::min<size_t>(rule.max_inputs, 5); ++inputs) {
      OnnxBuilder model(std::max<int64_t>(rule.since, 21));
      model.Input("x", {-1, 4, 4, 4}).Weight("w", {4}, Noise(4, 8, 0.5f, 1)).IntWeight("i", {1});
      for (const char* constant : {"w", "i"}) {
        std::vector<std::string> names = {"x"};
        names.resize(inputs, constant);
        OnnxBuilder one = model;
        one.Node(op, names, {"y"}, attributes == needed.end() ? Attributes() : attributes->second);
        if (domain != std::string_view::npos) one.proto().mutable_graph()->mutable_node(0)->set_domain("ai.onnx.ml");
        Write(folder / (op + std::to_string(inputs) + constant), one.Output("y").Bytes());
      }
    }
  }
}

// Arithmetic on shapes, which is folded while a file is loaded.
void WriteShapeArithmetic(const fs::path& folder) {
  const auto base = [] {
    OnnxBuilder model;
    model.Input("x", {-1, 2, 3}).IntWeight("0", {0}).IntWeight("1", {1}).IntWeight("2", {2}).IntWeight("-1", {-1});
    model.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "0"}, {"n"}).Node("Gather", {"s", "2"}, {"three"});
    return model;
  };
  const auto write = [&](const std::string& name, OnnxBuilder model) {
    Write(folder / ("fold_" + name), model.Output("y").Bytes());
  };
  write("prod", base().Node("ReduceProd", {"s"}, {"p"}).Node("Reshape", {"x", "p"}, {"y"}));
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"}) {
    write(op, base()
                  .Node(op, {"three", "2"}, {"r"})
                  .Node("Concat", {"n", "r", "-1"}, {"t"}, {{"axis", int64_t{0}}})
                  .Node("Reshape", {"x", "t"}, {"y"}));
  }
  for (const char* op : {"Equal", "Greater", "Less"}) {
    for (const char* what : {"three", "n"}) {
      write(std::string(op) + what, base()
                                        .Node(op, {what, "2"}, {"c"})
                                        .Node("Where", {"c", "three", "-1"}, {"r"})
                                        .Node("Concat", {"n", "r", "-1"}, {"t"}, {{"axis", int64_t{0}}})
                                        .Node("Reshape", {"x", "t"}, {"y"}));
    }
  }
  write("range", base()
                     .Node("Squeeze", {"0"}, {"from"})
                     .Node("Squeeze", {"three"}, {"to"})
                     .Node("Squeeze", {"1"}, {"by"})
                     .Node("Range", {"from", "to", "by"}, {"r"})
                     .Node("Gather", {"x", "r"}, {"y"}, {{"axis", int64_t{2}}}));
  write("of_shape", base()
                        .Node("ConstantOfShape", {"three"}, {"r"})
                        .Node("Cast", {"r"}, {"b"}, {{"to", int64_t{9}}})
                        .Node("Where", {"b", "x", "x"}, {"y"}));
}

// A constant of each type, raw.
void WriteTypes(const fs::path& folder) {
  using Tensor = onnx::TensorProto;
  const std::map<Tensor::DataType, size_t> bytes = {
      {Tensor::FLOAT, 4},  {Tensor::UINT8, 1},  {Tensor::INT8, 1},   {Tensor::UINT16, 2},    {Tensor::INT16, 2},
      {Tensor::INT32, 4},  {Tensor::INT64, 8},  {Tensor::STRING, 0}, {Tensor::BOOL, 1},      {Tensor::FLOAT16, 2},
      {Tensor::DOUBLE, 8}, {Tensor::UINT32, 4}, {Tensor::UINT64, 8}, {Tensor::COMPLEX64, 8}, {Tensor::BFLOAT16, 2}};
  for (const auto& [type, size] : bytes) {
    OnnxBuilder model;
    model.Input("x", {-1, 4});
    auto* tensor = model.proto().mutable_graph()->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(type);
    tensor->add_dims(4);
    tensor->set_raw_data(std::string(4 * size, '\1'));
    model.Node("Cast", {"w"}, {"f"}, {{"to", int64_t{1}}}).Node("Add", {"x", "f"}, {"y"}).Output("y");
    Write(folder / ("type" + std::to_string(type)), model.Bytes());
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
  halfwave::WriteOperators(folder / "load_model");
  halfwave::WriteShapeArithmetic(folder / "load_model");
  halfwave::WriteTypes(folder / "load_model");
  halfwave::CopyModels(halfwave::ProjectRoot() / "model" / "zoo", folder / "load_model");
  halfwave::CopyModels(halfwave::SharedDir() / "corpus", folder / "load_model");
  halfwave::WriteRequests(folder / "decode_request");
  return 0;
}
