// ONNX Runtime through its C API, loaded at run time. Errors end the program: it is a benchmark.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "onnxruntime_c_api.h"

namespace halfwave::compare {

// The library; kept until the program ends.
class Peer {
 public:
  explicit Peer(const std::string& library);
  const OrtApi& api() const { return *api_; }
  OrtEnv* env() const { return env_; }
  const std::string& version() const { return version_; }
  void Check(OrtStatus* status) const;

 private:
  const OrtApi* api_ = nullptr;
  OrtEnv* env_ = nullptr;
  std::string version_;
};

// One model at its best: all optimisations, an arena, memory patterns, `threads` threads.
class PeerModel {
 public:
  // Reads `path` if it is not empty, else `bytes`.
  PeerModel(const Peer& peer, const std::string& path, const std::string& bytes, int threads);
  ~PeerModel();
  PeerModel(const PeerModel&) = delete;
  PeerModel& operator=(const PeerModel&) = delete;

  // The file's shape of its only input, and whether it is one of floats with nothing open but the batch.
  const std::vector<int64_t>& input_shape() const { return input_shape_; }
  bool IsSupported() const { return supported_; }
  // A file whose batch is fixed at one is run row by row.
  bool RowByRow() const { return input_shape_[0] == 1; }

  // Binds buffers of its own for `rows` rows. `output_shape`: of output `output`; its first dimension is replaced. The
  // other outputs are left to the runtime.
  void Bind(int64_t rows, size_t output, std::vector<int64_t> output_shape);
  std::vector<float>& input() { return input_; }
  const std::vector<float>& output() const { return output_; }
  void Run();

 private:
  void Unbind();

  const Peer& peer_;
  const OrtApi& api_;
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  std::string input_name_;
  std::vector<std::string> output_names_;
  std::vector<int64_t> input_shape_;
  bool supported_ = false;
  std::vector<float> input_, output_;
  std::vector<OrtIoBinding*> bindings_;  // one, or one a row
  std::vector<OrtValue*> values_;
};

}  // namespace halfwave::compare
