// SHA-256 (FIPS 180-4, computed by OpenSSL).
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace halfwave {

// The hash of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  // 64 lowercase hexadecimal digits. Once, after the last Update.
  std::string Hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string Sha256Hex(std::string_view bytes);

}  // namespace halfwave
