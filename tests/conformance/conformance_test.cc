// Public ONNX models and operator cases, as far as the operators of today go: whatever loads must compute what the case
// expects, and what does not load must be refused with a node's name. Prints the counts.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "model/onnx/reader.h"
#include "model/onnx/tensor_reader.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;

std::string ReadBytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<Constant> ReadTensors(const fs::path& folder, const std::string& prefix) {
  std::vector<Constant> tensors;
  for (int i = 0; fs::exists(folder / (prefix + std::to_string(i) + ".pb")); ++i) {
    onnx::TensorProto proto;
    proto.ParseFromString(ReadBytes(folder / (prefix + std::to_string(i) + ".pb")));
    auto tensor = ReadTensor(proto);
    tensors.push_back(tensor.ok() ? *std::move(tensor) : Constant{});
  }
  return tensors;
}

// The model of an operator case, with all inputs but the first turned into weights: that is where a network has them.
// What a Concat puts together is computed, though.
std::string BindWeights(const fs::path& folder) {
  onnx::ModelProto model;
  model.ParseFromString(ReadBytes(folder / "model.onnx"));
  const bool joins = model.graph().node_size() > 0 && model.graph().node(0).op_type() == "Concat";
  for (int i = 1; i < model.graph().input_size() && !joins; ++i) {
    const fs::path value = folder / "test_data_set_0" / ("input_" + std::to_string(i) + ".pb");
    if (!fs::exists(value)) break;
    auto* weight = model.mutable_graph()->add_initializer();
    weight->ParseFromString(ReadBytes(value));
    weight->set_name(model.graph().input(i).name());
  }
  return model.SerializeAsString();
}

std::vector<fs::path> FoldersIn(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

struct Tolerance {
  double relative_to_value, relative_to_peak, absolute;
};

// Runs every test_data_set of a case. Returns how many values were compared.
size_t RunCase(const fs::path& folder, const std::shared_ptr<const Model>& model, const Tolerance& tolerance) {
  size_t compared = 0;
  for (const fs::path& set : FoldersIn(folder)) {
    if (set.filename().string().find("test_data_set") == std::string::npos) continue;
    const auto inputs = ReadTensors(set, "input_");
    const auto expected = ReadTensors(set, "output_");
    std::vector<std::vector<float>> values;
    for (size_t i = 0; i < model->inputs().size(); ++i) values.push_back(inputs.at(i).floats);
    const auto outputs = RunModel(model, values);
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(outputs[i].size(), expected.at(i).floats.size()) << folder;
      if (outputs[i].size() != expected[i].floats.size()) return compared;
      double peak = 0;
      for (const float value : expected[i].floats) peak = std::max<double>(peak, std::abs(value));
      for (size_t k = 0; k < outputs[i].size(); ++k) {
        const double want = expected[i].floats[k];
        const double allowed =
            tolerance.relative_to_value * std::abs(want) + tolerance.relative_to_peak * peak + tolerance.absolute;
        if (!(std::abs(outputs[i][k] - want) <= allowed)) {
          ADD_FAILURE() << folder << ": output " << i << ", element " << k << ": expected " << want << ", computed "
                        << outputs[i][k];
          return compared;
        }
        ++compared;
      }
    }
  }
  return compared;
}

struct Counts {
  int passed = 0, refused = 0;
};

Counts RunFolder(const fs::path& folder, const Tolerance& tolerance, bool bind_weights) {
  Counts counts;
  for (const fs::path& path : FoldersIn(folder)) {
    auto model = LoadModel(bind_weights ? BindWeights(path) : ReadBytes(path / "model.onnx"));
    if (!model.ok()) {
      EXPECT_FALSE(absl::IsInternal(model.status())) << path << ": " << model.status();
      EXPECT_FALSE(model.status().message().empty()) << path;
      if (std::getenv("HALFWAVE_VERBOSE") != nullptr) std::cout << path.filename() << ": " << model.status() << "\n";
      ++counts.refused;
    } else if (RunCase(path, *model, tolerance) > 0) {
      ++counts.passed;
    } else {
      ADD_FAILURE() << path << ": nothing was compared";
    }
  }
  std::cout << folder.filename().string() << ": " << counts.passed << " passed, " << counts.refused
            << " refused as not supported\n";
  return counts;
}

TEST(Conformance, OperatorCasesComputeWhatOnnxExpects) {
  const fs::path corpus = SharedDir() / "corpus" / "onnx-backend";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no corpus beside the checkout";
  int passed = 0;
  for (const char* set : {"node-core", "node-more", "pytorch-converted", "pytorch-operator", "simple"}) {
    const Tolerance tolerance = {.relative_to_value = 1e-3, .relative_to_peak = 0, .absolute = 1e-7};
    passed += RunFolder(corpus / set, tolerance, true).passed;
  }
  EXPECT_GE(passed, 117);
}

TEST(Conformance, RealModelsComputeWhatTheirVectorsSay) {
  const fs::path corpus = SharedDir() / "corpus" / "models";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no corpus beside the checkout";
  const Tolerance tolerance = {.relative_to_value = 0, .relative_to_peak = 1e-5, .absolute = 1e-6};
  EXPECT_GE(RunFolder(corpus, tolerance, false).passed, 19);
}

}  // namespace
}  // namespace halfwave
