// halfwave: the client. Only options are read here; the commands are in commands/.
#include <CLI/CLI.hpp>
#include <iostream>

#include "client/commands/health.h"
#include "client/commands/models.h"
#include "client/commands/predict.h"

namespace {

using halfwave::client::CommonOptions;
using halfwave::client::HealthOptions;
using halfwave::client::PredictOptions;

constexpr double kLongestDeadline = 86400;

void AddCommon(CLI::App& command, CommonOptions& options) {
  command.add_option("--server", options.server, "host:port of the server")
      ->envname("HALFWAVE_SERVER")
      ->capture_default_str();
  command.add_option("--deadline", options.deadline_seconds, "Seconds to wait for each answer")
      ->check(CLI::Range(0.001, kLongestDeadline))
      ->capture_default_str();
  command.add_flag("--json", options.json, "One JSON document instead of text");
}

// Options that stand for the model's halfwave.* properties.
void AddOverrides(CLI::App& command, halfwave::client::PictureOverrides& overrides) {
  const auto add = [&](const std::string& key, const std::string& help) {
    return command
        .add_option_function<std::string>(
            "--" + key, [&overrides, key](const std::string& v) { overrides[key] = v; }, help)
        ->group("What pictures become (the model's own metadata say so by default)");
  };
  add("width", "Pixels across")->check(CLI::PositiveNumber);
  add("height", "Pixels down")->check(CLI::PositiveNumber);
  add("channels", "1: grey, 3: red, green, blue")->check(CLI::IsMember({"1", "3"}));
  add("scale", "A value p becomes (p * scale - mean) / std; given here, also in tables")->check(CLI::Number);
  add("mean", "One number, or one per channel, separated by commas");
  add("std", "Likewise");
  add("layout", "Order of the values")->check(CLI::IsMember({"NCHW", "NHWC", "flat"}));
  add("polarity", "What the model knows")->check(CLI::IsMember({"light-on-dark", "dark-on-light", "any"}));
  add("fit", "pad: keep the aspect ratio; ink: cut to what is drawn first; stretch: neither")
      ->check(CLI::IsMember({"pad", "ink", "stretch"}));
  add("invert", "Swap light and dark; auto: if the picture's border says so")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
}

CLI::App* AddPredict(CLI::App& app, PredictOptions& options) {
  CLI::App* command = app.add_subcommand("predict", "What a model sees in pictures and tables");
  command
      ->add_option("FILE", options.files,
                   "PNG, PGM or PPM pictures; CSV or .npy tables, one row per sample. A CSV "
                   "column called 'label' holds the expected answers")
      ->required();
  AddCommon(*command, options.common);
  command->add_option("--model", options.model, "The model; none: the only one there is");
  command->add_option("--version", options.version, "Its version; none: the newest");
  command->add_option("--top", options.top, "Classes to show of a picture")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  AddOverrides(*command, options.overrides);
  return command;
}

CLI::App* AddHealth(CLI::App& app, HealthOptions& options) {
  CLI::App* command = app.add_subcommand("health", "Which units of a model are dead, and how active the others are");
  command->add_option("MODEL,--model", options.model, "The model; none: the only one there is");
  command->add_option("--version", options.version, "Its version; none: the newest");
  command->add_option("--units", options.units, "A layer of which each unit is shown; '*': all");
  command->add_flag("--watch", options.watch,
                    "Until interrupted: on a terminal drawn anew each second; otherwise, and with --json, one line for "
                    "each unit that dies, goes silent, wakes up or is always on");
  AddCommon(*command, options.common);
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "halfwave: asks a Halfwave server, or another that speaks the Open Inference Protocol.\n"
      "Exit codes: 0 done; 1 the server answered with an error, or some of the files failed;\n"
      "2 wrong use, or no file could be read; 3 no server answers, or not within the deadline.",
      "halfwave");
  app.set_version_flag("--version", "halfwave " HALFWAVE_VERSION);
  app.require_subcommand(1);
  PredictOptions predict;
  HealthOptions health;
  CommonOptions models;
  const CLI::App* predict_command = AddPredict(app, predict);
  const CLI::App* health_command = AddHealth(app, health);
  AddCommon(*app.add_subcommand("models", "The models a server has"), models);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? halfwave::client::kOk : halfwave::client::kUsage;
  }
  const halfwave::client::Streams streams{std::cout, std::cerr, halfwave::client::DetectStyle()};
  if (predict_command->parsed()) return RunPredict(predict, streams);
  if (health_command->parsed()) return RunHealth(health, streams);
  return RunModels(models, streams);
}
