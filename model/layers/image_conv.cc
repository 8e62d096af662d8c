#include "model/layers/image_conv.h"

#include "model/kernels/isa.h"
#include "model/layers/image_shape.h"

namespace halfwave {
namespace {

const kernels::ConvKernels& KernelsFor(ConvAlgorithm algorithm, WeightFormat format) {
  const kernels::ImageKernels& image = kernels::Kernels().image;
  const bool half = format == WeightFormat::kHalf;
  switch (algorithm) {
    case ConvAlgorithm::kDirect:
      return half ? image.direct_half : image.direct;
    case ConvAlgorithm::kWinograd:
      return half ? image.winograd_half : image.winograd;
    case ConvAlgorithm::kDepthwise:
      return image.depthwise;
  }
  return image.direct;
}

}  // namespace

bool ImageConv::Supports(const kernels::Window& window, int64_t group, int64_t out_channels) {
  return IsImage(window) && (group == 1 || (group == window.channels && group == out_channels));
}

ConvAlgorithm ImageConv::Choose(const kernels::ConvShape& shape, int64_t group) {
  constexpr int64_t kMinChannels = 12;
  if (group != 1) return ConvAlgorithm::kDepthwise;
  const bool three_by_three = shape.kernel_height == 3 && shape.kernel_width == 3 && shape.stride_height == 1 &&
                              shape.stride_width == 1 && shape.dilation_height == 1 && shape.dilation_width == 1;
  if (!three_by_three || shape.channels < kMinChannels || shape.out_channels < kMinChannels) {
    return ConvAlgorithm::kDirect;
  }
  // 36 multiplications a tile instead of 9 a position; half of that gain has to remain.
  const int64_t tiles = (shape.out_height + 3) / 4 * ((shape.out_width + 3) / 4);
  return shape.out_height * shape.out_width >= 8 * tiles ? ConvAlgorithm::kWinograd : ConvAlgorithm::kDirect;
}

ImageConv::ImageConv(const kernels::Window& window, int64_t group, int64_t out_channels,
                     const std::vector<float>& weights, const std::vector<float>& bias, int64_t images,
                     WeightFormat format)
    : shape_(ToConvShape(window, out_channels)),
      images_(images),
      algorithm_(Choose(shape_, group)),
      kernels_(KernelsFor(algorithm_, format)),
      packed_(AlignedBuffer::InLargePages(kernels_.packed_elements(&shape_))) {
  kernels_.pack(&shape_, weights.data(), bias.data(), packed_.data());
}

int64_t ImageConv::ScratchElements(int64_t) const { return kernels_.scratch_elements(&shape_); }

const char* ImageConv::Algorithm() const {
  switch (algorithm_) {
    case ConvAlgorithm::kDirect:
      return "direct";
    case ConvAlgorithm::kWinograd:
      return "winograd 4x4,3x3";
    case ConvAlgorithm::kDepthwise:
      return "depthwise";
  }
  return "";
}

int64_t ImageConv::PreferredRows() const {
  if (algorithm_ != ConvAlgorithm::kWinograd) return 1;
  constexpr int64_t kTiles = 48;  // that the kernel transforms at a time
  const int64_t tiles = (shape_.out_height + 3) / 4 * ((shape_.out_width + 3) / 4) * images_;
  return (kTiles + tiles - 1) / tiles;
}

double ImageConv::WorkToSplit(int64_t rows) const {
  const int64_t steps = shape_.kernel_height * shape_.kernel_width;
  const int64_t depth = algorithm_ == ConvAlgorithm::kDepthwise  ? steps
                        : algorithm_ == ConvAlgorithm::kWinograd ? steps * shape_.channels / 4
                                                                 : steps * shape_.channels;
  const int64_t outputs = rows * images_ * shape_.out_height * shape_.out_width * shape_.out_channels;
  return static_cast<double>(outputs) * static_cast<double>(depth) + WorkOfReading(WeightBytes());
}

bool ImageConv::Fuse(const kernels::Activation& activation, const RowLayout* counted) {
  if (activation_.kind != kernels::ActivationKind::kNone || pooled_) return false;
  if (counted != nullptr &&
      (!counted->IsChannelsLast() || counted->channels != shape_.out_channels || counted->images != images_)) {
    return false;
  }
  activation_ = activation;
  return true;
}

bool ImageConv::FuseSum() {
  if (activation_.kind != kernels::ActivationKind::kNone || pooled_) return false;
  has_summand_ = true;
  return true;
}

bool ImageConv::FuseMaxPool() {
  const bool even = shape_.out_height % 2 == 0 && shape_.out_width % 2 == 0;
  if (algorithm_ == ConvAlgorithm::kDepthwise || !even || has_summand_ || pooled_) return false;
  pooled_ = true;
  return true;
}

void ImageConv::Run(const LayerCall& call) const {
  const kernels::UnitCounts none = {};
  const kernels::ConvCall conv = {&shape_,
                                  call.rows,
                                  images_,
                                  call.inputs[0],
                                  packed_.data(),
                                  call.output,
                                  call.scratch,
                                  activation_,
                                  call.counts == nullptr ? none : *call.counts,
                                  has_summand_ ? call.inputs[1] : nullptr,
                                  call.part,
                                  call.parts,
                                  pooled_};
  kernels_.run(&conv);
}

}  // namespace halfwave
