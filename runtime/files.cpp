#include "runtime/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "fmt/format.h"

namespace gradus::runtime {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  // 0, or -1 with errno: the last chance of a network file system to report a failed write.
  int Close() { return close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

absl::Status ErrnoStatus(std::string_view what, std::string_view path, int error) {
  std::string message =
      fmt::format("cannot {} `{}`: {}", what, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT: return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS: return absl::PermissionDeniedError(message);
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP: return absl::FailedPreconditionError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return absl::ResourceExhaustedError(message);
    default: return absl::UnavailableError(message);
  }
}

absl::Status CheckPath(std::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("a file name is empty, expected a path");
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("a file name has a zero byte, expected a path");
  }
  return absl::OkStatus();
}

int OpenRetrying(const std::string& path, int flags, mode_t mode = 0) {
  int fd;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// 0 or errno.
int WriteAll(int fd, std::string_view bytes) {
  constexpr size_t kMaxWrite = size_t{1} << 30;  // Linux writes at most 2^31 - 4096 bytes at once
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

// Some file systems cannot flush a folder (or a file) and say EINVAL: nothing more can be done
// there.
int Flush(int fd) { return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno; }

std::string FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status WriteInPlace(const std::string& path, std::string_view bytes) {
  FileDescriptor file(OpenRetrying(path, O_WRONLY));
  if (file.get() < 0) return ErrnoStatus("write", path, errno);
  if (int error = WriteAll(file.get(), bytes)) return ErrnoStatus("write", path, error);
  return absl::OkStatus();
}

// Fills the temporary file, which this process alone knows. 0 or errno.
int FillTemporary(FileDescriptor& file, std::string_view bytes, const struct stat* replaced) {
  if (replaced != nullptr && fchmod(file.get(), replaced->st_mode & 07777) != 0) return errno;
  if (int error = WriteAll(file.get(), bytes)) return error;
  if (int error = Flush(file.get())) return error;
  return file.Close() == 0 ? 0 : errno;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(std::string_view path_view, int64_t max_bytes) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  FileDescriptor file(OpenRetrying(path, O_RDONLY));
  if (file.get() < 0) return ErrnoStatus("open", path, errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return ErrnoStatus("read", path, errno);
  if (S_ISDIR(info.st_mode)) return ErrnoStatus("read", path, EISDIR);

  auto too_large = [&] {
    return absl::ResourceExhaustedError(
        fmt::format("`{}` is larger than the limit of {} bytes", path, max_bytes));
  };
  if (S_ISREG(info.st_mode) && info.st_size > max_bytes) return too_large();
  // The size is a hint: pipes have none, and a file may grow or shrink while it is read.
  constexpr size_t kChunk = size_t{1} << 16;
  constexpr size_t kMaxRead = size_t{1} << 30;
  size_t limit = static_cast<size_t>(std::max<int64_t>(max_bytes, 0));
  std::string bytes;
  try {
    bytes.resize(S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) + 1 : kChunk);
    size_t used = 0;
    while (true) {
      if (used == bytes.size()) bytes.resize(bytes.size() * 2);
      ssize_t got = read(file.get(), bytes.data() + used, std::min(bytes.size() - used, kMaxRead));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus("read", path, errno);
      if (got == 0) break;
      used += static_cast<size_t>(got);
      if (used > limit) return too_large();
    }
    bytes.resize(used);
  } catch (const std::exception&) {  // bad_alloc or length_error
    return absl::ResourceExhaustedError(fmt::format("out of memory: cannot read `{}`", path));
  }
  return bytes;
}

absl::Status WriteFileAtomically(std::string_view path_view, std::string_view bytes) {
  if (absl::Status status = CheckPath(path_view); !status.ok()) return status;
  std::string path(path_view);
  struct stat existing;
  bool exists = stat(path.c_str(), &existing) == 0;
  if (exists && S_ISDIR(existing.st_mode)) return ErrnoStatus("write", path, EISDIR);
  if (exists && !S_ISREG(existing.st_mode)) return WriteInPlace(path, bytes);
  if (exists) {
    // The file behind a symbolic link is replaced, not the link.
    std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
    if (real != nullptr) path = real.get();
  }

  std::string folder = FolderOf(path);
  static std::atomic<uint64_t> counter{0};
  std::string temporary;
  int fd = -1;
  for (int attempt = 0; attempt < 100;
       ++attempt) {  // names left over by a killed process of our number
    temporary = fmt::format("{}/.gradus-{}-{}.tmp", folder, getpid(), counter.fetch_add(1));
    fd = OpenRetrying(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd >= 0 || errno != EEXIST) break;
  }
  if (fd < 0) return ErrnoStatus("write", path, errno);

  FileDescriptor file(fd);
  int error = FillTemporary(file, bytes, exists ? &existing : nullptr);
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return ErrnoStatus("write", path, error);
  }
  FileDescriptor parent(OpenRetrying(folder, O_RDONLY | O_DIRECTORY));
  if (parent.get() >= 0) {
    if (int flush_error = Flush(parent.get())) return ErrnoStatus("write", path, flush_error);
  }
  return absl::OkStatus();
}

}  // namespace gradus::runtime
