#include "client/commands/choose_model.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/status_macros.h"

namespace halfwave::client {

absl::StatusOr<std::string> ChooseModel(const std::string& named, InferenceClient& client) {
  if (!named.empty()) return named;
  const auto index = client.Index();
  if (absl::IsUnimplemented(index.status())) {
    return absl::InvalidArgumentError("the server cannot list its models; name one with --model");
  }
  if (!index.ok()) return index.status();
  std::vector<std::string> ready;
  std::vector<std::string> failed;
  for (const auto& model : index->models()) {
    if (model.state() != "READY") {
      failed.push_back(absl::StrCat("'", model.name(), "' (", model.reason(), ")"));
    } else if (ready.empty() || ready.back() != model.name()) {
      ready.push_back(model.name());
    }
  }
  if (ready.size() == 1) return ready[0];
  if (!ready.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the server has ", ready.size(),
                                                   " models: ", absl::StrJoin(ready, ", "), "; name one with --model"));
  }
  return absl::UnavailableError(failed.empty()
                                    ? "the server has no models"
                                    : absl::StrCat("no model is ready; not ready: ", absl::StrJoin(failed, ", ")));
}

}  // namespace halfwave::client
