#include <bit>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"
#include "model/data/table.h"

namespace halfwave {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as the file has them");

absl::Status Bad(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("as an .npy file: ", what));
}

struct Header {
  absl::string_view text;  // the Python dictionary
  absl::string_view data;  // what follows it
};

absl::StatusOr<Header> ReadHeader(absl::string_view bytes) {
  constexpr size_t kPrefix = 8;  // \x93NUMPY and two bytes of version
  const size_t length_bytes = bytes.size() > kPrefix && bytes[6] == 1 ? 2 : 4;
  if (bytes.size() < kPrefix + length_bytes) return Bad("expected a header, found the end of the file");
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + kPrefix, length_bytes);
  const size_t start = kPrefix + length_bytes;
  if (length > bytes.size() - start) {
    return Bad(absl::StrCat("expected a header of ", length, " bytes, found ", bytes.size() - start));
  }
  return Header{bytes.substr(start, length), bytes.substr(start + length)};
}

// What follows 'key': in the dictionary, without leading white space; empty if it is not there.
absl::string_view ValueOf(absl::string_view dictionary, absl::string_view key) {
  const std::string quoted = absl::StrCat("'", key, "':");
  const size_t at = dictionary.find(quoted);
  if (at == absl::string_view::npos) return {};
  return absl::StripLeadingAsciiWhitespace(dictionary.substr(at + quoted.size()));
}

absl::StatusOr<std::vector<int64_t>> ReadShape(absl::string_view text) {
  const size_t end = text.find(')');
  if (!absl::StartsWith(text, "(") || end == absl::string_view::npos) return Bad("expected a shape, found none");
  std::vector<int64_t> shape;
  for (const absl::string_view part : absl::StrSplit(text.substr(1, end - 1), ',', absl::SkipWhitespace())) {
    int64_t size = 0;
    if (!absl::SimpleAtoi(part, &size) || size < 1) {
      return Bad(absl::StrCat("expected a shape of numbers above zero, found ", text.substr(0, end + 1)));
    }
    shape.push_back(size);
  }
  return shape;
}

// The number of values, if the data hold as many.
absl::StatusOr<int64_t> CountValues(const std::vector<int64_t>& shape, size_t value_bytes, size_t data_bytes) {
  const auto available = static_cast<int64_t>(data_bytes / value_bytes);
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size > available / count) {
      return Bad(absl::StrCat("its shape asks for more values than the ", available, " in the file; it is cut off"));
    }
    count *= size;
  }
  return count;
}

template <typename T>
absl::Status Convert(const Header& header, Table& table) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t count, CountValues(table.shape, sizeof(T), header.data.size()));
  table.values.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, header.data.data() + i * sizeof(T), sizeof(T));
    table.values[i] = static_cast<float>(value);
  }
  return absl::OkStatus();
}

struct DataType {
  absl::string_view name;
  absl::Status (*convert)(const Header& header, Table& table);
};
constexpr DataType kDataTypes[] = {{"<f4", Convert<float>},    {"<f8", Convert<double>},   {"|u1", Convert<uint8_t>},
                                   {"|i1", Convert<int8_t>},   {"<u2", Convert<uint16_t>}, {"<i2", Convert<int16_t>},
                                   {"<u4", Convert<uint32_t>}, {"<i4", Convert<int32_t>},  {"<u8", Convert<uint64_t>},
                                   {"<i8", Convert<int64_t>},  {"|b1", Convert<uint8_t>}};

}  // namespace

absl::StatusOr<Table> ParseNpy(absl::string_view bytes) {
  HALFWAVE_ASSIGN_OR_RETURN(const Header header, ReadHeader(bytes));
  const absl::string_view type = ValueOf(header.text, "descr");
  Table table;
  HALFWAVE_ASSIGN_OR_RETURN(table.shape, ReadShape(ValueOf(header.text, "shape")));
  if (!absl::StartsWith(ValueOf(header.text, "fortran_order"), "False") && table.shape.size() > 1) {
    return Bad("expected values in C order, found Fortran order; save numpy.ascontiguousarray(array)");
  }
  for (const DataType& known : kDataTypes) {
    if (!absl::StartsWith(type, absl::StrCat("'", known.name, "'"))) continue;
    HALFWAVE_RETURN_IF_ERROR(known.convert(header, table));
    return table;
  }
  constexpr size_t kShown = 20;
  return Bad(absl::StrCat("expected little-endian numbers such as '<f4', found ",
                          type.substr(0, type.substr(0, kShown).find(',')), "; save array.astype('float32')"));
}

}  // namespace halfwave
