#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/tools/inspect_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {
namespace {

constexpr size_t kMaxName = 40;  // wider boxes make a picture that nobody can read

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string Short(const std::string& name) {
  if (name.size() <= kMaxName) return name;
  size_t start = name.size() - kMaxName + 3;
  while ((name[start] & 0xC0) == 0x80) ++start;
  return "..." + name.substr(start);
}

const char* Colour(const std::string& op, const std::string& units) {
  if (op == "Softmax" || op == "LogSoftmax") return "#c8e6c9";
  if (op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op == "MatMul" || op == "halfwave.Dense") {
    return "#bbdefb";
  }
  return units.empty() ? "#ffffff" : "#ffcc80";
}

class Writer {
 public:
  explicit Writer(std::ostream& out) : out_(out) {}

  void AddValue(const GraphValue& value, const char* kind) {
    const int id = next_++;
    out_ << "  n" << id << " [shape=ellipse, style=filled, fillcolor=\"#eeeeee\", label=\"" << kind << "\\n"
         << Escaped(Short(value.name)) << "\\n"
         << RowText(value.shape) << "\"];\n";
    if (kind[0] == 'i') {
      producers_[value.name] = id;
    } else {
      Connect(value.name, id);
    }
  }

  void AddLayer(const LayerSummary& layer, const std::string& units) {
    const int id = next_++;
    out_ << "  n" << id << " [fillcolor=\"" << Colour(layer.op, units) << "\", label=\"" << Escaped(OperatorText(layer))
         << "\\n"
         << Escaped(Short(layer.name)) << "\\n"
         << RowText(layer.shape) << (units.empty() ? "" : absl::StrCat("\\n", units, " units")) << "\"];\n";
    for (const std::string& input : layer.inputs) Connect(input, id);
    for (const std::string& output : layer.outputs) {
      if (!output.empty()) producers_[output] = id;
    }
  }

 private:
  void Connect(const std::string& value, int reader) {
    const auto found = producers_.find(value);
    if (found != producers_.end()) out_ << "  n" << found->second << " -> n" << reader << ";\n";
  }

  std::ostream& out_;
  int next_ = 0;
  std::unordered_map<std::string, int> producers_;
};

}  // namespace

void PrintDot(const std::vector<LayerSummary>& layers, const Model& model, std::ostream& out) {
  // What is an activation, and how many units it has, is known by name of the layers that run.
  std::unordered_map<std::string, std::string> units;
  for (const ActivationLayer& activation : model.activations()) {
    units[activation.name] = absl::StrCat(activation.units);
  }
  out << "digraph model {\n"
         "  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=11];\n"
         "  edge [color=\"#555555\"];\n";
  Writer writer(out);
  for (const GraphValue& input : model.inputs()) writer.AddValue(input, "input");
  for (const LayerSummary& layer : layers) {
    const auto found = units.find(layer.name);
    writer.AddLayer(layer, found == units.end() ? "" : found->second);
  }
  for (const GraphValue& output : model.outputs()) writer.AddValue(output, "output");
  out << "}\n";
}

}  // namespace halfwave::tools
