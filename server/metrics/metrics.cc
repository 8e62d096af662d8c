#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

#include "model/activity/health.h"
#include "server/metrics/process.h"
#include "server/version.h"

namespace halfwave {
namespace {

using Labels = std::map<std::string, std::string>;
using prometheus::MetricFamily;
using prometheus::MetricType;

const prometheus::Histogram::BucketBoundaries& SecondsBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries{
      20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5};
  return buckets;
}

const prometheus::Histogram::BucketBoundaries& RowsBuckets() {
  static const auto& buckets =
      *new prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  return buckets;
}

prometheus::ClientMetric Value(const Labels& labels, double value, MetricType type) {
  prometheus::ClientMetric metric;
  for (const auto& [name, text] : labels) metric.label.push_back({name, text});
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

}  // namespace

struct Metrics::Families {
  explicit Families(prometheus::Registry& registry)
      : requests(prometheus::BuildCounter()
                     .Name("halfwave_requests_total")
                     .Help("Requests answered, by method and gRPC status code.")
                     .Register(registry)),
        request_seconds(prometheus::BuildHistogram()
                            .Name("halfwave_request_seconds")
                            .Help("Time from a request's arrival to its answer, by method and gRPC status code.")
                            .Register(registry)),
        queue_seconds(prometheus::BuildHistogram()
                          .Name("halfwave_queue_seconds")
                          .Help("Time a request waited for its batch to start.")
                          .Register(registry)),
        compute_seconds(prometheus::BuildHistogram()
                            .Name("halfwave_compute_seconds")
                            .Help("Time of one forward pass over a batch, gathering its rows included.")
                            .Register(registry)),
        batch_rows(prometheus::BuildHistogram()
                       .Name("halfwave_batch_rows")
                       .Help("Rows in one forward pass.")
                       .Register(registry)),
        rows(prometheus::BuildCounter().Name("halfwave_rows_total").Help("Rows predicted.").Register(registry)),
        ready(prometheus::BuildGauge()
                  .Name("halfwave_ready")
                  .Help("1 while the server takes traffic, 0 before and from the order to stop on.")
                  .Register(registry)),
        build_info(prometheus::BuildGauge()
                       .Name("halfwave_build_info")
                       .Help("1, with the version of the server and of the compiler that built it.")
                       .Register(registry)) {}

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& request_seconds;
  prometheus::Family<prometheus::Histogram>& queue_seconds;
  prometheus::Family<prometheus::Histogram>& compute_seconds;
  prometheus::Family<prometheus::Histogram>& batch_rows;
  prometheus::Family<prometheus::Counter>& rows;
  prometheus::Family<prometheus::Gauge>& ready;
  prometheus::Family<prometheus::Gauge>& build_info;
};

// Computes what the models report when somebody asks.
class Metrics::ModelCollector {
 public:
  void Add(ModelReport report) {
    const MutexLock lock(mutex_);
    reports_.push_back(std::move(report));
  }

  std::vector<MetricFamily> Collect() const {
    const MutexLock lock(mutex_);
    Output out;
    for (const ModelReport& report : reports_) Collect(report, out);
    return std::move(out).TakeFamilies();
  }

 private:
  // Families in the order of their first value.
  class Output {
   public:
    void Add(const char* name, const char* help, MetricType type, const Labels& labels, double value) {
      for (MetricFamily& family : families_) {
        if (family.name == name) return family.metric.push_back(Value(labels, value, type));
      }
      families_.push_back({name, help, type, {Value(labels, value, type)}});
    }
    std::vector<MetricFamily> TakeFamilies() && { return std::move(families_); }

   private:
    std::vector<MetricFamily> families_;
  };

  static void Collect(const ModelReport& report, Output& out) {
    const Labels model = {{"model", report.model}, {"version", report.version}};
    Labels info = model;
    info.insert({{"sha256", report.sha256}, {"head", report.head}, {"batch", report.batch}});
    out.Add("halfwave_model_info", "1, with the SHA-256 of the model's file, its head and how its batch was opened.",
            MetricType::Gauge, info, 1);
    out.Add("halfwave_queue_depth", "Requests that wait for a batch.", MetricType::Gauge, model,
            static_cast<double>(report.queue_depth()));
    const ActivitySnapshot activity = report.activity();
    out.Add("halfwave_samples_not_counted_total",
            "Samples served but left out of the unit statistics because they held a NaN or an infinity.",
            MetricType::Counter, model, static_cast<double>(activity.samples_not_counted));
    out.Add(
        "halfwave_reference_samples",
        "Samples of the reference that units are compared with: a profile's, or the first that were served. 0: none.",
        MetricType::Gauge, model,
        activity.reference == nullptr ? 0 : static_cast<double>(activity.reference->counts.samples));
    out.Add("halfwave_samples_outside_domain_total",
            "Samples with an element outside the domain that the model's metadata declare.", MetricType::Counter, model,
            static_cast<double>(report.rows_outside_domain()));
    CollectAnswers(model, report.answers(), out);
    const std::vector<LayerHealth> health = Summarize(activity);
    for (size_t i = 0; i < health.size(); ++i) CollectLayer(model, activity, health[i], activity.layers[i], out);
  }

  static void CollectAnswers(const Labels& model, const AnswerSnapshot& answers, Output& out) {
    if (answers.reference == nullptr || answers.window.samples == 0) return;
    const auto add = [&](const char* of, const Drift& drift) {
      Labels labels = model;
      labels.insert({"of", of});
      const auto gauge = [&](const char* name, const char* help, double value) {
        out.Add(name, help, MetricType::Gauge, labels, value);
      };
      gauge("halfwave_answer_drift_psi",
            "Population stability index of the window's answers against the reference's: of the predicted classes, and "
            "of confidence in bins.",
            drift.psi);
      gauge("halfwave_answer_drift_psi_noise",
            "What halfwave_answer_drift_psi is expected to be if nothing changed: it means something at some times "
            "this.",
            drift.psi_noise);
      gauge("halfwave_answer_drift_js",
            "Jensen-Shannon divergence, 0 to 1, of the window's answers from the reference's.", drift.js);
    };
    add("classes", ShareDrift(answers.window.predicted, answers.reference->predicted));
    if (answers.window.confidence.empty() || answers.reference->confidence.empty()) return;
    add("confidence", ShareDrift(answers.window.confidence, answers.reference->confidence));
  }

  static void CollectLayer(const Labels& model, const ActivitySnapshot& activity, const LayerHealth& health,
                           const LayerSnapshot& layer, Output& out) {
    Labels labels = model;
    labels.insert({{"layer", health.layer.name}, {"activation", health.layer.op}});
    const auto gauge = [&](const char* name, const char* help, double value) {
      out.Add(name, help, MetricType::Gauge, labels, value);
    };
    const auto counter = [&](const char* name, const char* help, uint64_t value) {
      out.Add(name, help, MetricType::Counter, labels, static_cast<double>(value));
    };
    gauge("halfwave_layer_units", "Units of the layer: features, or feature maps of a convolution.",
          static_cast<double>(health.layer.units));
    counter("halfwave_layer_samples_total", "Samples counted.", activity.samples);
    counter("halfwave_layer_active_units_total",
            "Units above zero before the activation, summed over all samples counted. Divided by samples and units it "
            "is the layer's activity.",
            layer.total_active);
    counter("halfwave_layer_zero_outputs_total", "Outputs of the activation that were exactly zero.",
            layer.total_zeros);
    counter("halfwave_layer_outputs_total", "Outputs of the activation counted.",
            activity.samples * static_cast<uint64_t>(health.layer.elements));
    gauge("halfwave_layer_window_samples", "Samples in the window that the gauges of the layer speak about.",
          static_cast<double>(activity.window_samples));
    if (activity.window_samples > 0) {
      gauge("halfwave_layer_sparsity_ratio", "Share of exact zeros in the activation's output over the window.",
            health.sparsity);
    }
    if (health.layer.family == ActivationFamily::kSaturating && activity.window_samples > 0) {
      gauge("halfwave_layer_saturated_ratio", "Share of outputs close to a limit of the activation over the window.",
            health.saturated);
    }
    counter("halfwave_layer_woke_up_total",
            "How often a unit was above zero after a full window or more in which it was not.", health.woke_up);
    if (activity.reference != nullptr) CollectComparison(activity, health, gauge);
    if (!activity.window_full) return;  // before, nothing can be said about single units
    if (health.layer.family == ActivationFamily::kRectifier) {
      gauge("halfwave_layer_dead_units",
            "Units of a rectifier with no activity in a full window. Absent until the window is full.",
            static_cast<double>(health.silent_units));
    }
    if (health.layer.family == ActivationFamily::kLeaky) {
      gauge("halfwave_layer_inactive_units",
            "Units of a leaky activation never above zero in a full window. Absent until the window is full.",
            static_cast<double>(health.silent_units));
    }
    if (!health.layer.feature_maps) {
      gauge("halfwave_layer_always_on_units",
            "Units of a dense layer above zero on every sample of a full window. Absent until the window is full.",
            static_cast<double>(health.always_on_units));
    }
  }

  template <typename Gauge>
  static void CollectComparison(const ActivitySnapshot& activity, const LayerHealth& health, const Gauge& gauge) {
    gauge("halfwave_layer_went_silent_units",
          "Units without activity for a full window or more, although the reference says that they would not be: the "
          "input or its mix changed.",
          static_cast<double>(health.went_silent_units));
    gauge("halfwave_layer_not_watched_units",
          "Units too seldom active in the reference for a window of silence to mean anything.",
          static_cast<double>(health.not_watched_units));
    if (activity.window_samples == 0) return;
    gauge("halfwave_layer_drift_psi",
          "Population stability index of the window's activity against the reference, mean over units.",
          health.drift.psi);
    gauge("halfwave_layer_drift_psi_noise",
          "What halfwave_layer_drift_psi is expected to be if nothing changed: it means something at some times this.",
          health.drift.psi_noise);
    gauge("halfwave_layer_drift_js",
          "Jensen-Shannon divergence, 0 to 1, of the window's activity from the reference's, mean over units.",
          health.drift.js);
  }

  mutable Mutex mutex_;
  std::vector<ModelReport> reports_ ABSL_GUARDED_BY(mutex_);
};

void ModelMetrics::ObserveQueue(absl::Duration duration) { queue_seconds_->Observe(absl::ToDoubleSeconds(duration)); }

void ModelMetrics::ObserveBatch(int64_t rows, absl::Duration compute) {
  compute_seconds_->Observe(absl::ToDoubleSeconds(compute));
  batch_rows_->Observe(static_cast<double>(rows));
  rows_->Increment(static_cast<double>(rows));
}

Metrics::Metrics()
    : registry_(std::make_unique<prometheus::Registry>()),
      families_(std::make_unique<Families>(*registry_)),
      models_(std::make_unique<ModelCollector>()) {
  // Those that can be expected are there from the start, at 0: a rate sees the first of them, too.
  for (const char* method : kMethodNames) families_->requests.Add({{"method", method}, {"code", "OK"}});
  for (const char* code : {"INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}) {
    families_->requests.Add({{"method", "ModelInfer"}, {"code", code}});
  }
  SetReady(false);
}

Metrics::~Metrics() = default;

void Metrics::SetBuild(const std::string& instruction_set) {
  families_->build_info.Add({{"version", kVersion}, {"compiler", kCompiler}, {"isa", instruction_set}}).Set(1);
}

void Metrics::ObserveRequest(Method method, absl::StatusCode code, absl::Duration duration) {
  RequestHandles handles;
  {
    const MutexLock lock(mutex_);
    RequestHandles& made = requests_[static_cast<size_t>(method)][static_cast<size_t>(code)];
    if (made.count == nullptr) {
      const Labels labels = {{"method", kMethodNames[static_cast<size_t>(method)]},
                             {"code", absl::StatusCodeToString(code)}};
      made = {&families_->requests.Add(labels), &families_->request_seconds.Add(labels, SecondsBuckets())};
    }
    handles = made;
  }
  handles.count->Increment();
  handles.seconds->Observe(absl::ToDoubleSeconds(duration));
}

ModelMetrics* Metrics::AddModel(ModelReport report) {
  const Labels labels = {{"model", report.model}, {"version", report.version}};
  auto handles = std::make_unique<ModelMetrics>();
  handles->queue_seconds_ = &families_->queue_seconds.Add(labels, SecondsBuckets());
  handles->compute_seconds_ = &families_->compute_seconds.Add(labels, SecondsBuckets());
  handles->batch_rows_ = &families_->batch_rows.Add(labels, RowsBuckets());
  handles->rows_ = &families_->rows.Add(labels);
  models_->Add(std::move(report));
  const MutexLock lock(mutex_);
  handles_.push_back(std::move(handles));
  return handles_.back().get();
}

void Metrics::SetReady(bool ready) { families_->ready.Add({}).Set(ready ? 1 : 0); }

std::string Metrics::Serialize() const {
  std::vector<MetricFamily> families = registry_->Collect();
  for (MetricFamily& family : models_->Collect()) families.push_back(std::move(family));
  for (MetricFamily& family : CollectProcess()) families.push_back(std::move(family));
  // A family without values would still print its help.
  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace halfwave
