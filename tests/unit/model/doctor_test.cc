// What the doctor finds, in which words, and when it fails a pipeline.
#include "model/tools/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "model/onnx/writer.h"
#include "nlohmann/json.hpp"
#include "tests/support/noise.h"
#include "tests/support/onnx_builder.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A file of this test's own: tests run side by side.
std::string Path(const std::string& name) {
  return ::testing::TempDir() + "/halfwave_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
         name;
}

std::string Save(const std::string& name, const std::string& bytes) {
  std::ofstream(Path(name), std::ios::binary) << bytes;
  return Path(name);
}

tools::DoctorCommand Digits(const std::string& model = tools::Zoo("digits_mlp.onnx")) {
  tools::DoctorCommand command;
  command.file = model;
  command.data = tools::Zoo("digits_heldout.csv");
  command.output = Path("report.html");
  command.options.scale = 0.0625f;
  return command;
}

Diagnosis DiagnosisOf(const tools::DoctorCommand& command) {
  return Diagnose(command.file, command.data, command.options).value();
}

const Finding* Find(const Diagnosis& diagnosis, const std::string& id, const std::string& node) {
  for (const Finding& finding : diagnosis.findings) {
    if (finding.id == id && finding.node == node) return &finding;
  }
  return nullptr;
}

// digits_mlp with units of its first layer changed by `change(weights of unit, bias of unit)`.
template <typename Change>
std::string Changed(const std::vector<int64_t>& units, Change change) {
  Graph graph = ReadOnnxFile(tools::Zoo("digits_mlp.onnx"))->graph;
  const Node& gemm = graph.nodes[0];
  std::vector<float>& weights = graph.constants.at(gemm.inputs[1]).floats;  // [64 units, 64 inputs]
  std::vector<float>& bias = graph.constants.at(gemm.inputs[2]).floats;
  for (const int64_t unit : units) change(weights, bias, unit);
  graph.metadata.erase("halfwave.selftest");
  return Save("changed.onnx", *WriteOnnx(graph));
}

TEST(Doctor, NamesExactlyTheUnitsThatWereKilled) {
  ASSERT_TRUE(DiagnosisOf(Digits()).layers[0].silent.empty());
  const std::vector<int64_t> killed = {3, 17, 40, 63};
  tools::DoctorCommand command = Digits(Changed(killed, [](auto&, auto& bias, int64_t unit) { bias[unit] = -100; }));
  command.options.window = 360;
  const Diagnosis diagnosis = DiagnosisOf(command);
  EXPECT_EQ(diagnosis.layers[0].silent, killed);
  const Finding* finding = Find(diagnosis, "dead-on-data", diagnosis.layers[0].profile.layer.name);
  ASSERT_NE(finding, nullptr);
  EXPECT_THAT(finding->what, AllOf(HasSubstr("4 of 64 units (6.2 %) are dead"), HasSubstr("(3, 17, 40, 63)")));
  EXPECT_THAT(finding->advice, AllOf(HasSubstr("PReLU"), HasSubstr("He initialisation"), HasSubstr("prune")));
}

TEST(Doctor, CallsNothingDeadBeforeAWindowOfRows) {
  const tools::Printed printed = tools::PrintedBy(tools::RunDoctor, Digits());
  EXPECT_EQ(printed.code, tools::kOk) << printed.err;
  EXPECT_THAT(printed.out, AllOf(HasSubstr("silent so far"), HasSubstr("not yet known"), Not(HasSubstr("are dead:"))));
  EXPECT_THAT(tools::ReadText(Path("report.html")), AllOf(HasSubstr("not yet known"), Not(HasSubstr("are dead:"))));
}

TEST(Doctor, FindsUnitsThatAreAlwaysOnAndThoseThatSayTheSame) {
  const std::string model = Changed({5}, [](auto& weights, auto& bias, int64_t unit) {
    bias[unit] = 100;  // always on
    for (int64_t i = 0; i < 64; ++i) weights[20 * 64 + i] = 0.5f * weights[11 * 64 + i];
    bias[20] = 0.5f * bias[11];
  });
  const Diagnosis diagnosis = DiagnosisOf(Digits(model));
  EXPECT_EQ(DiagnosisOf(Digits()).layers[0].always_on, (std::vector<int64_t>{19, 39, 45}));
  EXPECT_EQ(diagnosis.layers[0].always_on, (std::vector<int64_t>{5, 19, 39, 45}));
  ASSERT_EQ(diagnosis.layers[0].duplicates.size(), 1u);
  EXPECT_EQ(diagnosis.layers[0].duplicates[0].unit, 20);
  EXPECT_EQ(diagnosis.layers[0].duplicates[0].of, 11);
  EXPECT_NE(Find(diagnosis, "always-on-data", diagnosis.layers[0].profile.layer.name), nullptr);
  EXPECT_NE(Find(diagnosis, "duplicates-on-data", diagnosis.layers[0].profile.layer.name), nullptr);
}

TEST(Doctor, JudgesAnswersByTheDataColumnOrAFileOfLabels) {
  const Diagnosis by_column = DiagnosisOf(Digits());
  ASSERT_TRUE(by_column.judgement.has_value());
  EXPECT_EQ(by_column.judgement->right(), 360u);
  EXPECT_LT(by_column.judgement->CalibrationError(), 0.1);
  // The same rows, whose labels say that every answer is wrong.
  std::string labels = "label\n";
  const Table rows = *ReadTable(tools::Zoo("digits_heldout.csv"));
  for (const std::string& answer : rows.answers) {
    labels += std::to_string((std::stoi(answer) + 1) % 10) + "\n";
  }
  tools::DoctorCommand command = Digits();
  command.options.labels = Save("labels.csv", labels);
  const Diagnosis wrong = DiagnosisOf(command);
  EXPECT_EQ(wrong.judgement->right(), 0u);
  EXPECT_NE(Find(wrong, "overconfident", ""), nullptr);
  const auto is_never_right = [](const Finding& finding) { return finding.id == "class-never-right"; };
  EXPECT_EQ(std::count_if(wrong.findings.begin(), wrong.findings.end(), is_never_right), 1) << "one for all classes";
  EXPECT_THAT(Find(wrong, "class-never-right", "")->what,
              AllOf(HasSubstr("of the 360 rows"), HasSubstr("'0' ("), HasSubstr("'9' (")));
}

TEST(Doctor, DoesNotAdviseTheKindOfActivationThatIsThere) {
  for (const auto family : {ActivationFamily::kRectifier, ActivationFamily::kLeaky}) {
    Diagnosis diagnosis;
    LayerDiagnosis& layer = diagnosis.layers.emplace_back();
    layer.profile.layer = {"layer", "Selu", family, 4, 4, false};
    layer.gradient.zero_share = 0.99;
    const Findings findings = FindInData(diagnosis);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].advice.find("SELU") == std::string::npos, family == ActivationFamily::kLeaky);
  }
}

TEST(Doctor, RefusesLabelsThatDoNotFit) {
  const auto error = [](const std::string& labels) {
    tools::DoctorCommand command = Digits();
    command.options.labels = Save("labels.csv", labels);
    const tools::Printed printed = tools::PrintedBy(tools::RunDoctor, command);
    EXPECT_EQ(printed.code, tools::kUsage);
    return printed.err;
  };
  EXPECT_THAT(error("1\n2\n3\n"), AllOf(HasSubstr("each of the 360 rows"), HasSubstr("found 3")));
  std::string labels = "label\n7\n";
  for (int i = 1; i < 360; ++i) labels += i == 99 ? "ten\n" : "0\n";
  EXPECT_THAT(error(labels), AllOf(HasSubstr("labels.csv"), HasSubstr("row 99"), HasSubstr("'ten'")));
  EXPECT_THAT(error(labels.replace(labels.find("ten"), 3, "10")), AllOf(HasSubstr("0 to 9"), HasSubstr("'10'")));
}

// Layers of 16 units, each behind `op`.
std::string Chain(const std::string& op, int layers) {
  OnnxBuilder network;
  network.Input("x", {-1, 64});
  std::string value = "x";
  for (int i = 0; i < layers; ++i) {
    const std::string n = std::to_string(i);
    const int64_t inputs = i == 0 ? 64 : 16;
    const float scale = std::sqrt(3.0f / static_cast<float>(inputs));
    std::vector<float> weights = Noise(inputs * 16, 20 + i);
    for (float& weight : weights) weight *= scale;
    network.Weight("w" + n, {inputs, 16}, weights)
        .Node("MatMul", {value, "w" + n}, {"z" + n})
        .Node(op, {"z" + n}, {"a" + n}, {{"name", op + n}});
    value = "a" + n;
  }
  network.Weight("v", {16, 10}, Noise(160, 50)).Node("MatMul", {value, "v"}, {"y"}).Output("y");
  return network.Bytes();
}

TEST(Doctor, SeesTheGradientVanishInSigmoidsButNotInLeakyRelus) {
  const Diagnosis sigmoids = DiagnosisOf(Digits(Save("sigmoid.onnx", Chain("Sigmoid", 6))));
  ASSERT_TRUE(sigmoids.without_gradients.empty()) << sigmoids.without_gradients;
  EXPECT_EQ(sigmoids.layers[5].gradient.of_last, 1);
  EXPECT_LT(sigmoids.layers[0].gradient.of_last, 1e-2);
  EXPECT_EQ(sigmoids.layers[0].gradient.zero_share, 0);
  EXPECT_NE(Find(sigmoids, "gradient-vanishes", "Sigmoid0"), nullptr);
  const Diagnosis leaky = DiagnosisOf(Digits(Save("leaky.onnx", Chain("LeakyRelu", 6))));
  EXPECT_GT(leaky.layers[0].gradient.of_last, 0.1);
  EXPECT_EQ(Find(leaky, "gradient-vanishes", "LeakyRelu0"), nullptr);
}

TEST(Doctor, CountsTheSlopesOfAReluThatAreZeroAsTheSparsityOfItsOutput) {
  tools::DoctorCommand command = Digits();
  const Diagnosis diagnosis = DiagnosisOf(command);
  EXPECT_EQ(diagnosis.gradient_rows, 256);
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    EXPECT_NEAR(layer.gradient.zero_share, layer.sparsity, 0.02) << "256 of the 360 rows";
    EXPECT_GT(layer.gradient.norm, 0);
  }
}

TEST(DoctorCommand, FailsAPipelineThatAsksForIt) {
  const auto run = [](const std::vector<std::string>& conditions) {
    tools::DoctorCommand command = Digits();
    command.fail_if = conditions;
    return tools::PrintedBy(tools::RunDoctor, command);
  };
  EXPECT_EQ(run({"dead>10%", "accuracy<99%", "gradient < 0.01"}).code, tools::kOk);
  const tools::Printed dead = run({"dead>5%", "accuracy<99%"});  // 7 of 128
  EXPECT_EQ(dead.code, tools::kFailed);
  EXPECT_THAT(dead.out, AllOf(HasSubstr("FAILED dead>5%: dead is 5.469 %"), HasSubstr("silent on 360 rows")));
  EXPECT_EQ(run({"dead-layer>0.1"}).code, tools::kFailed);
  EXPECT_EQ(run({"accuracy<100.1%"}).code, tools::kFailed);
  for (const char* bad : {"dead", "dead>", "dead>five", "alive<3", ">5%"}) {
    const tools::Printed printed = run({bad});
    EXPECT_EQ(printed.code, tools::kUsage) << bad;
    EXPECT_THAT(printed.err, AllOf(HasSubstr(bad), HasSubstr("dead-layer"))) << "says what there is";
  }
}

TEST(DoctorCommand, WritesAReportThatNeedsNothingBesideItself) {
  tools::DoctorCommand command = Digits(tools::Zoo("digits_cnn.onnx"));
  EXPECT_EQ(tools::PrintedBy(tools::RunDoctor, command).code, tools::kOk);
  const std::string html = tools::ReadText(command.output);
  EXPECT_THAT(html, AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("relu3"), HasSubstr("Calibration"),
                          HasSubstr("unit 63: "), HasSubstr("Gradient flow"), HasSubstr("</html>")));
  for (const char* foreign : {"http", "<script", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(foreign)));
}

TEST(DoctorCommand, EscapesWhatTheFileSays) {
  OnnxBuilder network;
  network.Input("x", {-1, 64})
      .Weight("w", {64, 3}, Noise(192, 1))
      .Node("MatMul", {"x", "w"}, {"z"})
      .Node("Relu", {"z"}, {"y"}, {{"name", "<script>alert(1)</script>"}})
      .Output("y");
  tools::DoctorCommand command = Digits(Save("hostile.onnx", network.Bytes()));
  std::string row = "0";
  for (int i = 1; i < 64; ++i) row += ",1";
  command.data = Save("rows.csv", row + "\n");
  const tools::Printed printed = tools::PrintedBy(tools::RunDoctor, command);
  EXPECT_EQ(printed.code, tools::kOk) << printed.err;
  EXPECT_THAT(tools::ReadText(command.output), Not(HasSubstr("<script")));
}

TEST(DoctorCommand, GivesAProgramTheSame) {
  tools::DoctorCommand command = Digits();
  command.json = true;
  command.fail_if = {"dead>5%"};
  const tools::Printed printed = tools::PrintedBy(tools::RunDoctor, command);
  EXPECT_EQ(printed.code, tools::kFailed);
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(json["rows"], 360);
  EXPECT_EQ(json["dead_is_known"], false);
  EXPECT_EQ(json["layers"][1]["silent_units"].size(), 7u);
  EXPECT_EQ(json["layers"][0]["active_rows"].size(), 64u);
  EXPECT_EQ(json["answers"]["right"], 360);
  EXPECT_EQ(json["failures"].size(), 1u);
}

}  // namespace
}  // namespace halfwave
