#include "client/commands/predict_output.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace halfwave::client {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kBarCells = 30;
constexpr int64_t kShownRows = 10;

std::string Label(const ModelDescription& model, int64_t index) { return Printable(model.Label(index)); }

std::string ValueText(const ModelDescription& model, float value) {
  return model.HasProbabilities() ? Percent(value) : absl::StrFormat("%.4g", value);
}

std::string ValueBar(const ModelDescription& model, float value, const Style& style) {
  return model.HasProbabilities() ? Bar(value, kBarCells, style) : "";
}

void PrintPicture(const Prediction& prediction, const ModelDescription& model, int64_t top, const Streams& streams) {
  const std::span<const float> row = prediction.Row(0);  // empty if the model answers labels alone
  std::vector<int64_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return row[a] > row[b]; });
  order.resize(std::min<size_t>(order.size(), top));
  TextTable table({1});
  for (size_t i = 0; i < order.size(); ++i) {
    const Colour colour = i == 0 ? Colour::kBold : Colour::kDim;
    const float value = row[order[i]];
    table.Add({Paint(Label(model, order[i]), colour, streams.style),
               Paint(ValueText(model, value), colour, streams.style),
               Paint(ValueBar(model, value, streams.style), i == 0 ? Colour::kGreen : Colour::kDim, streams.style)});
  }
  streams.out << Printable(prediction.file) << "\n";
  if (!prediction.labels.empty()) streams.out << "  label: " << Printable(prediction.labels[0]) << "\n";
  table.Print(streams.out, "  ");
}

std::string ExpectedText(const Prediction& prediction, int64_t row, const ModelDescription& model) {
  const Expected& expected = prediction.expected[row];
  return prediction.labels.empty() ? model.Label(expected.index) : expected.text;
}

std::string Verdict(const Prediction& prediction, int64_t row, const ModelDescription& model, const Style& style) {
  if (prediction.expected.empty()) return "";
  if (prediction.IsRight(row)) return Paint("right", Colour::kGreen, style);
  return Paint(absl::StrCat("wrong, is ", Printable(ExpectedText(prediction, row, model))), Colour::kRed, style);
}

std::string Summary(const Prediction& prediction) {
  const double seconds = std::max(absl::ToDoubleSeconds(prediction.elapsed), 1e-9);
  std::string text =
      absl::StrCat(Plural(prediction.rows, "row"), ", ",
                   Thousands(static_cast<uint64_t>(static_cast<double>(prediction.rows) / seconds)), " rows/s");
  if (!prediction.expected.empty()) {
    const int64_t right = prediction.Right();
    absl::StrAppendFormat(&text, ", accuracy %.2f %% (%s right)",
                          100.0 * static_cast<double>(right) / static_cast<double>(prediction.rows), Thousands(right));
  }
  return text;
}

void PrintTable(const Prediction& prediction, const ModelDescription& model, const Streams& streams) {
  const bool labels = !prediction.labels.empty();
  const bool scores = prediction.classes > 0;
  TextTable table({0, labels ? size_t{3} : size_t{2}});
  std::vector<std::string> heading = {"row"};
  if (labels) heading.emplace_back("label");
  if (scores) heading.emplace_back("class");
  if (scores) heading.emplace_back(model.HasProbabilities() ? "probability" : "score");
  table.Add(std::move(heading));
  const int64_t shown = std::min(prediction.rows, kShownRows);
  for (int64_t row = 0; row < shown; ++row) {
    std::vector<std::string> cells = {absl::StrCat(row)};
    if (labels) cells.push_back(Printable(prediction.labels[row]));
    if (scores) {
      const int64_t best = prediction.Best(row);
      const float best_value = prediction.Row(row)[best];
      cells.push_back(Label(model, best));
      cells.push_back(ValueText(model, best_value));
      if (model.HasProbabilities()) cells.push_back(ValueBar(model, best_value, streams.style));
    }
    cells.push_back(Verdict(prediction, row, model, streams.style));
    table.Add(std::move(cells));
  }
  streams.out << Printable(prediction.file) << "\n";
  table.Print(streams.out, "  ");
  if (shown < prediction.rows) {
    streams.out << "  ... and " << Plural(prediction.rows - shown, "row") << " more; --json shows all\n";
  }
  streams.out << Summary(prediction) << "\n";
}

Json RowJson(const Prediction& prediction, int64_t row, const ModelDescription& model) {
  Json json = {{"file", prediction.file}, {"row", row}};
  if (!prediction.labels.empty()) json["label"] = prediction.labels[row];
  if (prediction.classes > 0) {
    const bool probabilities = model.HasProbabilities();
    const int64_t best = prediction.Best(row);
    const std::span<const float> values = prediction.Row(row);
    if (prediction.labels.empty()) json["label"] = model.Label(best);
    json["class"] = best;
    json[probabilities ? "probability" : "score"] = values[best];
    json[probabilities ? "probabilities" : "scores"] = std::vector<float>(values.begin(), values.end());
  }
  if (!prediction.expected.empty()) {
    json["expected"] = ExpectedText(prediction, row, model);
    json["right"] = prediction.IsRight(row);
  }
  return json;
}

Json FileJson(const Prediction& prediction) {
  Json json = {{"file", prediction.file},
               {"kind", prediction.picture ? "picture" : "table"},
               {"rows", prediction.rows},
               {"version", prediction.version},
               {"latency_seconds", absl::ToDoubleSeconds(prediction.elapsed)}};
  if (prediction.picture) json["inverted"] = prediction.inverted;
  if (!prediction.expected.empty()) {
    json["right"] = prediction.Right();
    json["accuracy"] = static_cast<double>(prediction.Right()) / static_cast<double>(prediction.rows);
  }
  return json;
}

}  // namespace

int64_t Prediction::Best(int64_t row) const {
  const std::span<const float> values = Row(row);
  return std::max_element(values.begin(), values.end()) - values.begin();
}

bool Prediction::IsRight(int64_t row) const {
  const Expected& answer = expected[row];
  if (labels.empty()) return answer.index == Best(row);
  int64_t number = -1;
  return labels[row] == answer.text ||
         (answer.index >= 0 && absl::SimpleAtoi(labels[row], &number) && number == answer.index);
}

int64_t Prediction::Right() const {
  int64_t right = 0;
  for (int64_t row = 0; row < rows && !expected.empty(); ++row) right += IsRight(row) ? 1 : 0;
  return right;
}

void PrintPrediction(const Prediction& prediction, const ModelDescription& model, int64_t top, const Streams& streams) {
  if (prediction.picture) {
    PrintPicture(prediction, model, top, streams);
  } else {
    PrintTable(prediction, model, streams);
  }
}

Json ToJson(const std::vector<Prediction>& predictions, const std::vector<FileError>& errors,
            const ModelDescription& model) {
  const std::string version = predictions.empty() ? model.version : predictions.back().version;
  Json json = {{"model", model.name},    {"version", version},     {"head", model.head},
               {"labels", model.labels}, {"files", Json::array()}, {"predictions", Json::array()},
               {"errors", Json::array()}};
  for (const Prediction& prediction : predictions) {
    json["files"].push_back(FileJson(prediction));
    for (int64_t row = 0; row < prediction.rows; ++row) json["predictions"].push_back(RowJson(prediction, row, model));
  }
  for (const FileError& error : errors) json["errors"].push_back({{"file", error.file}, {"message", error.message}});
  return json;
}

}  // namespace halfwave::client
