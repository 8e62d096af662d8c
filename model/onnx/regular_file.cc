#include "model/onnx/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {

absl::StatusOr<RegularFile> RegularFile::Open(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return absl::NotFoundError(errno == EACCES ? absl::StrCat("cannot read ", path.string(), "; check its permissions")
                                               : absl::StrCat("there is no file ", path.string()));
  }
  struct stat status = {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return absl::NotFoundError(absl::StrCat("there is no file ", path.string(), "; what has this name is no file"));
  }
  return RegularFile(descriptor, status.st_size);
}

RegularFile::RegularFile(RegularFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

RegularFile::~RegularFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

int64_t RegularFile::ReadAt(int64_t offset, void* buffer, int64_t bytes) const {
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t got = pread(descriptor_, static_cast<char*>(buffer) + done, bytes - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += got;
  }
  return done;
}

}  // namespace halfwave
