#include "model/onnx/split_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "model/onnx/byte_source.h"
#include "model/onnx/reader.h"
#include "tests/support/onnx_builder.h"

namespace halfwave {
namespace {

// A field of the wire format that holds bytes.
std::string Field(int number, const std::string& bytes) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7) field += static_cast<char>(size | 0x80);
  return field + static_cast<char>(size) + bytes;
}

std::string Graph(const std::string& bytes) { return Field(onnx::ModelProto::kGraphFieldNumber, bytes); }
std::string Weight(const std::string& bytes) { return Field(onnx::GraphProto::kInitializerFieldNumber, bytes); }
std::string Raw(const std::string& bytes) { return Field(onnx::TensorProto::kRawDataFieldNumber, bytes); }
std::string Name(const std::string& name) { return Field(onnx::TensorProto::kNameFieldNumber, name); }

std::optional<SplitModel> Split(const std::string& bytes) {
  const MemoryBytes source(bytes);
  SourceStream stream(source);
  google::protobuf::io::CopyingInputStreamAdaptor adaptor(&stream, 1000);
  return ReadSplitModel(adaptor);
}

// The raw data that a reader will find.
std::string RawOf(const std::string& bytes, const SplitModel::Initializer& initializer) {
  return initializer.raw ? bytes.substr(initializer.raw->offset, initializer.raw->bytes) : initializer.proto.raw_data();
}

TEST(SplitModel, LargeWeightsStayInTheFileAndEverythingElseIsAsTheParserHasIt) {
  const std::string large(100'000, 'a'), small(100, 'b');
  const std::string bytes =
      Graph(Field(onnx::GraphProto::kNameFieldNumber, "g") + Weight(Name("w") + Raw(large)) + Weight(Raw(small))) +
      Field(onnx::ModelProto::kProducerNameFieldNumber, "p");
  const auto model = Split(bytes);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->proto.producer_name(), "p");
  EXPECT_EQ(model->proto.graph().name(), "g");
  EXPECT_EQ(model->proto.graph().initializer_size(), 0);
  ASSERT_EQ(model->initializers.size(), 2u);
  EXPECT_EQ(model->initializers[0].proto.name(), "w");
  EXPECT_TRUE(model->initializers[0].proto.raw_data().empty());
  EXPECT_EQ(RawOf(bytes, model->initializers[0]), large);
  EXPECT_EQ(RawOf(bytes, model->initializers[1]), small);
}

TEST(SplitModel, OfAFieldThatIsThereTwiceTheLastCountsAndGraphsAreMerged) {
  const std::string large(10'000, 'a'), larger(20'000, 'c'), small(10, 'b');
  const std::string bytes = Graph(Weight(Raw(large) + Raw(small)) + Weight(Raw(small) + Raw(large))) +
                            Graph(Weight(Raw(large) + Raw(larger)) + Field(onnx::GraphProto::kNameFieldNumber, "g"));
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  const auto model = Split(bytes);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->proto.graph().name(), "g");
  ASSERT_EQ(model->initializers.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(RawOf(bytes, model->initializers[i]), parsed.graph().initializer(i).raw_data()) << i;
  }
}

TEST(SplitModel, WhatIsCutShortOrNoModelIsRefused) {
  const std::string bytes = Graph(Weight(Name("w") + Raw(std::string(10'000, 'a'))));
  ASSERT_TRUE(Split(bytes));
  for (size_t size = 0; size < bytes.size(); size += size < 50 ? 1 : 997) {
    EXPECT_FALSE(Split(bytes.substr(0, size))) << size << " bytes";
  }
  EXPECT_FALSE(Split(Graph(Weight(Raw("a") + "\x4b"))));  // the beginning of a group without an end
  EXPECT_FALSE(Split(Graph("\x07")));                     // no such type of field
  EXPECT_FALSE(Split(Graph(std::string(1, static_cast<char>(onnx::GraphProto::kInitializerFieldNumber << 3 | 2)) +
                           "\xff\xff\xff\xff\x07")));  // longer than the graph
  EXPECT_FALSE(Split(Field(onnx::ModelProto::kProducerNameFieldNumber, "no graph")));
}

TEST(SplitModel, WeightsOfEveryTypeAreReadFromTheFile) {
  const int64_t count = 5000;
  std::string doubles, halves, floats;
  for (int64_t i = 0; i < count; ++i) {
    const double value = static_cast<double>(i) / 8;
    const auto number = static_cast<float>(value);
    const auto half = static_cast<uint16_t>(0x3C00);  // 1
    doubles.append(reinterpret_cast<const char*>(&value), sizeof value);
    floats.append(reinterpret_cast<const char*>(&number), sizeof number);
    halves.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  OnnxBuilder network;
  network.Input("x", {-1, count}).Output("y").Node("Relu", {"x"}, {"y"});
  const auto add = [&](const std::string& name, onnx::TensorProto::DataType type, const std::string& raw) {
    onnx::TensorProto* weight = network.proto().mutable_graph()->add_initializer();
    weight->set_name(name);
    weight->set_data_type(type);
    weight->add_dims(count);
    weight->set_raw_data(raw);
  };
  add("floats", onnx::TensorProto::FLOAT, floats);
  add("doubles", onnx::TensorProto::DOUBLE, doubles);
  add("halves", onnx::TensorProto::FLOAT16, halves);
  const auto model = ParseOnnx(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  for (int64_t i = 0; i < count; ++i) {
    ASSERT_EQ(model->graph.constants.at("floats").floats[i], static_cast<float>(i) / 8);
    ASSERT_EQ(model->graph.constants.at("doubles").floats[i], static_cast<float>(i) / 8);
    ASSERT_EQ(model->graph.constants.at("halves").floats[i], 1);
  }
  network.proto().mutable_graph()->mutable_initializer(0)->mutable_raw_data()->resize(count * sizeof(float) - 1);
  EXPECT_THAT(std::string(ParseOnnx(network.Bytes()).status().message()),
              ::testing::AllOf(::testing::HasSubstr("'floats'"), ::testing::HasSubstr("found 19999 bytes")));
}

}  // namespace
}  // namespace halfwave
