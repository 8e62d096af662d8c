#include "model/analysis/gradients.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/backward.h"
#include "model/analysis/derivative.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

constexpr double kMostRows = 256;
constexpr double kFewestRows = 8;
constexpr double kSteps = 4e9;  // multiply-adds, for all rows together

// The graph, with every value that it computes for an output.
Graph Opened(const Graph& graph, const GraphView& view) {
  Graph opened = graph;
  for (const Node* node : view.nodes()) {
    for (const std::string& value : node->outputs) {
      const auto type = view.types().find(value);
      if (type == view.types().end() || !IsFloat(type->second.type) || view.IsOutput(value)) continue;
      opened.outputs.push_back({value, type->second.shape, type->second.type, {}});
    }
  }
  return opened;
}

// Runs rows and keeps what each value was.
class Values {
 public:
  explicit Values(const std::shared_ptr<const Model>& model) : session_(model, 1) {
    for (size_t i = 0; i < model->outputs().size(); ++i) index_[model->outputs()[i].name] = i;
  }
  void Run(std::span<const float> row) {
    input_.assign(row.begin(), row.end());
    std::copy(row.begin(), row.end(), session_.input(0).begin());
    session_.Run(1);
  }
  std::span<const float> Of(const std::string& value) const {
    const auto found = index_.find(value);
    return found == index_.end() ? std::span<const float>(input_) : session_.output(found->second, 1);
  }

 private:
  Session session_;
  std::map<std::string, size_t> index_;
  std::vector<float> input_;
};

// The scores as the last layer gives them: what a softmax or its like at the end reads.
std::string RawScores(const GraphView& view, const std::string& scores) {
  const Node* last = view.Source(scores);
  if (last != nullptr && IsOneOf(*last, {"Softmax", "LogSoftmax", "Sigmoid"})) return last->inputs[0];
  return scores;
}

// By the elements of the scores.
std::vector<double> OfMargin(std::span<const float> scores) {
  std::vector<double> derivatives(scores.size(), 0.0);
  const auto first = std::max_element(scores.begin(), scores.end()) - scores.begin();
  derivatives[first] = 1;
  if (scores.size() < 2) return derivatives;
  size_t second = first == 0 ? 1 : 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (static_cast<ptrdiff_t>(i) != first && scores[i] > scores[second]) second = i;
  }
  derivatives[second] = -1;
  return derivatives;
}

// What is gathered at one activation over the rows.
struct Gathered {
  double elements = 0, zeros = 0, squares = 0;

  void Add(const Derivative& derivative, std::span<const float> x, const std::vector<double>& by_output) {
    double square = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double slope = derivative(x[i], static_cast<int64_t>(i));
      if (slope == 0) ++zeros;
      if (i < by_output.size()) square += slope * slope * by_output[i] * by_output[i];
    }
    elements += static_cast<double>(x.size());
    squares += square;
  }
};

double MultiplyAdds(const Model& model) {
  double sum = 0;
  for (const LayerSummary& layer : model.layers()) sum += layer.multiply_adds;
  return sum;
}

}  // namespace

absl::StatusOr<Gradients> MeasureGradients(const Graph& graph, const Model& model, const Rows& rows,
                                           const std::function<void(double done)>& progress) {
  HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
  const GraphView view(graph, known);
  ModelOptions as_it_is;
  as_it_is.rewrite = false;
  HALFWAVE_ASSIGN_OR_RETURN(const auto opened, Model::Create(Opened(graph, view), as_it_is));
  Values values(opened);
  const ValueOf value_of = [&](const std::string& value) { return values.Of(value); };
  const std::string scores =
      RawScores(view, graph.outputs[std::min(model.scores_output(), graph.outputs.size() - 1)].name);

  std::map<std::string, Gathered> gathered;  // by the activation's name
  Gradients gradients;
  gradients.rows = std::min<int64_t>(
      rows.count, static_cast<int64_t>(std::clamp(kSteps / (1 + MultiplyAdds(model)), kFewestRows, kMostRows)));
  const int64_t elements = static_cast<int64_t>(rows.values.size()) / rows.count;
  for (int64_t i = 0; i < gradients.rows; ++i) {
    values.Run(std::span(rows.values).subspan(i * rows.count / gradients.rows * elements, elements));
    DerivativesByValue derivatives = {{scores, OfMargin(values.Of(scores))}};
    for (auto node = view.nodes().rbegin(); node != view.nodes().rend(); ++node) {
      if (const auto derivative = DerivativeOf(view, **node)) {
        gathered[(*node)->name].Add(*derivative, values.Of((*node)->inputs[0]), derivatives[(*node)->outputs[0]]);
      }
      HALFWAVE_RETURN_IF_ERROR(PropagateBack(view, **node, value_of, derivatives));
    }
    progress(static_cast<double>(i + 1) / static_cast<double>(gradients.rows));
  }
  for (const ActivationLayer& layer : model.activations()) {
    const Gathered& at = gathered[layer.name];
    gradients.layers.push_back({at.elements == 0 ? 0 : at.zeros / at.elements,
                                std::sqrt(at.squares / static_cast<double>(gradients.rows)), 0});
  }
  double last = 0;  // of activations behind the scores there is no gradient
  for (const LayerGradient& layer : gradients.layers) last = layer.norm > 0 ? layer.norm : last;
  for (LayerGradient& layer : gradients.layers) layer.of_last = last == 0 ? 0 : layer.norm / last;
  return gradients;
}

}  // namespace halfwave
