// The ONNX project's own operator cases (../shared/corpus/onnx-backend): every one must compute what it expects, or
// stand in exclusions.tsv with a reason. Prints a table: per operator, how many passed, failed and were excluded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "Eigen/Core"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"
#include "model/engine/session.h"
#include "model/onnx/tensor_reader.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCases = 582;

struct Case {
  std::string set, name, op;  // op: the operators in it, joined by '+'
  fs::path folder;
};

std::string ReadBytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<std::vector<std::string>> ReadTable(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') rows.push_back(absl::StrSplit(line, '\t'));
  }
  return rows;
}

std::vector<Case> FindCases(const fs::path& corpus) {
  std::vector<Case> cases;
  for (const auto& row : ReadTable(corpus / "MANIFEST.tsv")) {
    if (row[0] != "set") cases.push_back({row[0], row[1], row[3], corpus / row[0] / row[1]});
  }
  return cases;
}

// The numbers of a tensor, those that are not finite included, which no model may hold.
std::vector<float> Numbers(const onnx::TensorProto& tensor) {
  if (tensor.data_type() == onnx::TensorProto::FLOAT && tensor.has_raw_data()) {
    std::vector<float> numbers(tensor.raw_data().size() / sizeof(float));
    std::memcpy(numbers.data(), tensor.raw_data().data(), numbers.size() * sizeof(float));
    return numbers;
  }
  if (tensor.data_type() == onnx::TensorProto::DOUBLE && tensor.has_raw_data()) {
    std::vector<double> numbers(tensor.raw_data().size() / sizeof(double));
    std::memcpy(numbers.data(), tensor.raw_data().data(), numbers.size() * sizeof(double));
    return {numbers.begin(), numbers.end()};
  }
  if (tensor.data_type() == onnx::TensorProto::FLOAT16 && tensor.has_raw_data()) {
    std::vector<Eigen::half> numbers(tensor.raw_data().size() / sizeof(Eigen::half));
    std::memcpy(numbers.data(), tensor.raw_data().data(), tensor.raw_data().size());
    return {numbers.begin(), numbers.end()};
  }
  const auto constant = ReadTensor(tensor);
  if (!constant.ok()) return {};
  std::vector<float> numbers = constant->floats;
  for (const int64_t value : constant->ints) numbers.push_back(static_cast<float>(value));
  return numbers;
}

std::vector<std::vector<float>> ReadTensors(const fs::path& folder, const std::string& prefix) {
  std::vector<std::vector<float>> tensors;
  for (int i = 0; fs::exists(folder / absl::StrCat(prefix, i, ".pb")); ++i) {
    onnx::TensorProto proto;
    proto.ParseFromString(ReadBytes(folder / absl::StrCat(prefix, i, ".pb")));
    tensors.push_back(Numbers(proto));
  }
  return tensors;
}

// The case's model with some of its inputs turned into constants, where a network has them: weights, axes, shapes.
struct Bound {
  std::string bytes;
  std::vector<size_t> data;  // the inputs that are left, by their number in the case
};

enum class Binding { kNothing, kIntegers, kAllButFirst };

Bound Bind(const Case& one, Binding binding, const fs::path& data_set) {
  onnx::ModelProto model;
  model.ParseFromString(ReadBytes(one.folder / "model.onnx"));
  Bound bound;
  for (int i = 0; i < model.graph().input_size(); ++i) {
    if (!fs::exists(data_set / absl::StrCat("input_", i, ".pb"))) continue;  // a weight that is listed as an input
    onnx::TensorProto value;
    value.ParseFromString(ReadBytes(data_set / absl::StrCat("input_", i, ".pb")));
    const bool is_integer =
        value.data_type() == onnx::TensorProto::INT64 || value.data_type() == onnx::TensorProto::BOOL;
    const bool binds = i > 0 && (binding == Binding::kAllButFirst || (binding == Binding::kIntegers && is_integer));
    if (!binds) {
      bound.data.push_back(static_cast<size_t>(i));
      continue;
    }
    value.set_name(model.graph().input(i).name());
    *model.mutable_graph()->add_initializer() = value;
  }
  bound.bytes = model.SerializeAsString();
  return bound;
}

// Runs the model on one data set: all outputs.
std::vector<std::vector<float>> Predict(const std::shared_ptr<const Model>& model, const Bound& bound,
                                        const std::vector<std::vector<float>>& tensors) {
  std::vector<std::vector<float>> inputs;
  for (const size_t index : bound.data) inputs.push_back(tensors.at(index));
  if (inputs[0].empty()) return {};
  return RunModel(model, inputs);
}

// What differs; nothing if all is as expected.
std::optional<std::string> Compare(const std::vector<std::vector<float>>& outputs,
                                   const std::vector<std::vector<float>>& expected) {
  constexpr double kRelative = 1e-3, kAbsolute = 1e-7;  // the ONNX project's
  size_t compared = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<float>& wanted = expected.at(i);
    // What does not depend on the input is there once in the case and once for each row here.
    if (wanted.empty() || outputs[i].size() % wanted.size() != 0) {
      return absl::StrCat("output ", i, " has ", outputs[i].size(), " elements, expected ", wanted.size());
    }
    for (size_t k = 0; k < outputs[i].size(); ++k, ++compared) {
      const float want = wanted[k % wanted.size()], found = outputs[i][k];
      if (found == want || (std::isnan(found) && std::isnan(want))) continue;
      const double difference = std::abs(static_cast<double>(found) - want);
      if (difference <= kRelative * std::abs(static_cast<double>(want)) + kAbsolute) continue;
      return absl::StrCat("output ", i, ", element ", k, ": expected ", want, ", computed ", found);
    }
  }
  if (compared == 0) return "nothing was compared";
  return std::nullopt;
}

// Why the case fails; nothing if it passes.
std::optional<std::string> RunCase(const Case& one) {
  std::optional<std::string> failure = "it has no data";
  for (int set = 0; fs::exists(one.folder / absl::StrCat("test_data_set_", set)); ++set) {
    const fs::path data_set = one.folder / absl::StrCat("test_data_set_", set);
    for (const Binding binding : {Binding::kNothing, Binding::kIntegers, Binding::kAllButFirst}) {
      const Bound bound = Bind(one, binding, data_set);
      const auto model = LoadModel(bound.bytes);
      if (!model.ok()) {
        failure = std::string(model.status().message());
        continue;
      }
      failure = Compare(Predict(*model, bound, ReadTensors(data_set, "input_")), ReadTensors(data_set, "output_"));
      break;
    }
    if (failure) return failure;
  }
  return failure;
}

struct Tally {
  int passed = 0, failed = 0, excluded = 0;
};

void PrintTable(std::ostream& out, const std::map<std::string, Tally>& tallies, size_t ran) {
  out << "\nONNX operator cases             passed  failed  excluded\n";
  Tally total;
  const auto line = [&](const std::string& name, const Tally& tally) {
    out << std::left << std::setw(32) << name << std::right << std::setw(6) << tally.passed << std::setw(8)
        << tally.failed << std::setw(10) << tally.excluded << "\n";
  };
  for (const auto& [op, tally] : tallies) {
    line(op, tally);
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.excluded += tally.excluded;
  }
  line("all", total);
  out << "ran " << ran << " of " << kCases << "\n";
}

TEST(Conformance, EveryOperatorCaseComputesWhatOnnxExpects) {
  const fs::path corpus = SharedDir() / "corpus" / "onnx-backend";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no ONNX backend cases beside the checkout";
  std::map<std::string, std::string> exclusions;  // by set/test
  for (const auto& row : ReadTable(ProjectRoot() / "tests" / "conformance" / "exclusions.tsv")) {
    ASSERT_EQ(row.size(), 2u) << row[0] << ": expected a case, a tab and a reason";
    exclusions[row[0]] = row[1];
  }
  std::map<std::string, Tally> tallies;
  std::set<std::string> ran;
  for (const Case& one : FindCases(corpus)) {
    const std::string key = absl::StrCat(one.set, "/", one.name);
    const bool excluded = exclusions.contains(key);
    const std::optional<std::string> failure = RunCase(one);
    Tally& tally = tallies[one.op];
    if (excluded) {
      ++tally.excluded;
      EXPECT_TRUE(failure) << key << " passes: take it out of exclusions.tsv";
    } else {
      ++(failure ? tally.failed : tally.passed);
      EXPECT_FALSE(failure) << key << ": " << failure.value_or("");
    }
    ran.insert(key);
  }
  for (const auto& [key, reason] : exclusions) EXPECT_TRUE(ran.contains(key)) << key << " is excluded but not there";
  std::ofstream table(HALFWAVE_CONFORMANCE_TABLE);  // ctest shows it after the last test
  PrintTable(table, tallies, ran.size());
  EXPECT_EQ(ran.size(), kCases) << "cases are missing";
}

}  // namespace
}  // namespace halfwave
