#include "model/onnx/tensor_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "model/base/finite.h"
#include "model/base/large_pages.h"
#include "model/base/status_macros.h"
#include "model/onnx/external_data.h"
#include "model/onnx/text.h"

namespace halfwave {
namespace {

using onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw data are little-endian and used as they are");

absl::Status TensorError(const TensorProto& tensor, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name(), "': ", what));
}

absl::Status CountError(const TensorProto& tensor, int64_t count, const std::string& unit, int64_t found,
                        const std::string& found_unit) {
  return TensorError(
      tensor,
      absl::StrCat("its shape ", ShapeToString(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())),
                   " needs ", count, " elements", unit, ", found ", found, found_unit));
}

// IEEE 754 binary16. Scaling by 2^112 moves the exponent's bias from 15 to 127, subnormal numbers included.
float HalfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t rest = uint32_t{bits & 0x7FFFu} << 13;
  const bool finite = (bits & 0x7C00) != 0x7C00;
  const float magnitude = finite ? std::bit_cast<float>(rest) * 0x1p112f : std::bit_cast<float>(rest | 0x7F800000u);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
}

// The upper half of an fp32.
float BFloatToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// The bytes of one element in raw and external data, 0 for text.
int64_t ElementBytes(DataType type) {
  switch (type) {
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kBool:
      return 1;
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kInt16:
    case DataType::kUint16:
      return 2;
    case DataType::kFloat:
    case DataType::kInt32:
    case DataType::kUint32:
      return 4;
    case DataType::kDouble:
    case DataType::kInt64:
    case DataType::kUint64:
      return 8;
    case DataType::kString:
      return 0;
  }
  return 0;
}

absl::Status ReadBytes(const TensorProto& tensor, const Extent& place, const TensorSource& source, void* out) {
  if (source.file->ReadAt(place.offset, out, place.bytes) == place.bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("tensor '", tensor.name(), "': the file ended while it was read"));
}

// Elements of one tensor on their way from the file to a constant.
class Elements {
 public:
  // `raw`: the elements one after the other; nothing if each lies in the field that its type has in the schema.
  Elements(const TensorProto& tensor, std::optional<std::string_view> raw, int64_t count, TensorSource& source)
      : tensor_(tensor), raw_(raw), count_(count), source_(source) {}

  // Elements that lie as Stored in raw data, else in `field`.
  template <typename Stored, typename Field, typename To, typename Transform>
  absl::Status Convert(const Field& field, std::vector<To>& out, Transform transform) {
    HALFWAVE_RETURN_IF_ERROR(CheckCount(field.size(), sizeof(Stored)));
    HALFWAVE_RETURN_IF_ERROR(Take(count_, sizeof(To)));
    if constexpr (std::is_same_v<Stored, To> && std::is_same_v<Field, google::protobuf::RepeatedField<To>>) {
      if (!raw_) {
        out.assign(field.begin(), field.end());
        return absl::OkStatus();
      }
    }
    out.resize(count_);
    if (raw_) {
      if constexpr (std::is_same_v<Stored, To>) {
        if (count_ > 0) std::memcpy(out.data(), raw_->data(), raw_->size());
        return absl::OkStatus();
      }
      for (int64_t i = 0; i < count_; ++i) {
        Stored value;
        std::memcpy(&value, raw_->data() + i * sizeof(Stored), sizeof(Stored));
        out[i] = static_cast<To>(transform(value));
      }
      return absl::OkStatus();
    }
    for (int64_t i = 0; i < count_; ++i) {
      const auto found = field.Get(static_cast<int>(i));
      const auto value = static_cast<Stored>(found);
      if constexpr (std::is_integral_v<Stored>) {
        if (static_cast<decltype(found)>(value) != found) {
          return TensorError(tensor_, absl::StrCat("element ", i, " is ", found, ", which its type ",
                                                   ElementTypeName(tensor_.data_type()), " cannot hold"));
        }
      }
      out[i] = static_cast<To>(transform(value));
    }
    return absl::OkStatus();
  }
  template <typename Stored, typename Field, typename To>
  absl::Status Convert(const Field& field, std::vector<To>& out) {
    return Convert<Stored>(field, out, [](Stored value) { return value; });
  }

  // Elements that lie in the file as they will in memory. Says whether all are finite, too, while they are at hand.
  absl::StatusOr<bool> ReadInto(const Extent& place, std::vector<float>& out) {
    HALFWAVE_RETURN_IF_ERROR(CheckBytes(place.bytes, sizeof(float)));
    HALFWAVE_RETURN_IF_ERROR(Take(count_, sizeof(float)));
    // By way of a block that stays in the cache: the large memory is written once, not cleared first.
    constexpr int64_t kBlock = 1 << 14;
    std::vector<float> block(std::min(count_, kBlock));
    out.reserve(count_);
    PreferLargePages(out.data(), count_ * sizeof(float));
    bool finite = true;
    for (int64_t done = 0; done < count_; done += kBlock) {
      const int64_t count = std::min(count_ - done, kBlock), bytes = sizeof(float);
      HALFWAVE_RETURN_IF_ERROR(ReadBytes(tensor_, {place.offset + done * bytes, count * bytes}, source_, block.data()));
      finite &= AllFinite({block.data(), static_cast<size_t>(count)});
      out.insert(out.end(), block.begin(), block.begin() + count);
    }
    return finite;
  }

  absl::Status ConvertStrings(std::vector<std::string>& out) {
    if (raw_) return TensorError(tensor_, "text cannot lie in raw or external data");
    HALFWAVE_RETURN_IF_ERROR(CheckCount(tensor_.string_data_size(), 1));
    HALFWAVE_RETURN_IF_ERROR(Take(count_, sizeof(std::string)));
    for (const std::string& value : tensor_.string_data()) {
      HALFWAVE_RETURN_IF_ERROR(Take(static_cast<int64_t>(value.size()), 1));
      out.push_back(ToUtf8(value));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckCount(int64_t in_field, size_t bytes) const {
    if (raw_) return CheckBytes(static_cast<int64_t>(raw_->size()), static_cast<int64_t>(bytes));
    return in_field == count_ ? absl::OkStatus() : CountError(tensor_, count_, "", in_field, "");
  }

  absl::Status CheckBytes(int64_t found, int64_t bytes) const {
    if (found / bytes == count_ && found % bytes == 0) return absl::OkStatus();
    return CountError(tensor_, count_, absl::StrCat(" of ", bytes, " bytes"), found, " bytes");
  }

  absl::Status Take(int64_t elements, int64_t bytes) const {
    if (elements > (source_.max_bytes - source_.taken_bytes) / bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("tensor '", tensor_.name(),
                                                       "': the model's weights need more than the limit of ",
                                                       source_.max_bytes, " bytes (option --max-model-bytes)"));
    }
    source_.taken_bytes += elements * bytes;
    return absl::OkStatus();
  }

  const TensorProto& tensor_;
  std::optional<std::string_view> raw_;
  int64_t count_;
  TensorSource& source_;
};

absl::Status ReadElements(const TensorProto& tensor, Elements elements, Constant& constant) {
  switch (constant.type) {
    case DataType::kFloat:
      return elements.Convert<float>(tensor.float_data(), constant.floats);
    case DataType::kDouble:
      return elements.Convert<double>(tensor.double_data(), constant.floats);
    case DataType::kFloat16:
      return elements.Convert<uint16_t>(tensor.int32_data(), constant.floats, HalfToFloat);
    case DataType::kBFloat16:
      return elements.Convert<uint16_t>(tensor.int32_data(), constant.floats, BFloatToFloat);
    case DataType::kInt8:
      return elements.Convert<int8_t>(tensor.int32_data(), constant.ints);
    case DataType::kInt16:
      return elements.Convert<int16_t>(tensor.int32_data(), constant.ints);
    case DataType::kInt32:
      return elements.Convert<int32_t>(tensor.int32_data(), constant.ints);
    case DataType::kInt64:
      return elements.Convert<int64_t>(tensor.int64_data(), constant.ints);
    case DataType::kUint8:
      return elements.Convert<uint8_t>(tensor.int32_data(), constant.ints);
    case DataType::kUint16:
      return elements.Convert<uint16_t>(tensor.int32_data(), constant.ints);
    case DataType::kUint32:
      return elements.Convert<uint32_t>(tensor.uint64_data(), constant.ints);
    case DataType::kUint64:
      return elements.Convert<uint64_t>(tensor.uint64_data(), constant.ints);
    case DataType::kBool:
      return elements.Convert<uint8_t>(tensor.int32_data(), constant.ints, [](uint8_t value) { return value != 0; });
    case DataType::kString:
      return elements.ConvertStrings(constant.strings);
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const TensorProto& tensor, const Constant& constant) {
  for (size_t i = 0; i < constant.floats.size(); ++i) {
    if (std::isfinite(constant.floats[i])) continue;
    return TensorError(tensor, absl::StrCat("element ", i, " is ", constant.floats[i], " as a float32",
                                            "; a model with weights that are not finite is not served"));
  }
  for (size_t i = 0; i < constant.ints.size() && constant.type == DataType::kUint64; ++i) {
    if (constant.ints[i] >= 0) continue;
    return TensorError(tensor, absl::StrCat("element ", i, " is ", static_cast<uint64_t>(constant.ints[i]),
                                            ", which no signed integer of 64 bits can hold"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> External(const TensorProto& tensor, DataType type, int64_t count,
                                     const TensorSource& source) {
  if (!source.folder) {
    return absl::UnimplementedError(absl::StrCat("tensor '", tensor.name(),
                                                 "' keeps its data outside the file, and a model that does not come "
                                                 "from a folder has no such data; save it as a single file"));
  }
  if (type == DataType::kString) return TensorError(tensor, "text cannot lie in raw or external data");
  // Checked here as well as when converted: this memory is taken before that.
  if (count > (source.max_bytes - source.taken_bytes) / ElementBytes(type)) {
    return absl::ResourceExhaustedError(absl::StrCat("tensor '", tensor.name(), "' with its ", count,
                                                     " elements goes beyond the limit of ", source.max_bytes,
                                                     " bytes for a model (option --max-model-bytes)"));
  }
  return ReadExternalData(tensor, count * ElementBytes(type), *source.folder);
}

}  // namespace

std::optional<DataType> ToDataType(int32_t onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
      return DataType::kFloat;
    case TensorProto::DOUBLE:
      return DataType::kDouble;
    case TensorProto::FLOAT16:
      return DataType::kFloat16;
    case TensorProto::BFLOAT16:
      return DataType::kBFloat16;
    case TensorProto::INT8:
      return DataType::kInt8;
    case TensorProto::INT16:
      return DataType::kInt16;
    case TensorProto::INT32:
      return DataType::kInt32;
    case TensorProto::INT64:
      return DataType::kInt64;
    case TensorProto::UINT8:
      return DataType::kUint8;
    case TensorProto::UINT16:
      return DataType::kUint16;
    case TensorProto::UINT32:
      return DataType::kUint32;
    case TensorProto::UINT64:
      return DataType::kUint64;
    case TensorProto::BOOL:
      return DataType::kBool;
    case TensorProto::STRING:
      return DataType::kString;
    default:
      return std::nullopt;
  }
}

std::string ElementTypeName(int32_t onnx_type) {
  // Types younger than the schema this is built with.
  constexpr const char* kYounger[] = {"FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
                                      "UINT4",        "INT4",           "FLOAT4E2M1", "FLOAT8E8M0",
                                      "UINT2",        "INT2",           "FLOAT6E2M3", "FLOAT6E3M2"};
  constexpr int32_t kFirst = 17;
  if (TensorProto::DataType_IsValid(onnx_type)) {
    return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type));
  }
  if (onnx_type >= kFirst && onnx_type < kFirst + static_cast<int32_t>(std::size(kYounger))) {
    return kYounger[onnx_type - kFirst];
  }
  return absl::StrCat("number ", onnx_type);
}

absl::StatusOr<Constant> ReadTensor(const TensorProto& tensor, TensorSource& source,
                                    const std::optional<Extent>& in_file) {
  HALFWAVE_RETURN_IF_ERROR(CheckName("tensor", tensor.name()));
  if (tensor.dims_size() > kMaxRank) {
    return TensorError(tensor, absl::StrCat("has ", tensor.dims_size(), " dimensions; at most ", kMaxRank));
  }
  const auto type = ToDataType(tensor.data_type());
  if (!type) {
    return absl::UnimplementedError(absl::StrCat("tensor '", tensor.name(), "' has element type ",
                                                 ElementTypeName(tensor.data_type()),
                                                 ", which is not supported; export the model in float32"));
  }
  Constant constant;
  constant.type = *type;
  constant.shape.assign(tensor.dims().begin(), tensor.dims().end());
  const auto count = NumElements(constant.shape);
  if (!count) {
    return TensorError(tensor, absl::StrCat("shape ", ShapeToString(constant.shape), " is negative or too large"));
  }
  std::string bytes;
  std::optional<std::string_view> raw;
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    HALFWAVE_ASSIGN_OR_RETURN(bytes, External(tensor, *type, *count, source));
    raw = bytes;
  } else if (in_file && *type == DataType::kFloat) {
    HALFWAVE_ASSIGN_OR_RETURN(const bool finite,
                              Elements(tensor, raw, *count, source).ReadInto(*in_file, constant.floats));
    if (!finite) HALFWAVE_RETURN_IF_ERROR(CheckValues(tensor, constant));
    return constant;
  } else if (in_file) {
    bytes.resize(in_file->bytes);
    HALFWAVE_RETURN_IF_ERROR(ReadBytes(tensor, *in_file, source, bytes.data()));
    raw = bytes;
  } else if (tensor.has_raw_data()) {
    raw = tensor.raw_data();
  }
  HALFWAVE_RETURN_IF_ERROR(ReadElements(tensor, Elements(tensor, raw, *count, source), constant));
  if (!AllFinite(constant.floats) || !constant.ints.empty()) {
    HALFWAVE_RETURN_IF_ERROR(CheckValues(tensor, constant));
  }
  return constant;
}

absl::StatusOr<Constant> ReadTensor(const TensorProto& tensor) {
  TensorSource source;
  return ReadTensor(tensor, source);
}

}  // namespace halfwave
