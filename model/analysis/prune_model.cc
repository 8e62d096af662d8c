#include "model/analysis/prune_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/graph_view.h"
#include "model/analysis/profile.h"
#include "model/analysis/prove_model.h"
#include "model/analysis/rows.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"
#include "model/onnx/writer.h"

namespace halfwave {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kDrawnRows = 10'000;
constexpr int64_t kBatchRows = 64;

// By activation: units that no input of the domain makes active.
absl::StatusOr<UnitsOfLayers> ProvenUnits(const Graph& graph, const std::optional<InputDomain>& domain) {
  HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
  const GraphView view(graph, known);
  const BoundsMap by_channel(view, domain ? &*domain : nullptr);
  LinearBounds bounds(view);
  InputRegion region;
  if (domain) region.box = ForEachElement(*domain, RowElements(graph.inputs[0].shape));
  bounds.Compute(region);
  UnitsOfLayers proven;
  for (const Node* node : view.nodes()) {
    if (!IsRectifier(view, *node)) continue;
    // What is too large to be followed by element still has bounds by channel.
    const bool followed = bounds.Of(node->inputs[0]) != nullptr;
    proven[node->name] = followed ? ProveUnits(view, *node, bounds).dead : NeverActiveUnits(view, *node, by_channel);
  }
  return proven;
}

UnitsOfLayers ObservedUnits(const Profile& profile) {
  UnitsOfLayers observed;
  for (const LayerProfile& layer : profile.layers) {
    if (layer.layer.family != ActivationFamily::kRectifier) continue;
    std::vector<int64_t>& units = observed[layer.layer.name];
    for (size_t unit = 0; unit < layer.active.size(); ++unit) {
      if (layer.active[unit] == 0) units.push_back(static_cast<int64_t>(unit));
    }
  }
  return observed;
}

std::vector<float> DrawRows(const Model& model, const std::optional<InputDomain>& domain) {
  const int64_t elements = RowElements(model.inputs()[0].shape);
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<float> rows(kDrawnRows * elements);
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t at = domain && domain->low.size() > 1 ? i % elements : 0;
    const double low = domain ? domain->low[at] : -1, high = domain ? domain->high[at] : 1;
    rows[i] = static_cast<float>(low + (high - low) * unit(random));
  }
  return rows;
}

void Feed(Session& session, const float* rows, int64_t count) {
  std::copy_n(rows, count * RowElements(session.model().inputs()[0].shape), session.input(0).begin());
  session.Run(count);
}

void Compare(const std::shared_ptr<const Model>& before, const std::shared_ptr<const Model>& after,
             const std::vector<float>& rows, const std::function<void(double)>& progress, PruneReport& report) {
  const int64_t elements = RowElements(before->inputs()[0].shape);
  const int64_t count = static_cast<int64_t>(rows.size()) / elements;
  Session a(before, kBatchRows), b(after, kBatchRows);
  report.equal_bits = true;
  for (int64_t first = 0; first < count; first += kBatchRows) {
    const int64_t batch = std::min(kBatchRows, count - first);
    Feed(a, rows.data() + first * elements, batch);
    Feed(b, rows.data() + first * elements, batch);
    for (size_t output = 0; output < before->outputs().size(); ++output) {
      const int64_t classes = RowElements(before->outputs()[output].shape);
      for (int64_t row = 0; row < batch; ++row) {
        const auto x = a.output(output, batch).subspan(row * classes, classes);
        const auto y = b.output(output, batch).subspan(row * classes, classes);
        if (std::equal(x.begin(), x.end(), y.begin())) continue;
        report.equal_bits = false;
        float largest = 0, change = 0;
        for (int64_t i = 0; i < classes; ++i) {
          largest = std::max(largest, std::abs(x[i]));
          change = std::max(change, std::abs(x[i] - y[i]));
        }
        report.largest_change = std::max(report.largest_change, static_cast<double>(change / largest));
      }
    }
    if (progress) progress(static_cast<double>(first + batch) / static_cast<double>(count));
  }
  report.rows_compared = count;
}

// Medians of calls that take turns.
void MeasureSpeed(const std::shared_ptr<const Model>& before, const std::shared_ptr<const Model>& after,
                  const std::vector<float>& rows, double seconds, PruneReport& report) {
  for (size_t i = 0; i < PruneReport::kBatches.size(); ++i) {
    const int64_t available = static_cast<int64_t>(rows.size()) / RowElements(before->inputs()[0].shape);
    const int64_t batch = std::min(PruneReport::kBatches[i], available);
    Session a(before, batch), b(after, batch);
    std::vector<double> times_a, times_b;
    const Clock::time_point end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (times_a.size() < 5 || Clock::now() < end) {
      const auto time = [&](Session& session) {
        const Clock::time_point start = Clock::now();
        Feed(session, rows.data(), batch);
        return std::chrono::duration<double>(Clock::now() - start).count();
      };
      times_a.push_back(time(a));
      times_b.push_back(time(b));
    }
    const auto median = [](std::vector<double>& times) {
      std::nth_element(times.begin(), times.begin() + static_cast<int64_t>(times.size() / 2), times.end());
      return times[times.size() / 2];
    };
    report.before.seconds[i] = median(times_a);
    report.after.seconds[i] = median(times_b);
  }
}

void Weigh(const Model& model, PruneReport::Cost& cost) {
  for (const LayerSummary& layer : model.layers()) {
    cost.parameters += static_cast<double>(layer.parameters);
    cost.multiply_adds += layer.multiply_adds;
  }
}

UnitsOfLayers Joined(UnitsOfLayers a, const UnitsOfLayers& b) {
  for (const auto& [layer, units] : b) {
    std::vector<int64_t>& all = a[layer];
    const std::vector<int64_t> mine = std::exchange(all, {});
    std::set_union(mine.begin(), mine.end(), units.begin(), units.end(), std::back_inserter(all));
  }
  return a;
}

}  // namespace

absl::StatusOr<PruneReport> PruneModel(const std::filesystem::path& file, const PruneOptions& options) {
  PruneReport report;
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel onnx, ReadOnnxFile(file, options.reader));
  std::error_code error;
  report.before.file_bytes = static_cast<double>(std::filesystem::file_size(file, error));
  HALFWAVE_ASSIGN_OR_RETURN(const auto before, Model::Create(onnx.graph, options.model));
  if (before->inputs().size() != 1) {
    return absl::UnimplementedError(absl::StrCat("the model has ", before->inputs().size(), " inputs, expected one"));
  }
  if (options.domain) HALFWAVE_RETURN_IF_ERROR(CheckDomain(*options.domain, *before));
  HALFWAVE_ASSIGN_OR_RETURN(const UnitsOfLayers proven, ProvenUnits(onnx.graph, options.domain));
  UnitsOfLayers observed;
  std::vector<float> rows;
  if (!options.observed.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(
        const Profile profile,
        RecordProfile(file, options.observed, {options.scale, nullptr, options.reader, options.model}));
    observed = ObservedUnits(profile);
    HALFWAVE_ASSIGN_OR_RETURN(Table table, ReadTable(options.observed));
    HALFWAVE_ASSIGN_OR_RETURN(Rows read, RowsFor(*before, std::move(table), options.scale));
    rows = std::move(read.values);
  } else {
    rows = DrawRows(*before, options.domain);
  }
  HALFWAVE_ASSIGN_OR_RETURN(Pruned pruned, PruneZeroUnits(std::move(onnx.graph), Joined(proven, observed)));
  bool removed = false;
  for (PrunedLayer& layer : pruned.layers) {
    removed |= layer.removed > 0;
    const auto found = proven.find(layer.layer);
    const auto by_proof = found == proven.end() ? 0 : static_cast<int64_t>(found->second.size());
    report.layers.push_back({std::move(layer), by_proof, 0});
    report.layers.back().observed = report.layers.back().named - by_proof;
  }
  Weigh(*before, report.before);
  if (!removed) return report;
  HALFWAVE_ASSIGN_OR_RETURN(report.bytes, WriteOnnx(pruned.graph));
  report.after.file_bytes = static_cast<double>(report.bytes.size());
  // As whoever loads the file will.
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel written, ParseOnnx(report.bytes, options.reader));
  HALFWAVE_ASSIGN_OR_RETURN(const auto after, Model::Create(std::move(written.graph), options.model));
  Weigh(*after, report.after);
  Compare(before, after, rows, options.progress, report);
  MeasureSpeed(before, after, rows, options.seconds, report);
  return report;
}

}  // namespace halfwave
