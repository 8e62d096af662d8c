// Units killed by hand and features that freeze, in networks that were trained: what is said of them, and of no others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <random>
#include <set>

#include "model/activity/health.h"
#include "model/analysis/bounds.h"
#include "model/analysis/doctor.h"
#include "model/analysis/profile.h"
#include "model/analysis/prune_model.h"
#include "model/analysis/rows.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"
#include "model/onnx/writer.h"
#include "tests/support/kill_units.h"
#include "tests/support/noise.h"
#include "tests/support/onnx_builder.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

constexpr float kScale = 0.0625f;

// --- units killed by hand ------------------------------------------------------------------------------------------

std::shared_ptr<const Model> ToModel(const std::string& path) { return *Model::Create(ReadOnnxFile(path)->graph, {}); }

// What the units of `path` did on the rows, as a server would know it: in batches, once the window is full.
ActivitySnapshot Watch(const std::string& path, const Table& table) {
  constexpr int64_t kBatch = 40;
  const std::shared_ptr<const Model> model = ToModel(path);
  const Rows rows = *RowsFor(*model, table, kScale);
  ActivityMonitor monitor(model->activations(), rows.count);
  Session session(model, kBatch);
  for (int64_t row = 0; row < rows.count; row += kBatch) {
    std::copy_n(&rows.values[row * 64], kBatch * 64, session.input(0).begin());
    session.Run(kBatch);
    monitor.Record(session.activity());
  }
  return monitor.Snapshot();
}

UnitSet Silent(const ActivitySnapshot& snapshot, size_t layer) {
  UnitSet units;
  for (int64_t unit = 0; unit < snapshot.layers[layer].layer.units; ++unit) {
    if (StateOf(snapshot, layer, unit) == UnitState::kSilent) units.insert(unit);
  }
  return units;
}

UnitSet NeverActive(const LayerProfile& layer) {
  UnitSet units;
  for (size_t unit = 0; unit < layer.active.size(); ++unit) {
    if (layer.active[unit] == 0) units.insert(static_cast<int64_t>(unit));
  }
  return units;
}

// By activation, over pixels from 0 to 1.
std::vector<UnitSet> ProvenDead(const std::string& path) {
  const Graph graph = ReadOnnxFile(path)->graph;
  const Known known = *FindConstants(graph, EvaluateNode, int64_t{1} << 20);
  const GraphView view(graph, known);
  const InputDomain pixels{{0}, {1}};
  const BoundsMap bounds(view, &pixels);
  std::vector<UnitSet> proven;
  for (const Node* node : view.nodes()) {
    if (node->op != "Relu") continue;
    const std::vector<int64_t> units = NeverActiveUnits(view, *node, bounds);
    proven.emplace_back(units.begin(), units.end());
  }
  return proven;
}

// A layer with weights, the index of its activation, and active units of it.
struct Killed {
  std::string network, layer;
  size_t index;
  UnitSet units;
};

// One layer at a time: units of later layers might really die of it. Units that were dead already stay so.
TEST(Planted, EveryWayOfLookingNamesTheUnitsKilledByHandAndNoOthers) {
  const std::string data = tools::Zoo("digits_heldout.csv");
  const Table table = *ReadTable(data);
  size_t dead_before = 0;
  for (const Killed& killed :
       {Killed{"digits_mlp", "fc1", 0, {0, 17, 40, 63}}, Killed{"digits_mlp", "fc2", 1, {6, 31, 62}},
        Killed{"digits_cnn", "conv1", 0, {2, 22}}, Killed{"digits_cnn", "conv2", 1, {0, 9, 47}},
        Killed{"digits_cnn", "fc1", 2, {0, 32, 63}}}) {
    SCOPED_TRACE(killed.network + " " + killed.layer);
    const std::string before = tools::Zoo(killed.network + ".onnx");
    const std::string after = testing::TempDir() + "/halfwave_planted_" + killed.network + killed.layer + ".onnx";
    Graph graph = ReadOnnxFile(before)->graph;
    KillUnits(killed.layer, killed.units, graph);
    std::ofstream(after, std::ios::binary) << *WriteOnnx(graph);

    const ActivitySnapshot live_before = Watch(before, table), live = Watch(after, table);
    ASSERT_TRUE(live.window_full);
    ProfileOptions options;
    options.scale = kScale;
    const Profile profile = *RecordProfile(after, data, options);
    DoctorOptions doctor;
    doctor.scale = kScale;
    doctor.window = table.shape[0];
    const Diagnosis diagnosis = *Diagnose(after, data, doctor);
    EXPECT_TRUE(diagnosis.window_full());
    PruneOptions prune;
    prune.domain = InputDomain{{0}, {1}};
    prune.seconds = 0.001;
    const PruneReport pruned = *PruneModel(after, prune);
    EXPECT_TRUE(pruned.equal_bits);
    const std::vector<UnitSet> proven_before = ProvenDead(before), proven = ProvenDead(after);
    ASSERT_EQ(proven.size(), live.layers.size());
    for (size_t i = 0; i < live.layers.size(); ++i) {
      SCOPED_TRACE(live.layers[i].layer.name);
      const UnitSet silent = Silent(live, i);
      EXPECT_EQ(silent, NeverActive(profile.layers[i]));
      EXPECT_EQ(silent, UnitSet(diagnosis.layers[i].silent.begin(), diagnosis.layers[i].silent.end()));
      EXPECT_GE(pruned.layers[i].proven, static_cast<int64_t>(proven[i].size())) << "pruning may know tighter bounds";
      EXPECT_LE(pruned.layers[i].proven, static_cast<int64_t>(silent.size()));
      EXPECT_TRUE(std::includes(silent.begin(), silent.end(), proven[i].begin(), proven[i].end()));
      if (i > killed.index) continue;
      UnitSet expected_silent = Silent(live_before, i), expected_proven = proven_before[i];
      dead_before += expected_silent.size();
      if (i == killed.index) {
        for (const int64_t unit : killed.units) {
          EXPECT_TRUE(expected_silent.insert(unit).second) << unit << " was dead before";
          expected_proven.insert(unit);
        }
      }
      EXPECT_EQ(silent, expected_silent);
      EXPECT_EQ(proven[i], expected_proven);
    }
  }
  EXPECT_EQ(dead_before, 0u + (0 + 7) + 1 + (1 + 1) + (1 + 1 + 20)) << "not the networks of the zoo's README";
}

// --- features that freeze ------------------------------------------------------------------------------------------

// A unit's largest pre-activation on a row above zero: row by row, from the engine's stored pre-activations.
class PreActivationReader {
 public:
  explicit PreActivationReader(Graph graph) : model_(*Model::Create(std::move(graph), KeepPreActivations())) {
    session_ = std::make_unique<Session>(model_, 1);
    session_->set_before_activation([this](const PreActivations& z) {
      std::vector<bool>& active = active_[z.layer];
      active.assign(z.layout.channels, false);
      for (int64_t i = 0; i < z.layout.elements(); ++i) {
        if (z.values[i] > 0) active[z.layout.channels_last ? i % z.layout.channels : i / z.layout.positions] = true;
      }
    });
    active_.resize(model_->activations().size());
  }

  // Per layer, per unit.
  const std::vector<std::vector<bool>>& Active(const std::vector<float>& row) {
    std::copy(row.begin(), row.end(), session_->input(0).begin());
    session_->Run(1);
    return active_;
  }

 private:
  static ModelOptions KeepPreActivations() {
    ModelOptions options;
    options.keep_pre_activations = true;
    return options;
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Session> session_;
  std::vector<std::vector<bool>> active_;
};

// The one-sided Clopper-Pearson lower bound by its definition: the r at which k or more successes of m have the
// probability alpha; every term of the tail by itself.
double LowerBound(int64_t m, int64_t k, double alpha) {
  if (k == 0) return 0;
  const auto tail = [&](double r) {
    double sum = 0;
    for (int64_t i = k; i <= m; ++i) {
      sum += std::exp(std::lgamma(m + 1.0) - std::lgamma(i + 1.0) - std::lgamma(m - i + 1.0) + i * std::log(r) +
                      (m - i) * std::log1p(-r));
    }
    return sum;
  };
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (tail(middle) <= alpha ? low : high) = middle;
  }
  return low;
}

using Rule = std::vector<std::vector<double>>;  // per layer, per unit: the samples of silence that say it went silent

// From activities on m rows, by the formula of the README; infinite where a window does not suffice.
Rule SilenceNeeded(const std::vector<std::vector<int64_t>>& active, int64_t m, int64_t window) {
  double units = 0;
  for (const auto& layer : active) units += layer.size();
  Rule needed;
  for (const auto& layer : active) {
    for (auto& of_layer = needed.emplace_back(); const int64_t k : layer) {
      const double n = std::log(1e-6 / units) / std::log1p(-LowerBound(m, k, 1e-4 / units));
      of_layer.push_back(k > 0 && n <= window ? window : std::numeric_limits<double>::infinity());
    }
  }
  return needed;
}

struct Stream {
  std::vector<std::vector<float>> reference, healthy, frozen;
};

// Runs the stream row by row through the engine and the monitor, and checks after every row that the units said to have
// gone silent are those that the formula names from the pre-activations. The units at the end, by layer.
std::vector<UnitSet> ExpectSilentAsTheFormulaSays(const Graph& graph, const Stream& stream, int64_t window) {
  PreActivationReader reader(graph);
  std::vector<std::vector<int64_t>> active;
  const std::shared_ptr<const Model> model = *Model::Create(graph, {});
  for (const ActivationLayer& layer : model->activations()) active.emplace_back(layer.units, 0);
  std::vector<std::vector<int64_t>> silence = active;
  for (const std::vector<float>& row : stream.reference) {
    const auto& now = reader.Active(row);
    for (size_t i = 0; i < now.size(); ++i) {
      for (size_t unit = 0; unit < now[i].size(); ++unit) active[i][unit] += now[i][unit];
    }
  }
  const Rule needed = SilenceNeeded(active, stream.reference.size(), window);

  ActivityMonitor monitor(model->activations(), window);
  Reference reference{stream.reference.size(), {}};
  for (const auto& layer : active) reference.active.emplace_back(layer.begin(), layer.end());
  monitor.SetReference(reference);
  for (size_t i = 0; i < needed.size(); ++i) {
    for (size_t unit = 0; unit < needed[i].size(); ++unit) {
      EXPECT_EQ(monitor.Snapshot().reference->watched[i][unit] != 0, std::isfinite(needed[i][unit]))
          << "layer " << i << ", unit " << unit << ", active on " << active[i][unit];
    }
  }
  Session session(model, 1);
  std::vector<UnitSet> silent;
  for (const auto* part : {&stream.healthy, &stream.frozen}) {
    for (const std::vector<float>& row : *part) {
      std::copy(row.begin(), row.end(), session.input(0).begin());
      session.Run(1);
      monitor.Record(session.activity());
      const ActivitySnapshot snapshot = monitor.Snapshot();
      const auto& now = reader.Active(row);
      silent.assign(now.size(), {});
      for (size_t i = 0; i < now.size(); ++i) {
        UnitSet said;
        for (size_t unit = 0; unit < now[i].size(); ++unit) {
          silence[i][unit] = now[i][unit] ? 0 : silence[i][unit] + 1;
          if (silence[i][unit] >= needed[i][unit]) silent[i].insert(unit);
          if (StateOf(snapshot, i, unit) == UnitState::kWentSilent) said.insert(unit);
        }
        EXPECT_EQ(said, silent[i]) << "layer " << i << ", sample " << snapshot.samples;
        if (said != silent[i]) return silent;
      }
    }
    if (part == &stream.healthy) {
      for (const UnitSet& units : silent) EXPECT_TRUE(units.empty()) << "before anything froze";
    }
  }
  return silent;
}

TEST(Planted, AUnitFedByOneFeatureGoesSilentExactlyAWindowAfterItsLastActivation) {
  std::cout << "seed 21\n";
  std::mt19937 random(21);
  OnnxBuilder network;
  std::vector<float> weights = Noise(6 * 16, 3);
  for (int i = 0; i < 6; ++i) weights[i * 16 + 7] = i == 2 ? 1.0f : 0.0f;  // unit 7 reads feature 2 alone
  network.Input("x", {-1, 6})
      .Weight("w", {6, 16}, weights)
      .Weight("b", {16}, std::vector<float>(16, -0.2f))
      .Node("Gemm", {"x", "w", "b"}, {"z"})
      .Node("Relu", {"z"}, {"r"}, {{"name", "relu"}})
      .Output("r");
  const auto draw = [&](size_t rows, bool frozen) {
    std::vector<std::vector<float>> drawn;
    for (size_t i = 0; i < rows; ++i) {
      drawn.push_back(Noise(6, random()));
      if (frozen) drawn.back()[2] = 0.1f;  // too little to lift the unit above its bias
    }
    return drawn;
  };
  constexpr int64_t kWindow = 500;
  const Stream stream{draw(1000, false), draw(2000, false), draw(3 * kWindow, true)};
  const std::vector<UnitSet> silent = ExpectSilentAsTheFormulaSays(ParseOnnx(network.Bytes())->graph, stream, kWindow);
  EXPECT_EQ(silent[0], UnitSet({7}));
}

TEST(Planted, OnARealNetworkTheUnitsThatGoSilentAreThoseComputedOffline) {
  std::cout << "seed 22\n";
  std::mt19937 random(22);
  const Table table = *ReadTable(tools::Zoo("digits_heldout.csv"));
  const auto draw = [&](size_t rows, bool frozen) {
    std::vector<std::vector<float>> drawn;
    for (size_t i = 0; i < rows; ++i) {
      const float* pixels = &table.values[random() % 360 * 64];
      auto& row = drawn.emplace_back(pixels, pixels + 64);
      for (float& pixel : row) pixel *= kScale;
      if (frozen) std::fill_n(row.begin(), 32, 0.0f);  // the upper half of the picture is missing
    }
    return drawn;
  };
  constexpr int64_t kWindow = 300;  // so short that some active units are not watched
  for (const auto& [name, least] : {std::pair{"digits_mlp", 5u}, std::pair{"digits_cnn", 1u}}) {
    SCOPED_TRACE(name);
    const Stream stream{draw(2000, false), draw(2000, false), draw(2 * kWindow, true)};
    const Graph graph = ReadOnnxFile(tools::Zoo(std::string(name) + ".onnx"))->graph;
    size_t units = 0;
    for (const UnitSet& layer : ExpectSilentAsTheFormulaSays(graph, stream, kWindow)) units += layer.size();
    std::cout << name << ": " << units << " units went silent\n";
    EXPECT_GE(units, least) << "else the test would say little";
  }
}

}  // namespace
}  // namespace halfwave
