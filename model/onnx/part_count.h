#pragma once

#include <cstdint>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace halfwave {

// Whether a serialised message of this type consists of at most `most` messages and texts, those inside of others
// included. An empty one takes two bytes in a file and hundreds in memory, so this is asked before a file is parsed.
// Where the bytes make no sense the count ends; that is for the parser to refuse.
bool HasFewParts(google::protobuf::io::ZeroCopyInputStream& bytes, const google::protobuf::Descriptor& type,
                 int64_t most);

}  // namespace halfwave
