#include "model/engine/proof.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/session.h"

namespace halfwave {
namespace {

absl::Status SelfTestError(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat("self-test (metadata 'halfwave.selftest'): ", what));
}

// The rows of a self-test tensor, which must be there and fit the model's.
absl::StatusOr<const NamedTensor*> FindTensor(const std::map<std::string, NamedTensor>& tensors,
                                              const GraphValue& value, int64_t rows) {
  const auto found = tensors.find(value.name);
  if (found == tensors.end()) return SelfTestError(absl::StrCat("has no values for input '", value.name, "'"));
  Shape expected = value.shape;
  expected[0] = rows;
  if (found->second.shape != expected) {
    return SelfTestError(absl::StrCat("tensor '", value.name, "' is of shape ", ShapeToString(found->second.shape),
                                      ", expected ", ShapeToString(expected)));
  }
  return &found->second;
}

absl::Status CompareRows(const std::string& name, int64_t rows, std::span<const float> expected,
                         std::span<const float> actual) {
  const size_t elements = expected.size() / rows;
  for (int64_t row = 0; row < rows; ++row) {
    const auto want = expected.subspan(row * elements, elements);
    const auto got = actual.subspan(row * elements, elements);
    if (WithinTolerance(want, got)) continue;
    size_t worst = 0;
    for (size_t i = 0; i < elements && !std::isnan(got[worst]); ++i) {
      if (!(std::abs(want[i] - got[i]) <= std::abs(want[worst] - got[worst]))) worst = i;
    }
    return SelfTestError(absl::StrCat("output '", name, "', row ", row, ", element ", worst, ": expected ", want[worst],
                                      ", computed ", got[worst],
                                      "; the file was damaged, or uses an operator in a way "
                                      "this server reads differently"));
  }
  return absl::OkStatus();
}

// Reproducible values between 0 and 1, another sequence for each row.
void FillWithNoise(int64_t row, std::span<float> values) {
  uint32_t state = 12345 + static_cast<uint32_t>(row) * 2654435761u;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / static_cast<float>(1 << 24);
  }
}

// The largest difference of a row, see kMaxShareMoved. What is the same, NaN and infinity included, has not moved.
double ShareMoved(std::span<const float> exact, std::span<const float> rounded) {
  float peak = 1e-4f;
  for (const float value : exact) peak = std::isfinite(value) ? std::max(peak, std::abs(value)) : peak;
  double share = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    if (exact[i] == rounded[i] || (std::isnan(exact[i]) && std::isnan(rounded[i]))) continue;
    const double moved = std::abs(static_cast<double>(exact[i]) - rounded[i]) / peak;
    share = std::max(share, std::isnan(moved) ? HUGE_VAL : moved);
  }
  return share;
}

}  // namespace

bool WithinTolerance(std::span<const float> expected, std::span<const float> actual) {
  float peak = 0;
  for (const float value : expected) peak = std::max(peak, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!(std::abs(expected[i] - actual[i]) <= 1e-5f * peak + 1e-6f)) return false;
  }
  return true;
}

absl::Status ProveSelfTest(const std::shared_ptr<const Model>& model) {
  if (!model->metadata().self_test) return absl::OkStatus();
  const SelfTest& test = *model->metadata().self_test;
  if (test.inputs.empty() || test.outputs.empty()) return SelfTestError("is empty");
  const int64_t rows = test.inputs.begin()->second.shape[0];
  Session session(model, rows);
  for (size_t i = 0; i < model->inputs().size(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(const NamedTensor* tensor, FindTensor(test.inputs, model->inputs()[i], rows));
    std::copy(tensor->data.begin(), tensor->data.end(), session.input(i).begin());
  }
  session.Run(rows);
  size_t compared = 0;
  for (size_t i = 0; i < model->outputs().size(); ++i) {
    const GraphValue& output = model->outputs()[i];
    if (!test.outputs.contains(output.name)) continue;
    HALFWAVE_ASSIGN_OR_RETURN(const NamedTensor* tensor, FindTensor(test.outputs, output, rows));
    HALFWAVE_RETURN_IF_ERROR(CompareRows(output.name, rows, tensor->data, session.output(i, rows)));
    ++compared;
  }
  if (compared != test.outputs.size()) return SelfTestError("expects an output that the model does not have");
  return absl::OkStatus();
}

absl::Status ProveRowsAreIndependent(const std::shared_ptr<const Model>& model) {
  constexpr int64_t kRows = 3;
  Session together(model, kRows);
  Session alone(model, 1);
  // A row may take much memory, so its values are made anew rather than kept.
  const auto fill = [&](Session& session, size_t input, int64_t place, int64_t row) {
    const auto elements = session.input(input).size() / session.max_rows();
    FillWithNoise(row, session.input(input).subspan(place * elements, elements));
  };
  for (size_t i = 0; i < model->inputs().size(); ++i) {
    for (int64_t row = 0; row < kRows; ++row) fill(together, i, row, row);
  }
  together.Run(kRows);
  for (int64_t row = 0; row < kRows; ++row) {
    for (size_t i = 0; i < model->inputs().size(); ++i) fill(alone, i, 0, row);
    alone.Run(1);
    for (size_t i = 0; i < model->outputs().size(); ++i) {
      const auto expected = alone.output(i, 1);
      if (!WithinTolerance(expected, together.output(i, kRows).subspan(row * expected.size(), expected.size()))) {
        return absl::FailedPreconditionError(absl::StrCat(
            "the file was exported for one fixed batch size, and output '", model->outputs()[i].name,
            "' of a row depends on the other rows of a batch; export it with an open (dynamic) batch dimension"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ProveRounding(const std::shared_ptr<const Model>& exact, const std::shared_ptr<const Model>& rounded) {
  constexpr int64_t kNoiseRows = 16;
  const std::optional<SelfTest>& test = exact->metadata().self_test;
  const int64_t rows = test ? test->inputs.begin()->second.shape[0] : kNoiseRows;
  Session exact_session(exact, 1), rounded_session(rounded, 1);
  struct {
    double share = 0;
    size_t output = 0;
    int64_t row = 0;
  } worst;
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < exact->inputs().size(); ++i) {
      const std::span<float> input = exact_session.input(i);
      if (test) {
        const std::span<const float> data = test->inputs.at(exact->inputs()[i].name).data;
        std::ranges::copy(data.subspan(row * input.size(), input.size()), input.begin());
      } else {
        FillWithNoise(row, input);
      }
      std::ranges::copy(input, rounded_session.input(i).begin());
    }
    exact_session.Run(1);
    rounded_session.Run(1);
    for (size_t i = 0; i < exact->outputs().size(); ++i) {
      if (!IsFloat(exact->outputs()[i].type)) continue;
      const double share = ShareMoved(exact_session.output(i, 1), rounded_session.output(i, 1));
      if (share > worst.share) worst = {share, i, row};
    }
  }
  if (worst.share <= kMaxShareMoved) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("weights in half precision move output '", exact->outputs()[worst.output].name, "' by ",
                   100 * worst.share, " % of its row's largest value (row ", worst.row, " of ",
                   test ? "the self-test" : "noise between 0 and 1, for want of a self-test", "), at most ",
                   100 * kMaxShareMoved, " % is allowed; serve this model with weights in fp32"));
}

}  // namespace halfwave
