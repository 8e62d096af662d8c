#include "model/graph/einsum.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

bool Contains(const EinsumLabels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// "ab...c" with as many labels for the ellipsis as it stands for; nothing if it is no term.
std::optional<EinsumLabels> Parse(const std::string& term, size_t ellipsis_dimensions) {
  EinsumLabels labels;
  const size_t ellipsis = term.find("...");
  for (size_t i = 0; i < term.size(); ++i) {
    if (i == ellipsis) {
      for (size_t k = ellipsis_dimensions; k > 0; --k) labels.push_back(-static_cast<int>(k));
      i += 2;
    } else if (absl::ascii_isalpha(static_cast<unsigned char>(term[i]))) {
      labels.push_back(term[i]);
    } else {
      return std::nullopt;
    }
  }
  return labels;
}

// Without an arrow: the dimensions of the ellipsis, then the letters that come up once, by the alphabet.
EinsumLabels ImplicitOutput(const std::vector<EinsumLabels>& inputs) {
  std::map<int, int> times;
  for (const EinsumLabels& labels : inputs) {
    for (const int label : labels) ++times[label];
  }
  EinsumLabels output;
  for (const auto& [label, count] : times) {
    if (label < 0 || count == 1) output.push_back(label);
  }
  return output;
}

}  // namespace

absl::StatusOr<Einsum> ResolveEinsum(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string written, context.Attribute<std::string>("equation", ""));
  const std::string equation = absl::StrReplaceAll(written, {{" ", ""}});
  const auto refuse = [&](const std::string& why) {
    return context.Invalid(absl::StrCat("equation '", written.substr(0, 100), "' ", why));
  };
  if (context.inputs() > 2) return context.Unsupported("has more than two operands");
  const std::vector<std::string> sides = absl::StrSplit(equation, "->");
  const std::vector<std::string> terms = absl::StrSplit(sides[0], ',');
  if (sides.size() > 2 || terms.size() != context.inputs()) return refuse("does not have a term for each operand");
  Einsum einsum;
  size_t most_dimensions = 0;  // of an ellipsis
  for (size_t i = 0; i < terms.size(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(i));
    const bool has_ellipsis = terms[i].find("...") != std::string::npos;
    const size_t letters = terms[i].size() - (has_ellipsis ? 3 : 0);
    const size_t dimensions = shape.size() >= letters && has_ellipsis ? shape.size() - letters : 0;
    const std::optional<EinsumLabels> labels = Parse(terms[i], dimensions);
    if (!labels || labels->size() != shape.size()) {
      return refuse(absl::StrCat("does not fit an operand of shape ", ShapeToString(shape)));
    }
    most_dimensions = std::max(most_dimensions, dimensions);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto [known, is_new] = einsum.sizes.emplace((*labels)[axis], shape[axis]);
      if (!is_new && known->second != shape[axis]) {
        return refuse(absl::StrCat("runs along dimensions of ", known->second, " and ", shape[axis], " together"));
      }
    }
    einsum.inputs.push_back(*labels);
  }
  if (sides.size() == 1) {
    einsum.output = ImplicitOutput(einsum.inputs);
  } else if (const auto output = Parse(sides[1], most_dimensions)) {
    einsum.output = *output;
  } else {
    return refuse("has no term for its output");
  }
  if (std::set<int>(einsum.output.begin(), einsum.output.end()).size() != einsum.output.size()) {
    return refuse("names a dimension of its output twice");
  }
  for (const int label : einsum.output) {
    if (!einsum.sizes.contains(label)) return refuse("names a dimension of its output that no operand has");
  }
  for (const auto& [label, size] : einsum.sizes) {
    if (size < 0 && !Contains(einsum.output, label)) {
      return context.Unsupported("sums over the batch, which would mix the rows");
    }
  }
  return einsum;
}

}  // namespace halfwave
