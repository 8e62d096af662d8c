// The networks of model/zoo/dying are what its README and runs.csv say, and what pruning makes of them answers the
// same.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "absl/strings/str_split.h"
#include "model/analysis/prune_model.h"
#include "model/analysis/rows.h"
#include "model/engine/session.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

constexpr float kScale = 0.0625f;

std::string Rows() { return tools::Zoo("digits_heldout.csv"); }

// What a network did on the held-back rows, as the server runs it.
struct Outcome {
  int right = 0;
  std::vector<int64_t> silent;  // units never active, per activation
  std::vector<float> outputs;
};

Outcome OutcomeOf(const std::shared_ptr<const Model>& model) {
  const auto rows = RowsFor(*model, *ReadTable(Rows()), kScale);
  Session session(model, rows->count);
  std::copy(rows->values.begin(), rows->values.end(), session.input(0).begin());
  session.Run(rows->count);
  const std::span<const float> scores = session.output(0, rows->count);
  Outcome outcome;
  outcome.outputs.assign(scores.begin(), scores.end());
  for (int64_t row = 0; row < rows->count; ++row) {
    const float* of_row = &scores[row * 10];
    outcome.right += std::to_string(std::max_element(of_row, of_row + 10) - of_row) == rows->answers[row];
  }
  for (const LayerCounts& layer : session.activity().layers) {
    outcome.silent.push_back(std::count(layer.active.begin(), layer.active.end(), 0));
  }
  return outcome;
}

std::string File(const std::string& name) { return tools::Zoo("dying/" + name + ".onnx"); }

Outcome OutcomeOfFile(const std::string& name) {
  return OutcomeOf(*Model::Create(ReadOnnxFile(File(name))->graph, {}));
}

// The first run of each activation that has a network: it is the one that was kept.
TEST(Dying, EachNetworkHasTheAccuracyAndTheSilentUnitsOfItsRun) {
  std::map<std::string, Outcome> told;
  std::ifstream table(tools::Zoo("dying/runs.csv"));
  std::string line;
  std::getline(table, line);
  ASSERT_EQ(line, "activation,seed,outcome,right,of,classes_answered,silent_before,silent1,silent2,silent3,silent4");
  int runs = 0;
  while (std::getline(table, line)) {
    ++runs;
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (cells[2] == "diverged") continue;
    const std::string name = cells[0] == "relu" && cells[2] == "collapsed" ? "relu_collapsed" : cells[0];
    if (told.count(name) != 0) continue;
    told[name].right = std::stoi(cells[3]);
    for (size_t i = 7; i < 11; ++i) told[name].silent.push_back(std::stoi(cells[i]));
  }
  EXPECT_EQ(runs, 25);
  EXPECT_EQ(told.size(), 6u);
  for (const auto& [name, expected] : told) {
    SCOPED_TRACE(name);
    const Outcome outcome = OutcomeOfFile(name);
    EXPECT_EQ(outcome.right, expected.right);
    EXPECT_EQ(outcome.silent, expected.silent);
  }
}

TEST(Dying, TheTwinsAreWhatTheReadmeSays) {
  EXPECT_EQ(OutcomeOfFile("sigmoid").right, 35);
  EXPECT_EQ(OutcomeOfFile("tanh").right, 345);
}

TEST(Dying, PrunedOfItsDeadUnitsReluAnswersTheSame) {
  for (const auto& [name, left] :
       std::map<std::string, std::vector<int64_t>>{{"relu", {50, 62, 63, 60}}, {"relu_collapsed", {57, 53, 18, 1}}}) {
    SCOPED_TRACE(name);
    PruneOptions options;
    options.observed = Rows();
    options.scale = kScale;
    options.seconds = 0.001;
    const auto report = PruneModel(File(name), options);
    ASSERT_TRUE(report.ok()) << report.status();
    const auto smaller = LoadModel(report->bytes);
    ASSERT_TRUE(smaller.ok()) << smaller.status();
    for (size_t i = 0; i < left.size(); ++i) EXPECT_EQ((*smaller)->activations()[i].units, left[i]);
    EXPECT_EQ(OutcomeOf(*smaller).outputs, OutcomeOfFile(name).outputs) << "not the same bits";
  }
}

}  // namespace
}  // namespace halfwave
