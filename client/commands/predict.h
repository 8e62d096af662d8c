// halfwave predict: pictures and tables to a model, its answers to a person or a script.
#pragma once

#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/model_description.h"

namespace halfwave::client {

struct PredictOptions {
  CommonOptions common;
  std::vector<std::string> files;
  std::string model;    // empty: the only one there is
  std::string version;  // empty: the newest
  int64_t top = 5;      // classes shown of a picture
  PictureOverrides overrides;
};

// A file that fails is reported, and the others go on.
ExitCode RunPredict(const PredictOptions& options, const Streams& streams);

}  // namespace halfwave::client
