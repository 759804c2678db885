#include "tests/guarded_run.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "fmt/format.h"

namespace gradus::tests {
namespace {

using runtime::Tensor;

constexpr int kCanary = 0xA5;
constexpr int kGarbage = 0xFF;  // NaN in both dtypes: what is read before it is written shows

enum class Against { kPageBehind, kPageBefore };

size_t PageSize() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Pages between two that cannot be touched; kept for the next buffer of as many.
class Pages {
 public:
  static unsigned char* Take(size_t count) {
    std::vector<unsigned char*>& free = Free()[count];
    if (!free.empty()) {
      unsigned char* pages = free.back();
      free.pop_back();
      return pages;
    }
    void* all = mmap(nullptr, (count + 2) * PageSize(), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) std::abort();
    unsigned char* pages = static_cast<unsigned char*>(all) + PageSize();
    if (count > 0 && mprotect(pages, count * PageSize(), PROT_READ | PROT_WRITE) != 0) std::abort();
    return pages;
  }
  static void Give(unsigned char* pages, size_t count) { Free()[count].push_back(pages); }

 private:
  static std::map<size_t, std::vector<unsigned char*>>& Free() {
    static auto* const kFree = new std::map<size_t, std::vector<unsigned char*>>();
    return *kFree;
  }
};

class Buffer {
 public:
  // Its ends lie on what divides both `bytes` and a page.
  Buffer(std::string name, size_t bytes, Against against)
      : name_(std::move(name)),
        bytes_(bytes),
        pages_((bytes + PageSize() - 1) / PageSize()),
        memory_(Pages::Take(pages_)),
        start_(against == Against::kPageBehind ? pages_ * PageSize() - bytes : 0) {
    std::memset(memory_, kCanary, pages_ * PageSize());
    std::memset(data(), kGarbage, bytes_);
    Live().push_back(this);
  }
  ~Buffer() {
    std::erase(Live(), this);
    Pages::Give(memory_, pages_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  unsigned char* data() const { return memory_ + start_; }
  const std::string& name() const { return name_; }
  bool IsIntact() const {
    const auto is_canary = [](unsigned char b) { return b == kCanary; };
    return std::all_of(memory_, data(), is_canary) &&
           std::all_of(data() + bytes_, memory_ + pages_ * PageSize(), is_canary);
  }

  // Where an address lies, as text; "" if it is not on this buffer's pages or those around.
  std::string Describe(const unsigned char* address) const {
    if (address < memory_ - PageSize() || address >= memory_ + (pages_ + 1) * PageSize()) return "";
    if (address < data()) return fmt::format("{} bytes before {}", data() - address, name_);
    return fmt::format("{} bytes after the last of {}, which has {}", address - (data() + bytes_),
                       name_, bytes_);
  }
  static std::vector<const Buffer*>& Live() {
    static auto* const kLive = new std::vector<const Buffer*>();
    return *kLive;
  }

 private:
  std::string name_;
  size_t bytes_, pages_;
  unsigned char* memory_;
  size_t start_;
};

std::string& Context() {
  static auto* const kContext = new std::string();
  return *kContext;
}

// The fault is in compiled code, which holds no lock: printing is safe.
void ReportFault(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const unsigned char*>(info->si_addr);
  std::string where = "outside all buffers";
  for (const Buffer* b : Buffer::Live()) {
    if (const std::string text = b->Describe(address); !text.empty()) where = text;
  }
  std::fprintf(stderr, "FAILED: compiled code touched memory %s\n  in: %s\n", where.c_str(),
               Context().c_str());
  std::fflush(nullptr);
  _exit(1);
}

// While it lives, faults are reported.
class FaultReports {
 public:
  explicit FaultReports(std::string_view context) {
    Context() = context;
    struct sigaction action = {};
    action.sa_sigaction = ReportFault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, &segv_);
    sigaction(SIGBUS, &action, &bus_);
  }
  ~FaultReports() {
    sigaction(SIGSEGV, &segv_, nullptr);
    sigaction(SIGBUS, &bus_, nullptr);
  }
  FaultReports(const FaultReports&) = delete;
  FaultReports& operator=(const FaultReports&) = delete;

 private:
  struct sigaction segv_ = {}, bus_ = {};
};

std::string NameOf(const char* kind, int64_t i, const gradus_tensor_info& info) {
  const bool named = info.name != nullptr && *info.name != '\0';
  return named ? fmt::format("{} {} ({})", kind, i, info.name) : fmt::format("{} {}", kind, i);
}

absl::StatusOr<std::vector<Tensor>> RunOnce(const runtime::Executable& executable,
                                            std::span<const Tensor> arguments, Against against,
                                            std::string_view context,
                                            const gradus_threads* threads) {
  const gradus_entry_info& info = executable.info();
  std::vector<runtime::TensorView> shapes(arguments.begin(), arguments.end());
  const auto dims = executable.BindSymbols(shapes);
  if (!dims.ok()) return dims.status();
  const auto workspace_bytes = executable.WorkspaceBytes(*dims);
  if (!workspace_bytes.ok()) return workspace_bytes.status();

  std::vector<std::unique_ptr<Buffer>> buffers;
  const auto add = [&](std::string name, int64_t bytes) {
    buffers.push_back(
        std::make_unique<Buffer>(std::move(name), static_cast<size_t>(bytes), against));
    return buffers.back()->data();
  };
  std::vector<runtime::TensorView> in;
  std::vector<bool> updated(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Tensor& t = arguments[i];
    unsigned char* data =
        add(NameOf("argument", static_cast<int64_t>(i), info.arguments[i]), t.byte_size());
    if (t.byte_size() > 0) std::memcpy(data, t.raw(), static_cast<size_t>(t.byte_size()));
    in.push_back(shapes[i]);
    in.back().data = data;
  }
  std::vector<Tensor> results;
  std::vector<runtime::MutableTensorView> out;
  for (int32_t i = 0; i < info.result_count; ++i) {
    const gradus_tensor_info& declared = info.results[i];
    auto shape = executable.ResultShape(i, *dims);
    if (!shape.ok()) return shape.status();
    auto result = Tensor::Create(static_cast<runtime::DType>(declared.dtype), *std::move(shape));
    if (!result.ok()) return result.status();
    results.push_back(*std::move(result));
    if (declared.alias >= 0) updated[static_cast<size_t>(declared.alias)] = true;
  }
  for (int32_t i = 0; i < info.result_count; ++i) {
    const int32_t alias = info.results[i].alias;
    out.emplace_back(results[static_cast<size_t>(i)]);
    out.back().data = alias < 0 ? add(NameOf("result", i, info.results[i]),
                                      results[static_cast<size_t>(i)].byte_size())
                                : buffers[static_cast<size_t>(alias)]->data();
  }
  unsigned char* workspace = add("the workspace", *workspace_bytes);
  {
    const FaultReports reports(context);
    absl::Status status = executable.Call(
        in, out, {reinterpret_cast<std::byte*>(workspace), static_cast<size_t>(*workspace_bytes)},
        threads);
    if (!status.ok()) return status;
  }
  for (const auto& b : buffers) {
    if (!b->IsIntact()) {
      return absl::InternalError(fmt::format("{}: wrote beside {}", context, b->name()));
    }
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto bytes = static_cast<size_t>(arguments[i].byte_size());
    if (updated[i] || bytes == 0 || std::memcmp(in[i].data, arguments[i].raw(), bytes) == 0)
      continue;
    return absl::InternalError(fmt::format("{}: changed {}", context, buffers[i]->name()));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    const auto bytes = static_cast<size_t>(results[i].byte_size());
    if (bytes > 0) std::memcpy(results[i].raw(), out[i].data, bytes);
  }
  return results;
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> RunGuarded(const runtime::Executable& executable,
                                               std::span<const Tensor> arguments,
                                               std::string_view context,
                                               const gradus_threads* threads) {
  auto results = RunOnce(executable, arguments, Against::kPageBehind, context, threads);
  if (!results.ok()) return results;
  const auto again = RunOnce(executable, arguments, Against::kPageBefore, context, threads);
  if (!again.ok()) return again.status();
  for (size_t i = 0; i < results->size(); ++i) {
    const auto bytes = static_cast<size_t>((*results)[i].byte_size());
    if (bytes > 0 && std::memcmp((*results)[i].raw(), (*again)[i].raw(), bytes) != 0) {
      return absl::InternalError(
          fmt::format("{}: result {} depends on where memory lies", context, i));
    }
  }
  return results;
}

}  // namespace gradus::tests
