// A server that runs a model without its proven-zero units answers and reports as one that runs it whole.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/analysis/profile.h"
#include "server/repository/repository.h"
#include "tests/support/noise.h"
#include "tests/support/onnx_builder.h"

namespace halfwave {
namespace {

constexpr int64_t kElements = 64;

// Units that no input from 0 to 1 makes active: negative weights and bias.
OnnxBuilder& Planted(OnnxBuilder& network, const std::string& name, std::vector<int64_t> shape, int64_t units,
                     int64_t stride, const std::vector<int64_t>& dead, uint32_t seed) {
  std::vector<float> weights = Noise(units * stride, seed), bias(units, 0.1f);
  for (const int64_t unit : dead) {
    for (int64_t i = 0; i < stride; ++i) weights[unit * stride + i] = -std::abs(weights[unit * stride + i]);
    bias[unit] = -0.5f;
  }
  return network.Weight("w" + name, shape, weights).Weight("b" + name, {units}, bias);
}

// A unit that goes of "first" goes of "second", an activation of another kind behind it, and, as features, of "third".
std::string Network(const std::string& domain) {
  OnnxBuilder network;
  network.Input("x", {-1, 1, 8, 8});
  Planted(network, "1", {6, 1, 3, 3}, 6, 9, {1, 4}, 1)
      .Node("Conv", {"x", "w1", "b1"}, {"c"}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .Node("Relu", {"c"}, {"r"}, {{"name", "first"}})
      .Node("MaxPool", {"r"}, {"p"},
            {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}})
      .Node("Tanh", {"p"}, {"t"}, {{"name", "second"}})
      .Node("Flatten", {"t"}, {"f"})
      .Node("Relu", {"f"}, {"l"}, {{"name", "third"}});
  Planted(network, "2", {7, 96}, 7, 96, {0}, 2)
      .Node("Gemm", {"l", "w2", "b2"}, {"g"}, {{"transB", int64_t{1}}})
      .Node("Relu", {"g"}, {"h"}, {{"name", "fourth"}})
      .Weight("w3", {7, 3}, Noise(21, 3))
      .Node("MatMul", {"h", "w3"}, {"s"})
      .Node("Softmax", {"s"}, {"y"})
      .Output("y");
  if (!domain.empty()) network.Metadata("halfwave.domain", domain);
  return network.Bytes();
}

class PruneProven : public testing::Test {
 protected:
  PruneProven()
      : name_(absl::StrCat("halfwave_", testing::UnitTest::GetInstance()->current_test_info()->name())),
        file_(testing::TempDir() + "/" + name_ + ".onnx") {
    for (uint32_t row = 0; row < 150; ++row) {
      rows_.push_back(Noise(kElements, 100 + row));
      for (float& value : rows_.back()) value = std::min(std::abs(value), 1.0f);
    }
  }

  void Save(const std::string& bytes) { std::ofstream(file_, std::ios::binary) << bytes; }

  // Beside the model, of the same rows.
  void SaveProfile() {
    const std::string data = testing::TempDir() + "/" + name_ + ".csv";
    std::ofstream csv(data);
    for (const auto& row : rows_) csv << absl::StrJoin(row, ",") << "\n";
    csv.close();
    std::ofstream(std::filesystem::path(file_).replace_extension(".profile"))
        << ProfileToJson(RecordProfile(file_, data, {}).value());
  }

  std::shared_ptr<ModelVersion> Load(bool prune_proven, Metrics& metrics) {
    RepositoryOptions options;
    options.path = file_;
    options.prune_proven = prune_proven;
    options.version.activity_window = 100;
    return *(*Repository::Load(options, metrics))->Find(name_, "");
  }

  // The answers to all rows, in their order; some of the requests are not to be counted.
  std::vector<std::vector<float>> Ask(ModelVersion& version) {
    std::vector<std::vector<float>> answers(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) {
      InferenceRequest request;
      request.rows = 1;
      request.inputs = {reinterpret_cast<const char*>(rows_[i].data())};
      request.finite = i % 7 != 0;
      request.done = [&answers, i](absl::StatusOr<InferenceRequest::Outputs> outputs) {
        answers[i].assign((*outputs)[0].begin(), (*outputs)[0].end());
      };
      EXPECT_TRUE(version.Submit(std::move(request)).ok());
    }
    version.Drain(absl::InfiniteFuture());
    return answers;
  }

  static double MultiplyAdds(const ModelVersion& version) {
    double sum = 0;
    for (const LayerSummary& layer : version.model().layers()) sum += layer.multiply_adds;
    return sum;
  }

  const std::string name_, file_;
  std::vector<std::vector<float>> rows_;
};

TEST_F(PruneProven, GivesTheSameBitsAndTheSameStatisticsWithLessWork) {
  Save(Network(R"({"x": [0, 1]})"));
  SaveProfile();
  Metrics metrics, other_metrics;
  const auto whole = Load(false, metrics), pruned = Load(true, other_metrics);
  EXPECT_LT(MultiplyAdds(*pruned), 0.75 * MultiplyAdds(*whole));
  EXPECT_EQ(pruned->sha256(), whole->sha256());
  EXPECT_EQ(Ask(*pruned), Ask(*whole));

  const ActivitySnapshot a = whole->Activity(), b = pruned->Activity();
  EXPECT_EQ(b.samples, a.samples);
  EXPECT_EQ(b.samples_not_counted, a.samples_not_counted);
  EXPECT_GT(a.samples_not_counted, 0u);
  ASSERT_NE(b.reference, nullptr) << "the profile of the file fits";
  ASSERT_EQ(a.layers.size(), 4u);
  ASSERT_EQ(b.layers.size(), a.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    const LayerSnapshot &x = a.layers[i], &y = b.layers[i];
    SCOPED_TRACE(x.layer.name);
    EXPECT_EQ(y.layer.name, x.layer.name);
    EXPECT_EQ(y.layer.units, x.layer.units);
    EXPECT_EQ(y.layer.elements, x.layer.elements);
    EXPECT_EQ(y.lifetime_active, x.lifetime_active);
    EXPECT_EQ(y.samples_since_active, x.samples_since_active);
    EXPECT_EQ(y.unit_woke_up, x.unit_woke_up);
    EXPECT_EQ(y.total_zeros, x.total_zeros);
    EXPECT_EQ(y.window_saturated, x.window_saturated);
  }
  EXPECT_EQ(b.layers[0].lifetime_active[1], 0u);
  EXPECT_EQ(b.layers[0].lifetime_active[4], 0u);
  EXPECT_GT(b.layers[0].lifetime_active[5], 0u) << "a unit behind those that went keeps its index";
}

// Of any finite numbers less can be proven: only the dense unit, which reads what is never negative.
TEST_F(PruneProven, GoesByTheDeclaredDomain) {
  Metrics metrics, other_metrics, third_metrics;
  Save(Network(""));
  const double without = MultiplyAdds(*Load(true, metrics)), whole = MultiplyAdds(*Load(false, other_metrics));
  Save(Network(R"({"x": [0, 1]})"));
  const double with = MultiplyAdds(*Load(true, third_metrics));
  EXPECT_LT(without, whole);
  EXPECT_LT(with, without);
}

// A file may have thousands of layers, and each would have all nodes looked at.
TEST_F(PruneProven, ServesWholeWhatWouldTakeLong) {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 2}, {1, 0, 0, -1});
  std::string value = "x";
  for (int layer = 0; layer < 2500; ++layer) {
    const std::string next = absl::StrCat("r", layer);
    network.Node("MatMul", {value, "w"}, {"m" + next}).Node("Relu", {"m" + next}, {next});
    value = next;
  }
  Save(network.Output(value).Bytes());
  Metrics metrics;
  EXPECT_EQ(MultiplyAdds(*Load(true, metrics)), 2500 * 4);
}

TEST(UnitMap, RefusesLayersThatDoNotFit) {
  const std::vector<ActivationLayer> file = {{"a", "Relu", ActivationFamily::kRectifier, 4, 16, true}};
  const std::vector<ActivationLayer> pruned = {{"a", "Relu", ActivationFamily::kRectifier, 3, 12, true}};
  EXPECT_TRUE(UnitMap::Create(file, pruned, {{"a", {2}}}).ok());
  EXPECT_FALSE(UnitMap::Create(file, pruned, {{"a", {1, 2}}}).ok());
  EXPECT_FALSE(UnitMap::Create(file, pruned, {{"b", {2}}}).ok());
  EXPECT_FALSE(UnitMap::Create(file, {}, {}).ok());
}

}  // namespace
}  // namespace halfwave
