// What `halfwave-model profile` records, and who may use it.
#include "model/analysis/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "model/engine/session.h"
#include "model/tools/profile.h"
#include "nlohmann/json.hpp"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const char* const kRows = "digits_heldout.csv";
constexpr float kScale = 0.0625f;

std::string Path(const std::string& name) { return ::testing::TempDir() + "/halfwave_" + name; }

Profile Record(const std::string& model) {
  ProfileOptions options;
  options.scale = kScale;
  return RecordProfile(tools::Zoo(model), tools::Zoo(kRows), options).value();
}

// The model as the server runs it, activations fused, and the rows.
struct Served {
  explicit Served(const std::string& name) {
    model = *Model::Create(ReadOnnxFile(tools::Zoo(name))->graph, {});
    rows = *RowsFor(*model, *ReadTable(tools::Zoo(kRows)), kScale);
  }
  std::shared_ptr<const Model> model;
  Rows rows;
};

TEST(Profile, CountsWhatTheServerCountsOnTheSameRows) {
  for (const char* name : {"digits_cnn.onnx", "digits_mlp.onnx"}) {
    SCOPED_TRACE(name);
    const Profile profile = Record(name);
    const Served served(name);
    Session session(served.model, served.rows.count);
    std::copy(served.rows.values.begin(), served.rows.values.end(), session.input(0).begin());
    session.Run(served.rows.count);
    ASSERT_EQ(profile.rows, 360);
    ASSERT_EQ(profile.layers.size(), served.model->activations().size());
    for (size_t i = 0; i < profile.layers.size(); ++i) {
      const std::vector<uint32_t>& live = session.activity().layers[i].active;
      EXPECT_EQ(profile.layers[i].active, std::vector<uint64_t>(live.begin(), live.end()));
      EXPECT_EQ(profile.layers[i].layer.name, served.model->activations()[i].name);
    }
    const std::span<const float> scores = session.output(served.model->scores_output(), 360);
    std::vector<uint64_t> predicted(10, 0);
    for (int row = 0; row < 360; ++row) {
      ++predicted[std::max_element(&scores[row * 10], &scores[row * 10] + 10) - &scores[row * 10]];
    }
    EXPECT_EQ(profile.answers.predicted, predicted);
  }
}

TEST(PreActivations, GiveTheBitsThatFusedLayersGive) {
  const Served served("digits_cnn.onnx");
  ModelOptions options;
  options.keep_pre_activations = true;
  const auto open = *Model::Create(ReadOnnxFile(tools::Zoo("digits_cnn.onnx"))->graph, options);
  Session fused(served.model, 50), observed(open, 50);
  std::vector<std::vector<uint32_t>> recounted;
  for (const ActivationLayer& layer : open->activations()) recounted.emplace_back(layer.units, 0);
  observed.set_before_activation([&](const PreActivations& z) {
    for (int64_t row = 0; row < z.rows; ++row) {
      std::vector<uint8_t> seen(z.layout.channels, 0);
      for (int64_t i = 0; i < z.layout.elements(); ++i) {
        const int64_t unit = z.layout.channels_last ? i % z.layout.channels : i / z.layout.positions;
        if (z.values[row * z.layout.elements() + i] > 0) seen[unit] = 1;
      }
      for (int64_t unit = 0; unit < z.layout.channels; ++unit) recounted[z.layer][unit] += seen[unit];
    }
  });
  for (Session* session : {&fused, &observed}) {
    std::copy_n(served.rows.values.begin(), 50 * 64, session->input(0).begin());
    session->Run(50);
  }
  const auto expected = fused.output(0, 50), actual = observed.output(0, 50);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), actual.begin()));
  for (size_t i = 0; i < recounted.size(); ++i) EXPECT_EQ(fused.activity().layers[i].active, recounted[i]);
}

TEST(Profile, KnowsTheRangeOfEveryUnitAndInput) {
  const Profile profile = Record("digits_mlp.onnx");
  for (const LayerProfile& layer : profile.layers) {
    for (size_t unit = 0; unit < layer.active.size(); ++unit) {
      const auto& quantiles = layer.quantiles[unit];
      EXPECT_TRUE(std::is_sorted(quantiles.begin(), quantiles.end()));
      EXPECT_EQ(quantiles.front(), layer.least[unit]) << "360 rows are all drawn";
      EXPECT_EQ(quantiles.back(), layer.most[unit]);
      EXPECT_EQ(layer.most[unit] > 0, layer.active[unit] > 0);
      EXPECT_GE(layer.mean[unit], layer.least[unit]);
      EXPECT_LE(layer.mean[unit], layer.most[unit]);
    }
  }
  EXPECT_EQ(profile.input_least[0], 0) << "a corner that is never inked";
  EXPECT_EQ(profile.input_most[0], 0);
  EXPECT_EQ(*std::max_element(profile.input_most.begin(), profile.input_most.end()), 1);
}

TEST(Profile, ComesBackFromItsJsonAsItWas) {
  const Profile profile = Record("digits_cnn.onnx");
  const std::string json = ProfileToJson(profile);
  const Profile back = ProfileFromJson(json).value();
  EXPECT_EQ(ProfileToJson(back), json);
  EXPECT_EQ(back.layers[1].quantiles, profile.layers[1].quantiles);
}

TEST(Profile, OfAnotherModelIsRefusedNamingBothHashes) {
  const Profile profile = Record("digits_cnn.onnx");
  const Served mlp("digits_mlp.onnx");
  const std::string message(
      CheckProfileFits(profile, *mlp.model, mlp.model->activations(), std::string(64, 'f')).message());
  EXPECT_THAT(message, AllOf(HasSubstr(profile.sha256), HasSubstr(std::string(64, 'f'))));
  EXPECT_THAT(std::string(CheckProfileFits(profile, *mlp.model, mlp.model->activations(), profile.sha256).message()),
              AllOf(HasSubstr("64 units"), HasSubstr("24 units")));
  const auto cnn = Served("digits_cnn.onnx").model;
  EXPECT_TRUE(CheckProfileFits(profile, *cnn, cnn->activations(), profile.sha256).ok());
}

TEST(Profile, ThatIsDamagedSaysWhere) {
  const std::string good = ProfileToJson(Record("digits_mlp.onnx"));
  const auto message = [](const std::string& text) { return std::string(ProfileFromJson(text).status().message()); };
  const auto with = [&](const std::string& path, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(good);
    json[nlohmann::json::json_pointer(path)] = value;
    return message(json.dump());
  };
  EXPECT_THAT(message(""), HasSubstr("JSON object"));
  EXPECT_THAT(message(good.substr(0, good.size() / 2)), HasSubstr("JSON object"));
  EXPECT_THAT(with("/halfwave_profile", 2), HasSubstr("found 2"));
  EXPECT_THAT(with("/rows", 0), HasSubstr("found 0"));
  EXPECT_THAT(with("/rows", -1), HasSubstr("'rows'"));
  EXPECT_THAT(with("/layers", 3), HasSubstr("'layers'"));
  EXPECT_THAT(with("/layers/0/units", 63), HasSubstr("expected 63 numbers in 'active', found 64"));
  EXPECT_THAT(with("/layers/0/units", 0), HasSubstr("without units"));
  EXPECT_THAT(with("/layers/0/family", "odd"), HasSubstr("'odd'"));
  EXPECT_THAT(with("/layers/0/active/3", 1000), HasSubstr("more rows than there are"));
  EXPECT_THAT(with("/layers/0/mean/0", "x"), HasSubstr("'mean'"));
  EXPECT_THAT(with("/layers/0/most/0", 1e300), HasSubstr("too large"));
}

TEST(ProfileCommand, WritesBesideTheModelAndSaysWhatCanBeWatched) {
  const std::string model = Path("profiled.onnx");
  std::filesystem::copy_file(tools::Zoo("digits_cnn.onnx"), model, std::filesystem::copy_options::overwrite_existing);
  tools::ProfileCommand command{.file = model, .data = tools::Zoo(kRows)};
  command.options.scale = kScale;
  const tools::Printed printed = tools::PrintedBy(tools::RunProfile, command);
  EXPECT_EQ(printed.code, tools::kOk) << printed.err;
  EXPECT_THAT(printed.out, AllOf(HasSubstr("360 rows"), HasSubstr("relu3"), HasSubstr("never active")));
  EXPECT_TRUE(ProfileFromJson(tools::ReadText(Path("profiled.profile"))).ok());
}

TEST(ProfileCommand, NamesTheRowAndColumnOfWhatCannotBeUsed) {
  const std::string data = Path("rows.csv");
  const auto error = [&](const std::string& text) {
    std::ofstream(data) << text;
    const tools::Printed printed = tools::PrintedBy(
        tools::RunProfile, tools::ProfileCommand{.file = tools::Zoo("digits_mlp.onnx"), .data = data, .output = data});
    EXPECT_EQ(printed.code, tools::kUsage);
    EXPECT_EQ(printed.out, "");
    return printed.err;
  };
  std::string row = "0";
  for (int i = 1; i < 64; ++i) row += ",0";
  EXPECT_THAT(error("1,2,3\n"), AllOf(HasSubstr("rows of 64 numbers"), HasSubstr("rows of 3")));
  EXPECT_THAT(error(row + "\nnan" + row.substr(1) + "\n"), HasSubstr("row 1, column 0"));
  EXPECT_THAT(error(row + "\n" + row.substr(0, row.size() - 1) + "inf\n"), HasSubstr("row 1, column 63"));
  EXPECT_THAT(error(""), HasSubstr("empty file"));
}

}  // namespace
}  // namespace halfwave
