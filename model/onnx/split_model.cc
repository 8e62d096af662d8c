#include "model/onnx/split_model.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"
#include "model/base/status_macros.h"
#include "model/onnx/part_count.h"

namespace halfwave {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

constexpr int kBlockBytes = 1 << 16;
constexpr int kLarge = 1 << 12;  // bytes that are worth being read on their own

uint32_t DelimitedTag(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED); }

// Calls read() with `in` limited to the message that begins here; read must take it to its end.
template <typename Read>
bool ReadNested(CodedInputStream& in, Read read) {
  int size = 0;
  if (!in.ReadVarintSizeAsInt(&size)) return false;
  const auto limit = in.PushLimit(size);
  // The end of the file looks like the end of a message: the limit tells them apart.
  if (in.BytesUntilLimit() != size || !read() || in.BytesUntilLimit() != 0) return false;
  in.PopLimit(limit);
  return true;
}

// Copies the message but for the fields with `tag`, for each of which take() is called.
template <typename Take>
bool CopyWithout(CodedInputStream& in, uint32_t tag, std::string& rest, Take take) {
  StringOutputStream stream(&rest);
  CodedOutputStream out(&stream);
  while (const uint32_t found = in.ReadTag()) {
    if (found == tag ? !take(out) : !WireFormatLite::SkipField(&in, found, &out)) return false;
  }
  return true;
}

bool ReadInitializer(CodedInputStream& in, SplitModel::Initializer& initializer) {
  std::string rest;
  const uint32_t tag = DelimitedTag(onnx::TensorProto::kRawDataFieldNumber);
  const auto take = [&](CodedOutputStream& out) {
    int size = 0;
    if (!in.ReadVarintSizeAsInt(&size)) return false;
    initializer.raw.reset();  // the last one counts
    if (size >= kLarge) {
      initializer.raw = Extent{in.CurrentPosition(), size};
      return in.Skip(size);
    }
    std::string bytes;
    if (!in.ReadString(&bytes, size)) return false;
    out.WriteTag(tag);
    out.WriteVarint32(static_cast<uint32_t>(size));
    out.WriteString(bytes);
    return true;
  };
  return CopyWithout(in, tag, rest, take) && initializer.proto.ParseFromString(rest);
}

absl::Status CheckSize(int64_t bytes, int64_t max_bytes) {
  if (bytes > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the model has ", bytes, " bytes, more than the limit of ",
                                                     max_bytes, " (option --max-model-bytes)"));
  }
  if (bytes > std::numeric_limits<int>::max()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the model has ", bytes, " bytes; a single file can have 2 GiB: export it with its weights as external data"));
  }
  return absl::OkStatus();
}

// Real networks have some thousands.
absl::Status CheckParts(const ByteSource& source) {
  constexpr int64_t kMaxParts = 2'000'000;
  SourceStream stream(source);
  google::protobuf::io::CopyingInputStreamAdaptor bytes(&stream, kBlockBytes);
  if (HasFewParts(bytes, *onnx::ModelProto::descriptor(), kMaxParts)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the model consists of more than ", kMaxParts, " nodes, attributes, names and the like"));
}

absl::Status NotAModel(int64_t bytes) {
  return absl::DataLossError(
      absl::StrCat("not an ONNX model, or cut short (", bytes, " bytes); export or copy it again"));
}

}  // namespace

std::optional<SplitModel> ReadSplitModel(google::protobuf::io::ZeroCopyInputStream& bytes) {
  SplitModel model;
  CodedInputStream in(&bytes);
  std::string rest, graph;
  bool has_graph = false;
  const auto take_initializer = [&](CodedOutputStream&) {
    return ReadNested(in, [&] { return ReadInitializer(in, model.initializers.emplace_back()); });
  };
  const auto take_graph = [&](CodedOutputStream&) {
    has_graph = true;
    const uint32_t tag = DelimitedTag(onnx::GraphProto::kInitializerFieldNumber);
    // One after the other, as the parser would merge them.
    return ReadNested(in, [&] { return CopyWithout(in, tag, graph, take_initializer); });
  };
  if (!CopyWithout(in, DelimitedTag(onnx::ModelProto::kGraphFieldNumber), rest, take_graph) ||
      !in.ConsumedEntireMessage() || !has_graph || !model.proto.ParseFromString(rest) ||
      !model.proto.mutable_graph()->ParseFromString(graph)) {
    return std::nullopt;
  }
  return model;
}

absl::StatusOr<SplitModel> ReadSplitModel(const ByteSource& source, int64_t max_bytes) {
  HALFWAVE_RETURN_IF_ERROR(CheckSize(source.size(), max_bytes));
  HALFWAVE_RETURN_IF_ERROR(CheckParts(source));
  SourceStream stream(source);
  google::protobuf::io::CopyingInputStreamAdaptor bytes(&stream, kBlockBytes);
  std::optional<SplitModel> model = ReadSplitModel(bytes);
  if (!model) return NotAModel(source.size());
  return *std::move(model);
}

}  // namespace halfwave
