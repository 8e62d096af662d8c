// Pieces of a page that needs nothing beside itself.
#pragma once

#include <string>
#include <vector>

namespace halfwave::tools {

// Text as it stands between tags or in an attribute.
std::string Escaped(const std::string& text);

// A whole page, with the style that the pieces below want. title: as plain text.
std::string Page(const std::string& title, const std::string& body);

// Columns of equal width from 0 to 1 along the bottom, as high as their counts.
std::string HistogramSvg(const std::vector<double>& counts);

// One cell for each, in rows. `level`: 0 to 1, how strong its colour; `kind` the class that colours it, "" for the
// scale.
struct Cell {
  double level = 0;
  std::string kind;
  std::string hint;  // as plain text, shown when pointed at
};
std::string HeatMapSvg(const std::vector<Cell>& cells);

// Horizontal bars on a logarithmic scale, each with its name and value.
struct NamedValue {
  std::string name;
  double value = 0;  // 0 has no bar
  std::string text;
};
std::string LogBarsSvg(const std::vector<NamedValue>& bars);

// Points of a curve against the diagonal of a unit square; `weight`, 0 to 1, makes one larger.
struct SquarePoint {
  double x = 0, y = 0, weight = 0;
  std::string hint;
};
std::string SquareSvg(const std::vector<SquarePoint>& points, const std::string& x_name, const std::string& y_name);

}  // namespace halfwave::tools
