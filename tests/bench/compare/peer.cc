#include "tests/bench/compare/peer.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace halfwave::compare {

Peer::Peer(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "compare: %s\n", dlerror());
    std::exit(1);
  }
  const auto base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  version_ = base()->GetVersionString();
  api_ = base()->GetApi(ORT_API_VERSION);
  Check(api_->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "compare", &env_));
}

void Peer::Check(OrtStatus* status) const {
  if (status == nullptr) return;
  std::fprintf(stderr, "compare: ONNX Runtime: %s\n", api_->GetErrorMessage(status));
  std::exit(1);
}

PeerModel::PeerModel(const Peer& peer, const std::string& path, const std::string& bytes, int threads)
    : peer_(peer), api_(peer.api()) {
  OrtSessionOptions* options = nullptr;
  peer.Check(api_.CreateSessionOptions(&options));
  peer.Check(api_.SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
  peer.Check(api_.SetSessionExecutionMode(options, ORT_SEQUENTIAL));
  peer.Check(api_.SetIntraOpNumThreads(options, threads));
  peer.Check(api_.SetInterOpNumThreads(options, 1));
  peer.Check(api_.EnableCpuMemArena(options));
  peer.Check(api_.EnableMemPattern(options));
  peer.Check(path.empty() ? api_.CreateSessionFromArray(peer.env(), bytes.data(), bytes.size(), options, &session_)
                          : api_.CreateSession(peer.env(), path.c_str(), options, &session_));
  api_.ReleaseSessionOptions(options);
  peer.Check(api_.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));

  OrtAllocator* allocator = nullptr;
  peer.Check(api_.GetAllocatorWithDefaultOptions(&allocator));
  const auto take = [&](char* name) {
    std::string result = name;
    allocator->Free(allocator, name);
    return result;
  };
  char* name = nullptr;
  peer.Check(api_.SessionGetInputName(session_, 0, allocator, &name));
  input_name_ = take(name);
  size_t inputs = 0, outputs = 0;
  peer.Check(api_.SessionGetInputCount(session_, &inputs));
  peer.Check(api_.SessionGetOutputCount(session_, &outputs));
  for (size_t i = 0; i < outputs; ++i) {
    peer.Check(api_.SessionGetOutputName(session_, i, allocator, &name));
    output_names_.push_back(take(name));
  }

  OrtTypeInfo* type = nullptr;
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;
  peer.Check(api_.SessionGetInputTypeInfo(session_, 0, &type));
  peer.Check(api_.CastTypeInfoToTensorInfo(type, &tensor));
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  size_t rank = 0;
  peer.Check(api_.GetTensorElementType(tensor, &element));
  peer.Check(api_.GetDimensionsCount(tensor, &rank));
  input_shape_.resize(rank);
  peer.Check(api_.GetDimensions(tensor, input_shape_.data(), rank));
  api_.ReleaseTypeInfo(type);
  supported_ = inputs == 1 && element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT && rank > 1 && input_shape_[0] <= 1;
  for (size_t i = 1; i < rank; ++i) supported_ = supported_ && input_shape_[i] > 0;
}

PeerModel::~PeerModel() {
  Unbind();
  api_.ReleaseMemoryInfo(memory_);
  api_.ReleaseSession(session_);
}

void PeerModel::Unbind() {
  for (OrtIoBinding* binding : bindings_) api_.ReleaseIoBinding(binding);
  for (OrtValue* value : values_) api_.ReleaseValue(value);
  bindings_.clear();
  values_.clear();
}

void PeerModel::Bind(int64_t rows, size_t output, std::vector<int64_t> output_shape) {
  Unbind();
  const int64_t calls = RowByRow() ? rows : 1, rows_per_call = rows / calls;
  std::vector<int64_t> shape = input_shape_;
  shape[0] = output_shape[0] = rows_per_call;
  int64_t in = 1, out = 1;
  for (const int64_t dimension : shape) in *= dimension;
  for (const int64_t dimension : output_shape) out *= dimension;
  input_.assign(in * calls, 0);
  output_.assign(out * calls, 0);
  const auto tensor = [&](float* data, int64_t count, const std::vector<int64_t>& dimensions) {
    OrtValue* value = nullptr;
    peer_.Check(api_.CreateTensorWithDataAsOrtValue(memory_, data, count * sizeof(float), dimensions.data(),
                                                    dimensions.size(), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
    return values_.emplace_back(value);
  };
  for (int64_t call = 0; call < calls; ++call) {
    OrtIoBinding* binding = nullptr;
    peer_.Check(api_.CreateIoBinding(session_, &binding));
    bindings_.push_back(binding);
    peer_.Check(api_.BindInput(binding, input_name_.c_str(), tensor(input_.data() + call * in, in, shape)));
    for (size_t i = 0; i < output_names_.size(); ++i) {
      const char* name = output_names_[i].c_str();
      peer_.Check(i == output ? api_.BindOutput(binding, name, tensor(output_.data() + call * out, out, output_shape))
                              : api_.BindOutputToDevice(binding, name, memory_));
    }
  }
}

void PeerModel::Run() {
  for (OrtIoBinding* binding : bindings_) peer_.Check(api_.RunWithBinding(session_, nullptr, binding));
}

}  // namespace halfwave::compare
