#include "model/onnx/part_count.h"

#include <limits>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace halfwave {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

constexpr int kMaxDepth = 100;  // the parser's own

class Counter {
 public:
  Counter(google::protobuf::io::CodedInputStream& in, int64_t most) : in_(in), left_(most) {}

  // False to stop.
  bool Count(const Descriptor& type, int depth) {
    if (depth > kMaxDepth) return false;
    while (const uint32_t tag = in_.ReadTag()) {
      const FieldDescriptor* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
      const bool delimited = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      const bool message = field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      const bool text = field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      if ((message || text || field == nullptr) && --left_ < 0) return false;
      if (!delimited || !message) {
        if (!WireFormatLite::SkipField(&in_, tag)) return false;
        continue;
      }
      int size = 0;
      if (!in_.ReadVarintSizeAsInt(&size)) return false;
      const auto limit = in_.PushLimit(size);
      if (!Count(*field->message_type(), depth + 1)) return false;
      in_.PopLimit(limit);
    }
    return in_.ConsumedEntireMessage();
  }
  bool few() const { return left_ >= 0; }

 private:
  google::protobuf::io::CodedInputStream& in_;
  int64_t left_;
};

}  // namespace

bool HasFewParts(google::protobuf::io::ZeroCopyInputStream& bytes, const Descriptor& type, int64_t most) {
  google::protobuf::io::CodedInputStream in(&bytes);
  Counter counter(in, most);
  counter.Count(type, 0);
  return counter.few();
}

}  // namespace halfwave
