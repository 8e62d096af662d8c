#include "model/activity/unit_map.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {

UnitMap::UnitMap(std::vector<ActivationLayer> layers) : layers_(std::move(layers)) {}

absl::StatusOr<UnitMap> UnitMap::Create(std::vector<ActivationLayer> file, const std::vector<ActivationLayer>& pruned,
                                        const std::map<std::string, std::vector<int64_t>>& gone) {
  UnitMap map(std::move(file));
  if (pruned.size() != map.layers_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pruned model has ", pruned.size(), " layers, its file ", map.layers_.size()));
  }
  for (size_t i = 0; i < pruned.size(); ++i) {
    const ActivationLayer& layer = map.layers_[i];
    const auto found = gone.find(layer.name);
    const std::vector<int64_t> none;
    const std::vector<int64_t>& units = found == gone.end() ? none : found->second;
    Way& way = map.ways_.emplace_back();
    for (int64_t unit = 0; unit < layer.units; ++unit) {
      if (!std::binary_search(units.begin(), units.end(), unit)) way.kept.push_back(unit);
    }
    way.elements_gone = layer.elements - pruned[i].elements;
    if (pruned[i].name != layer.name || pruned[i].units != static_cast<int64_t>(way.kept.size()) ||
        way.elements_gone < 0) {
      return absl::InvalidArgumentError(absl::StrCat("of the ", layer.units, " units of '", layer.name, "' ",
                                                     units.size(), " went, but '", pruned[i].name, "' has ",
                                                     pruned[i].units));
    }
  }
  return map;
}

const BatchActivity& UnitMap::Expand(const BatchActivity& pruned, BatchActivity& file) const {
  if (ways_.empty()) return pruned;
  file.samples = pruned.samples;
  file.samples_not_counted = pruned.samples_not_counted;
  file.layers.resize(layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerCounts& from = pruned.layers[i];
    LayerCounts& to = file.layers[i];
    to.active.assign(layers_[i].units, 0);
    for (size_t unit = 0; unit < from.active.size(); ++unit) to.active[ways_[i].kept[unit]] = from.active[unit];
    to.zeros = from.zeros + static_cast<uint64_t>(ways_[i].elements_gone) * pruned.samples;
    to.saturated = from.saturated;
  }
  return file;
}

}  // namespace halfwave
