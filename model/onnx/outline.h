// What can be said of an ONNX file that cannot be served: a glance without judgement.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/onnx/reader.h"

namespace halfwave {

struct OnnxOutline {
  struct Value {
    std::string name;
    std::string type;   // "FLOAT", "a sequence", ...
    std::string shape;  // "[batch,3,32,32]", the file's own names of open dimensions; "?" where it says nothing
  };
  std::string sha256;
  std::string producer;
  std::map<std::string, int64_t> opsets;  // by domain, "" being ONNX's own
  std::vector<Value> inputs;              // without the weights
  std::vector<Value> outputs;
  std::map<std::string, int64_t> operators;  // how often each is there, "domain::" in front as in OperatorName
  int64_t weights = 0;                       // initialisers
};

// Reads it. Nothing is checked but that the bytes are a ModelProto with a graph: DATA_LOSS if they are not. Texts come
// out as UTF-8, cut to a length for reading. Otherwise errors as ReadOnnxFile's.
absl::StatusOr<OnnxOutline> ReadOnnxOutline(const std::filesystem::path& path, const ReaderOptions& options = {});

}  // namespace halfwave
