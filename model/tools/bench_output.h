// The forms in which a benchmark is printed.
#pragma once

#include <ostream>
#include <string>

#include "model/analysis/benchmark.h"

namespace halfwave::tools {

struct BenchHeading {
  std::string file;
  std::string instruction_set;
};

// For a person: the model, its batches, what its layers keep, and for each batch where the time goes.
void PrintBenchText(const BenchHeading& heading, const Benchmark& benchmark, std::ostream& out);

// One JSON document with the same content, in seconds and bytes. Keys are only ever added.
void PrintBenchJson(const BenchHeading& heading, const Benchmark& benchmark, std::ostream& out);

// Billions of floating-point operations a second, two for each multiply-add; 0 where nothing is multiplied.
double Gflops(double multiply_adds, double seconds);

}  // namespace halfwave::tools
