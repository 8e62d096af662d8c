#pragma once

#include <filesystem>

namespace halfwave {

// The checkout the tests were built from.
inline std::filesystem::path ProjectRoot() { return HALFWAVE_SOURCE_DIR; }

// The folder of shared test material beside the checkout; it may not be there.
inline std::filesystem::path SharedDir() { return ProjectRoot().parent_path() / "shared"; }

}  // namespace halfwave
