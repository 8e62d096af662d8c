// halfwave-model: looks at model files, without a server. Only options are read here; each command has its own file.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <string>

#include "model/kernels/isa.h"
#include "model/tools/bench.h"
#include "model/tools/condition.h"
#include "model/tools/doctor.h"
#include "model/tools/inspect.h"
#include "model/tools/profile.h"
#include "model/tools/prove.h"
#include "model/tools/prune.h"

namespace {

using halfwave::tools::BenchCommand;
using halfwave::tools::DoctorCommand;
using halfwave::tools::InspectCommand;
using halfwave::tools::ProfileCommand;
using halfwave::tools::ProveCommand;
using halfwave::tools::PruneCommand;

void AddModelOptions(CLI::App& command, halfwave::ReaderOptions& reader, halfwave::ModelOptions& model) {
  command.add_flag("--add-softmax", model.add_softmax, "As of the server: probabilities of logits");
  command.add_option("--max-model-bytes", reader.max_model_bytes, "As of the server: the largest file that is read")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void AddInspect(CLI::App& app, InspectCommand& command) {
  CLI::App* inspect = app.add_subcommand("inspect", "What is in a model file, what it costs and what is wrong with it");
  inspect->add_option("FILE", command.file, "The ONNX file")->required();
  CLI::Option* json = inspect->add_flag("--json", command.json, "One JSON document instead of text");
  CLI::Option* dot = inspect->add_flag("--dot", command.dot, "The graph for Graphviz, as it is served")->excludes(json);
  inspect->add_flag("--as-in-file", command.as_in_file, "With --dot: the graph as the file has it")->needs(dot);
  AddModelOptions(*inspect, command.options.reader, command.options.model);
}

CLI::App* AddBench(CLI::App& app, BenchCommand& command) {
  CLI::App* bench = app.add_subcommand("bench", "What a model costs on this machine: time and memory of each layer");
  bench->add_option("FILE", command.file, "The ONNX file")->required();
  bench->add_option("--batch", command.options.batches, "Rows per call, for each a measurement")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  bench->add_option("--seconds", command.options.seconds, "How long each is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  bench->add_option("--weights", command.options.model.weights, "As of the server: fp32 or fp16")
      ->transform(CLI::CheckedTransformer(
                      std::map<std::string, halfwave::WeightFormat>{{"fp32", halfwave::WeightFormat::kFloat},
                                                                    {"fp16", halfwave::WeightFormat::kHalf}})
                      .description(""))
      ->type_name("FORMAT")
      ->default_str("fp32");
  bench->add_flag("--json", command.json, "One JSON document instead of text");
  AddModelOptions(*bench, command.options.reader, command.options.model);
  return bench;
}

CLI::App* AddProfile(CLI::App& app, ProfileCommand& command) {
  CLI::App* profile =
      app.add_subcommand("profile", "What a model's units do on reference data, for the server to watch");
  profile->add_option("FILE", command.file, "The ONNX file")->required();
  profile->add_option("--data", command.data, "The rows: CSV, .npy or IDX, also packed by gzip")->required();
  profile->add_option("-o,--output", command.output, "Where to write it; by default beside the model, as NAME.profile");
  profile->add_option("--scale", command.options.scale, "Multiplies every number of the rows")->capture_default_str();
  profile->add_option("--window", command.window, "The server's --activity-window, to say which units it can watch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddModelOptions(*profile, command.options.reader, command.options.model);
  return profile;
}

CLI::App* AddProve(CLI::App& app, ProveCommand& command) {
  CLI::App* prove =
      app.add_subcommand("prove", "Which units are dead, and which always on, for every input of a domain");
  prove->add_option("FILE", command.file, "The ONNX file")->required();
  CLI::Option* domain = prove->add_option("--input-domain", command.domain,
                                          "LOW,HIGH: what every input element is between; else what the file says");
  domain->delimiter(',')->expected(2);
  prove
      ->add_option("--profile", command.options.profile,
                   "The domain is what inputs were between when this profile was recorded")
      ->excludes(domain);
  CLI::Option* data = prove->add_option("--data", command.options.data, "Rows: CSV, .npy or IDX, also packed by gzip");
  prove->add_option("--scale", command.options.scale, "Multiplies every number of the rows")
      ->needs(data)
      ->capture_default_str();
  prove->add_option("--rows", command.options.rows, "Only the first rows of --data")
      ->needs(data)
      ->check(CLI::PositiveNumber);
  CLI::Option* ball =
      prove->add_option("--ball", command.options.ball, "A domain around each row: what differs by no more, anywhere");
  ball->needs(data)->check(CLI::NonNegativeNumber);
  CLI::Option* directions =
      prove->add_option("--directions", command.options.directions,
                        "Cut the domain to what the rows' sum and so many principal directions lie between");
  directions->needs(data)->excludes(ball)->check(CLI::Range(int64_t{0}, int64_t{64}));
  prove->add_option("--slack", command.options.slack, "With --directions: the share by which that is widened")
      ->needs(directions)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  prove->add_flag("--json", command.json, "One JSON document instead of text");
  AddModelOptions(*prove, command.options.reader, command.options.model);
  return prove;
}

CLI::App* AddPrune(CLI::App& app, PruneCommand& command) {
  CLI::App* prune =
      app.add_subcommand("prune", "A smaller file that answers the same: without units that are always zero");
  prune->add_option("FILE", command.file, "The ONNX file")->required();
  prune->add_option("-o,--output", command.output, "Where to write the smaller one")->required();
  prune
      ->add_option("--input-domain", command.domain,
                   "LOW,HIGH: what every input element is between; else what the metadata declare, or anything")
      ->delimiter(',')
      ->expected(2);
  CLI::Option* observed = prune->add_flag("--observed", command.observed,
                                          "Remove also what no row of --data makes active; that is no proof");
  CLI::Option* data = prune->add_option("--data", command.data, "The rows: CSV, .npy or IDX, also packed by gzip");
  data->needs(observed);
  prune->add_option("--scale", command.options.scale, "Multiplies every number of the rows")
      ->needs(data)
      ->capture_default_str();
  prune->add_flag("--json", command.json, "One JSON document instead of text");
  AddModelOptions(*prune, command.options.reader, command.options.model);
  return prune;
}

CLI::App* AddDoctor(CLI::App& app, DoctorCommand& command) {
  CLI::App* doctor =
      app.add_subcommand("doctor", "What data show of a trained network, and what to do about it: a report");
  doctor->add_option("FILE", command.file, "The ONNX file")->required();
  doctor->add_option("--data", command.data, "The rows: CSV, .npy or IDX, also packed by gzip")->required();
  doctor->add_option("--labels", command.options.labels,
                     "The right class of each row, by name or number; else the data's column 'label', if there is one");
  doctor->add_option("-o,--output", command.output, "The report, HTML; by default NAME-doctor.html, here");
  doctor->add_option("--scale", command.options.scale, "Multiplies every number of the rows")->capture_default_str();
  doctor
      ->add_option("--window", command.options.window, "Rows from which on a unit that is never active is called dead")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  doctor
      ->add_option("--fail-if", command.fail_if,
                   "Exit with 1 if it is so, as 'dead>5%'; of " + halfwave::tools::KnownFigures())
      ->allow_extra_args(false);
  doctor->add_flag("--json", command.json, "One JSON document instead of text");
  AddModelOptions(*doctor, command.options.reader, command.options.model);
  return doctor;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "halfwave-model: looks at ONNX models, without a server.\n"
      "Exit codes: 0 done; 1 doctor's --fail-if; 2 wrong use, or a file that cannot be served.",
      "halfwave-model");
  app.set_version_flag("--version", "halfwave-model " HALFWAVE_VERSION);
  app.require_subcommand(1);
  InspectCommand inspect;
  BenchCommand bench;
  bench.progress = isatty(STDERR_FILENO) != 0;
  ProfileCommand profile;
  ProveCommand prove;
  PruneCommand prune;
  DoctorCommand doctor;
  profile.progress = prove.progress = prune.progress = doctor.progress = bench.progress;
  AddInspect(app, inspect);
  const CLI::App* is_bench = AddBench(app, bench);
  const CLI::App* is_profile = AddProfile(app, profile);
  const CLI::App* is_prove = AddProve(app, prove);
  const CLI::App* is_prune = AddPrune(app, prune);
  const CLI::App* is_doctor = AddDoctor(app, doctor);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? halfwave::tools::kOk : halfwave::tools::kUsage;
  }
  if (const absl::Status status = halfwave::kernels::SelectIsa(); !status.ok()) {
    std::cerr << "halfwave-model: " << halfwave::kernels::kForceIsa << ": " << status.message() << "\n";
    return halfwave::tools::kUsage;
  }
  const halfwave::tools::Streams streams = {std::cout, std::cerr};
  if (is_doctor->parsed()) return RunDoctor(doctor, streams);
  if (is_prove->parsed()) return RunProve(prove, streams);
  if (is_prune->parsed()) return RunPrune(prune, streams);
  if (is_profile->parsed()) return RunProfile(profile, streams);
  return is_bench->parsed() ? RunBench(bench, streams) : RunInspect(inspect, streams);
}
