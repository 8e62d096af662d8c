#include "model/onnx/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

int64_t ModifiedAt(const struct stat& status) {
  return int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

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
  return RegularFile(descriptor, status.st_size, ModifiedAt(status));
}

RegularFile::RegularFile(RegularFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_), modified_(other.modified_) {}

RegularFile::~RegularFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool RegularFile::HasChanged() const {
  struct stat status = {};
  return fstat(descriptor_, &status) != 0 || status.st_size != size_ || ModifiedAt(status) != modified_;
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
