#include "model/tools/bench.h"

#include "absl/strings/str_format.h"
#include "model/kernels/isa.h"
#include "model/tools/bench_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {

double Gflops(double multiply_adds, double seconds) { return seconds > 0 ? 2e-9 * multiply_adds / seconds : 0; }

ExitCode RunBench(const BenchCommand& command, const Streams& streams) {
  constexpr const char* kEraseLine = "\r\033[K";
  BenchmarkOptions options = command.options;
  if (command.progress) {
    options.progress = [&](double done) {
      streams.err << kEraseLine << absl::StrFormat("measuring, %.0f %%", 100 * done) << std::flush;
    };
  }
  const absl::StatusOr<Benchmark> benchmark = RunBenchmark(command.file, options);
  if (command.progress) streams.err << kEraseLine << std::flush;
  if (!benchmark.ok()) {
    const auto message = benchmark.status().message();
    streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
    return kUsage;
  }
  const auto print = command.json ? PrintBenchJson : PrintBenchText;
  print({command.file, kernels::Kernels().name}, *benchmark, streams.out);
  return kOk;
}

}  // namespace halfwave::tools
