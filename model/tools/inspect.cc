#include "model/tools/inspect.h"

#include "model/tools/inspect_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {

ExitCode RunInspect(const InspectCommand& command, const Streams& streams) {
  const Inspection inspection = Inspect(command.file, command.options);
  if (command.json) {
    PrintJson(inspection, streams.out);
  } else if (command.dot && inspection.status.ok()) {
    PrintDot(command.as_in_file ? inspection.file_layers : inspection.model->layers(), *inspection.model, streams.out);
  } else if (!command.dot) {
    PrintText(inspection, streams.out);
  }
  if (inspection.status.ok()) return kOk;
  const auto message = inspection.status.message();
  streams.out.flush();
  streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
  return kUsage;
}

}  // namespace halfwave::tools
