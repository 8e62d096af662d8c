// Wiring only: options in, an App, and signals to end it.
#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "model/kernels/isa.h"
#include "server/app.h"
#include "server/log/log.h"
#include "server/options.h"

int main(int argc, char** argv) {
  // Blocked first of all, so that only sigwait below takes them, even one that comes while the models load.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  if (const absl::Status status = halfwave::kernels::SelectIsa(); !status.ok()) {
    std::cerr << halfwave::kernels::kForceIsa << ": " << status.message() << "\n";
    return 2;
  }
  const halfwave::ParsedOptions parsed = halfwave::ParseOptions(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;

  halfwave::App app(parsed.options);
  if (const absl::Status status = app.Start(); !status.ok()) {
    halfwave::LogError("start_failed", {{"error", std::string(status.message())}});
    return 2;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  halfwave::LogInfo("stopping", {{"signal", sigabbrev_np(signal)}});
  app.Stop();
  halfwave::LogInfo("stopped", {});
  std::_Exit(0);  // an HTTP request that is still being sent is not waited for
}
