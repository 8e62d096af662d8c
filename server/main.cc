// Wiring only: options in, an App, and signals to end it.
#include <pthread.h>

#include <csignal>
#include <string>

#include "server/app.h"
#include "server/log/log.h"
#include "server/options.h"

int main(int argc, char** argv) {
  const halfwave::ParsedOptions parsed = halfwave::ParseOptions(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;

  // Blocked before any thread starts, so that only sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

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
  return 0;
}
