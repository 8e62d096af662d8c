// The commands as a whole, against a server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/commands/health.h"
#include "client/commands/models.h"
#include "client/commands/predict.h"
#include "nlohmann/json.hpp"
#include "proto/tensor_values.h"
#include "tests/unit/client/png_bytes.h"
#include "tests/unit/client/puppet_server.h"

namespace halfwave::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/halfwave_client_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    common_.server = server_.address();
    common_.deadline_seconds = 20;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  ExitCode Predict(std::vector<std::string> files, PictureOverrides overrides = {}, const std::string& model = "") {
    out_.str("");
    err_.str("");
    PredictOptions options;
    options.common = common_;
    options.files = std::move(files);
    options.model = model;
    options.overrides = std::move(overrides);
    return RunPredict(options, streams_);
  }

  ExitCode Health(const std::string& units = "", bool watch = false) {
    out_.str("");
    HealthOptions options;
    options.common = common_;
    options.units = units;
    options.watch = watch;
    options.redraw_every = absl::ZeroDuration();
    return RunHealth(options, streams_);
  }

  // One more unit of the layer: of a full window of 10,500 samples it was active on so many.
  static v1::UnitHealth& AddUnit(v1::LayerHealth& layer, v1::UnitHealth::State state, uint64_t active) {
    v1::UnitHealth& unit = *layer.add_unit_health();
    unit.set_state(state);
    unit.set_window_active(active);
    unit.set_lifetime_active(active);
    layer.set_units(layer.unit_health_size());
    return unit;
  }

  void AddChange(uint64_t unit, v1::UnitHealth::State before, v1::UnitHealth::State now, bool initial = false) {
    v1::HealthChange& change = server_.changes.emplace_back();
    change.set_layer("relu1");
    change.set_family(v1::LayerHealth::RECTIFIER);
    change.set_unit(unit);
    change.set_before(before);
    change.set_now(now);
    change.set_initial(initial);
    change.set_samples_seen(12345);
  }

  v1::LayerHealth& AddLayer(v1::LayerHealth::Family family, uint64_t seen, bool full) {
    server_.health.set_model_name("m");
    server_.health.set_model_version("1");
    server_.health.set_window_samples(10000);
    server_.health.set_samples_seen(seen);
    v1::LayerHealth& layer = *server_.health.add_layers();
    layer.set_name("relu1");
    layer.set_activation("Relu");
    layer.set_family(family);
    layer.set_units(1000);
    layer.set_silent_units(3);
    layer.set_always_on_units(2);
    layer.set_window_samples_seen(seen);
    layer.set_window_full(full);
    layer.set_activity(0.5);
    layer.set_sparsity(0.4);
    layer.set_saturated(0.3);
    layer.set_silent_activity_bound(0.00123456);
    return layer;
  }

  PuppetServer server_;
  std::string folder_;
  CommonOptions common_;
  std::ostringstream out_;
  std::ostringstream err_;
  Streams streams_{out_, err_, Style{}};
};

TEST_F(Commands, PredictShowsTheBestClassesOfAPictureFirst) {
  EXPECT_EQ(Predict({File("a.png", PngBytes(2, 1, 1, {51, 204}))}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("  yes  80.0 %  ########################\n  no   20.0 %  ######\n"));
}

TEST_F(Commands, PredictScoresATableWithAnswersByNameOrNumber) {
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\nyes,0.1,0.9\n0,0.7,0.3\nyes,0.6,0.4\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("accuracy 66.67 % (2 right)"));
  EXPECT_THAT(out_.str(), HasSubstr("wrong, is yes"));
}

TEST_F(Commands, PredictSendsNoMoreRowsAtOnceThanTheModelTakes) {
  std::string csv;
  for (int i = 0; i < 10; ++i) csv += "0.25,0.75\n";
  EXPECT_EQ(Predict({File("t.csv", csv)}), kOk);
  EXPECT_THAT(server_.batches(), ElementsAre(4, 4, 2));
}

TEST_F(Commands, PredictSendsOneRowAtATimeToAServerThatDoesNotSayMore) {
  server_.metadata.mutable_properties()->erase("halfwave.max_batch_rows");
  EXPECT_EQ(Predict({File("t.csv", "0.25,0.75\n0.5,0.5\n")}), kOk);
  EXPECT_THAT(server_.batches(), ElementsAre(1, 1));
}

TEST_F(Commands, PredictShowsTheFirstRowsOfALongTable) {
  std::string csv;
  for (int i = 0; i < 25; ++i) csv += "0.25,0.75\n";
  EXPECT_EQ(Predict({File("t.csv", csv)}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("... and 15 rows more"));
}

TEST_F(Commands, PredictDoesNotCallScoresProbabilities) {
  (*server_.metadata.mutable_properties())["halfwave.head"] = "logits";
  EXPECT_EQ(Predict({File("t.csv", "-3,7.5\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("7.5"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("%")));
  EXPECT_THAT(out_.str(), HasSubstr("scores, not probabilities"));
}

TEST_F(Commands, PredictHintsAtValuesOutsideTheModelsDomain) {
  (*server_.metadata.mutable_properties())["halfwave.domain"] = R"({"x": [0, 1]})";
  const std::string file = File("t.csv", "0,16\n");
  EXPECT_EQ(Predict({file}), kOk);
  EXPECT_THAT(err_.str(), HasSubstr("--scale 0.0625"));
  EXPECT_EQ(Predict({file}, {{"scale", "0.0625"}}), kOk);
  EXPECT_EQ(err_.str(), "");
}

// As scikit-learn's classifiers answer: the label, then the probabilities.
class LabelledCommands : public Commands {
 protected:
  void AnswerLabels(const std::string& datatype, const std::string& raw) {
    server_.first_outputs = {{datatype, raw}};
    auto* label = server_.metadata.add_outputs();
    label->set_name("label");
    label->set_datatype(datatype);
    label->add_shape(-1);
    server_.metadata.mutable_outputs()->SwapElements(0, 1);
  }
  static std::string Int64(int64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }
  static std::string Bytes(const std::string& value) {
    std::string raw;
    AppendBytes(value, raw);
    return raw;
  }
};

TEST_F(LabelledCommands, PredictShowsTheModelsOwnLabelBesideTheProbabilities) {
  AnswerLabels("INT64", Int64(-7));
  EXPECT_EQ(Predict({File("t.csv", "0.25,0.75\n"), File("a.png", PngBytes(2, 1, 1, {51, 204}))}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("row  label  class  probability\n    0  -7     yes         75.0 %"));
  EXPECT_THAT(out_.str(), HasSubstr("a.png\n  label: -7\n  yes  80.0 %"));
}

TEST_F(LabelledCommands, PredictComparesAnswersWithTheLabelItself) {
  AnswerLabels("BYTES", Bytes("setosa"));
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\nsetosa,0.1,0.9\nvirginica,0.1,0.9\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("wrong, is virginica"));
  EXPECT_THAT(out_.str(), HasSubstr("accuracy 50.00 % (1 right)"));
}

TEST_F(LabelledCommands, PredictComparesLabelsThatAreNumbersByTheirValueOrTheirName) {
  AnswerLabels("INT64", Int64(1));
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\n1.0,0,0\nyes,0,0\nno,0,0\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("66.67 % (2 right)"));
  // The name of class 0 is the label of another.
  (*server_.metadata.mutable_properties())["halfwave.labels"] = R"(["1", "2"])";
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\n1,0,0\n2,0,0\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("50.00 % (1 right)"));
}

TEST_F(LabelledCommands, PredictShowsLabelsOfAModelThatGivesNothingElse) {
  AnswerLabels("BYTES", Bytes("cat\033[31m"));
  server_.scores = false;
  EXPECT_EQ(Predict({File("t.csv", "0.25,0.75\n"), File("a.png", PngBytes(2, 1, 1, {51, 204}))}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("row  label\n    0  cat?[31m\n"));
  EXPECT_THAT(out_.str(), HasSubstr("a.png\n  label: cat?[31m\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("scores")));
}

TEST_F(LabelledCommands, PredictAsJsonHoldsTheModelsLabel) {
  AnswerLabels("INT64", Int64(int64_t{1} << 60));
  common_.json = true;
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\n5,0.25,0.75\n")}), kOk);
  const Json row = Json::parse(out_.str())["predictions"][0];
  EXPECT_EQ(row["label"], "1152921504606846976");
  EXPECT_EQ(row["class"], 1);
  EXPECT_EQ(row["probabilities"], Json::array({0.25, 0.75}));
  EXPECT_EQ(row["expected"], "5");
  EXPECT_EQ(row["right"], false);
}

TEST_F(LabelledCommands, ModelsCountsTheClassesOfTheScores) {
  AnswerLabels("INT64", "");
  EXPECT_EQ(RunModels(common_, streams_), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("x [-1, 2]  label [-1] INT64; y [-1, 2]        2  softmax"));
}

TEST_F(Commands, PredictSendsTheTypeThatTheModelTakes) {
  server_.metadata.mutable_inputs(0)->set_datatype("FP64");
  EXPECT_EQ(Predict({File("t.csv", "0.25,0.75\n")}), kOk);
  const double values[] = {0.25, 0.75};
  EXPECT_EQ(server_.last_raw(), std::string(reinterpret_cast<const char*>(values), sizeof(values)));
  EXPECT_THAT(out_.str(), HasSubstr("75.0 %"));
}

TEST_F(Commands, PredictSendsPixelsAsTheyAreToAModelOfWholeNumbers) {
  server_.metadata.mutable_inputs(0)->set_datatype("UINT8");
  EXPECT_EQ(Predict({File("a.png", PngBytes(2, 1, 1, {51, 204}))}), kOk);
  EXPECT_EQ(server_.last_raw(), "\x33\xCC");
}

TEST_F(Commands, PredictDoesNotCutNumbersOffForAModelOfWholeNumbers) {
  server_.metadata.mutable_inputs(0)->set_datatype("INT8");
  EXPECT_EQ(Predict({File("t.csv", "1,2\n1,-2.5\n")}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("row 1: input 'x' of model 'm' takes INT8, found -2.5"));
  EXPECT_EQ(Predict({File("t.csv", "1,128\n")}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("found 128"));
  EXPECT_EQ(Predict({File("t.csv", "127,-128\n")}), kOk);
  EXPECT_EQ(server_.last_raw(), "\x7F\x80");
}

TEST_F(Commands, PredictGivesOneValueARowToAnInputOfRankOne) {
  server_.metadata.mutable_inputs(0)->clear_shape();
  server_.metadata.mutable_inputs(0)->add_shape(-1);
  server_.columns = 0;
  EXPECT_EQ(Predict({File("t.csv", "0.25\n0.75\n")}), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("0  no          25.0 %"));
  EXPECT_THAT(out_.str(), HasSubstr("1  no          75.0 %"));
}

TEST_F(Commands, PredictAsJsonHoldsEverything) {
  common_.json = true;
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\nyes,0.25,0.75\n"), folder_ + "/none"}), kServerError);
  const Json json = Json::parse(out_.str());
  EXPECT_EQ(json["model"], "m");
  EXPECT_EQ(json["version"], "1");
  EXPECT_EQ(json["files"][0]["accuracy"], 1.0);
  EXPECT_GE(json["files"][0]["latency_seconds"], 0.0);
  const Json& row = json["predictions"][0];
  EXPECT_EQ(row["row"], 0);
  EXPECT_EQ(row["label"], "yes");
  EXPECT_EQ(row["class"], 1);
  EXPECT_EQ(row["probability"], 0.75);
  EXPECT_EQ(row["probabilities"], Json::array({0.25, 0.75}));
  EXPECT_EQ(row["right"], true);
  EXPECT_THAT(json["errors"][0]["message"].get<std::string>(), HasSubstr("No such file"));
}

TEST_F(Commands, PredictGoesOnAfterABadFileAndSaysSoInTheExitCode) {
  const std::string good = File("t.csv", "0.25,0.75\n");
  const std::string bad = File("cut.png", PngBytes(2, 1, 1, {1, 2}).substr(0, 40));
  EXPECT_EQ(Predict({bad, good}), kServerError);
  EXPECT_THAT(err_.str(), HasSubstr("cut.png: expected a complete PNG"));
  EXPECT_THAT(out_.str(), HasSubstr("t.csv"));
  EXPECT_EQ(Predict({bad}), kUsage);
}

TEST_F(Commands, PredictNamesTheShapeThatDoesNotFit) {
  EXPECT_EQ(Predict({File("t.csv", "1,2,3\n")}), kUsage);
  EXPECT_THAT(err_.str(),
              HasSubstr("expected rows of 2 values, as input [-1, 2] of model 'm' takes, found shape [1, 3]"));
}

TEST_F(Commands, PredictDoesNotTakeAColumnWithAnswersForOneRow) {
  EXPECT_EQ(Predict({File("t.csv", "label,a\nyes,1\nno,2\n")}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("found shape [2, 1]"));
}

TEST_F(Commands, PredictNamesALabelThatIsNoClass) {
  for (const char* label : {"nan", "1e300", "-1", "0.5", ""}) {
    EXPECT_EQ(Predict({File("u.csv", absl::StrCat("label,a,b\n", label, ",1,2\n"))}), kUsage) << label;
  }
  EXPECT_EQ(Predict({File("t.csv", "label,a,b\nmaybe,1,2\n")}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("found 'maybe'"));
}

TEST_F(Commands, TheServersErrorIsExitCodeOne) {
  const std::string file = File("t.csv", "1,2\n");
  EXPECT_EQ(Predict({file}, {}, "other"), kServerError);
  EXPECT_THAT(err_.str(), HasSubstr("served are: m"));
  server_.infer_status = {grpc::StatusCode::INVALID_ARGUMENT, "row 0 is NaN"};
  EXPECT_EQ(Predict({file}), kServerError);
  EXPECT_THAT(err_.str(), HasSubstr("t.csv: row 0 is NaN"));
}

TEST_F(Commands, NoServerIsExitCodeThree) {
  common_.server = DeadAddress();
  EXPECT_EQ(Predict({File("t.csv", "1,2\n")}), kNoServer);
  EXPECT_THAT(err_.str(), HasSubstr("no server answers at"));
  EXPECT_EQ(Health(), kNoServer);
  EXPECT_EQ(RunModels(common_, streams_), kNoServer);
}

TEST_F(Commands, ADeadlineIsExitCodeThree) {
  server_.before_infer = [](grpc::ServerContext& context) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  };
  common_.deadline_seconds = 0.5;
  EXPECT_EQ(Predict({File("t.csv", "1,2\n")}), kNoServer);
}

TEST_F(Commands, SeveralReadyModelsHaveToBeNamed) {
  server_.AddModel("n", "READY", "");
  EXPECT_EQ(Predict({File("t.csv", "1,2\n")}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("2 models: m, n; name one with --model"));
}

TEST_F(Commands, ModelsThatAreNotReadyAreNotChosen) {
  server_.AddModel("n", "UNAVAILABLE", "corrupt");
  EXPECT_EQ(Predict({File("t.csv", "1,2\n")}), kOk);
  server_.index.clear_models();
  server_.AddModel("n", "UNAVAILABLE", "corrupt");
  EXPECT_EQ(Predict({File("t.csv", "1,2\n")}), kServerError);
  EXPECT_THAT(err_.str(), HasSubstr("not ready: 'n' (corrupt)"));
}

TEST_F(Commands, ModelsListsThemWithWhyOneIsNotReady) {
  server_.AddModel("n", "UNAVAILABLE", "corrupt\033[31m");
  (*server_.metadata.mutable_properties())["halfwave.sha256"] = "0123456789abcdef";
  EXPECT_EQ(RunModels(common_, streams_), kOk);
  EXPECT_THAT(out_.str(),
              HasSubstr("m     1        READY        x [-1, 2]  y [-1, 2]        2  softmax  0123456789ab\n"));
  EXPECT_THAT(out_.str(), HasSubstr("n: corrupt?[31m"));
}

TEST_F(Commands, HealthDoesNotCallAUnitDeadBeforeTheWindowIsFull) {
  AddLayer(v1::LayerHealth::RECTIFIER, 361, false);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("not yet known, 3 silent"));
  EXPECT_THAT(out_.str(), HasSubstr("2 so far"));
  EXPECT_THAT(out_.str(), HasSubstr("361 of 10,000 samples: too few to call a unit dead."));
}

TEST_F(Commands, HealthSaysWhatAFullWindowAllows) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("3 (0.3 %)"));
  EXPECT_THAT(out_.str(), HasSubstr("last 10,500 samples"));
  EXPECT_THAT(out_.str(), HasSubstr("each silent unit is active on less than 0.123 % of such samples"));
}

TEST_F(Commands, HealthCallsLeakyUnitsInactiveAndSaturatingOnesNeither) {
  AddLayer(v1::LayerHealth::LEAKY, 10500, true);
  AddLayer(v1::LayerHealth::SATURATING, 10500, true).set_name("tanh1");
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("3 inactive"));
  EXPECT_THAT(out_.str(), HasSubstr("30.0 %"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("(0.3 %)")));
}

TEST_F(Commands, HealthShowsSaturationOnlyWhereALayerCanSaturate) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true).set_silent_units(0);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("saturated")));
  EXPECT_THAT(out_.str(), HasSubstr("No unit was silent on all of the last 10,500 samples."));
}

TEST_F(Commands, HealthWithoutTrafficClaimsNothing) {
  AddLayer(v1::LayerHealth::RECTIFIER, 0, false);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("0 of 10,000 samples"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("3 silent")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("50.0 %")));
}

TEST_F(Commands, HealthAsJsonKeepsTheCountsApartFromTheVerdict) {
  AddLayer(v1::LayerHealth::RECTIFIER, 361, false);
  common_.json = true;
  EXPECT_EQ(Health(), kOk);
  const Json layer = Json::parse(out_.str())["layers"][0];
  EXPECT_EQ(layer["silent_units"], 3);
  EXPECT_EQ(layer["window_full"], false);
  EXPECT_EQ(layer["family"], "rectifier");
}

TEST_F(Commands, HealthComparesWithAReferenceOnlyIfThereIsOne) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("went silent")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("woke up")));
  server_.health.set_reference_samples(2000);
  layer.set_went_silent_units(2);
  layer.set_not_watched_units(41);
  layer.set_drift_psi(0.25);
  layer.set_drift_psi_noise(0.0006);
  layer.set_woke_up(7);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("went silent  not watched  woke up"));
  EXPECT_THAT(out_.str(), HasSubstr("          2           41        7"));
  EXPECT_THAT(out_.str(), HasSubstr("2 units went silent that would not have on samples like the 2,000 of the "
                                    "reference: the input or its mix changed."));
  EXPECT_THAT(out_.str(), HasSubstr("Activity of relu1 drifted from the reference's: population stability index 0.25, "
                                    "where 0.0006 is to be expected without change."));
}

TEST_F(Commands, HealthDoesNotCallChanceDrift) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  server_.health.set_reference_samples(2000);
  layer.set_drift_psi(0.0059);
  layer.set_drift_psi_noise(0.0006);
  EXPECT_EQ(Health(), kOk);
  EXPECT_THAT(out_.str(), Not(HasSubstr("drifted")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("the input or its mix changed")));
}

TEST_F(Commands, HealthDrawsOneCellAUnit) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  for (int i = 0; i < 64; ++i) AddUnit(layer, v1::UnitHealth::ACTIVE, 5250);
  AddUnit(layer, v1::UnitHealth::SILENT, 0).set_samples_since_active(12000);
  AddUnit(layer, v1::UnitHealth::WENT_SILENT, 0).set_samples_since_active(10600);
  AddUnit(layer, v1::UnitHealth::ALWAYS_ON, 10500);
  AddUnit(layer, v1::UnitHealth::ACTIVE, 10).set_woke_up(3);
  EXPECT_EQ(Health("relu1"), kOk);
  EXPECT_THAT(server_.last_health().unit_layers(), ElementsAre("relu1"));
  EXPECT_THAT(out_.str(), HasSubstr("relu1, one cell a unit\n"
                                    "   0  5555555555555555 5555555555555555 5555555555555555 5555555555555555\n"
                                    "  64  x!*0\n"
                                    "  activity 0 0 % to 9 100 %   * always on   x dead   ! went silent\n"));
  EXPECT_THAT(out_.str(), HasSubstr("    65  went silent   0 of 10,600     0.0681 %   0 of 10,500        0\n"
                                    "    64  dead          0 of 12,000     0.0601 %   0 of 10,500        0\n"
                                    "    67  woke up      10 of 10,500            -  10 of 10,500        3\n"));
}

TEST_F(Commands, HealthListsNoMoreUnitsThanFitTheScreen) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::LEAKY, 10500, true);
  for (int i = 0; i < 100; ++i) AddUnit(layer, v1::UnitHealth::SILENT, 0).set_samples_since_active(10500);
  EXPECT_EQ(Health("relu1"), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("   0  inactive"));
  EXPECT_THAT(out_.str(), HasSubstr("... and 76 units more; --json shows all"));
}

TEST_F(Commands, HealthMarksNoUnitDeadBeforeTheWindowIsFull) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::RECTIFIER, 361, false);
  AddUnit(layer, v1::UnitHealth::NOT_YET_KNOWN, 0).set_samples_since_active(361);
  AddUnit(layer, v1::UnitHealth::ACTIVE, 361);
  EXPECT_EQ(Health("*"), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("  0  .9\n  activity 0 0 % to 9 100 %   . silent so far\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("  unit ")));
}

TEST_F(Commands, HealthOfSaturatingUnitsMarksNone) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::SATURATING, 10500, true);
  AddUnit(layer, v1::UnitHealth::SILENT, 0);
  AddUnit(layer, v1::UnitHealth::ALWAYS_ON, 10500);
  EXPECT_EQ(Health("relu1"), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("  0  09\n  activity 0 0 % to 9 100 %\n"));
}

TEST_F(Commands, HealthAsJsonHoldsTheUnitsAndTheComparison) {
  v1::LayerHealth& layer = AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  AddUnit(layer, v1::UnitHealth::WENT_SILENT, 0).set_reference_active(900);
  server_.health.set_reference_samples(1000);
  layer.set_went_silent_units(1);
  common_.json = true;
  EXPECT_EQ(Health("relu1"), kOk);
  const Json json = Json::parse(out_.str());
  EXPECT_EQ(json["reference_samples"], 1000);
  EXPECT_EQ(json["layers"][0]["went_silent_units"], 1);
  EXPECT_EQ(json["layers"][0]["unit_health"][0]["state"], "went_silent");
  EXPECT_EQ(json["layers"][0]["unit_health"][0]["reference_active"], 900);
}

TEST_F(Commands, HealthWatchedOnATerminalIsDrawnAnewUntilTheServerFails) {
  AddLayer(v1::LayerHealth::RECTIFIER, 361, false);
  int calls = 0;
  server_.before_health = [&] {
    return ++calls <= 3 ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is stopping");
  };
  streams_.style.terminal = true;
  EXPECT_EQ(Health("", true), kServerError);
  EXPECT_EQ(out_.str().find("\033[H\033[Jm, version 1\n"), 0u);
  size_t screens = 0;
  for (size_t at = 0; (at = out_.str().find("361 of 10,000", at)) != std::string::npos; ++at) ++screens;
  EXPECT_EQ(screens, 3u);
  EXPECT_THAT(err_.str(), HasSubstr("the server is stopping"));
}

TEST_F(Commands, HealthWatchedElsewhereIsALineAChange) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  AddChange(1, v1::UnitHealth::NOT_YET_KNOWN, v1::UnitHealth::SILENT, true);
  AddChange(2, v1::UnitHealth::ACTIVE, v1::UnitHealth::SILENT);
  AddChange(2, v1::UnitHealth::SILENT, v1::UnitHealth::ACTIVE);
  AddChange(3, v1::UnitHealth::ALWAYS_ON, v1::UnitHealth::WENT_SILENT);
  AddChange(3, v1::UnitHealth::WENT_SILENT, v1::UnitHealth::ACTIVE);
  EXPECT_EQ(Health("", true), kOk);
  EXPECT_EQ(out_.str(),
            "12,345 samples: unit 1 of relu1 is dead\n"
            "12,345 samples: unit 2 of relu1 is now dead, was active\n"
            "12,345 samples: unit 2 of relu1 woke up, was dead\n"
            "12,345 samples: unit 3 of relu1 went silent, was always on: the input or its mix changed\n"
            "12,345 samples: unit 3 of relu1 woke up, was silent\n");
}

TEST_F(Commands, HealthWatchedAsJsonIsAnObjectALine) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  AddChange(1, v1::UnitHealth::NOT_YET_KNOWN, v1::UnitHealth::SILENT, true);
  AddChange(2, v1::UnitHealth::ACTIVE, v1::UnitHealth::WENT_SILENT);
  common_.json = true;
  streams_.style.terminal = true;
  EXPECT_EQ(Health("", true), kOk);
  std::istringstream lines(out_.str());
  std::string first, second, third;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, third));
  EXPECT_EQ(Json::parse(first)["initial"], true);
  EXPECT_EQ(Json::parse(second), Json({{"samples_seen", 12345},
                                       {"layer", "relu1"},
                                       {"family", "rectifier"},
                                       {"unit", 2},
                                       {"before", "active"},
                                       {"now", "went_silent"},
                                       {"initial", false}}));
}

TEST_F(Commands, HealthWatchesOnlyTheLayerThatWasNamed) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  AddChange(1, v1::UnitHealth::ACTIVE, v1::UnitHealth::SILENT);
  EXPECT_EQ(Health("relu2", true), kOk);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(Health("relu1", true), kOk);
  EXPECT_THAT(out_.str(), HasSubstr("unit 1"));
}

TEST_F(Commands, HealthSaysWhyAWatchEnded) {
  AddLayer(v1::LayerHealth::RECTIFIER, 10500, true);
  server_.watch_status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 16 health watches already"};
  EXPECT_EQ(Health("", true), kServerError);
  EXPECT_THAT(err_.str(), HasSubstr("16 health watches"));
}

}  // namespace
}  // namespace halfwave::client
