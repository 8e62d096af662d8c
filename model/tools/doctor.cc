#include "model/tools/doctor.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/status_macros.h"
#include "model/tools/condition.h"
#include "model/tools/doctor_output.h"
#include "model/tools/text.h"
#include "model/tools/write_file.h"

namespace halfwave::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEraseLine = "\r\033[K";
constexpr int kBarWidth = 30;

std::string Bar(double done) {
  const int filled = static_cast<int>(done * kBarWidth + 0.5);
  return absl::StrFormat("examining [%s%s] %3.0f %%", std::string(filled, '#'), std::string(kBarWidth - filled, '.'),
                         100 * done);
}

absl::StatusOr<Diagnosis> Examine(const DoctorCommand& command, const Streams& streams) {
  DoctorOptions options = command.options;
  if (command.progress) {
    options.progress = [&](double done) { streams.err << kEraseLine << Bar(done) << std::flush; };
  }
  absl::StatusOr<Diagnosis> diagnosis = Diagnose(command.file, command.data, options);
  if (command.progress) streams.err << kEraseLine << std::flush;
  return diagnosis;
}

absl::StatusOr<std::vector<Condition>> Conditions(const DoctorCommand& command) {
  std::vector<Condition> conditions;
  for (const std::string& text : command.fail_if) {
    HALFWAVE_ASSIGN_OR_RETURN(conditions.emplace_back(), ParseCondition(text));
  }
  return conditions;
}

absl::StatusOr<ExitCode> Run(const DoctorCommand& command, const Streams& streams) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<Condition> conditions, Conditions(command));
  HALFWAVE_ASSIGN_OR_RETURN(const Diagnosis diagnosis, Examine(command, streams));
  std::vector<std::string> failures;
  for (const Condition& condition : conditions) {
    HALFWAVE_ASSIGN_OR_RETURN(std::string failure, FailureOf(condition, diagnosis));
    if (!failure.empty()) failures.push_back(std::move(failure));
  }
  const std::string output =
      command.output.empty() ? absl::StrCat(fs::path(command.file).stem().string(), "-doctor.html") : command.output;
  HALFWAVE_RETURN_IF_ERROR(WriteFile(DiagnosisHtml(diagnosis, command.file, command.data), output));
  if (command.json) {
    streams.out << DiagnosisJson(diagnosis, command.file, failures) << "\n";
  } else {
    PrintDiagnosis(diagnosis, command.file, streams.out);
    streams.out << "\nReport: " << Printable(output) << "\n";
    for (const std::string& failure : failures) streams.out << "FAILED " << Printable(failure) << "\n";
  }
  return failures.empty() ? kOk : kFailed;
}

}  // namespace

ExitCode RunDoctor(const DoctorCommand& command, const Streams& streams) {
  const absl::StatusOr<ExitCode> code = Run(command, streams);
  if (code.ok()) return *code;
  const auto message = code.status().message();
  streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
  return kUsage;
}

}  // namespace halfwave::tools
