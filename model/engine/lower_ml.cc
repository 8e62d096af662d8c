// What scikit-learn's pipelines put around a network: scalers before it, labels behind it. Formulas: ONNX-ML operators.
#include <cmath>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/layers/elementwise.h"
#include "model/layers/rearrange.h"

namespace halfwave {
namespace {

// One number per feature, or one for all.
std::vector<float> PerFeature(const std::vector<float>& values, int64_t features, float fallback) {
  if (values.size() == static_cast<size_t>(features)) return values;
  return std::vector<float>(features, values.empty() ? fallback : values[0]);
}

}  // namespace

absl::Status LowerScaler(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const auto offset, builder.Attribute("offset", std::vector<float>()));
  HALFWAVE_ASSIGN_OR_RETURN(const auto scale, builder.Attribute("scale", std::vector<float>()));
  const Value input = builder.TakeRowMajor(0);
  const int64_t features = input.shape.back();
  auto standardize = [offsets = PerFeature(offset, features, 0), scales = PerFeature(scale, features, 1)](
                         int64_t rows, int64_t elements, const float* x, float* y) {
    const size_t count = offsets.size();
    for (int64_t i = 0; i < rows * elements; ++i) y[i] = (x[i] - offsets[i % count]) * scales[i % count];
  };
  const int64_t bytes = 2 * features * static_cast<int64_t>(sizeof(float));
  builder.Emit(std::make_unique<RowWise>(input.elements(), std::move(standardize), bytes), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerNormalizer(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string norm, builder.Attribute<std::string>("norm", "MAX"));
  const Value input = builder.TakeRowMajor(0);
  const int64_t features = input.shape.back();
  auto normalize = [=](int64_t rows, int64_t elements, const float* x, float* y) {
    for (int64_t row = 0; row < rows * elements / features; ++row, x += features, y += features) {
      double size = norm == "MAX" ? x[0] : 0;
      for (int64_t i = 0; i < features; ++i) {
        const double value = x[i];
        size = norm == "MAX" ? std::fmax(size, value) : norm == "L1" ? size + std::abs(value) : size + value * value;
      }
      if (norm == "L2") size = std::sqrt(size);
      for (int64_t i = 0; i < features; ++i) y[i] = size == 0 ? x[i] : static_cast<float>(x[i] / size);
    }
  };
  builder.Emit(std::make_unique<RowWise>(input.elements(), std::move(normalize)), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerBinarizer(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float threshold, builder.Attribute<float>("threshold", 0.0f));
  const Value input = builder.Take(0);
  auto binarize = [=](int64_t count, const float* x, float* y) {
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] > threshold ? 1.0f : 0.0f;
  };
  builder.Emit(std::make_unique<Elementwise>(input.elements(), binarize), {input}, input.channels_last);
  return absl::OkStatus();
}

// Columns of the last dimension, at computed places: how a class becomes its label. Strings stay indices until they
// leave the model.
absl::Status LowerArrayFeatureExtractor(Builder& builder) {
  const Constant* table = builder.context().FindConstant(0);
  if (table != nullptr && table->type == DataType::kString) {
    builder.AliasStrings(builder.TakeRowMajor(1), table);
    return absl::OkStatus();
  }
  const Value data = builder.TakeRowMajor(0);
  const Value indices = builder.TakeRowMajor(1);
  const int64_t length = data.shape.back();
  builder.Emit(std::make_unique<Gather>(data.elements() / length, length, 1, indices.elements()), {data, indices},
               false);
  return absl::OkStatus();
}

}  // namespace halfwave
