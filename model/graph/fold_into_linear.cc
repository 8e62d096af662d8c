#include "model/graph/fold_into_linear.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxCopied = int64_t{1} << 24;  // copies of weights, in elements: a small file may not ask for much
// Weights are gone through a few times; a file whose nodes go through the same ones again and again is left as it is.
constexpr int64_t kMaxPassesOverWeights = 8;
constexpr int64_t kMinSteps = int64_t{1} << 24;

bool IsLinear(const Node& node) {
  return node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" || node.op == "MatMul" ||
         node.op == kDense;
}

const Constant* FindFloats(const Graph& graph, const Node& node, size_t index) {
  const auto found = HasInput(node, index) ? graph.constants.find(node.inputs[index]) : graph.constants.end();
  if (found == graph.constants.end() || !IsFloat(found->second.type)) return nullptr;
  const auto count = NumElements(found->second.shape);
  return count && *count == static_cast<int64_t>(found->second.floats.size()) ? &found->second : nullptr;
}

// Weights as blocks of runs: all elements of a run belong to one channel, the channels of a block follow each other.
// Conv [M, ...] is one block, Dense [K, N] is K blocks of runs of 1. ConvTranspose [C, M / group, ...] is C blocks, and
// every C / group blocks the channels move on.
struct WeightLayout {
  int64_t run = 1;
  int64_t runs_per_block = 0;
  int64_t blocks_per_group = 1;

  template <typename Visit>
  void ForEach(int64_t elements, Visit visit) const {
    const int64_t blocks = elements / (run * runs_per_block);
    int64_t i = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block / blocks_per_group * runs_per_block;
      for (int64_t channel = first; channel < first + runs_per_block; ++channel) {
        for (const int64_t end = i + run; i < end; ++i) visit(i, channel);
      }
    }
  }
};

struct Linear {
  LinearOutput output;
  WeightLayout layout;
  int64_t elements = 0;
};

// How the channels of a linear node lie in its weights, the input 1; nothing if the node is not what it should be.
std::optional<Linear> Describe(const Graph& graph, const Node& node) {
  const Constant* weights = FindFloats(graph, node, 1);
  if (weights == nullptr || node.outputs.size() != 1 || weights->floats.empty()) return std::nullopt;
  if (HasInput(node, 2) && FindFloats(graph, node, 2) == nullptr) return std::nullopt;
  const Shape& shape = weights->shape;
  Linear linear;
  linear.elements = static_cast<int64_t>(weights->floats.size());
  if (node.op == "Conv" && shape.size() > 2) {
    linear.output = {shape[0], shape.size(), false};
    linear.layout = {linear.elements / shape[0], shape[0], 1};
  } else if (node.op == "ConvTranspose" && shape.size() > 2) {
    const int64_t group = GetAttribute<int64_t>(graph, node, "group", 1).value_or(0);
    if (group < 1 || shape[0] % group != 0) return std::nullopt;
    linear.output = {shape[1] * group, shape.size(), false};
    linear.layout = {linear.elements / (shape[0] * shape[1]), shape[1], shape[0] / group};
  } else if (node.op == "Gemm" && shape.size() == 2) {
    const auto transposed = GetAttribute<int64_t>(graph, node, "transB", 0);
    if (!transposed.ok()) return std::nullopt;
    const bool rows_are_channels = *transposed != 0;
    linear.output = {shape[rows_are_channels ? 0 : 1], 2, true};
    linear.layout = rows_are_channels ? WeightLayout{shape[1], shape[0], 1} : WeightLayout{1, shape[1], shape[0]};
  } else if ((node.op == "MatMul" || node.op == kDense) && shape.size() == 2) {
    linear.output = {shape[1], std::nullopt, true};
    linear.layout = {1, shape[1], shape[0]};
  } else {
    return std::nullopt;
  }
  return linear;
}

class Folder {
 public:
  explicit Folder(Graph& graph) : graph_(graph), uses_(graph), names_(graph) {
    for (const auto& [name, constant] : graph.constants) {
      steps_left_ += kMaxPassesOverWeights * static_cast<int64_t>(constant.floats.size());
    }
  }

  void Run(const char* pass, const AffineOf& affine_of) {
    std::unordered_map<std::string, size_t> linear_nodes;  // by their output
    size_t at = 0;
    std::vector<bool> gone(graph_.nodes.size());
    for (Node& node : graph_.nodes) {
      if (IsLinear(node) && !node.outputs.empty()) linear_nodes[node.outputs[0]] = at;
      const bool one_output = uses_.HasOneOutput(node);
      for (size_t i = 0; one_output && i < node.inputs.size() && !gone[at]; ++i) {
        const auto before = linear_nodes.find(node.inputs[i]);
        if (before == linear_nodes.end() || uses_.Reads(node.inputs[i]) != 1) continue;
        Node& into = graph_.nodes[before->second];
        gone[at] = &into != &node && Fold(into, node, i, affine_of);
        if (!gone[at]) continue;
        into.outputs[0] = node.outputs[0];
        linear_nodes[node.outputs[0]] = before->second;
        Record(graph_, pass, node.name, "folded into", into.name);
      }
      ++at;
    }
    at = 0;
    std::erase_if(graph_.nodes, [&](const Node&) { return gone[at++]; });
  }

 private:
  bool Fold(Node& into, const Node& node, size_t index, const AffineOf& affine_of) {
    const std::optional<Linear> linear = Describe(graph_, into);
    if (!linear) return false;
    const std::optional<std::vector<double>> bias = Bias(into, *linear);
    steps_left_ -= linear->output.channels;
    if (!bias || steps_left_ < 0) return false;
    const std::optional<ChannelAffine> affine = affine_of(node, index, linear->output);
    return affine && Apply(into, *linear, *bias, *affine);
  }

  // Zero where there is none, times beta in a Gemm.
  std::optional<std::vector<double>> Bias(const Node& node, const Linear& linear) const {
    if (!HasInput(node, 2)) return std::vector<double>(linear.output.channels, 0.0);
    const Constant& constant = *FindFloats(graph_, node, 2);
    if (node.op != "Gemm") {
      if (constant.shape != Shape{linear.output.channels}) return std::nullopt;
      return std::vector<double>(constant.floats.begin(), constant.floats.end());
    }
    const auto beta = GetAttribute<float>(graph_, node, "beta", 1.0f);
    auto bias = PerChannel(constant, linear.output);
    if (!beta.ok() || !bias) return std::nullopt;
    for (double& value : *bias) value *= *beta;
    return bias;
  }

  bool Apply(Node& into, const Linear& linear, std::vector<double> bias, const ChannelAffine& affine) {
    const auto finite = [](double value) { return std::isfinite(static_cast<float>(value)); };
    for (size_t i = 0; i < bias.size(); ++i) {
      if (!affine.scale.empty()) bias[i] *= affine.scale[i];
      if (!affine.shift.empty()) bias[i] += affine.shift[i];
    }
    if (!std::all_of(bias.begin(), bias.end(), finite)) return false;
    if (!affine.scale.empty() && !Scale(into, linear, affine.scale)) return false;
    if (HasInput(into, 2) || !affine.shift.empty()) SetBias(into, bias);
    return true;
  }

  bool Scale(Node& into, const Linear& linear, const std::vector<double>& scale) {
    steps_left_ -= 2 * linear.elements;
    const bool shared = uses_.Reads(into.inputs[1]) != 1;
    if (steps_left_ < 0 || (shared && linear.elements > copies_left_)) return false;
    Constant& weights = graph_.constants.at(into.inputs[1]);
    bool all_finite = true;
    linear.layout.ForEach(linear.elements, [&](int64_t i, int64_t channel) {
      all_finite &= std::isfinite(static_cast<float>(weights.floats[i] * scale[channel]));
    });
    if (!all_finite) return false;
    if (shared) {
      copies_left_ -= linear.elements;
      TakeOwnName(into.inputs[1]);
      graph_.constants[into.inputs[1]] = weights;
    }
    Constant& target = shared ? graph_.constants[into.inputs[1]] : weights;
    target.type = DataType::kFloat;
    linear.layout.ForEach(linear.elements, [&](int64_t i, int64_t channel) {
      target.floats[i] = static_cast<float>(target.floats[i] * scale[channel]);
    });
    return true;
  }

  void SetBias(Node& into, const std::vector<double>& bias) {
    into.inputs.resize(3);
    if (into.op == "MatMul") into.op = kDense;
    into.attributes.erase("beta");
    Constant constant;
    constant.shape = {static_cast<int64_t>(bias.size())};
    constant.floats.assign(bias.begin(), bias.end());
    std::string& name = into.inputs[2];
    if (name.empty()) {
      name = names_.Like(into.name);
      uses_.Add(name);
    } else if (uses_.Reads(name) > 1) {
      TakeOwnName(name);
    }
    graph_.constants[name] = std::move(constant);
  }

  // Gives an input that others read as well a name that only this node reads.
  void TakeOwnName(std::string& input) {
    uses_.Forget(input);
    input = names_.Like(input);
    uses_.Add(input);
  }

  Graph& graph_;
  Uses uses_;
  FreshNames names_;
  int64_t steps_left_ = kMinSteps;
  int64_t copies_left_ = kMaxCopied;
};

}  // namespace

void FoldIntoLinear(Graph& graph, const char* pass, const AffineOf& affine_of) { Folder(graph).Run(pass, affine_of); }

std::optional<std::vector<double>> PerChannel(const Constant& constant, const LinearOutput& linear) {
  if (!IsFloat(constant.type)) return std::nullopt;
  const auto size = static_cast<int64_t>(constant.floats.size());
  const auto rank = static_cast<int64_t>(constant.shape.size());
  // Of an output of unknown rank it is known that it has a batch and channels.
  const auto output_rank = static_cast<int64_t>(linear.rank.value_or(2));
  if (rank > output_rank || NumElements(constant.shape) != size) return std::nullopt;
  if (size == 1) return std::vector<double>(linear.channels, constant.floats[0]);
  const int64_t axis = (linear.channels_last ? output_rank - 1 : 1) - (output_rank - rank);
  if (size != linear.channels || axis < 0 || constant.shape[axis] != size) return std::nullopt;
  return std::vector<double>(constant.floats.begin(), constant.floats.end());
}

}  // namespace halfwave
