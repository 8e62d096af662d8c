#include "model/onnx/sha256.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <memory>
#include <vector>

#include "absl/strings/escaping.h"

namespace halfwave {

std::string Sha256Hex(const ByteSource& source) {
  constexpr int64_t kBlockBytes = 1 << 16;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::vector<char> block(kBlockBytes);
  int64_t position = 0;
  while (const int64_t got = source.ReadAt(position, block.data(), kBlockBytes)) {
    EVP_DigestUpdate(context.get(), block.data(), static_cast<size_t>(got));
    position += got;
  }
  unsigned char digest[SHA256_DIGEST_LENGTH] = {};
  EVP_DigestFinal_ex(context.get(), digest, nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace halfwave
