#include "client/commands/predict_output.h"

#include <algorithm>
#include <numeric>

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
  const std::span<const float> row = prediction.Row(0);
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
  table.Print(streams.out, "  ");
}

std::string Verdict(const Prediction& prediction, int64_t row, const ModelDescription& model, const Style& style) {
  if (prediction.expected.empty()) return "";
  const int64_t expected = prediction.expected[row];
  if (expected == prediction.Best(row)) return Paint("right", Colour::kGreen, style);
  return Paint(absl::StrCat("wrong, is ", Label(model, expected)), Colour::kRed, style);
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
  TextTable table({0, 2});
  const char* value = model.HasProbabilities() ? "probability" : "score";
  table.Add({"row", "class", value});
  const int64_t shown = std::min(prediction.rows, kShownRows);
  for (int64_t row = 0; row < shown; ++row) {
    const int64_t best = prediction.Best(row);
    const float best_value = prediction.Row(row)[best];
    std::vector<std::string> cells = {absl::StrCat(row), Label(model, best), ValueText(model, best_value)};
    if (model.HasProbabilities()) cells.push_back(ValueBar(model, best_value, streams.style));
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
  const bool probabilities = model.HasProbabilities();
  const int64_t best = prediction.Best(row);
  const std::span<const float> values = prediction.Row(row);
  Json json = {{"file", prediction.file},
               {"row", row},
               {"label", model.Label(best)},
               {"class", best},
               {probabilities ? "probability" : "score", values[best]},
               {probabilities ? "probabilities" : "scores", std::vector<float>(values.begin(), values.end())}};
  if (!prediction.expected.empty()) {
    json["expected"] = model.Label(prediction.expected[row]);
    json["right"] = prediction.expected[row] == best;
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

int64_t Prediction::Right() const {
  int64_t right = 0;
  for (int64_t row = 0; row < rows && !expected.empty(); ++row) right += Best(row) == expected[row] ? 1 : 0;
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
