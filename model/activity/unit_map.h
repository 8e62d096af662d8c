// From the counts of a model that lost units at load to those of its file, which has them all.
//
//   UnitMap map = *UnitMap::Create(whole.activations(), pruned.activations(), gone);
//   BatchActivity counts;
//   map.Expand(session_of_pruned.activity(), counts);
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/activity/activity.h"

namespace halfwave {

// Immutable.
class UnitMap {
 public:
  // No unit is gone.
  explicit UnitMap(std::vector<ActivationLayer> layers);
  // gone: by layer, indices into the file's units that `pruned` has not, in ascending order. They give zero on every
  // row. INVALID_ARGUMENT if the layers do not fit together.
  static absl::StatusOr<UnitMap> Create(std::vector<ActivationLayer> file, const std::vector<ActivationLayer>& pruned,
                                        const std::map<std::string, std::vector<int64_t>>& gone);

  // The file's.
  const std::vector<ActivationLayer>& layers() const { return layers_; }

  // Counts of a batch of the pruned model as those of the file: a unit that is gone was never active, and its outputs
  // were all zero. Returns `pruned` itself where nothing is gone, else `file`, whose memory is used again.
  const BatchActivity& Expand(const BatchActivity& pruned, BatchActivity& file) const;

 private:
  struct Way {
    std::vector<int64_t> kept;  // per unit of the pruned model, its index in the file
    int64_t elements_gone = 0;  // of a row
  };

  std::vector<ActivationLayer> layers_;
  std::vector<Way> ways_;  // one a layer; none if nothing is gone
};

}  // namespace halfwave
