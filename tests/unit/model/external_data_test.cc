#include "model/onnx/external_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "model/onnx/reader.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using Entries = std::vector<std::pair<std::string, std::string>>;

// A folder with a model whose weight w, 2 x 3 floats, lies outside of it.
class ExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "external_data_test_XXXXXX").string();
    outside_ = mkdtemp(pattern.data());
    folder_ = outside_ / "model";
    fs::create_directories(folder_ / "sub");
    WriteFloats(folder_ / "weights.bin", 8);
  }
  void TearDown() override { fs::remove_all(outside_); }

  // 0, 1, 2, ...
  static void WriteFloats(const fs::path& path, int count) {
    std::ofstream file(path, std::ios::binary);
    for (int i = 0; i < count; ++i) {
      const auto value = static_cast<float>(i);
      file.write(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }
  static OnnxBuilder Network(const Entries& entries) {
    OnnxBuilder network;
    network.Input("x", {-1, 2}).Weight("w", {2, 3}, {}).Node("MatMul", {"x", "w"}, {"y"}).Output("y");
    auto* tensor = network.proto().mutable_graph()->mutable_initializer(0);
    tensor->clear_float_data();
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    return network;
  }
  absl::StatusOr<OnnxModel> Read(const Entries& entries, const ReaderOptions& options = {}) {
    std::ofstream(folder_ / "net.onnx", std::ios::binary) << Network(entries).Bytes();
    return ReadOnnxFile(folder_ / "net.onnx", options);
  }
  void ExpectRefused(const Entries& entries, absl::StatusCode code, const std::vector<std::string>& words) {
    const auto status = Read(entries).status();
    EXPECT_EQ(status.code(), code) << status;
    for (const auto& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }

  fs::path outside_;
  fs::path folder_;
};

TEST_F(ExternalData, IsReadFromTheModelsFolderAtItsOffset) {
  const auto model = Read({{"location", "weights.bin"}, {"offset", "8"}, {"length", "24"}, {"checksum", "ignored"}});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.constants.at("w").floats, (std::vector<float>{2, 3, 4, 5, 6, 7}));
}

TEST_F(ExternalData, WithoutALengthReachesToTheEndOfTheFile) {
  EXPECT_EQ(Read({{"location", "weights.bin"}, {"offset", "8"}})->graph.constants.at("w").floats[0], 2.0f);
  ExpectRefused({{"location", "weights.bin"}}, absl::StatusCode::kInvalidArgument, {"24 bytes", "32 bytes"});
}

TEST_F(ExternalData, MayLieInAFolderBelowOrBehindALinkInside) {
  WriteFloats(folder_ / "sub" / "w", 6);
  EXPECT_TRUE(Read({{"location", "sub/w"}}).ok());
  EXPECT_TRUE(Read({{"location", "./sub/./w"}}).ok());
  fs::create_symlink("sub/w", folder_ / "link");
  EXPECT_TRUE(Read({{"location", "link"}}).ok());
}

TEST_F(ExternalData, IsFoundWhenTheModelIsNamedWithoutAFolder) {
  ASSERT_TRUE(Read({{"location", "weights.bin"}, {"offset", "8"}}).ok());
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const auto model = ReadOnnxFile("net.onnx");
  fs::current_path(before);
  EXPECT_TRUE(model.ok()) << model.status();
}

TEST_F(ExternalData, OutsideTheFolderIsNeverRead) {
  WriteFloats(outside_ / "secret", 6);
  fs::create_directories(outside_ / "model2");
  WriteFloats(outside_ / "model2" / "w", 6);
  fs::create_symlink("../secret", folder_ / "leak");
  fs::create_symlink(outside_, folder_ / "up");
  for (const std::string& location :
       {std::string("../secret"), std::string("sub/../../secret"), (outside_ / "secret").string(), std::string("leak"),
        std::string("up/secret"), std::string("/etc/passwd"), std::string(), std::string("sub/../weights.bin"),
        std::string("../model2/w"), std::string("/dev/zero")}) {
    ExpectRefused({{"location", location}}, absl::StatusCode::kInvalidArgument,
                  {"tensor 'w'", "only a file in the model's own folder"});
  }
  ExpectRefused({{"location", std::string("weights.bin\0x", 13)}}, absl::StatusCode::kInvalidArgument, {"name"});
  ExpectRefused({}, absl::StatusCode::kInvalidArgument, {"tensor 'w'"});
}

TEST_F(ExternalData, PlacesThatDoNotFitTheFileAreRefused) {
  for (const char* offset : {"9", "32", "33", "9223372036854775807", "-1", "x", "1e3", "99999999999999999999", ""}) {
    ExpectRefused({{"location", "weights.bin"}, {"offset", offset}, {"length", "24"}},
                  absl::StatusCode::kInvalidArgument, {"tensor 'w'"});
  }
  for (const char* length : {"0", "23", "25", "-24", "9223372036854775807", "x"}) {
    ExpectRefused({{"location", "weights.bin"}, {"length", length}}, absl::StatusCode::kInvalidArgument,
                  {"tensor 'w'"});
  }
}

TEST_F(ExternalData, AMissingFileIsNamedWithWhatToDo) {
  ExpectRefused({{"location", "gone.bin"}}, absl::StatusCode::kNotFound,
                {"net.onnx", "tensor 'w'", "'gone.bin'", "copy it"});
}

TEST_F(ExternalData, OnlyRegularFilesAreReadWithoutWaiting) {
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  ExpectRefused({{"location", "pipe"}}, absl::StatusCode::kNotFound, {"tensor 'w'", "no file"});
  ExpectRefused({{"location", "sub"}}, absl::StatusCode::kNotFound, {"tensor 'w'", "no file"});
}

TEST_F(ExternalData, ATerabyteIsRefusedByTheLimitBeforeItIsRead) {
  std::ofstream(folder_ / "huge") << "x";
  fs::resize_file(folder_ / "huge", std::uintmax_t{1} << 40);  // takes no space
  OnnxBuilder network = Network({{"location", "huge"}});
  auto* tensor = network.proto().mutable_graph()->mutable_initializer(0);
  tensor->set_dims(0, int64_t{1} << 20);
  tensor->set_dims(1, int64_t{1} << 18);
  std::ofstream(folder_ / "net.onnx", std::ios::binary) << network.Bytes();
  const auto status = ReadOnnxFile(folder_ / "net.onnx").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max-model-bytes"));
}

TEST_F(ExternalData, CountsTowardsTheLimitAsOftenAsItIsRead) {
  OnnxBuilder network = Network({{"location", "weights.bin"}, {"length", "24"}});
  for (int i = 0; i < 100; ++i) {
    auto* tensor = network.proto().mutable_graph()->add_initializer();
    *tensor = network.proto().graph().initializer(0);
    tensor->set_name("copy" + std::to_string(i));
  }
  std::ofstream(folder_ / "net.onnx", std::ios::binary) << network.Bytes();
  const auto size = static_cast<int64_t>(network.Bytes().size());
  ASSERT_GT(size, 101 * 24);
  EXPECT_TRUE(ReadOnnxFile(folder_ / "net.onnx", {.max_model_bytes = size}).ok());
  for (int i = 0; i < 300; ++i) {
    auto* tensor = network.proto().mutable_graph()->add_initializer();
    *tensor = network.proto().graph().initializer(0);
    tensor->set_name(std::to_string(i));
    tensor->clear_dims();
    tensor->add_dims(6);
  }
  std::string many(300 * 8 * 1024, '\0');
  std::ofstream(folder_ / "weights.bin", std::ios::binary) << many;
  for (auto& tensor : *network.proto().mutable_graph()->mutable_initializer()) {
    tensor.clear_dims();
    tensor.add_dims(1024);
    tensor.mutable_external_data(1)->set_value("4096");
  }
  std::ofstream(folder_ / "net.onnx", std::ios::binary) << network.Bytes();
  const auto status = ReadOnnxFile(folder_ / "net.onnx", {.max_model_bytes = 400 * 4096}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST_F(ExternalData, ATensorInAConstantNodeMayBeOutsideToo) {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Node("Constant", {}, {"w"}).Node("MatMul", {"x", "w"}, {"y"}).Output("y");
  auto* attribute = network.proto().mutable_graph()->mutable_node(0)->add_attribute();
  attribute->set_name("value");
  attribute->set_type(onnx::AttributeProto::TENSOR);
  *attribute->mutable_t() = Network({{"location", "weights.bin"}, {"length", "24"}}).proto().graph().initializer(0);
  std::ofstream(folder_ / "net.onnx", std::ios::binary) << network.Bytes();
  const auto model = ReadOnnxFile(folder_ / "net.onnx");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->graph.constants.at("w").floats[5], 5.0f);
}

TEST_F(ExternalData, AModelWithoutAFolderHasNone) {
  const auto status = ParseOnnx(Network({{"location", "weights.bin"}}).Bytes()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("single file"));
}

TEST_F(ExternalData, APublicModelWithoutItsDataIsRefusedWell) {
  const fs::path path = SharedDir() / "corpus" / "models" / "ferroflow_mlp_external_data" / "model.onnx";
  if (!fs::exists(path)) GTEST_SKIP() << "the corpus is not there";
  const auto status = ReadOnnxFile(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("copy it"));
}

}  // namespace
}  // namespace halfwave
