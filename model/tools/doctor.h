// halfwave-model doctor: what data show of a trained network, and what to do about it.
#pragma once

#include <string>
#include <vector>

#include "model/analysis/doctor.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct DoctorCommand {
  std::string file = "";
  std::string data = "";
  std::string output = "";  // of the report; empty: NAME-doctor.html in the working directory
  std::vector<std::string> fail_if = {};
  bool json = false;  // to `out`, instead of text
  DoctorOptions options = {};
  bool progress = false;  // show on `err`, which is a terminal, how far it is
};

// kFailed if a condition of `fail_if` was met. kUsage for files that cannot be used; the reason goes to `err`.
ExitCode RunDoctor(const DoctorCommand& command, const Streams& streams);

}  // namespace halfwave::tools
