#include "tests/bench/compare/networks.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave::compare {
namespace {

// Writes one layer after the other.
class Writer {
 public:
  explicit Writer(const std::vector<int64_t>& row) : channels_(row[0]), size_(row.size() > 1 ? row[1] : 1) {
    std::vector<int64_t> shape = {-1};
    shape.insert(shape.end(), row.begin(), row.end());
    builder_.Input("x", shape);
  }

  Writer& Conv(int64_t out, int64_t kernel = 3, int64_t stride = 1, int64_t group = 1) {
    const int64_t in = channels_ / group;
    const std::string w = Weight({out, in, kernel, kernel}, in * kernel * kernel), b = Weight({out}, 0);
    const int64_t pad = kernel / 2;
    channels_ = out;
    size_ = (size_ + 2 * pad - kernel) / stride + 1;
    return Append("Conv", {at_, w, b},
                  {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
                   {"strides", std::vector<int64_t>{stride, stride}},
                   {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                   {"group", group}});
  }
  Writer& Depthwise(int64_t stride) { return Conv(channels_, 3, stride, channels_); }
  Writer& Dense(int64_t out) {
    const int64_t in = channels_ * size_ * size_;
    if (size_ > 1) Append("Flatten", {at_}, {});
    const std::string w = Weight({out, in}, in), b = Weight({out}, 0);
    channels_ = out;
    size_ = 1;
    return Append("Gemm", {at_, w, b}, {{"transB", int64_t{1}}});
  }
  Writer& Relu() { return Append("Relu", {at_}, {}); }
  Writer& MaxPool() {
    size_ /= 2;
    return Append("MaxPool", {at_},
                  {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  }
  Writer& GlobalAveragePool() {
    Append("GlobalAveragePool", {at_}, {});
    size_ = 1;
    return Append("Flatten", {at_}, {});
  }

  // x + F(x), F two convolutions; the way beside is a 1x1 convolution where the shape changes.
  Writer& Residual(int64_t out, int64_t stride) {
    const std::string begin = at_;
    const int64_t channels = channels_, size = size_;
    Conv(out, 3, stride).Relu().Conv(out);
    const std::string inside = at_;
    at_ = begin;
    channels_ = channels;
    size_ = size;
    if (stride != 1 || channels != out) Conv(out, 1, stride);
    Append("Add", {inside, at_}, {});
    return Relu();
  }

  std::string Bytes() {
    builder_.Output(at_);
    // As exporters write them, which both sides load faster than single numbers.
    for (onnx::TensorProto& weight : *builder_.proto().mutable_graph()->mutable_initializer()) {
      const auto& values = weight.float_data();
      weight.set_raw_data(values.data(), values.size() * sizeof(float));
      weight.clear_float_data();
    }
    return builder_.Bytes();
  }

 private:
  std::string Weight(const std::vector<int64_t>& shape, int64_t fan_in) {
    size_t count = 1;
    for (const int64_t dimension : shape) count *= dimension;
    const std::string name = "w" + std::to_string(++names_);
    // An even spread of variance 2 / fan_in; biases within a hundredth.
    const float limit = fan_in == 0 ? 0.01f : std::sqrt(6.0f / static_cast<float>(fan_in));
    builder_.Weight(name, shape, Noise(count, static_cast<uint32_t>(names_), -limit, limit));
    return name;
  }
  Writer& Append(const std::string& op, const std::vector<std::string>& inputs,
                 const OnnxBuilder::Attributes& attributes) {
    at_ = "y" + std::to_string(++names_);
    builder_.Node(op, inputs, {at_}, attributes);
    return *this;
  }

  OnnxBuilder builder_;
  std::string at_ = "x";
  int64_t channels_, size_;
  int names_ = 0;
};

std::string Mlp(const std::vector<int64_t>& widths) {
  Writer writer({widths[0]});
  for (size_t i = 1; i < widths.size(); ++i) {
    writer.Dense(widths[i]);
    if (i + 1 < widths.size()) writer.Relu();
  }
  return writer.Bytes();
}

std::string MnistLike() {
  return Writer({1, 28, 28}).Conv(32).Relu().Conv(64).Relu().MaxPool().Dense(128).Relu().Dense(10).Bytes();
}

std::string VggLike() {
  Writer writer({3, 32, 32});
  for (const int64_t channels : {64, 128, 256}) writer.Conv(channels).Relu().Conv(channels).Relu().MaxPool();
  return writer.Dense(512).Relu().Dense(10).Bytes();
}

// The network for CIFAR-10 of MLPerf Tiny.
std::string ResNet8() {
  return Writer({3, 32, 32})
      .Conv(16)
      .Relu()
      .Residual(16, 1)
      .Residual(32, 2)
      .Residual(64, 2)
      .GlobalAveragePool()
      .Dense(10)
      .Bytes();
}

// Depthwise-separable, in the manner of MobileNet.
std::string DepthwiseSeparable() {
  Writer writer({3, 32, 32});
  writer.Conv(32).Relu();
  for (const auto& [out, stride] :
       std::vector<std::pair<int64_t, int64_t>>{{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}}) {
    writer.Depthwise(stride).Relu().Conv(out, 1).Relu();
  }
  return writer.GlobalAveragePool().Dense(10).Bytes();
}

}  // namespace

std::vector<Network> MakeNetworks() {
  return {{"mlp_64", Mlp({64, 64, 64, 10})},
          {"mlp_512", Mlp({784, 512, 512, 10})},
          {"mlp_2048", Mlp({784, 2048, 2048, 1000})},
          {"cnn_mnist", MnistLike()},
          {"cnn_vgg", VggLike()},
          {"resnet8", ResNet8()},
          {"depthwise", DepthwiseSeparable()}};
}

std::vector<float> HalfZeros(int64_t count) {
  std::vector<float> values = Noise(count, 7);
  for (float& value : values) value = std::max(value, 0.0f);
  return values;
}

}  // namespace halfwave::compare
