#include "server/repository/model_version.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "model/engine/proof.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

constexpr int64_t kFeatures = 5;
constexpr int64_t kUnits = 7;

std::shared_ptr<const Model> MakeModel(const std::string& domain = "{}") {
  return *LoadModel(OnnxBuilder()
                        .Input("x", {-1, kFeatures})
                        .Weight("w", {kFeatures, kUnits}, Noise(kFeatures * kUnits, 1))
                        .Weight("b", {kUnits}, Noise(kUnits, 2))
                        .Node("Gemm", {"x", "w", "b"}, {"h"})
                        .Node("Relu", {"h"}, {"r"})
                        .Node("Softmax", {"r"}, {"y"})
                        .Output("y")
                        .Metadata("halfwave.domain", domain)
                        .Bytes());
}

// Many threads submit and flush while another scrapes: every request is answered once, with the rows' own prediction,
// and every row is counted. Also what the thread sanitizer is to look at.
TEST(ModelVersion, ConcurrentRequestsAreAnsweredOnceWithTheirOwnRowsAndAllAreCounted) {
  constexpr int kThreads = 4;
  constexpr int kRequests = 200;
  const std::shared_ptr<const Model> model = MakeModel();
  Metrics metrics;
  ModelVersionOptions options;
  options.scheduler.slots = 3;
  options.scheduler.max_batch_rows = 8;
  options.activity_window = 100;
  ModelVersion version("m", "1", "hash", model, options, metrics);

  std::atomic<bool> stop{false};
  std::thread scraper([&] {
    while (!stop) EXPECT_NE(metrics.Serialize().find("halfwave_layer_samples_total"), std::string::npos);
  });
  std::atomic<int> answered{0}, wrong{0};
  std::atomic<int64_t> rows_sent{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < kThreads; ++t) {
    clients.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        InferenceRequest request;
        request.rows = 1 + (t + i) % 4;
        auto values = std::make_shared<std::vector<float>>(Noise(request.rows * kFeatures, t * kRequests + i));
        const auto expected = RunModel(model, {*values})[0];
        request.inputs = {reinterpret_cast<const char*>(values->data())};
        request.bytes = values->size() * sizeof(float);
        rows_sent += request.rows;
        request.done = [&, values, expected](absl::StatusOr<InferenceRequest::Outputs> outputs) {
          const bool right =
              outputs.ok() && (*outputs)[0].size() == expected.size() && WithinTolerance(expected, (*outputs)[0]);
          wrong += right ? 0 : 1;
          ++answered;
        };
        EXPECT_TRUE(version.Submit(std::move(request)).ok());
        if (i % 2 == 0) version.Flush();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  version.Drain(absl::InfiniteFuture());
  stop = true;
  scraper.join();
  EXPECT_EQ(answered, kThreads * kRequests);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(version.Activity().samples, static_cast<uint64_t>(rows_sent));
}

TEST(ModelVersion, RowsThatAreNotFiniteAreServedButNotCounted) {
  Metrics metrics;
  ModelVersion version("m", "1", "hash", MakeModel(), {}, metrics);
  const std::vector<float> values = Noise(2 * kFeatures, 9);
  for (const bool finite : {true, false}) {
    InferenceRequest request;
    request.rows = 2;
    request.inputs = {reinterpret_cast<const char*>(values.data())};
    request.finite = finite;
    request.done = [](absl::StatusOr<InferenceRequest::Outputs> outputs) { EXPECT_TRUE(outputs.ok()); };
    ASSERT_TRUE(version.Submit(std::move(request)).ok());
  }
  version.Drain(absl::InfiniteFuture());
  EXPECT_EQ(version.Activity().samples, 2u);
  EXPECT_EQ(version.Activity().samples_not_counted, 2u);
}

// Sends each row as a request of its own and waits for all answers.
void Send(ModelVersion& version, const std::vector<std::vector<float>>& rows) {
  for (const std::vector<float>& row : rows) {
    InferenceRequest request;
    request.rows = 1;
    request.inputs = {reinterpret_cast<const char*>(row.data())};
    request.done = [](absl::StatusOr<InferenceRequest::Outputs> outputs) { EXPECT_TRUE(outputs.ok()); };
    ASSERT_TRUE(version.Submit(std::move(request)).ok());
  }
  version.Drain(absl::InfiniteFuture());
}

TEST(ModelVersion, RowsOutsideTheDeclaredDomainAreCounted) {
  Metrics metrics;
  ModelVersion version("m", "1", "hash", MakeModel(R"({"x": [0, 1]})"), {}, metrics);
  Send(version, {{0, 1, 0.5f, 0, 0}, {0, 1.01f, 0, 0, 0}, {0, 0, 0, 0, -0.1f}, {1, 1, 1, 1, 1}});
  EXPECT_EQ(version.RowsOutsideDomain(), 2u);
  ModelVersion undeclared("n", "1", "hash", MakeModel(), {}, metrics);
  Send(undeclared, {{9, 9, 9, 9, 9}});
  EXPECT_EQ(undeclared.RowsOutsideDomain(), 0u);
}

TEST(ModelVersion, AnswersAreComparedWithTheReferences) {
  Metrics metrics;
  const std::shared_ptr<const Model> model = MakeModel();
  ModelVersion version("m", "1", "hash", model, {}, metrics);
  AnswerCounts reference(kUnits, /*probabilities=*/true);
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 50; ++i) {
    rows.push_back(Noise(kFeatures, 100 + i));
    reference.Add(RunModel(model, {rows.back()})[0]);
  }
  version.CompareWith({50, {std::vector<uint64_t>(kUnits, 25)}}, reference);
  Send(version, rows);
  EXPECT_EQ(version.Answers().window.predicted, reference.predicted);
  EXPECT_EQ(version.Answers().window.confidence, reference.confidence);
  EXPECT_NE(metrics.Serialize().find("halfwave_answer_drift_psi{model=\"m\",of=\"classes\",version=\"1\"} 0\n"),
            std::string::npos)
      << "the same answers";
}

}  // namespace
}  // namespace halfwave
