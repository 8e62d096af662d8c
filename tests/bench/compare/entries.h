// What is measured: the scored set, and the files beside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/model.h"

namespace halfwave::compare {

struct Entry {
  std::string name;
  std::string path;         // of a file, or
  std::string bytes;        // what one would hold
  std::vector<float> rows;  // what it is fed; empty: noise, half zeros
  bool scored = true;
};

// `trained`: the folder that train_fashion.py filled. `models`: only these, by name; empty: all. Says what is missing.
std::vector<Entry> ListEntries(const std::string& trained, const std::vector<std::string>& models, bool scored_only);

absl::StatusOr<std::shared_ptr<const Model>> Load(const Entry& entry);

// Whole rows for the model's first input.
std::vector<float> RowsFor(const Entry& entry, const Model& model);

}  // namespace halfwave::compare
