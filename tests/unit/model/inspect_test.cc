// What `halfwave-model inspect` prints.
#include "model/tools/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "nlohmann/json.hpp"
#include "tests/support/onnx_builder.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

Printed RunOn(const InspectCommand& command) { return PrintedBy(RunInspect, command); }

// A file that is gone with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes)
      : path_(testing::TempDir() + "inspect_" + std::to_string(getpid()) + "_" + std::to_string(next_++) + ".onnx") {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  static inline int next_ = 0;
  std::string path_;
};

TEST(InspectText, OfTheBuiltInModelIsAsTheGoldenFileHasIt) {
  const Printed printed = RunOn({.file = Zoo("digits_cnn.onnx")});
  EXPECT_EQ(printed.code, kOk);
  EXPECT_EQ(printed.err, "");
  EXPECT_EQ(WithoutRoot(printed.out), ReadText(ProjectRoot() / "tests/golden/inspect_digits_cnn.txt"))
      << "if this is meant: halfwave-model inspect model/zoo/digits_cnn.onnx > tests/golden/inspect_digits_cnn.txt";
}

TEST(InspectText, CannotDriveTheTerminalWithTextFromTheFile) {
  const std::string evil = "evil\033[2J";
  for (const std::string& input : {std::string("x"), evil}) {  // such an input is refused
    OnnxBuilder model(13);
    model.Input(input, {-1, 2}).Node("Relu", {input}, {"y"}).Output("y");
    model.proto().set_producer_name(evil);
    const TemporaryFile file(model.Bytes());
    const Printed printed = RunOn({.file = file.path()});
    EXPECT_THAT(printed.out, HasSubstr("evil?[2J"));
    EXPECT_THAT(printed.out + printed.err, Not(HasSubstr("\033")));
  }
}

TEST(InspectText, OfAFileThatCannotBeServedSaysWhatIsInIt) {
  OnnxBuilder model(4);
  model.Input("x", {-1, 2}).Weight("w", {2, 2}, {1, 2, 3, 4});
  model.Node("MatMul", {"x", "w"}, {"m"}).Node("Frobnicate", {"m"}, {"y"}).Output("y");
  const TemporaryFile file(model.Bytes());
  const Printed printed = RunOn({.file = file.path()});
  EXPECT_EQ(printed.code, kUsage);
  EXPECT_THAT(printed.out, HasSubstr("Frobnicate      1"));
  EXPECT_THAT(printed.out, HasSubstr("input     x FLOAT"));
  EXPECT_THAT(printed.err, HasSubstr("opset 4"));
}

TEST(InspectText, OfNoFileIsOnlyTheReason) {
  const Printed printed = RunOn({.file = "/no/such/model.onnx"});
  EXPECT_EQ(printed.code, kUsage);
  EXPECT_EQ(printed.out, "");
  EXPECT_THAT(printed.err, HasSubstr("/no/such/model.onnx"));
}

TEST(InspectText, OfAFixedBatchSaysThatItWasMadeFree) {
  OnnxBuilder model(13);
  model.Input("x", {1, 2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Node("MatMul", {"x", "w"}, {"y"}).Output("y");
  const TemporaryFile file(model.Bytes());
  const Printed printed = RunOn({.file = file.path()});
  EXPECT_THAT(printed.out, HasSubstr("made free (the file fixes it at 1)"));
  EXPECT_THAT(printed.out, HasSubstr("(fixed-batch)"));
}

TEST(InspectText, OfANormalisationBehindAnActivationSaysThatItCosts) {
  const auto text_of = [](const char* activation) {
    OnnxBuilder model(13);
    model.Input("x", {-1, 2, 4, 4}).Weight("w", {2, 2, 1, 1}, {1, 2, 3, -4});
    for (const char* name : {"s", "o", "m", "v"}) model.Weight(name, {2}, {1, 2});
    model.Node("Conv", {"x", "w"}, {"c"}).Node(activation, {"c"}, {"r"});
    model.Node("BatchNormalization", {"r", "s", "o", "m", "v"}, {"y"}).Output("y");
    const TemporaryFile file(model.Bytes());
    return RunOn({.file = file.path()}).out;
  };
  EXPECT_THAT(text_of("Relu"), HasSubstr("(unfolded-batch-norm)"));
  EXPECT_THAT(text_of("Identity"), Not(HasSubstr("(unfolded-batch-norm)")));
}

TEST(InspectText, OfAddedProbabilitiesShowsThem) {
  InspectCommand command{.file = Zoo("digits_mlp_logits.onnx")};
  command.options.model.add_softmax = true;
  EXPECT_THAT(RunOn(command).out, HasSubstr("softmax (added)"));
}

TEST(InspectJson, HasTheSameContent) {
  const Printed printed = RunOn({.file = Zoo("digits_mlp_logits.onnx"), .json = true});
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(json["servable"], true);
  EXPECT_EQ(json["head"], "logits");
  EXPECT_EQ(json["findings"][0]["id"], "no-softmax");
  int64_t parameters = 0;
  for (const auto& layer : json["layers"]) parameters += layer["parameters"].get<int64_t>();
  EXPECT_EQ(json["totals"]["parameters"], parameters);
  EXPECT_EQ(json["file_parameters"], parameters);
  EXPECT_GT(json["totals"]["workspace_bytes_per_row"], 0);
}

TEST(InspectJson, OfAFileThatCannotBeServedHasTheReason) {
  OnnxBuilder model(4);
  model.Input("x", {-1, 2}).Node("Relu", {"x"}, {"y"}).Output("y");
  const TemporaryFile file(model.Bytes());
  const Printed printed = RunOn({.file = file.path(), .json = true});
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(printed.code, kUsage);
  EXPECT_EQ(json["servable"], false);
  EXPECT_EQ(json["error"]["code"], "UNIMPLEMENTED");
  EXPECT_EQ(json["operators"]["Relu"], 1);
}

TEST(InspectDot, HasANodeForEachLayerAndAnEdgeForEachValueItReads) {
  OnnxBuilder model(13);
  model.Input("x", {-1, 2}).Node("Relu", {"x"}, {"r"}).Node("Add", {"x", "r"}, {"y"}).Output("y");
  const TemporaryFile file(model.Bytes());
  EXPECT_EQ(RunOn({.file = file.path(), .dot = true}).out,
            "digraph model {\n"
            "  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=11];\n"
            "  edge [color=\"#555555\"];\n"
            "  n0 [shape=ellipse, style=filled, fillcolor=\"#eeeeee\", label=\"input\\nx\\n2\"];\n"
            "  n1 [fillcolor=\"#ffcc80\", label=\"Relu\\nRelu_0\\n2\\n2 units\"];\n"
            "  n0 -> n1;\n"
            "  n2 [fillcolor=\"#ffffff\", label=\"Add\\nAdd_1\\n2\"];\n"
            "  n0 -> n2;\n"
            "  n1 -> n2;\n"
            "  n3 [shape=ellipse, style=filled, fillcolor=\"#eeeeee\", label=\"output\\ny\\n2\"];\n"
            "  n2 -> n3;\n"
            "}\n");
}

TEST(InspectDot, AsInFileShowsWhatRewritingRemoves) {
  OnnxBuilder model(13);
  model.Input("x", {-1, 2}).Node("Dropout", {"x"}, {"d"}).Node("Relu", {"d"}, {"y"}).Output("y");
  const TemporaryFile file(model.Bytes());
  EXPECT_THAT(RunOn({.file = file.path(), .dot = true}).out, Not(HasSubstr("Dropout")));
  EXPECT_THAT(RunOn({.file = file.path(), .dot = true, .as_in_file = true}).out, HasSubstr("Dropout"));
}

TEST(InspectDot, QuotesInNamesStayInsideTheLabel) {
  OnnxBuilder model(13);
  model.Input("x", {-1, 2}).Node("Relu", {"x"}, {"y"}, {{"name", std::string("a\"b\\c")}}).Output("y");
  const TemporaryFile file(model.Bytes());
  EXPECT_THAT(RunOn({.file = file.path(), .dot = true}).out, HasSubstr("a\\\"b\\\\c"));
}

}  // namespace
}  // namespace halfwave::tools
