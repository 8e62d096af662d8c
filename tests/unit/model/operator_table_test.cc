// README.md lists the operators that can be served: the list is written from the registry, so that it cannot lie.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "model/graph/shape_inference.h"
#include "tests/support/paths.h"

namespace halfwave {
namespace {

constexpr const char* kBegin = "<!-- operators: written by HALFWAVE_UPDATE_README=1 build/dev/bin/graph_test -->\n";
constexpr const char* kEnd = "<!-- end of operators -->\n";

std::string Table() {
  const std::pair<OperatorKind, const char*> kinds[] = {
      {OperatorKind::kActivation, "activations"},        {OperatorKind::kLinear, "linear maps"},
      {OperatorKind::kPool, "pooling and resizing"},     {OperatorKind::kNormalization, "normalisation"},
      {OperatorKind::kReduction, "softmax, reductions"}, {OperatorKind::kElementwise, "arithmetic"},
      {OperatorKind::kShape, "shapes and types"},        {OperatorKind::kPipeline, "scikit-learn (ai.onnx.ml)"}};
  std::string table = "| | operators |\n|---|---|\n";
  for (const auto& [kind, title] : kinds) {
    std::string names;
    for (const OperatorRule& rule : Operators()) {
      if (rule.kind != kind) continue;
      const std::string name(rule.op.substr(rule.op.rfind(':') == std::string_view::npos ? 0 : rule.op.rfind(':') + 1));
      absl::StrAppend(&names, names.empty() ? "" : ", ", name);
    }
    absl::StrAppend(&table, "| ", title, " | ", names, " |\n");
  }
  return table;
}

TEST(OperatorTable, TheReadmeListsWhatTheRegistryHolds) {
  const auto path = ProjectRoot() / "README.md";
  std::ostringstream bytes;
  bytes << std::ifstream(path).rdbuf();
  std::string text = bytes.str();
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << "README.md has lost the line " << kBegin;
  ASSERT_NE(end, std::string::npos) << "README.md has lost the line " << kEnd;
  const size_t first = begin + std::string(kBegin).size();
  if (std::getenv("HALFWAVE_UPDATE_README") != nullptr) {
    std::ofstream(path) << text.replace(first, end - first, Table());
    return;
  }
  EXPECT_EQ(text.substr(first, end - first), Table()) << "set HALFWAVE_UPDATE_README=1 to write it";
}

}  // namespace
}  // namespace halfwave
