// Einsum against a sum over all labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;
using Floats = std::vector<float>;

// Letters in this order have these sizes; 'b' is the batch.
const std::map<char, int64_t>& Sizes() {
  static const std::map<char, int64_t> sizes = {{'b', 3}, {'i', 2}, {'j', 5}, {'k', 4}, {'l', 1}, {'m', 3}};
  return sizes;
}

size_t Offset(const std::string& term, const std::map<char, int64_t>& places) {
  int64_t offset = 0;
  for (const char label : term) offset = offset * Sizes().at(label) + places.at(label);
  return static_cast<size_t>(offset);
}

size_t Elements(const std::string& term) {
  int64_t elements = 1;
  for (const char label : term) elements *= Sizes().at(label);
  return static_cast<size_t>(elements);
}

std::vector<double> Plain(const std::vector<std::string>& terms, const std::string& output,
                          const std::vector<Floats>& data) {
  std::vector<double> y(Elements(output));
  std::string labels = output;
  for (const std::string& term : terms) {
    for (const char label : term) {
      if (labels.find(label) == std::string::npos) labels += label;
    }
  }
  for (size_t step = 0; step < Elements(labels); ++step) {
    std::map<char, int64_t> places;
    auto rest = static_cast<int64_t>(step);
    for (const char label : labels) {
      places[label] = rest % Sizes().at(label);
      rest /= Sizes().at(label);
    }
    double product = 1;
    for (size_t i = 0; i < terms.size(); ++i) product *= static_cast<double>(data[i][Offset(terms[i], places)]);
    y[Offset(output, places)] += product;
  }
  return y;
}

// The operands whose first label is b are inputs of an open batch, the others weights.
void ExpectComputes(const std::vector<std::string>& terms, const std::string& output, const std::string& equation) {
  SCOPED_TRACE(equation);
  OnnxBuilder network(12);
  std::vector<std::string> names;
  std::vector<Floats> data, inputs;
  for (const std::string& term : terms) {
    names.push_back("t" + std::to_string(names.size()));
    data.push_back(Noise(Elements(term), static_cast<uint32_t>(names.size())));
    Shape shape;
    for (const char label : term) shape.push_back(Sizes().at(label));
    if (!term.empty() && term[0] == 'b') {
      shape[0] = -1;
      network.Input(names.back(), shape);
      inputs.push_back(data.back());
    } else {
      network.Weight(names.back(), shape, data.back());
    }
  }
  network.Node("Einsum", names, {"y"}, {{"equation", equation}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "free");
  const Floats y = RunModel(*model, inputs)[0];
  const std::vector<double> expected = Plain(terms, output, data);
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5) << i;
}

TEST(Einsum, OfOneOperandTransposesSumsAndTakesDiagonals) {
  for (const char* term : {"bij", "bijk", "biji", "b", "biik"}) {
    for (const char* output : {"b", "bi", "bj", "bji", "bkj", "bij"}) {
      const std::string labels = term;
      const bool has_all = std::string(output).find_first_not_of(labels) == std::string::npos;
      if (has_all) ExpectComputes({term}, output, labels + "->" + output);
    }
  }
}

TEST(Einsum, OfTwoOperandsIsAProductInAnyOrderOfDimensions) {
  for (const auto& [a, b, output] : std::vector<std::array<const char*, 3>>{{"bij", "bjk", "bik"},
                                                                            {"bij", "bkj", "bki"},
                                                                            {"bi", "bj", "bji"},
                                                                            {"bij", "bij", "b"},
                                                                            {"bij", "bij", "bij"},
                                                                            {"bij", "jk", "bik"},
                                                                            {"jk", "bij", "bki"},
                                                                            {"bijk", "bkjm", "bjim"},
                                                                            {"bijk", "kl", "bj"},
                                                                            {"bii", "bij", "bj"},
                                                                            {"bi", "jk", "bk"},
                                                                            {"bjk", "mikj", "bm"}}) {
    ExpectComputes({a, b}, output, std::string(a) + ", " + b + " -> " + output);
  }
}

TEST(Einsum, MayLeaveTheOutputAndTheLeadingDimensionsUnsaid) {
  ExpectComputes({"bji"}, "bij", "bji");
  ExpectComputes({"bij", "bjk"}, "bik", "...ij,...jk->...ik");
  ExpectComputes({"bij", "bjk"}, "bik", "...ij,...jk");
  ExpectComputes({"bij", "jk"}, "bik", "...j,jk->...k");
}

TEST(Einsum, RefusesEquationsThatDoNotFit) {
  for (const char* equation :
       {"", "bij", "bi,ij", "bi->bz", "bi->bb", "b1->b", "bi->b->b", "b...i->.", "..bi->b", "bi->...;", "......"}) {
    OnnxBuilder network(12);
    network.Input("x", {-1, 4}).Node("Einsum", {"x"}, {"y"}, {{"equation", equation}}).Output("y");
    EXPECT_THAT(LoadModel(network.Bytes()).status().ToString(), HasSubstr("Einsum")) << equation;
  }
}

TEST(Einsum, OverTheBatchIsDoneRowByRow) {
  OnnxBuilder network(12);
  network.Input("x", {-1, 4}).Node("Einsum", {"x"}, {"y"}, {{"equation", "bi->i"}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
}

}  // namespace
}  // namespace halfwave
