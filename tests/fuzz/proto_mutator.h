// Changes a protobuf message a little, keeping it a message: for fuzzers whose input is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "google/protobuf/message.h"

namespace halfwave {

// Mutates the serialised message in data[0, size), in place and within max_size, for LLVMFuzzerCustomMutator. `scratch`
// is an empty message of its type. Texts often become another text of the message, since names refer to each other, or
// one of `words`. Bytes that are no message are mutated as bytes, and so are some that are. Returns the new size.
size_t MutateProto(google::protobuf::Message& scratch, uint8_t* data, size_t size, size_t max_size, unsigned seed,
                   std::span<const char* const> words);

// Puts a part of message `b` into message `a`, for LLVMFuzzerCustomCrossOver. Both scratch messages are empty and of
// their type. Returns the size, 0 if nothing came of it.
size_t CrossProtos(google::protobuf::Message& scratch_a, google::protobuf::Message& scratch_b,
                   std::span<const uint8_t> a, std::span<const uint8_t> b, std::span<uint8_t> out, unsigned seed);

}  // namespace halfwave
