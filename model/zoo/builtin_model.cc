#include "model/zoo/builtin_model.h"

// Defined in builtin_model.S.
extern "C" const char halfwave_builtin_model_begin[];
extern "C" const char halfwave_builtin_model_end[];

namespace halfwave {

std::string_view BuiltinModelBytes() {
  return {halfwave_builtin_model_begin, static_cast<size_t>(halfwave_builtin_model_end - halfwave_builtin_model_begin)};
}

}  // namespace halfwave
