// How often units are said to have gone silent on streams of rows on which no feature broke: simulated units on rows
// that are exchangeable, and a real network on streams that are and that are not. README.md says how to read it.
//
//   silence FOLDER     with Fashion-MNIST's two t10k files
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "model/activity/health.h"
#include "model/analysis/rows.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "tests/support/paths.h"

namespace halfwave {
namespace {

constexpr uint64_t kStreamRows = 100'000, kBatch = 100;

// What was said of a stream while it ran, asked after every batch.
struct Said {
  uint64_t watched = 0, units = 0;
  std::set<std::pair<size_t, size_t>> ever;  // layer and unit
  size_t most = 0;                           // at once
  uint64_t first = 0;                        // sample at which a unit first went silent; 0: never
  double drift = 0;                          // the largest of a full window, in times of its noise
};

void Ask(const ActivitySnapshot& snapshot, Said& said) {
  size_t now = 0;
  for (size_t i = 0; i < snapshot.layers.size(); ++i) {
    for (size_t unit = 0; unit < snapshot.layers[i].samples_since_active.size(); ++unit) {
      if (!WentSilent(snapshot, i, unit)) continue;
      said.ever.emplace(i, unit);
      ++now;
    }
  }
  if (now > 0 && said.first == 0) said.first = snapshot.samples;
  said.most = std::max(said.most, now);
  if (!snapshot.window_full) return;
  for (const LayerHealth& layer : Summarize(snapshot)) {
    said.drift = std::max(said.drift, layer.drift.psi / layer.drift.psi_noise);
  }
}

void CountUnits(const ActivitySnapshot& snapshot, Said& said) {
  for (const auto& layer : snapshot.reference->watched) {
    said.units += layer.size();
    said.watched += std::count(layer.begin(), layer.end(), 1);
  }
}

// --- simulated units -----------------------------------------------------------------------------------------------

// Units of every activity from one in a hundred thousand to always, and a profile of rows of their own.
void Simulate(int64_t units, uint64_t profile_rows, uint64_t window, int streams) {
  int alarmed = 0;
  uint64_t watched = 0;
  for (int stream = 0; stream < streams; ++stream) {
    std::mt19937_64 random(stream);
    std::vector<double> rates;
    Reference reference{profile_rows, {{}}};
    for (int64_t unit = 0; unit < units; ++unit) {
      rates.push_back(std::pow(10, std::uniform_real_distribution<double>(-5, 0)(random)));
      reference.active[0].push_back(std::binomial_distribution<uint64_t>(profile_rows, rates.back())(random));
    }
    ActivityMonitor monitor({{"relu", "Relu", ActivationFamily::kRectifier, units, units, false}}, window);
    monitor.SetReference(std::move(reference));
    BatchActivity batch{kBatch, 0, {{std::vector<uint32_t>(units), 0, 0}}};
    std::vector<std::binomial_distribution<uint32_t>> draws;
    for (const double rate : rates) draws.emplace_back(kBatch, rate);
    Said said;
    for (uint64_t row = 0; row < kStreamRows; row += kBatch) {
      for (int64_t unit = 0; unit < units; ++unit) batch.layers[0].active[unit] = draws[unit](random);
      monitor.Record(batch);
      if (row % 1000 == 0) Ask(monitor.Snapshot(), said);
    }
    Ask(monitor.Snapshot(), said);
    CountUnits(monitor.Snapshot(), said);
    alarmed += said.first > 0;
    watched += said.watched;
  }
  std::printf("%6lld units  profile of %6llu rows  window %5llu  watched %4.1f %%  streams that fired: %d of %d\n",
              static_cast<long long>(units), static_cast<unsigned long long>(profile_rows),
              static_cast<unsigned long long>(window),
              100.0 * static_cast<double>(watched) / static_cast<double>(units * streams), alarmed, streams);
  std::fflush(stdout);
}

// --- a real network ------------------------------------------------------------------------------------------------

struct Images {
  Rows rows;
  std::vector<std::vector<int64_t>> of_class;  // their odd rows; the even ones are the profile's
  std::vector<int64_t> odd, even;
};

using NextRow = std::function<void(uint64_t n, float* row)>;

void RunStream(const std::shared_ptr<const Model>& model, uint64_t rows, const NextRow& next,
               const std::function<void(const BatchActivity&)>& look) {
  Session session(model, kBatch);
  const int64_t elements = RowElements(model->inputs()[0].shape);
  for (uint64_t row = 0; row < rows; row += kBatch) {
    for (uint64_t i = 0; i < kBatch; ++i) next(row + i, &session.input(0)[i * elements]);
    session.Run(kBatch);
    look(session.activity());
  }
}

class RealNetwork {
 public:
  explicit RealNetwork(const std::string& folder) {
    model_ = *Model::Create(ReadOnnxFile(ProjectRoot() / "model/zoo/fashion_cnn.onnx")->graph, {});
    images_.rows = *RowsFor(*model_, *ReadTable(folder + "/t10k-images-idx3-ubyte.gz"), 1.0f / 255);
    const Table labels = *ReadTable(folder + "/t10k-labels-idx1-ubyte.gz");
    images_.of_class.resize(10);
    for (int64_t row = 0; row < images_.rows.count; ++row) {
      if (row % 2 == 0) {
        images_.even.push_back(row);
        continue;
      }
      images_.odd.push_back(row);
      images_.of_class[static_cast<size_t>(labels.values[row])].push_back(row);
    }
    for (const ActivationLayer& layer : model_->activations()) reference_.active.emplace_back(layer.units, 0);
    RunStream(
        model_, images_.even.size(), [&](uint64_t n, float* row) { Copy(images_.even[n], 1, row); },
        [&](const BatchActivity& batch) {
          reference_.samples += batch.samples;
          for (size_t i = 0; i < batch.layers.size(); ++i) {
            for (size_t unit = 0; unit < batch.layers[i].active.size(); ++unit) {
              reference_.active[i][unit] += batch.layers[i].active[unit];
            }
          }
        });
  }

  void Measure(const char* name, const NextRow& next) {
    std::vector<ActivityMonitor*> monitors;
    ActivityMonitor small(model_->activations(), 1000), large(model_->activations(), 10'000);
    Said of_small, of_large;
    for (ActivityMonitor* monitor : {&small, &large}) monitor->SetReference(reference_);
    RunStream(model_, kStreamRows, next, [&](const BatchActivity& batch) {
      small.Record(batch);
      large.Record(batch);
      Ask(small.Snapshot(), of_small);
      Ask(large.Snapshot(), of_large);
    });
    Print(name, small, of_small);
    Print("", large, of_large);
  }

  // One of the odd rows, drawn with replacement; of a class, if it is not negative.
  int64_t Draw(int of_class = -1) {
    const std::vector<int64_t>& rows = of_class < 0 ? images_.odd : images_.of_class[of_class];
    return rows[random_() % rows.size()];
  }
  int DrawClass() { return static_cast<int>(random_() % 10); }

  void Copy(int64_t row, float scale, float* to) const {
    const float* from = &images_.rows.values[row * 784];
    for (int i = 0; i < 784; ++i) to[i] = from[i] * scale;
  }

 private:
  static void Print(const char* name, const ActivityMonitor& monitor, Said& said) {
    const ActivitySnapshot snapshot = monitor.Snapshot();
    CountUnits(snapshot, said);
    uint64_t woke_up = 0;
    for (const LayerSnapshot& layer : snapshot.layers) woke_up += layer.woke_up;
    std::printf(
        "%-34s window %6llu  watched %3llu of %llu  went silent %3zu, at once %3zu, from row %6llu  woke up %5llu  "
        "drift %8.1f x noise\n",
        name, static_cast<unsigned long long>(snapshot.window_size), static_cast<unsigned long long>(said.watched),
        static_cast<unsigned long long>(said.units), said.ever.size(), said.most,
        static_cast<unsigned long long>(said.first), static_cast<unsigned long long>(woke_up), said.drift);
    std::fflush(stdout);
  }

  std::shared_ptr<const Model> model_;
  Images images_;
  Reference reference_;
  std::mt19937_64 random_{1};
};

void MeasureStreams(const std::string& folder) {
  RealNetwork network(folder);
  network.Measure("shuffled", [&](uint64_t, float* row) { network.Copy(network.Draw(), 1, row); });
  network.Measure("sorted by class", [&](uint64_t n, float* row) {
    network.Copy(network.Draw(static_cast<int>(n * 10 / kStreamRows)), 1, row);
  });
  for (const uint64_t burst : {100, 1000, 10'000}) {
    int now = 0;
    network.Measure(("bursts of one class, " + std::to_string(burst) + " rows").c_str(), [&](uint64_t n, float* row) {
      if (n % burst == 0) now = network.DrawClass();
      network.Copy(network.Draw(now), 1, row);
    });
  }
  network.Measure("one class of ten missing", [&](uint64_t, float* row) {
    int drawn;
    do drawn = network.DrawClass();
    while (drawn == 8);  // bags
    network.Copy(network.Draw(drawn), 1, row);
  });
  for (const float last : {0.5f, 0.1f, 0.0f, 2.0f}) {
    char name[64];
    std::snprintf(name, sizeof(name), "brightness drifting from 1 to %g", last);
    network.Measure(name, [&](uint64_t n, float* row) {
      network.Copy(network.Draw(), 1 + (last - 1) * static_cast<float>(n) / kStreamRows, row);
    });
  }
}

void SimulateAll() {
  for (const int64_t units : {128, 4096}) {
    for (const uint64_t profile_rows : {360, 1000, 10'000}) Simulate(units, profile_rows, 10'000, 100);
  }
  Simulate(4096, 10'000, 1000, 100);
}

}  // namespace
}  // namespace halfwave

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "silence FOLDER (with Fashion-MNIST's t10k files)\n");
    return 2;
  }
  std::printf("seeds 0 to 99 of mt19937_64 for the simulated streams, 1 for the network's\n");
  halfwave::SimulateAll();
  halfwave::MeasureStreams(argv[1]);
  return 0;
}
