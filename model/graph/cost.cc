#include "model/graph/cost.h"

#include <algorithm>

#include "model/graph/einsum.h"

namespace halfwave {
namespace {

double Product(std::span<const int64_t> dimensions) {
  double product = 1;
  for (const int64_t dimension : dimensions) product *= static_cast<double>(RowSize(dimension));
  return product;
}

double InputElements(const NodeContext& context, size_t index) {
  const auto shape = context.Has(index) ? context.InputShape(index) : Shape{0};
  return shape.ok() ? Product(*shape) : 0;
}

}  // namespace

double MultiplyAdds(const NodeContext& context, const Types& outputs) {
  const std::string& op = context.node().op;
  const double out = Product(outputs[0].shape);
  const auto shape = context.InputShape(0);
  if (!shape.ok()) return 0;
  if (op == "Conv" || op == "ConvTranspose") {
    const auto weights = context.InputShape(1);
    if (!weights.ok() || weights->size() < 3) return 0;
    const double kernel = Product(std::span(*weights).subspan(2));
    // Of a transposed convolution, weights are [channels, out channels of a group, ...].
    const double group = op == "Conv" ? 1 : Product(std::span(outputs[0].shape).subspan(1, 1)) / double((*weights)[1]);
    const double in = op == "Conv" ? static_cast<double>((*weights)[1]) : static_cast<double>((*weights)[0]) / group;
    return out * kernel * in;
  }
  if (op == "Einsum") {
    const auto einsum = ResolveEinsum(context);
    double product = 1;
    for (const auto& [label, size] : einsum.ok() ? einsum->sizes : std::map<int, int64_t>()) {
      product *= static_cast<double>(RowSize(size));
    }
    return product;
  }
  if (shape->empty()) return 0;
  if (op == "Gemm") {
    const auto trans_a = context.Attribute<int64_t>("transA", 0);
    return out * Product(std::span(*shape).subspan(trans_a.ok() && *trans_a != 0 ? 0 : 1, 1));
  }
  if (op == "MatMul" || op == "halfwave.Dense") return out * Product(std::span(*shape).last(1));
  return 0;
}

double Steps(const NodeContext& context, const Types& outputs) {
  double steps = MultiplyAdds(context, outputs);
  const auto kernel = context.Attribute("kernel_shape", std::vector<int64_t>());
  const bool slides = context.node().op.find("Pool") != std::string::npos && kernel.ok();
  for (const TensorType& output : outputs) steps += Product(output.shape) * (slides ? Product(*kernel) : 1);
  for (size_t i = 0; i < context.inputs(); ++i) steps += InputElements(context, i);
  if (context.node().op == "LRN") {
    const auto size = context.Attribute<int64_t>("size", 1);
    if (size.ok()) steps *= static_cast<double>(std::max<int64_t>(1, *size));
  }
  return steps;
}

}  // namespace halfwave
