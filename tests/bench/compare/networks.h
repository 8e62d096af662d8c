// The networks of the scored set that need no data: made here, with random weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace halfwave::compare {

struct Network {
  std::string name;
  std::string bytes;  // an ONNX file
};

// He-initialised weights, small biases, always the same. A CNN's layers are 3x3 with padding unless said otherwise;
// batch normalisation is folded into the convolutions, as exporters do.
std::vector<Network> MakeNetworks();

// Rows of noise, evenly spread over [-1, 1), the negative half zero.
std::vector<float> HalfZeros(int64_t count);

}  // namespace halfwave::compare
