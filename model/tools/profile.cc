#include "model/tools/profile.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tools/text.h"
#include "model/tools/write_file.h"

namespace halfwave::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEraseLine = "\r\033[K";

absl::StatusOr<Profile> Record(const ProfileCommand& command, const Streams& streams) {
  ProfileOptions options = command.options;
  if (command.progress) {
    options.progress = [&](double done) {
      streams.err << kEraseLine << absl::StrFormat("running the rows, %.0f %%", 100 * done) << std::flush;
    };
  }
  absl::StatusOr<Profile> profile = RecordProfile(command.file, command.data, options);
  if (command.progress) streams.err << kEraseLine << std::flush;
  return profile;
}

std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

void Print(const Profile& profile, const ProfileCommand& command, const std::string& path, std::ostream& out) {
  const auto rows = static_cast<uint64_t>(profile.rows);
  const std::vector<std::vector<uint8_t>> watched = WatchedUnits(profile.reference(), command.window);
  out << "profile  " << Printable(path) << ", " << Plural(rows, "row") << "\n"
      << "sha256   " << profile.sha256 << " (of the model)\n\n";
  TextTable table({2, 3, 4, 5, 6});
  table.Add({"layer", "activation", "units", "never active", "always active", "activity", "watched"});
  for (size_t i = 0; i < profile.layers.size(); ++i) {
    const LayerProfile& layer = profile.layers[i];
    uint64_t sum = 0;
    for (const uint64_t active : layer.active) sum += active;
    const auto count = [&](uint64_t active) {
      return Thousands(static_cast<double>(std::count(layer.active.begin(), layer.active.end(), active)));
    };
    table.Add({ShortName(layer.layer.name), layer.layer.op,
               Thousands(static_cast<double>(layer.layer.units)) + (layer.layer.feature_maps ? " maps" : ""), count(0),
               count(rows),
               Percent(static_cast<double>(sum) / static_cast<double>(rows * static_cast<uint64_t>(layer.layer.units))),
               Thousands(static_cast<double>(std::count(watched[i].begin(), watched[i].end(), 1)))});
  }
  table.Print(out);
  out << "\n";
  PrintWrapped(
      absl::StrCat("Watched are units so often active here that a window of ",
                   Thousands(static_cast<double>(command.window)),
                   " samples without activity would say that they went silent. The profile holds statistics of "
                   "these rows, smallest and largest values included."),
      "", out);
}

}  // namespace

ExitCode RunProfile(const ProfileCommand& command, const Streams& streams) {
  const auto fail = [&](const absl::Status& status) {
    const auto message = status.message();
    streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
    return kUsage;
  };
  const absl::StatusOr<Profile> profile = Record(command, streams);
  if (!profile.ok()) return fail(profile.status());
  const std::string path =
      !command.output.empty() ? command.output : fs::path(command.file).replace_extension(".profile").string();
  if (const absl::Status written = WriteFile(ProfileToJson(*profile) + "\n", path); !written.ok()) return fail(written);
  Print(*profile, command, path, streams.out);
  return kOk;
}

}  // namespace halfwave::tools
