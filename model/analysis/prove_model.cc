#include "model/analysis/prove_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/profile.h"
#include "model/analysis/rows.h"
#include "model/base/status_macros.h"
#include "model/data/files.h"
#include "model/engine/evaluate.h"
#include "model/graph/free_batch.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

using Clock = std::chrono::steady_clock;

struct Domains {
  std::vector<InputRegion> regions;
  std::string words;
};

std::string BoxInWords(const InputDomain& box) {
  if (box.low.size() == 1) return absl::StrCat("each input element from ", box.low[0], " to ", box.high[0]);
  return absl::StrCat("a box with limits for each of ", box.low.size(), " input elements");
}

absl::StatusOr<InputDomain> FromProfile(const std::string& file, const Model& model, const std::string& sha256) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  const absl::StatusOr<Profile> profile = ProfileFromJson(text);
  const absl::Status status =
      profile.ok() ? CheckProfileFits(*profile, model, model.activations(), sha256) : profile.status();
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
  return InputDomain{{profile->input_least.begin(), profile->input_least.end()},
                     {profile->input_most.begin(), profile->input_most.end()}};
}

absl::StatusOr<Rows> ReadRows(const ProveOptions& options, const Model& model) {
  HALFWAVE_ASSIGN_OR_RETURN(Table table, ReadTable(options.data));
  absl::StatusOr<Rows> rows = RowsFor(model, std::move(table), options.scale);
  if (!rows.ok()) return absl::Status(rows.status().code(), absl::StrCat(options.data, ": ", rows.status().message()));
  if (options.rows > 0 && options.rows < rows->count) {
    rows->count = options.rows;
    rows->values.resize(rows->count * RowElements(model.inputs()[0].shape));
  }
  return rows;
}

// The part of the box around each row.
absl::StatusOr<std::vector<InputRegion>> Balls(const InputDomain& box, const Rows& rows, double radius) {
  std::vector<InputRegion> regions(rows.count);
  const size_t elements = rows.values.size() / rows.count;
  for (size_t i = 0; i < rows.values.size(); ++i) {
    double low = rows.values[i] - radius, high = rows.values[i] + radius;
    if (!box.low.empty()) {
      low = std::max(low, box.low[i % elements]);
      high = std::min(high, box.high[i % elements]);
    }
    if (low > high) {
      return absl::InvalidArgumentError(absl::StrCat("row ", i / elements, ", column ", i % elements, ": ",
                                                     rows.values[i], " is outside the input domain, which goes from ",
                                                     box.low[i % elements], " to ", box.high[i % elements]));
    }
    regions[i / elements].box.low.push_back(low);
    regions[i / elements].box.high.push_back(high);
  }
  return regions;
}

absl::StatusOr<Domains> MakeDomains(const ProveOptions& options, const Model& model, const std::string& sha256) {
  std::optional<InputDomain> box = options.domain;
  Domains domains;
  if (!box && !options.profile.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(box, FromProfile(options.profile, model, sha256));
  }
  if (!box) box = DeclaredDomain(model);
  if (box) HALFWAVE_RETURN_IF_ERROR(CheckDomain(*box, model));
  domains.words = box ? BoxInWords(*box) : "any finite numbers";
  InputRegion region;
  if (box) region.box = ForEachElement(*std::move(box), RowElements(model.inputs()[0].shape));
  if (!options.ball && !options.directions) {
    domains.regions.push_back(std::move(region));
    return domains;
  }
  if (options.data.empty()) return absl::InvalidArgumentError("a ball and directions need rows: --data FILE");
  HALFWAVE_ASSIGN_OR_RETURN(const Rows rows, ReadRows(options, model));
  if (options.ball) {
    if (!(*options.ball >= 0) || !std::isfinite(*options.ball)) {
      return absl::InvalidArgumentError(absl::StrCat("expected a radius of 0 or more, found ", *options.ball));
    }
    HALFWAVE_ASSIGN_OR_RETURN(domains.regions, Balls(region.box, rows, *options.ball));
    domains.words = absl::StrCat("no element further than ", *options.ball, " from a row; ", domains.words);
    return domains;
  }
  if (region.box.low.empty()) {
    return absl::InvalidArgumentError("directions cut a box: say which, with --input-domain or --profile");
  }
  region.constraints = LearnConstraints(rows.values, rows.count, *options.directions, options.slack);
  domains.words += absl::StrCat(", their sum and ", region.constraints.size() - 1, " principal directions within what ",
                                rows.count, " rows show, widened by ", options.slack, " of their extent");
  domains.regions.push_back(std::move(region));
  return domains;
}

// The activation's node in the file: the model's name for it may be cut, or numbered.
const Node* FindActivation(const GraphView& view, const ActivationLayer& layer, std::vector<const Node*>& taken) {
  for (const Node* node : view.nodes()) {
    const std::string name = node->name.substr(0, std::min(node->name.size(), layer.name.size()));
    if (node->op != layer.op || layer.name.compare(0, name.size(), name) != 0) continue;
    if (std::find(taken.begin(), taken.end(), node) != taken.end()) continue;
    taken.push_back(node);
    return node;
  }
  return nullptr;
}

void Intersect(std::vector<int64_t>& all, const std::vector<int64_t>& units) {
  std::vector<int64_t> both;
  std::set_intersection(all.begin(), all.end(), units.begin(), units.end(), std::back_inserter(both));
  all = std::move(both);
}

}  // namespace

UnitProof ProveUnits(const GraphView& view, const Node& activation, const LinearBounds& bounds, int64_t units) {
  UnitProof proof;
  const ElementBounds* z = bounds.Of(activation.inputs[0]);
  const Shape* shape = view.FindShape(activation.inputs[0]);
  if (z == nullptr || shape == nullptr || shape->size() < 2) return proof;
  const size_t axis = units == 0 || RowSize((*shape)[1]) == units ? 1 : shape->size() - 1;
  proof.units = RowSize((*shape)[axis]);
  proof.elements = static_cast<int64_t>(z->low.size());
  int64_t behind = 1;
  for (size_t d = axis + 1; d < shape->size(); ++d) behind *= RowSize((*shape)[d]);
  double threshold = 0;
  if (activation.op == "ThresholdedRelu") {
    const float* alpha = FindAttribute<float>(activation, "alpha");
    threshold = alpha == nullptr ? 1 : *alpha;
  }
  std::vector<int64_t> off(proof.units), on(proof.units);
  for (size_t i = 0; i < z->low.size(); ++i) {
    const int64_t unit = static_cast<int64_t>(i) / behind % proof.units;
    off[unit] += z->high[i] <= threshold ? 1 : 0;
    on[unit] += z->low[i] > threshold ? 1 : 0;
  }
  for (int64_t unit = 0; unit < proof.units; ++unit) {
    proof.inactive += off[unit];
    proof.active += on[unit];
    if (off[unit] == proof.elements / proof.units) proof.dead.push_back(unit);
    if (on[unit] == proof.elements / proof.units) proof.always_on.push_back(unit);
  }
  return proof;
}

std::optional<InputDomain> DeclaredDomain(const Model& model) {
  if (model.inputs().size() != 1) return std::nullopt;
  const auto declared = model.metadata().domain.find(model.inputs()[0].name);
  if (declared == model.metadata().domain.end()) return std::nullopt;
  return InputDomain{{declared->second.low}, {declared->second.high}};
}

absl::Status CheckDomain(const InputDomain& domain, const Model& model) {
  const int64_t elements = RowElements(model.inputs()[0].shape);
  if (domain.low.size() != domain.high.size() ||
      (domain.low.size() != 1 && static_cast<int64_t>(domain.low.size()) != elements)) {
    return absl::InvalidArgumentError(absl::StrCat("the input domain has ", domain.low.size(), " and ",
                                                   domain.high.size(), " limits, expected 1 or ", elements,
                                                   " of each, as the input has elements"));
  }
  for (size_t i = 0; i < domain.low.size(); ++i) {
    if (std::isfinite(domain.low[i]) && std::isfinite(domain.high[i]) && domain.low[i] <= domain.high[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat("the input domain of element ", i, " goes from ", domain.low[i],
                                                   " to ", domain.high[i], ", expected two finite numbers in order"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ProveReport> ProveModel(const std::filesystem::path& file, const ProveOptions& options) {
  HALFWAVE_ASSIGN_OR_RETURN(OnnxModel onnx, ReadOnnxFile(file, options.reader));
  HALFWAVE_ASSIGN_OR_RETURN(const auto model, Model::Create(onnx.graph, options.model));
  if (model->inputs().size() != 1) {
    return absl::UnimplementedError(absl::StrCat("the model has ", model->inputs().size(), " inputs, expected one"));
  }
  HALFWAVE_ASSIGN_OR_RETURN(const Domains domains, MakeDomains(options, *model, onnx.sha256.get()));
  // With the batch open, as the model has it: a row of the graph is then one of the data.
  OpenBatch(onnx.graph);
  absl::StatusOr<Known> known = FindConstants(onnx.graph);
  if (!known.ok()) {
    CloseBatch(onnx.graph);
    known = FindConstants(onnx.graph);
  }
  HALFWAVE_RETURN_IF_ERROR(known.status());
  const GraphView view(onnx.graph, *known);
  LinearBounds bounds(view, options.bounds);

  ProveReport report;
  report.domain = domains.words;
  report.domains = static_cast<int64_t>(domains.regions.size());
  std::vector<const Node*> nodes;
  std::vector<const Node*> taken;
  for (const ActivationLayer& layer : model->activations()) {
    nodes.push_back(FindActivation(view, layer, taken));
    report.layers.push_back({layer, 0, 0, 0, 0, {}, {}});
  }
  for (int64_t i = 0; i < report.domains; ++i) {
    const Clock::time_point start = Clock::now();
    bounds.Compute(domains.regions[i]);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    report.seconds += seconds / static_cast<double>(report.domains);
    report.most_seconds = std::max(report.most_seconds, seconds);
    for (size_t j = 0; j < nodes.size(); ++j) {
      if (nodes[j] == nullptr) continue;
      UnitProof proof = ProveUnits(view, *nodes[j], bounds, report.layers[j].layer.units);
      ProveReport::Layer& layer = report.layers[j];
      layer.dead += static_cast<int64_t>(proof.dead.size());
      layer.always_on += static_cast<int64_t>(proof.always_on.size());
      layer.elements_inactive += proof.inactive;
      layer.elements_active += proof.active;
      if (i == 0) {
        layer.dead_units = std::move(proof.dead);
        layer.always_on_units = std::move(proof.always_on);
      } else {
        Intersect(layer.dead_units, proof.dead);
        Intersect(layer.always_on_units, proof.always_on);
      }
    }
    if (options.progress) options.progress(static_cast<double>(i + 1) / static_cast<double>(report.domains));
  }
  return report;
}

}  // namespace halfwave
