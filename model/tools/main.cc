// halfwave-model: looks at model files, without a server. Only options are read here; each command has its own file.
#include <CLI/CLI.hpp>
#include <iostream>

#include "model/tools/inspect.h"

namespace {

using halfwave::tools::InspectCommand;

CLI::App* AddInspect(CLI::App& app, InspectCommand& command) {
  CLI::App* inspect = app.add_subcommand("inspect", "What is in a model file, what it costs and what is wrong with it");
  inspect->add_option("FILE", command.file, "The ONNX file")->required();
  CLI::Option* json = inspect->add_flag("--json", command.json, "One JSON document instead of text");
  CLI::Option* dot = inspect->add_flag("--dot", command.dot, "The graph for Graphviz, as it is served")->excludes(json);
  inspect->add_flag("--as-in-file", command.as_in_file, "With --dot: the graph as the file has it")->needs(dot);
  inspect->add_flag("--add-softmax", command.options.model.add_softmax, "As of the server: probabilities of logits");
  inspect
      ->add_option("--max-model-bytes", command.options.reader.max_model_bytes,
                   "As of the server: the largest file that is read")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return inspect;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "halfwave-model: looks at ONNX models, without a server.\n"
      "Exit codes: 0 done; 2 wrong use, or a file that cannot be served.",
      "halfwave-model");
  app.set_version_flag("--version", "halfwave-model " HALFWAVE_VERSION);
  app.require_subcommand(1);
  InspectCommand inspect;
  AddInspect(app, inspect);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? halfwave::tools::kOk : halfwave::tools::kUsage;
  }
  return RunInspect(inspect, {std::cout, std::cerr});
}
