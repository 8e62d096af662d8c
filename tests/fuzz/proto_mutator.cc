#include "tests/fuzz/proto_mutator.h"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

// libFuzzer's own mutation of bytes.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace halfwave {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A message or one inside of it.
using Messages = std::vector<Message*>;

void Collect(Message& message, Messages& messages, std::vector<std::string>& texts) {
  messages.push_back(&message);
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? std::min(reflection.FieldSize(message, field), 1000) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Collect(repeated ? *reflection.MutableRepeatedMessage(&message, field, i)
                         : *reflection.MutableMessage(&message, field),
                messages, texts);
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        texts.push_back(repeated ? reflection.GetRepeatedString(message, field, i)
                                 : reflection.GetString(message, field));
      }
    }
  }
}

class Mutator {
 public:
  Mutator(unsigned seed, std::span<const char* const> words) : random_(seed), words_(words) {}

  void Mutate(Message& root) {
    Messages messages;
    Collect(root, messages, texts_);
    const int changes = 1 + (Below(4) == 0 ? static_cast<int>(Below(4)) : 0);
    // The first change may end the life of messages below it: only the first picks any message.
    MutateOne(*messages[Below(messages.size())]);
    for (int i = 1; i < changes; ++i) MutateOne(root);
  }

  size_t Below(size_t bound) { return random_() % bound; }

 private:
  void MutateOne(Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    if (type.field_count() == 0) return;
    const Reflection& reflection = *message.GetReflection();
    std::vector<const FieldDescriptor*> present;
    reflection.ListFields(message, &present);
    const bool existing = !present.empty() && Below(4) != 0;
    const FieldDescriptor* field =
        existing ? present[Below(present.size())] : type.field(static_cast<int>(Below(type.field_count())));
    field->is_repeated() ? MutateRepeated(message, *field) : MutateSingle(message, *field);
  }

  void MutateRepeated(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const int at = size == 0 ? 0 : static_cast<int>(Below(size));
    switch (size == 0 ? 0 : Below(6)) {
      case 0:
        return Add(message, field);
      case 1:
        reflection.SwapElements(&message, &field, at, size - 1);
        return reflection.RemoveLast(&message, &field);
      case 2:
        return reflection.SwapElements(&message, &field, at, static_cast<int>(Below(size)));
      case 3:
        if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          const std::string copy = reflection.GetRepeatedMessage(message, &field, at).SerializePartialAsString();
          reflection.AddMessage(&message, &field)->ParsePartialFromString(copy);
          return;
        }
        return Add(message, field);
      default:
        return Change(message, field, at);
    }
  }

  void MutateSingle(Message& message, const FieldDescriptor& field) {
    if (Below(5) == 0) return message.GetReflection()->ClearField(&message, &field);
    Change(message, field, -1);
  }

  void Add(Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        reflection.AddMessage(&message, &field);
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.AddString(&message, &field, Text(""));
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.AddInt32(&message, &field, static_cast<int32_t>(Integer(0)));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.AddInt64(&message, &field, Integer(0));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.AddUInt32(&message, &field, static_cast<uint32_t>(Integer(0)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.AddUInt64(&message, &field, static_cast<uint64_t>(Integer(0)));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.AddFloat(&message, &field, static_cast<float>(Number(0)));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.AddDouble(&message, &field, Number(0));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.AddBool(&message, &field, Below(2) != 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.AddEnumValue(&message, &field, static_cast<int>(Below(20)));
    }
  }

  // The element `at` of a repeated field, or a field's one value if `at` is -1.
  void Change(Message& message, const FieldDescriptor& field, int at) {
    const Reflection& reflection = *message.GetReflection();
    const auto set = [&](auto get_one, auto get, auto set_one, auto set_all, auto change) {
      if (at < 0) return (reflection.*set_all)(&message, &field, change((reflection.*get)(message, &field)));
      (reflection.*set_one)(&message, &field, at, change((reflection.*get_one)(message, &field, at)));
    };
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (at < 0) reflection.MutableMessage(&message, &field);
        if (at >= 0) MutateOne(*reflection.MutableRepeatedMessage(&message, &field, at));
        return;
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string now =
            at < 0 ? reflection.GetString(message, &field) : reflection.GetRepeatedString(message, &field, at);
        const std::string next = field.type() == FieldDescriptor::TYPE_BYTES ? Bytes(now) : Text(now);
        if (at < 0) return reflection.SetString(&message, &field, next);
        return reflection.SetRepeatedString(&message, &field, at, next);
      }
      case FieldDescriptor::CPPTYPE_INT32:
        return set(&Reflection::GetRepeatedInt32, &Reflection::GetInt32, &Reflection::SetRepeatedInt32,
                   &Reflection::SetInt32, [&](int32_t value) { return static_cast<int32_t>(Integer(value)); });
      case FieldDescriptor::CPPTYPE_INT64:
        return set(&Reflection::GetRepeatedInt64, &Reflection::GetInt64, &Reflection::SetRepeatedInt64,
                   &Reflection::SetInt64, [&](int64_t value) { return Integer(value); });
      case FieldDescriptor::CPPTYPE_UINT32:
        return set(&Reflection::GetRepeatedUInt32, &Reflection::GetUInt32, &Reflection::SetRepeatedUInt32,
                   &Reflection::SetUInt32, [&](uint32_t value) { return static_cast<uint32_t>(Integer(value)); });
      case FieldDescriptor::CPPTYPE_UINT64:
        return set(&Reflection::GetRepeatedUInt64, &Reflection::GetUInt64, &Reflection::SetRepeatedUInt64,
                   &Reflection::SetUInt64,
                   [&](uint64_t value) { return static_cast<uint64_t>(Integer(static_cast<int64_t>(value))); });
      case FieldDescriptor::CPPTYPE_FLOAT:
        return set(&Reflection::GetRepeatedFloat, &Reflection::GetFloat, &Reflection::SetRepeatedFloat,
                   &Reflection::SetFloat, [&](float value) { return static_cast<float>(Number(value)); });
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return set(&Reflection::GetRepeatedDouble, &Reflection::GetDouble, &Reflection::SetRepeatedDouble,
                   &Reflection::SetDouble, [&](double value) { return Number(value); });
      case FieldDescriptor::CPPTYPE_BOOL:
        return set(&Reflection::GetRepeatedBool, &Reflection::GetBool, &Reflection::SetRepeatedBool,
                   &Reflection::SetBool, [](bool value) { return !value; });
      case FieldDescriptor::CPPTYPE_ENUM:
        return set(&Reflection::GetRepeatedEnumValue, &Reflection::GetEnumValue, &Reflection::SetRepeatedEnumValue,
                   &Reflection::SetEnumValue, [&](int) { return static_cast<int>(Below(20)); });
    }
  }

  int64_t Integer(int64_t now) {
    constexpr int64_t kTelling[] = {0,
                                    1,
                                    -1,
                                    2,
                                    3,
                                    7,
                                    -2,
                                    64,
                                    1 << 16,
                                    int64_t{1} << 31,
                                    (int64_t{1} << 31) - 1,
                                    int64_t{1} << 32,
                                    int64_t{1} << 61,
                                    int64_t{1} << 62,
                                    std::numeric_limits<int64_t>::max(),
                                    std::numeric_limits<int64_t>::min()};
    switch (Below(4)) {
      case 0:
        return kTelling[Below(std::size(kTelling))];
      case 1:
        return static_cast<int64_t>(static_cast<uint64_t>(now) + Below(9) - 4);
      case 2:
        return static_cast<int64_t>(Below(17));
      default:
        return static_cast<int64_t>(static_cast<uint64_t>(now) ^ uint64_t{1} << Below(64));
    }
  }

  double Number(double now) {
    constexpr double kTelling[] = {0, -0.0, 1, -1, 0.5, 1e-40, 1e30, -1e30, 3.4e38, 1e300};
    if (Below(20) == 0) return std::numeric_limits<double>::quiet_NaN();
    if (Below(20) == 0) return std::numeric_limits<double>::infinity();
    return Below(2) == 0 ? kTelling[Below(std::size(kTelling))] : now * (static_cast<double>(Below(9)) - 4);
  }

  std::string Text(const std::string& now) {
    const size_t choice = Below(8);
    if (choice < 3 && !texts_.empty()) return texts_[Below(texts_.size())];
    if (choice < 6 && !words_.empty()) return words_[Below(words_.size())];
    return choice == 6 ? std::string() : Bytes(now);
  }

  std::string Bytes(const std::string& now) {
    constexpr size_t kGrowth = 64;
    std::string bytes = now.substr(0, 1 << 20);
    if (Below(3) == 0) bytes.resize(Below(bytes.size() + kGrowth));
    const size_t size = bytes.size();
    bytes.resize(size + kGrowth);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, bytes.size()));
    return bytes;
  }

  std::minstd_rand random_;
  std::span<const char* const> words_;
  std::vector<std::string> texts_;
};

size_t Write(const Message& message, uint8_t* out, size_t max_size) {
  const size_t size = message.ByteSizeLong();
  if (size > max_size || !message.SerializePartialToArray(out, static_cast<int>(size))) return 0;
  return size;
}

}  // namespace

size_t MutateProto(Message& scratch, uint8_t* data, size_t size, size_t max_size, unsigned seed,
                   std::span<const char* const> words) {
  Mutator mutator(seed, words);
  if (mutator.Below(20) == 0 || !scratch.ParsePartialFromArray(data, static_cast<int>(size))) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  mutator.Mutate(scratch);
  const size_t written = Write(scratch, data, max_size);
  return written > 0 ? written : LLVMFuzzerMutate(data, size, max_size);
}

size_t CrossProtos(Message& scratch_a, Message& scratch_b, std::span<const uint8_t> a, std::span<const uint8_t> b,
                   std::span<uint8_t> out, unsigned seed) {
  std::minstd_rand random(seed);
  if (!scratch_a.ParsePartialFromArray(a.data(), static_cast<int>(a.size())) ||
      !scratch_b.ParsePartialFromArray(b.data(), static_cast<int>(b.size()))) {
    return 0;
  }
  Messages parts, places;
  std::vector<std::string> texts;
  Collect(scratch_b, parts, texts);
  Collect(scratch_a, places, texts);
  const Message& part = *parts[random() % parts.size()];
  std::erase_if(places, [&](const Message* place) { return place->GetDescriptor() != part.GetDescriptor(); });
  if (places.empty()) return 0;
  Message& place = *places[random() % places.size()];
  if (random() % 2 == 0) place.Clear();
  place.MergeFrom(part);
  return Write(scratch_a, out.data(), out.size());
}

}  // namespace halfwave
