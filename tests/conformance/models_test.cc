// Trained networks from public places (../shared/corpus/models): each must load and answer its vectors, and find as
// many right answers on its data set as are listed; three are there to be refused, with words that help.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "model/onnx/tensor_reader.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;

using Row = std::map<std::string, std::string>;  // of the manifest, by column

fs::path Corpus() { return SharedDir() / "corpus" / "models"; }

std::vector<Row> ReadManifest() {
  std::vector<Row> rows;
  std::ifstream file(Corpus() / "MANIFEST.tsv");
  std::vector<std::string> header;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    if (header.empty()) {
      header = cells;
      continue;
    }
    Row& row = rows.emplace_back();
    for (size_t i = 0; i < std::min(header.size(), cells.size()); ++i) row[header[i]] = cells[i];
  }
  return rows;
}

absl::StatusOr<std::shared_ptr<const Model>> LoadFile(const std::string& name) {
  auto file = ReadOnnxFile(Corpus() / name / "model.onnx");
  if (!file.ok()) return file.status();
  return Model::Create(std::move(file->graph), {});
}

std::string ReadBytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<std::vector<float>> ReadTensors(const fs::path& folder, const std::string& prefix) {
  std::vector<std::vector<float>> tensors;
  for (int i = 0; fs::exists(folder / absl::StrCat(prefix, i, ".pb")); ++i) {
    onnx::TensorProto proto;
    proto.ParseFromString(ReadBytes(folder / absl::StrCat(prefix, i, ".pb")));
    const auto tensor = ReadTensor(proto);
    tensors.push_back(tensor.ok() ? tensor->floats : std::vector<float>());
  }
  return tensors;
}

// A .npy file of float32 in C order.
std::vector<float> ReadNumpy(const fs::path& path) {
  const std::string bytes = ReadBytes(path);
  if (bytes.size() < 10) return {};
  const size_t header = static_cast<uint8_t>(bytes[8]) + 256 * static_cast<size_t>(static_cast<uint8_t>(bytes[9]));
  EXPECT_NE(bytes.substr(10, header).find("'<f4'"), std::string::npos) << path;
  std::vector<float> values((bytes.size() - 10 - header) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + 10 + header, values.size() * sizeof(float));
  return values;
}

// Each row of the output within 1e-5 of its peak, and 1e-6.
void ExpectRows(const std::string& what, int64_t rows, const std::vector<float>& expected,
                const std::vector<float>& actual) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  const size_t width = expected.size() / rows;
  for (int64_t row = 0; row < rows; ++row) {
    float peak = 0;
    for (size_t k = 0; k < width; ++k) peak = std::max(peak, std::abs(expected[row * width + k]));
    for (size_t k = 0; k < width; ++k) {
      ASSERT_LE(std::abs(expected[row * width + k] - actual[row * width + k]), 1e-5f * peak + 1e-6f)
          << what << ", row " << row << ", element " << k;
    }
  }
}

// Answers one set of vectors; returns how many rows it had.
int64_t AnswerVectors(const std::shared_ptr<const Model>& model, const std::string& what,
                      const std::vector<std::vector<float>>& inputs, const std::vector<std::vector<float>>& outputs) {
  const int64_t rows = static_cast<int64_t>(inputs[0].size()) / RowElements(model->inputs()[0].shape);
  const auto answers = RunModel(model, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    ExpectRows(absl::StrCat(what, ", output ", i), rows, outputs[i], answers.at(i));
  }
  return rows;
}

TEST(Models, AnswerTheVectorsBesideThem) {
  if (!fs::exists(Corpus())) GTEST_SKIP() << "no models beside the checkout";
  int answered = 0;
  for (const Row& row : ReadManifest()) {
    const std::string& name = row.at("name");
    int64_t rows = 0;
    for (const auto& entry : fs::directory_iterator(Corpus() / name)) {
      const std::string set = entry.path().filename().string();
      if (!entry.is_directory()) continue;
      const auto model = LoadFile(name);
      ASSERT_TRUE(model.ok()) << name << ": " << model.status();
      if (set == "batch16") {
        std::vector<std::vector<float>> outputs;
        for (int i = 0; fs::exists(entry.path() / absl::StrCat("output_", i, ".npy")); ++i) {
          outputs.push_back(ReadNumpy(entry.path() / absl::StrCat("output_", i, ".npy")));
        }
        rows += AnswerVectors(*model, name + "/" + set, {ReadNumpy(entry.path() / "input.npy")}, outputs);
      } else {
        rows += AnswerVectors(*model, name + "/" + set, ReadTensors(entry.path(), "input_"),
                              ReadTensors(entry.path(), "output_"));
      }
    }
    answered += rows > 0 ? 1 : 0;
  }
  EXPECT_EQ(answered, 20) << "models with vectors";
}

TEST(Models, TheDynamoFileOfAFixedBatchOf2000ServesAnyBatch) {
  if (!fs::exists(Corpus())) GTEST_SKIP() << "no models beside the checkout";
  const auto model = LoadFile("pt211_dynamo_activations");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "made free");
  const std::vector<float> rows = Noise(7 * 100, 1);
  const auto together = RunModel(*model, {rows});
  ASSERT_EQ(together[0].size(), 7u * 3);
  for (int row = 0; row < 7; ++row) {
    const auto alone = RunModel(*model, {{rows.begin() + row * 100, rows.begin() + (row + 1) * 100}});
    ExpectRows("dynamo", 1, alone[0], {together[0].begin() + row * 3, together[0].begin() + (row + 1) * 3});
  }
}

TEST(Models, ThreeAreRefusedInWordsThatHelp) {
  if (!fs::exists(Corpus())) GTEST_SKIP() << "no models beside the checkout";
  const std::map<std::string, std::string> words = {{"skl_mnist_logreg_aionnxml", "LinearClassifier"},
                                                    {"ferroflow_mlp_external_data", "beside the model"},
                                                    {"vespa_softmaxreg_op4", "opset 4"}};
  for (const auto& [name, word] : words) {
    const auto status = LoadFile(name).status();
    EXPECT_FALSE(status.ok()) << name;
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos) << name << ": " << status;
  }
}

// --- data sets -----------------------------------------------------------------------------------------------------

struct DataSet {
  std::vector<std::vector<float>> images;  // 0 to 255, row-major [height, width, channels]
  std::vector<int> labels;
  int64_t channels = 1, pixels = 0;
};

std::string ReadGzip(const fs::path& path) {
  std::string bytes;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  char block[1 << 16];
  for (int count; (count = gzread(file, block, sizeof(block))) > 0;) bytes.append(block, count);
  gzclose(file);
  return bytes;
}

DataSet ReadMnist() {
  const fs::path folder = SharedDir() / "data" / "mnist";
  const std::string images = ReadGzip(folder / "t10k-images-idx3-ubyte.gz");
  const std::string labels = ReadGzip(folder / "t10k-labels-idx1-ubyte.gz");
  DataSet data;
  data.pixels = 784;
  for (size_t i = 0; 16 + (i + 1) * 784 <= images.size(); ++i) {
    auto& image = data.images.emplace_back();
    for (size_t k = 0; k < 784; ++k) image.push_back(static_cast<uint8_t>(images[16 + i * 784 + k]));
    data.labels.push_back(static_cast<uint8_t>(labels[8 + i]));
  }
  return data;
}

DataSet ReadCifar() {
  DataSet data;
  data.pixels = 1024;
  data.channels = 3;
  std::ifstream file(SharedDir() / "data" / "eran" / "cifar10_test.csv");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    auto& image = data.images.emplace_back();
    for (size_t i = 1; i < cells.size(); ++i) image.push_back(std::stof(cells[i]));
    data.labels.push_back(std::stoi(cells[0]));
  }
  return data;
}

float Preprocess(const std::string& how, float value, int64_t channel) {
  constexpr float kOvalMeans[] = {0.485f, 0.456f, 0.406f};
  if (how == "/255") return value / 255;
  if (how == "mean0.1307") return (value / 255 - 0.1307f) / 0.3081f;
  if (how == "oval") return (value / 255 - kOvalMeans[channel]) / 0.225f;
  return value;
}

std::vector<float> ToInput(const Row& row, const DataSet& data, const std::vector<float>& image) {
  std::vector<float> input(image.size());
  const bool channels_last = row.at("layout") == "nhwc";
  for (int64_t pixel = 0; pixel < data.pixels; ++pixel) {
    for (int64_t c = 0; c < data.channels; ++c) {
      const float value = Preprocess(row.at("preprocess"), image[pixel * data.channels + c], c);
      input[channels_last ? pixel * data.channels + c : c * data.pixels + pixel] = value;
    }
  }
  return input;
}

int CountCorrect(const std::shared_ptr<const Model>& model, const Row& row, const DataSet& data) {
  constexpr size_t kBatch = 100;
  int correct = 0;
  for (size_t begin = 0; begin < data.images.size(); begin += kBatch) {
    std::vector<float> input;
    for (size_t i = begin; i < begin + kBatch; ++i) {
      const auto one = ToInput(row, data, data.images[i]);
      input.insert(input.end(), one.begin(), one.end());
    }
    const auto output = RunModel(model, {input})[0];
    const size_t classes = output.size() / kBatch;
    for (size_t i = 0; i < kBatch; ++i) {
      const auto scores = output.begin() + i * classes;
      correct += std::max_element(scores, scores + classes) - scores == data.labels[begin + i] ? 1 : 0;
    }
  }
  return correct;
}

TEST(Models, FindAsManyRightAnswersAsListed) {
  if (!fs::exists(Corpus()) || !fs::exists(SharedDir() / "data"))
    GTEST_SKIP() << "no models or data beside the checkout";
  const std::map<std::string, DataSet> sets = {{"mnist", ReadMnist()}, {"cifar10", ReadCifar()}};
  int models = 0;
  for (const Row& row : ReadManifest()) {
    const auto data = sets.find(row.at("data"));
    if (data == sets.end() || row.at("ort_correct").empty()) continue;
    const auto model = LoadFile(row.at("name"));
    ASSERT_TRUE(model.ok()) << model.status();
    const int correct = CountCorrect(*model, row, data->second);
    std::cout << row.at("name") << ": " << correct << " right, listed " << row.at("ort_correct") << std::endl;
    // No row has a margin below the tolerance: the counts must be equal.
    EXPECT_EQ(absl::StrCat(correct, "/", data->second.images.size()), row.at("ort_correct")) << row.at("name");
    ++models;
  }
  EXPECT_EQ(models, 16);
}

}  // namespace
}  // namespace halfwave
