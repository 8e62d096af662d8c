// halfwave-model profile: what a model's units do on reference data, for the server to compare its traffic with.
#pragma once

#include <string>

#include "model/analysis/profile.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct ProfileCommand {
  std::string file = "";
  std::string data = "";
  std::string output = "";  // empty: beside the model, under its name with .profile
  uint64_t window = 10'000;
  ProfileOptions options = {};
  bool progress = false;  // show on `err`, which is a terminal, how far it is
};

// kUsage for files that cannot be used; the reason goes to `err`.
ExitCode RunProfile(const ProfileCommand& command, const Streams& streams);

}  // namespace halfwave::tools
