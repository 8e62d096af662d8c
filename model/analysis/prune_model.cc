#include "model/analysis/prune_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/constant_units.h"
#include "model/analysis/profile.h"
#include "model/analysis/prove_model.h"
#include "model/analysis/prune_proven.h"
#include "model/analysis/rows.h"
#include "model/base/status_macros.h"
#include "model/engine/session.h"
#include "model/onnx/writer.h"

namespace halfwave {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kDrawnRows = 10'000;
constexpr int64_t kBatchRows = 64;

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
  report.equal_bits = report.within_tolerance = true;
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
        report.within_tolerance &= change <= 1e-5f * largest + 1e-6f;
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

// By what its units go, each counted once.
void AddLayer(PrunedLayer layer, const UnitsOfLayers& proven, const ValuesOfUnits& constants, PruneReport& report) {
  const auto proven_units = proven.find(layer.layer);
  const auto constant_units = constants.find(layer.layer);
  const std::vector<int64_t> none;
  const std::vector<int64_t>& zero = proven_units == proven.end() ? none : proven_units->second;
  int64_t constant = 0;
  if (constant_units != constants.end()) {
    for (const auto& [unit, value] : constant_units->second) {
      constant += std::binary_search(zero.begin(), zero.end(), unit) ? 0 : 1;
    }
  }
  const auto zeros = static_cast<int64_t>(zero.size());
  const int64_t observed = layer.named - zeros - constant;
  report.layers.push_back({std::move(layer), zeros, constant, observed});
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
  report.domain_is_declared = !options.domain && DeclaredDomain(*before);
  report.domain = options.domain ? options.domain : DeclaredDomain(*before);
  HALFWAVE_ASSIGN_OR_RETURN(const UnitsOfLayers proven, ProvenUnits(onnx.graph, report.domain));
  HALFWAVE_ASSIGN_OR_RETURN(const ValuesOfUnits constants, ConstantUnits(onnx.graph, options.model));
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
    rows = DrawRows(*before, report.domain);
  }
  HALFWAVE_ASSIGN_OR_RETURN(Pruned pruned, PruneUnits(std::move(onnx.graph), Joined(proven, observed), constants));
  for (PrunedLayer& layer : pruned.layers) AddLayer(std::move(layer), proven, constants, report);
  HALFWAVE_ASSIGN_OR_RETURN(Folded folded, FoldAlwaysOn(std::move(pruned.graph), report.domain));
  report.folded = std::move(folded.layers);
  Weigh(*before, report.before);
  if (pruned.gone.empty() && report.folded.empty()) return report;
  folded.graph.metadata.erase("halfwave.profile");  // speaks of the units that the file had
  HALFWAVE_ASSIGN_OR_RETURN(report.bytes, WriteOnnx(folded.graph));
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
