#include "model/tools/findings_json.h"

namespace halfwave::tools {

nlohmann::ordered_json FindingsJson(const Findings& findings) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json.push_back({{"id", finding.id},
                    {"level", finding.level == Finding::Level::kWarning ? "warning" : "note"},
                    {"node", finding.node},
                    {"what", finding.what},
                    {"why", finding.why},
                    {"advice", finding.advice}});
  }
  return json;
}

}  // namespace halfwave::tools
