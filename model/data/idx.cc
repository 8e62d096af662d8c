#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/data/table.h"

namespace halfwave {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(absl::StrCat("as an IDX file: ", what)); }

template <typename T>
T BigEndian(const char* bytes) {
  static_assert(std::endian::native == std::endian::little);
  char turned[sizeof(T)];
  std::reverse_copy(bytes, bytes + sizeof(T), turned);
  T value;
  std::memcpy(&value, turned, sizeof(T));
  return value;
}

template <typename T>
absl::Status Convert(absl::string_view data, Table& table) {
  const auto available = static_cast<int64_t>(data.size() / sizeof(T));
  int64_t count = 1;
  for (const int64_t size : table.shape) {
    if (size < 1 || size > available / count) {
      return Bad(absl::StrCat("its shape asks for other than the ", available, " values in the file; it is cut off"));
    }
    count *= size;
  }
  table.values.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    table.values[i] = static_cast<float>(BigEndian<T>(data.data() + i * sizeof(T)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ParseIdx(absl::string_view bytes) {
  constexpr size_t kMagic = 4, kSize = 4;
  const size_t rank = bytes.size() < kMagic ? 0 : static_cast<unsigned char>(bytes[3]);
  const size_t header = kMagic + rank * kSize;
  if (rank == 0 || bytes.size() < header) return Bad("expected a header, found the end of the file");
  Table table;
  for (size_t i = 0; i < rank; ++i) table.shape.push_back(BigEndian<uint32_t>(bytes.data() + kMagic + i * kSize));
  const absl::string_view data = bytes.substr(header);
  absl::Status status;
  switch (bytes[2]) {
    case 0x08:
      status = Convert<uint8_t>(data, table);
      break;
    case 0x09:
      status = Convert<int8_t>(data, table);
      break;
    case 0x0B:
      status = Convert<int16_t>(data, table);
      break;
    case 0x0C:
      status = Convert<int32_t>(data, table);
      break;
    case 0x0D:
      status = Convert<float>(data, table);
      break;
    case 0x0E:
      status = Convert<double>(data, table);
      break;
    default:
      status = Bad(absl::StrCat("expected a type from 8 to 14, found ", static_cast<int>(bytes[2])));
  }
  HALFWAVE_RETURN_IF_ERROR(status);
  return table;
}

}  // namespace halfwave
