// A closed-loop ModelInfer client in a process of its own, so that its CPU time is not the server's.
//
//   LoadClient client(port);
//   Load load = client.Run(16);  // 16 requests in flight for about a third of a second
//
// The child is this very program; its main() must call LoadClientMain() when its first argument is kLoadClientFlag.
#ifndef HALFWAVE_TESTS_BENCH_RPC_API_LOAD_CLIENT_H_
#define HALFWAVE_TESTS_BENCH_RPC_API_LOAD_CLIENT_H_

#include <sys/types.h>

#include <cstdio>
#include <vector>

namespace halfwave {

inline constexpr char kLoadClientFlag[] = "--client";

struct Load {
  long requests = 0;  // all that were answered, with those of the warm-up
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
};

class LoadClient {
 public:
  // Starts the child, which connects to 127.0.0.1:`port` over one channel. A server must be listening already.
  explicit LoadClient(int port);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Blocks until the last request is answered. Ends the program if one fails.
  Load Run(int concurrency);

 private:
  pid_t pid_ = 0;
  FILE* to_ = nullptr;
  FILE* from_ = nullptr;
};

// Reads the port and then one concurrency per line from stdin, answers each with a line; returns at end of input.
int LoadClientMain();

// The value at fraction `q` of the sorted values; 0 if there are none.
double Quantile(std::vector<double> values, double q);

[[noreturn]] void Die(const char* what);

}  // namespace halfwave

#endif  // HALFWAVE_TESTS_BENCH_RPC_API_LOAD_CLIENT_H_
