// What the tests of halfwave-model's commands share.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "model/tools/command.h"
#include "tests/support/paths.h"

namespace halfwave::tools {

struct Printed {
  ExitCode code;
  std::string out;
  std::string err;
};

// Runs a command, such as RunInspect, and keeps what it prints.
template <typename Run, typename Command>
Printed PrintedBy(Run run, const Command& command) {
  std::ostringstream out;
  std::ostringstream err;
  const ExitCode code = run(command, {out, err});
  return {code, out.str(), err.str()};
}

inline std::string Zoo(const std::string& name) { return (ProjectRoot() / "model/zoo" / name).string(); }

inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text as it is in a golden file, without where the project lies.
inline std::string WithoutRoot(std::string text) {
  const std::string root = ProjectRoot().string() + "/";
  if (const size_t at = text.find(root); at != std::string::npos) text.erase(at, root.size());
  return text;
}

}  // namespace halfwave::tools
