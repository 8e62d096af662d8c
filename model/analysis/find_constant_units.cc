#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/analysis/bounds.h"
#include "model/analysis/finding.h"
#include "model/analysis/linear_node.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

using Level = Finding::Level;
using Units = std::vector<int64_t>;

std::string List(const Units& units) {
  constexpr size_t kShown = 12;
  const Units shown(units.begin(), units.begin() + static_cast<int64_t>(std::min(units.size(), kShown)));
  return absl::StrJoin(shown, ", ") + (units.size() > kShown ? ", ..." : "");
}

std::string Count(size_t count, int64_t of) { return absl::StrCat(count, " of ", of, " units"); }

void FindDeadUnits(const GraphView& view, const BoundsMap& bounds, Findings& findings) {
  for (const Node* node : view.nodes()) {
    if (!IsRectifier(view, *node)) continue;
    const Units dead = NeverActiveUnits(view, *node, bounds);
    if (dead.empty()) continue;
    const Shape* shape = view.FindShape(node->inputs[0]);
    const int64_t all = shape == nullptr || shape->size() < 2 ? 1 : (*shape)[1];
    if (static_cast<int64_t>(dead.size()) == all) {
      findings.push_back(
          {"dead-layer", Level::kWarning, node->name,
           absl::StrCat("A layer that is never active: every output of ", node->op, " '", node->name,
                        "' is zero, whatever comes in. The weights prove it."),
           "Nothing of the input passes here: what lies behind answers the same to everything, unless it has another "
           "way.",
           "Train again, with a lower learning rate or another initialisation; check that the weights were loaded."});
      continue;
    }
    findings.push_back(
        {"dead-units", Level::kWarning, node->name,
         absl::StrCat(Count(dead.size(), all), " of ", node->op, " '", node->name,
                      "' can never be active, whatever comes in: ", List(dead), ". The weights prove it."),
         "Such a unit gives zero for ever: it costs arithmetic and contributes nothing.",
         "Remove them, or train again with a lower learning rate or LeakyReLU."});
  }
}

// What a unit is computed from: its weights, its bias, and the constants that are added or multiplied afterwards.
class Fingerprints {
 public:
  Fingerprints(const GraphView& view, const LinearNode& linear) : linear_(linear) {
    const Node* next = view.OnlyConsumer(linear.node->outputs[0]);
    while (next != nullptr && IsOneOf(*next, {"Add", "Sub", "Mul", "Div", "BatchNormalization"})) {
      const size_t before = tail_.size();
      for (size_t i = 0; i < next->inputs.size(); ++i) {
        if (const Constant* constant = view.ConstantInput(*next, i)) tail_.push_back(constant);
      }
      if (tail_.size() == before) break;
      next = view.OnlyConsumer(next->outputs[0]);
    }
    behind_ = next;
    usable_ = std::all_of(tail_.begin(), tail_.end(), [&](const Constant* constant) {
      return constant->floats.size() == 1 || static_cast<int64_t>(constant->floats.size()) == linear.units;
    });
  }

  // False if constants behind the layer do not belong to its units one by one.
  bool usable() const { return usable_; }
  // What reads the finished units; null if that is not a single node.
  const Node* behind() const { return behind_; }

  bool AllZero(int64_t unit) const {
    for (int64_t input = 0; input < linear_.inputs; ++input) {
      for (int64_t tap = 0; tap < linear_.taps; ++tap) {
        if (linear_.Weight(unit, input, tap) != 0) return false;
      }
    }
    return true;
  }

  std::string Of(int64_t unit) const {
    std::string key;
    const auto append = [&](float value) {
      value += 0.0f;  // one zero
      key.append(reinterpret_cast<const char*>(&value), sizeof(value));
    };
    append(static_cast<float>(linear_.FirstInput(unit)));
    for (int64_t input = 0; input < linear_.inputs; ++input) {
      for (int64_t tap = 0; tap < linear_.taps; ++tap) append(linear_.Weight(unit, input, tap));
    }
    append(static_cast<float>(linear_.Bias(unit)));
    for (const Constant* constant : tail_) append(constant->floats[constant->floats.size() == 1 ? 0 : unit]);
    return key;
  }

 private:
  const LinearNode& linear_;
  std::vector<const Constant*> tail_;
  const Node* behind_ = nullptr;
  bool usable_ = true;
};

void FindAlike(const LinearNode& linear, const Fingerprints& fingerprints, const Units& constant, Findings& findings) {
  std::unordered_map<size_t, Units> by_hash;  // not by the fingerprints themselves: they are as large as the weights
  Units copies;
  std::string example;
  for (int64_t unit = 0; unit < linear.units; ++unit) {
    if (std::binary_search(constant.begin(), constant.end(), unit)) continue;
    const std::string key = fingerprints.Of(unit);
    Units& earlier = by_hash[std::hash<std::string>()(key)];
    const auto same =
        std::find_if(earlier.begin(), earlier.end(), [&](int64_t other) { return fingerprints.Of(other) == key; });
    if (same == earlier.end()) {
      earlier.push_back(unit);
      continue;
    }
    copies.push_back(unit);
    if (example.empty()) example = absl::StrCat("unit ", unit, " is unit ", *same, " again");
  }
  if (copies.empty()) return;
  findings.push_back({"duplicate-units", Level::kNote, linear.node->name,
                      absl::StrCat(Count(copies.size(), linear.units), " of ", linear.node->op, " '", linear.node->name,
                                   "' have the same weights as another: ", example, "."),
                      "They always give the same number: one would do the work of both.",
                      "Train again from a random initialisation (equal units stay equal when they start equal), or "
                      "make the layer smaller."});
}

void FindUnitsOfLayers(const GraphView& view, const BoundsMap& bounds, Findings& findings) {
  constexpr double kMaxWeights = 2e9;  // many nodes may share the same
  double weights = 0;
  for (const Node* node : view.nodes()) {
    const auto linear = AsLinear(view, *node);
    if (!linear || linear->inputs * linear->taps == 0) continue;
    weights += static_cast<double>(linear->weights->floats.size());
    if (weights > kMaxWeights) return;
    const Fingerprints fingerprints(view, *linear);
    Units zero;
    for (int64_t unit = 0; unit < linear->units; ++unit) {
      if (fingerprints.AllZero(unit)) zero.push_back(unit);
    }
    if (fingerprints.usable()) FindAlike(*linear, fingerprints, zero, findings);
    const Node* behind = fingerprints.behind();
    if (behind != nullptr && IsRectifier(view, *behind)) {  // the dead among them have been told
      const Units dead = NeverActiveUnits(view, *behind, bounds);
      const auto units = static_cast<int64_t>(bounds.Of(behind->inputs[0]).size());
      std::erase_if(zero, [&](int64_t unit) {
        return units == linear->units ? std::binary_search(dead.begin(), dead.end(), unit) : !dead.empty();
      });
    }
    if (zero.empty()) continue;
    findings.push_back({"constant-units", Level::kWarning, node->name,
                        absl::StrCat(Count(zero.size(), linear->units), " of ", node->op, " '", node->name,
                                     "' have only zeros for weights: ", List(zero), "."),
                        "Such a unit gives the same number whatever comes in.",
                        "Remove them, or train again; check that the weights were loaded."});
  }
}

}  // namespace

Findings FindConstantUnits(const GraphView& view) {
  Findings findings;
  const BoundsMap bounds(view);
  FindDeadUnits(view, bounds, findings);
  FindUnitsOfLayers(view, bounds, findings);
  return findings;
}

}  // namespace halfwave
