// Real PNG files for the tests.
#pragma once

#include <string>
#include <vector>

namespace halfwave::client {

// Rows from the top, `channels` bytes a pixel: 1 grey, 3 colour, 4 colour and alpha.
std::string PngBytes(int width, int height, int channels, const std::vector<unsigned char>& pixels);

}  // namespace halfwave::client
