// halfwave models: what a server serves.
#pragma once

#include "client/commands/command.h"

namespace halfwave::client {

ExitCode RunModels(const CommonOptions& options, const Streams& streams);

}  // namespace halfwave::client
