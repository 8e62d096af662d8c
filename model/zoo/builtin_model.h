#pragma once

#include <string_view>

namespace halfwave {

// The ONNX file of the model that the server carries with it: the digits CNN of this folder.
std::string_view BuiltinModelBytes();

// The name it is served under.
inline constexpr const char* kBuiltinModelName = "digits";

}  // namespace halfwave
