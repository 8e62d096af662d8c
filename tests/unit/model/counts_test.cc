// What is counted on real rows, against the engine's own stored pre-activations.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "model/analysis/rows.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

struct Counts {
  std::vector<std::vector<uint64_t>> active;  // per layer, per unit
  std::vector<uint64_t> zeros;                // per layer: outputs that are zero
};

Counts Empty(const Model& model) {
  Counts counts;
  for (const ActivationLayer& layer : model.activations()) counts.active.emplace_back(layer.units, 0);
  counts.zeros.resize(model.activations().size());
  return counts;
}

// Calls `look` after every batch.
template <typename Look>
void RunInBatches(Session& session, const Rows& rows, int64_t batch, Look look) {
  const int64_t elements = static_cast<int64_t>(rows.values.size()) / rows.count;
  for (int64_t row = 0; row < rows.count; row += batch) {
    const int64_t count = std::min(batch, rows.count - row);
    std::copy_n(&rows.values[row * elements], count * elements, session.input(0).begin());
    session.Run(count);
    look();
  }
}

Counts Counted(const Graph& graph, const Rows& rows, int64_t batch) {
  const auto model = *Model::Create(graph, {});
  Counts counts = Empty(*model);
  Session session(model, batch);
  RunInBatches(session, rows, batch, [&] {
    const std::vector<LayerCounts>& layers = session.activity().layers;
    for (size_t i = 0; i < layers.size(); ++i) {
      for (size_t unit = 0; unit < layers[i].active.size(); ++unit) counts.active[i][unit] += layers[i].active[unit];
      counts.zeros[i] += layers[i].zeros;
    }
  });
  return counts;
}

Counts FromPreActivations(const Graph& graph, const Rows& rows) {
  constexpr int64_t kBatch = 100;
  ModelOptions options;
  options.keep_pre_activations = true;
  const auto model = *Model::Create(graph, options);
  Counts counts = Empty(*model);
  Session session(model, kBatch);
  std::vector<bool> active;
  session.set_before_activation([&](const PreActivations& z) {
    const int64_t elements = z.layout.elements();
    for (int64_t row = 0; row < z.rows; ++row) {
      active.assign(z.layout.channels, false);
      for (int64_t i = 0; i < elements; ++i) {
        const int64_t unit = z.layout.channels_last ? i % z.layout.channels : i / z.layout.positions;
        const bool above = z.values[row * elements + i] > 0;
        if (above) active[unit] = true;
        counts.zeros[z.layer] += !above;
      }
      for (size_t unit = 0; unit < active.size(); ++unit) counts.active[z.layer][unit] += active[unit];
    }
  });
  RunInBatches(session, rows, kBatch, [] {});
  return counts;
}

TEST(Counts, OfTenThousandRealRowsAreThoseOfTheEnginesOwnPreActivations) {
  const auto data = SharedDir() / "data" / "fashion-mnist" / "t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no Fashion-MNIST beside the checkout";
  const Graph graph = ReadOnnxFile(tools::Zoo("fashion_cnn.onnx"))->graph;
  const Rows rows = *RowsFor(**Model::Create(graph, {}), *ReadTable(data.string()), 1.0f / 255);
  ASSERT_EQ(rows.count, 10000);
  const Counts expected = FromPreActivations(graph, rows);
  for (const int64_t batch : {1, 37, 64}) {
    const Counts counts = Counted(graph, rows, batch);
    EXPECT_EQ(counts.active, expected.active) << "in batches of " << batch;
    EXPECT_EQ(counts.zeros, expected.zeros) << "in batches of " << batch;
  }
  uint64_t pairs = 0;
  for (const auto& layer : expected.active) pairs += 10000 * layer.size();
  std::cout << pairs << " pairs of row and unit\n";
}

}  // namespace
}  // namespace halfwave
