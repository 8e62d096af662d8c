#include "client/commands/predict.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/choose_model.h"
#include "client/commands/predict_output.h"
#include "client/picture.h"
#include "client/status_macros.h"
#include "model/data/files.h"
#include "model/data/table.h"
#include "proto/tensor_values.h"

namespace halfwave::client {
namespace {

// The rows of one file, ready to be sent.
struct Rows {
  bool picture = false;
  PreparedPicture prepared;  // if it is one; its values have gone to `values`
  std::vector<float> values;
  std::vector<Expected> expected;
  std::string note;  // something the user should know
};

std::string ShapeText(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

absl::StatusOr<Rows> FromPicture(const absl::StatusOr<Picture>& picture, const ModelDescription& model,
                                 const PictureOverrides& overrides) {
  if (!picture.ok()) return picture.status();
  CLIENT_ASSIGN_OR_RETURN(const PictureInput input, DescribePictures(model, overrides));
  Rows rows;
  rows.picture = true;
  rows.prepared = ToInput(*picture, input);
  rows.values = std::move(rows.prepared.values);
  if (model.TakesIntegers()) {
    for (float& value : rows.values) value = std::nearbyint(value);
  }
  if (rows.prepared.blank) rows.note = "nothing is drawn in it, so the answer means nothing";
  return rows;
}

// One row of the model's shape, or several of them.
absl::Status CheckTableShape(const Table& table, const ModelDescription& model) {
  const auto total = static_cast<int64_t>(table.values.size());
  const int64_t first = table.shape.empty() ? 1 : table.shape[0];
  const bool one_row = total == model.values_per_row && table.answers.empty();
  if (one_row || total == first * model.values_per_row) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "expected rows of ", model.values_per_row, " values, as input ", ShapeText(model.shape), " of model '",
      model.name, "' takes, found shape ", ShapeText(table.shape),
      "; the column with the answers of a CSV, if there is one, must be called 'label' in its first line"));
}

// Some write a class as 7.0.
std::optional<int64_t> ClassNumber(const std::string& answer) {
  constexpr double kMost = 1e9;
  double number = 0;
  if (!absl::SimpleAtod(answer, &number) || !(number >= 0 && number <= kMost) || number != std::floor(number)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(number);
}

absl::StatusOr<std::vector<Expected>> ReadExpected(const std::vector<std::string>& answers,
                                                   const ModelDescription& model) {
  std::vector<Expected> expected;
  for (const std::string& answer : answers) {
    const std::optional<int64_t> number = ClassNumber(answer);
    const auto found = std::find(model.labels.begin(), model.labels.end(), answer);
    int64_t index = number.value_or(-1);
    // A model's own label may be a number that also is the name of another class.
    if (found != model.labels.end() && !(model.answers_labels && number)) index = found - model.labels.begin();
    if (index < 0 && !model.answers_labels) {
      return absl::InvalidArgumentError(absl::StrCat("row ", expected.size(),
                                                     ": expected in column 'label' a class of model '", model.name,
                                                     "', by name or number, found '", answer, "'"));
    }
    expected.push_back({answer, index});
  }
  return expected;
}

// A hint if the values are not in the range the model was made for.
std::string RangeNote(const std::vector<float>& values, const ModelDescription& model) {
  if (!model.domain || values.empty()) return "";
  const auto [low, high] = *model.domain;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const float slack = (high - low) / 100;
  if (*least >= low - slack && *most <= high + slack) return "";
  std::string note =
      absl::StrCat("its values go from ", *least, " to ", *most, ", the model expects ", low, " to ", high);
  if (low == 0 && *least >= 0) absl::StrAppend(&note, "; --scale ", high / *most, " would bring them there");
  return note;
}

absl::StatusOr<Rows> FromTable(absl::StatusOr<Table> table, const ModelDescription& model,
                               const PictureOverrides& overrides) {
  if (!table.ok()) return table.status();
  CLIENT_RETURN_IF_ERROR(CheckTableShape(*table, model));
  CLIENT_RETURN_IF_ERROR(NormaliseTable(model, overrides, table->values));
  CLIENT_RETURN_IF_ERROR(CheckIntegers(model, table->values));
  Rows rows;
  CLIENT_ASSIGN_OR_RETURN(rows.expected, ReadExpected(table->answers, model));
  rows.values = std::move(table->values);
  rows.note = RangeNote(rows.values, model);
  return rows;
}

absl::StatusOr<Rows> ReadRows(const std::string& path, const ModelDescription& model,
                              const PictureOverrides& overrides) {
  CLIENT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  CLIENT_ASSIGN_OR_RETURN(const FileKind kind, RecogniseFile(bytes));
  switch (kind) {
    case FileKind::kPng:
      return FromPicture(DecodePng(bytes), model, overrides);
    case FileKind::kPnm:
      return FromPicture(DecodePnm(bytes), model, overrides);
    case FileKind::kNpy:
      return FromTable(ParseNpy(bytes), model, overrides);
    case FileKind::kIdx:
      return FromTable(ParseIdx(bytes), model, overrides);
    case FileKind::kCsv:
      return FromTable(ParseCsv(bytes), model, overrides);
  }
  return absl::InternalError("unknown kind of file");
}

// A line on the other stream for a table that takes long.
class Progress {
 public:
  explicit Progress(const Streams& streams) : streams_(streams) {}
  ~Progress() {
    if (shown_) streams_.err << "\r\033[K" << std::flush;
  }
  void Update(int64_t done, int64_t rows) {
    const absl::Time now = absl::Now();
    if (!streams_.style.progress || now < next_) return;
    next_ = now + absl::Milliseconds(200);
    shown_ = true;
    streams_.err << "\r" << Thousands(done) << " of " << Plural(rows, "row") << "\033[K" << std::flush;
  }

 private:
  const Streams& streams_;
  absl::Time next_ = absl::Now() + absl::Seconds(1);
  bool shown_ = false;
};

// As many as the model takes, in messages of a size that every server takes.
int64_t RowsPerRequest(const ModelDescription& model) {
  constexpr int64_t kMaxRequestBytes = int64_t{16} << 20;
  const auto row_bytes = static_cast<int64_t>(model.values_per_row * FindValueType(model.datatype)->bytes);
  return std::clamp<int64_t>(kMaxRequestBytes / row_bytes, 1, model.max_batch_rows);
}

// Sends the rows in as many requests as it takes.
absl::Status Infer(const ModelDescription& model, const std::string& version, const Rows& rows, InferenceClient& client,
                   const Streams& streams, Prediction& prediction) {
  const std::span<const float> values(rows.values);
  prediction.rows = static_cast<int64_t>(values.size()) / model.values_per_row;
  Progress progress(streams);
  const int64_t batch = RowsPerRequest(model);
  const absl::Time start = absl::Now();
  for (int64_t first = 0; first < prediction.rows; first += batch) {
    const int64_t count = std::min(batch, prediction.rows - first);
    InferenceInput input{model.name,
                         version,
                         model.input,
                         model.shape,
                         values.subspan(first * model.values_per_row, count * model.values_per_row),
                         model.datatype};
    if (input.shape.empty()) input.shape.resize(1);
    input.shape[0] = count;
    CLIENT_ASSIGN_OR_RETURN(const InferenceOutput output, client.Infer(input));
    const auto classes = static_cast<int64_t>(output.values.size()) / count;
    if ((classes == 0 && output.labels.empty()) || (first > 0 && classes != prediction.classes)) {
      return absl::InternalError(absl::StrCat("the server sent an output of shape ", ShapeText(output.shape)));
    }
    prediction.classes = classes;
    prediction.version = output.version;
    prediction.values.insert(prediction.values.end(), output.values.begin(), output.values.end());
    prediction.labels.insert(prediction.labels.end(), output.labels.begin(), output.labels.end());
    progress.Update(first + count, prediction.rows);
  }
  prediction.elapsed = absl::Now() - start;
  return absl::OkStatus();
}

// One run over all files.
class Run {
 public:
  Run(const PredictOptions& options, const Streams& streams, InferenceClient& client, const ModelDescription& model)
      : options_(options), streams_(streams), client_(client), model_(model) {}

  ExitCode All() {
    for (const std::string& file : options_.files) {
      const ExitCode code = One(file);
      if (code == kNoServer) return code;
      failed_ = failed_ || code != kOk;
      server_failed_ = server_failed_ || code == kServerError;
    }
    if (options_.common.json) {
      streams_.out
          << ToJson(predictions_, errors_, model_).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
          << "\n";
    } else if (!predictions_.empty() && predictions_.back().classes > 0 && !model_.HasProbabilities()) {
      streams_.out << "\nThese are scores, not probabilities: the model does not end in a softmax"
                   << (model_.head == "logits" ? " (halfwave-server --add-softmax adds one).\n" : ".\n");
    }
    if (!failed_) return kOk;
    return predictions_.empty() && !server_failed_ ? kUsage : kServerError;
  }

 private:
  ExitCode One(const std::string& file) {
    absl::StatusOr<Rows> rows = ReadRows(file, model_, options_.overrides);
    if (!rows.ok()) return Report(file, rows.status()), kUsage;
    if (!rows->note.empty()) Say(file, rows->note);
    Prediction prediction;
    prediction.file = file;
    prediction.picture = rows->picture;
    prediction.inverted = rows->prepared.inverted;
    prediction.expected = std::move(rows->expected);
    if (const absl::Status status = Infer(model_, options_.version, *rows, client_, streams_, prediction);
        !status.ok()) {
      return Report(file, status), ExitCodeFor(status);
    }
    if (!options_.common.json) {
      if (!predictions_.empty()) streams_.out << "\n";
      PrintPrediction(prediction, model_, options_.top, streams_);
      streams_.out << std::flush;
      prediction.values = {};  // shown, and not needed any more
      prediction.labels = {};
    }
    predictions_.push_back(std::move(prediction));
    return kOk;
  }

  void Say(const std::string& file, absl::string_view words) {
    streams_.err << "halfwave: " << Printable(file) << ": " << Printable(words) << "\n";
  }

  void Report(const std::string& file, const absl::Status& status) {
    Say(file, status.message());
    errors_.push_back({file, std::string(status.message().data(), status.message().size())});
  }

  const PredictOptions& options_;
  const Streams& streams_;
  InferenceClient& client_;
  const ModelDescription& model_;
  std::vector<Prediction> predictions_;
  std::vector<FileError> errors_;
  bool failed_ = false;
  bool server_failed_ = false;
};

}  // namespace

ExitCode RunPredict(const PredictOptions& options, const Streams& streams) {
  InferenceClient client(options.common.server, options.common.deadline());
  const auto name = ChooseModel(options.model, client);
  if (absl::IsInvalidArgument(name.status())) return Fail(streams, name.status()), kUsage;
  if (!name.ok()) return Fail(streams, name.status());
  const auto metadata = client.Metadata(*name, options.version);
  if (!metadata.ok()) return Fail(streams, metadata.status());
  auto model = Describe(*metadata);
  if (!model.ok()) return Fail(streams, model.status());
  return Run(options, streams, client, *model).All();
}

}  // namespace halfwave::client
