#include "server/repository/model_version.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

class InferenceTask : public Task {
 public:
  explicit InferenceTask(InferenceRequest request) : request_(std::move(request)) {}

  int64_t rows() const override { return request_.rows; }
  size_t bytes() const override { return request_.bytes; }
  absl::Time deadline() const override { return request_.deadline; }
  bool cancelled() const override { return request_.cancelled != nullptr && request_.cancelled->load(); }
  void Fail(const absl::Status& status) override { std::move(request_.done)(status); }

  InferenceRequest& request() { return request_; }

 private:
  InferenceRequest request_;
};

InferenceRequest& RequestOf(const std::unique_ptr<Task>& task) { return static_cast<InferenceTask&>(*task).request(); }

int64_t Elements(const GraphValue& value) { return RowElements(value.shape); }

// Whether any of them lies outside. Without a branch, for vectors.
bool IsOutside(std::span<const float> values, Range range) {
  int outside = 0;
  for (const float value : values) outside |= (value < range.low ? 1 : 0) | (value > range.high ? 1 : 0);
  return outside != 0;
}

// The rows in the session's inputs that are not in the domain; values that are not finite are counted elsewhere.
uint64_t CountOutside(Session& session, int64_t rows, const std::map<std::string, Range>& domain) {
  if (domain.empty()) return 0;
  uint64_t outside = 0;
  for (int64_t row = 0; row < rows; ++row) {
    bool is_outside = false;
    for (size_t i = 0; i < session.model().inputs().size(); ++i) {
      const auto range = domain.find(session.model().inputs()[i].name);
      if (range == domain.end()) continue;
      const int64_t elements = Elements(session.model().inputs()[i]);
      is_outside |= IsOutside(session.input(i).subspan(row * elements, elements), range->second);
    }
    outside += is_outside ? 1 : 0;
  }
  return outside;
}

// Copies the rows of all requests of the batch into the session. Returns their number.
int64_t Gather(std::span<const std::unique_ptr<Task>> batch, Session& session, std::vector<uint8_t>& skip) {
  int64_t rows = 0;
  for (const auto& task : batch) {
    const InferenceRequest& request = RequestOf(task);
    for (size_t i = 0; i < request.inputs.size(); ++i) {
      const int64_t elements = RowElements(session.model().inputs()[i].shape);
      std::memcpy(session.input(i).data() + rows * elements, request.inputs[i],
                  request.rows * elements * sizeof(float));
    }
    std::fill_n(skip.begin() + rows, request.rows, request.finite ? 0 : 1);
    rows += request.rows;
  }
  return rows;
}

}  // namespace

ModelVersion::ModelVersion(std::string name, std::string version, std::string sha256,
                           std::shared_ptr<const Model> model, const ModelVersionOptions& options, Metrics& metrics,
                           std::optional<UnitMap> units)
    : name_(std::move(name)),
      version_(std::move(version)),
      sha256_(std::move(sha256)),
      model_(std::move(model)),
      units_(units ? *std::move(units) : UnitMap(model_->activations())),
      max_batch_rows_(options.scheduler.max_batch_rows),
      no_answers_(Elements(model_->outputs()[model_->scores_output()]), model_->gives_probabilities()),
      monitor_(units_.layers(), options.activity_window),
      answers_(no_answers_, options.activity_window),
      metrics_(metrics.AddModel({.model = name_,
                                 .version = version_,
                                 .sha256 = sha256_,
                                 .head = model_->head(),
                                 .batch = model_->batch(),
                                 .queue_depth = [this] { return scheduler_.depth(); },
                                 .activity = [this] { return monitor_.Snapshot(); },
                                 .answers = [this] { return answers_.Snapshot(); },
                                 .rows_outside_domain = [this] { return RowsOutsideDomain(); }})),
      slots_(MakeSlots(model_, options)),
      scheduler_(options.scheduler, [this](size_t slot, auto batch) { Execute(slots_[slot], batch); }) {
  monitor_.TakeReferenceFromFirst(options.profile_from_first);
  answers_.TakeReferenceFromFirst(options.profile_from_first);
}

void ModelVersion::CompareWith(Reference units, AnswerCounts answers) {
  monitor_.SetReference(std::move(units));
  answers_.SetReference(std::move(answers));
}

std::vector<ModelVersion::Slot> ModelVersion::MakeSlots(const std::shared_ptr<const Model>& model,
                                                        const ModelVersionOptions& options) {
  const int64_t max_rows = options.scheduler.max_batch_rows;
  std::vector<Slot> slots(options.scheduler.slots);
  for (Slot& slot : slots) {
    slot.session = std::make_unique<Session>(model, max_rows, options.intra_op_threads);
    slot.skip.resize(max_rows);
    slot.outputs.resize(model->outputs().size());
  }
  return slots;
}

std::map<std::string, std::string> ModelVersion::Properties() const {
  std::map<std::string, std::string> properties = model_->properties();
  properties.erase(kProfileProperty);  // megabytes that no client wants
  properties["halfwave.sha256"] = sha256_;
  properties["halfwave.max_batch_rows"] = absl::StrCat(max_batch_rows_);
  return properties;
}

absl::Status ModelVersion::Submit(InferenceRequest request) {
  std::unique_ptr<Task> task = std::make_unique<InferenceTask>(std::move(request));
  return scheduler_.Schedule(task);
}

void ModelVersion::Execute(Slot& slot, std::span<const std::unique_ptr<Task>> batch) {
  const absl::Time start = absl::Now();
  const int64_t rows = Gather(batch, *slot.session, slot.skip);
  // Before the run: what the inputs hold behind it is undefined.
  rows_outside_domain_ += CountOutside(*slot.session, rows, model_->metadata().domain);
  slot.session->Run(rows, slot.skip);
  const absl::Duration compute = absl::Now() - start;

  int64_t first = 0;
  for (const auto& task : batch) {
    InferenceRequest& request = RequestOf(task);
    for (size_t i = 0; i < slot.outputs.size(); ++i) {
      const int64_t elements = RowElements(model_->outputs()[i].shape);
      slot.outputs[i] = slot.session->output(i, rows).subspan(first * elements, request.rows * elements);
    }
    first += request.rows;
    std::move(request.done)(InferenceRequest::Outputs(slot.outputs));
  }
  // Nobody waits any more for what follows.
  for (const auto& task : batch) metrics_->ObserveQueue(start - task->scheduled_at);
  metrics_->ObserveBatch(rows, compute);
  monitor_.Record(units_.Expand(slot.session->activity(), slot.activity));
  CountAnswers(slot, rows);
}

void ModelVersion::CountAnswers(Slot& slot, int64_t rows) {
  slot.answers = no_answers_;
  const size_t output = model_->scores_output();
  const int64_t classes = Elements(model_->outputs()[output]);
  const std::span<const float> scores = slot.session->output(output, rows);
  for (int64_t row = 0; row < rows; ++row) {
    if (slot.skip[row] == 0) slot.answers.Add(scores.subspan(row * classes, classes));
  }
  answers_.Record(slot.answers);
}

}  // namespace halfwave
