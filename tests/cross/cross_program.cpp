#include "tests/cross/cross_program.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fmt/format.h"
#include "tests/elf_symbols.h"

namespace gradus::tests {
namespace {

namespace fs = std::filesystem;
using runtime::Tensor;

bool IsInstalled(const std::string& program) {
  return std::system(fmt::format("command -v {} >/dev/null 2>&1", program).c_str()) == 0;
}

const std::vector<Toolchain>& Toolchains() {
  constexpr const char* kRiscv =
      "clang-19 --target=riscv64-linux-gnu -march=rv64gc -mabi=lp64d -fuse-ld=lld";
  constexpr const char* kRiscvFile = "/usr/riscv64-linux-gnu/lib/libc.a";
  static const auto* const kAll = new std::vector<Toolchain>{
      {"aarch64", "aarch64-linux-gnu-gcc", "/usr/aarch64-linux-gnu/lib/libc.a", "qemu-aarch64"},
      {"riscv64", kRiscv, kRiscvFile, "qemu-riscv64 -cpu rv64,v=false"},
      // QEMU 7.2 fails an assertion of its own (decode_save_opc) at the instruction vfcvt.rtz.
      {"riscv64-v",
       kRiscv,
       kRiscvFile,
       "qemu-riscv64 -cpu rv64,v=true,vlen=256,vext_spec=v1.0",
       "",
       {"cast"}},
      // Divisions of i64, powers (in f64), conversions of f32 to i64.
      {"cortex-m4",
       "clang-19 --target=armv7-linux-gnueabihf -mthumb -fuse-ld=lld",
       "/usr/arm-linux-gnueabihf/lib/libc.a",
       "qemu-arm -cpu max",
       "f64",
       {"cast", "div", "pow"}},
  };
  return *kAll;
}

std::string FirstWord(const std::string& command) { return command.substr(0, command.find(' ')); }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

absl::Status WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  return out ? absl::OkStatus() : absl::InternalError("cannot write " + path);
}

void Append(std::string& bytes, int64_t number) {
  char raw[sizeof number];
  std::memcpy(raw, &number, sizeof number);
  bytes.append(raw, sizeof number);
}

// Runs a command whose messages go to `log`.
absl::Status Execute(const std::string& command, const std::string& log) {
  const int code = std::system(fmt::format("{} >'{}' 2>&1", command, log).c_str());
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("{} ended with {}: {}", command, code, ReadFile(log)));
}

// What is left of RESULTS.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  absl::StatusOr<int64_t> Number() {
    int64_t number = 0;
    if (rest_.size() < sizeof number) return absl::InternalError("the results end too early");
    std::memcpy(&number, rest_.data(), sizeof number);
    rest_.remove_prefix(sizeof number);
    return number;
  }
  absl::StatusOr<Tensor> OneTensor() {
    const auto dtype = Number(), rank = Number();
    if (!rank.ok()) return rank.status();
    std::vector<int64_t> shape;
    for (int64_t i = 0; i < *rank; ++i) {
      const auto size = Number();
      if (!size.ok()) return size.status();
      shape.push_back(*size);
    }
    auto tensor = Tensor::Create(static_cast<runtime::DType>(*dtype), std::move(shape));
    if (!tensor.ok()) return tensor;
    const auto bytes = static_cast<size_t>(tensor->byte_size());
    if (rest_.size() < bytes) return absl::InternalError("the results end too early");
    if (bytes > 0) std::memcpy(tensor->raw(), rest_.data(), bytes);
    rest_.remove_prefix(bytes);
    return tensor;
  }

 private:
  std::string_view rest_;
};

}  // namespace

const Toolchain& ToolchainFor(std::string_view target) {
  return *std::ranges::find(Toolchains(), target, &Toolchain::target);
}

CrossProgram::CrossProgram(const Toolchain& toolchain, const std::string& directory)
    : toolchain_(toolchain) {
  std::string name = directory + "/cross_XXXXXX";
  folder_ = mkdtemp(name.data()) == nullptr ? "" : name;
}

CrossProgram::~CrossProgram() {
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

std::string CrossProgram::PathOf(std::string_view name) const {
  return fmt::format("{}/{}", folder_, name);
}

std::string CrossProgram::Missing(const Toolchain& toolchain) {
  if (kAddressesAreChecked) return "AddressSanitizer's runtime for " + toolchain.target;
  std::string missing;
  const auto add = [&](const std::string& what) {
    missing += (missing.empty() ? "" : " and ") + what;
  };
  for (const std::string& command : {toolchain.compiler, toolchain.emulator}) {
    if (!IsInstalled(FirstWord(command))) add(FirstWord(command));
  }
  if (!fs::exists(toolchain.file)) add(toolchain.file);
  return missing;
}

absl::Status CrossProgram::AddObject(std::string_view object,
                                     std::span<const std::string> symbols) {
  if (folder_.empty()) return absl::InternalError("there is no folder for objects");
  objects_.push_back(PathOf(fmt::format("{}.o", objects_.size())));
  symbols_.insert(symbols_.end(), symbols.begin(), symbols.end());
  return WriteFile(objects_.back(), object);
}

absl::Status CrossProgram::AddCall(std::string_view symbol, std::span<const Tensor> arguments) {
  const auto found = std::find(symbols_.begin(), symbols_.end(), symbol);
  if (found == symbols_.end()) return absl::NotFoundError(fmt::format("no entry {}", symbol));
  Append(calls_, found - symbols_.begin());
  for (const Tensor& t : arguments) {
    Append(calls_, t.rank());
    for (const int64_t size : t.shape()) Append(calls_, size);
    if (t.byte_size() > 0) {
      calls_.append(static_cast<const char*>(t.raw()), static_cast<size_t>(t.byte_size()));
    }
  }
  ++num_calls_;
  return absl::OkStatus();
}

// Symbols may be no names in C, so the table calls entries by number.
absl::Status CrossProgram::WriteTable() const {
  std::string declared = "#include \"runtime/abi.h\"\n", entries;
  for (size_t i = 0; i < symbols_.size(); ++i) {
    declared += fmt::format(
        "int32_t f{0}(const void* const*, void* const*, const int64_t*, void*, const "
        "gradus_threads*) __asm__(\"{1}\");\nextern const gradus_entry_info i{0} "
        "__asm__(\"{1}_info\");\n",
        i, symbols_[i]);
    entries += fmt::format("  {{\"{1}\", f{0}, &i{0}}},\n", i, symbols_[i]);
  }
  return WriteFile(PathOf("table.c"),
                   fmt::format("{}const struct entry {{\n  const char* symbol;\n  gradus_entry_fn "
                               "function;\n  const gradus_entry_info* info;\n}} entries[] = "
                               "{{\n{}}};\nconst int entry_count = {};\n",
                               declared, entries, symbols_.size()));
}

absl::StatusOr<std::vector<std::vector<Tensor>>> CrossProgram::Run() {
  if (absl::Status s = WriteTable(); !s.ok()) return s;
  if (absl::Status s = WriteFile(PathOf("calls"), calls_); !s.ok()) return s;
  std::string list;  // of the linker's inputs: too long for a command line
  for (const std::string& o : objects_) list += o + "\n";
  if (absl::Status s = WriteFile(PathOf("objects"), list); !s.ok()) return s;
  const std::string link = fmt::format(
      "{0} -std=gnu99 -O1 -static -I'{1}' -o '{2}/program' '{1}/tests/cross/driver.c' "
      "'{2}/table.c' @'{2}/objects'",
      toolchain_.compiler, GRADUS_SOURCE_DIR, folder_);
  if (absl::Status s = Execute(link, PathOf("log")); !s.ok()) return s;
  const std::string run =
      fmt::format("{0} '{1}/program' '{1}/calls' '{1}/results'", toolchain_.emulator, folder_);
  if (absl::Status s = Execute(run, PathOf("log")); !s.ok()) return s;

  const std::string bytes = ReadFile(PathOf("results"));
  Reader reader(bytes);
  std::vector<std::vector<Tensor>> results;
  for (size_t call = 0; call < num_calls_; ++call) {
    const auto count = reader.Number();
    if (!count.ok()) return count.status();
    results.emplace_back();
    for (int64_t i = 0; i < *count; ++i) {
      auto tensor = reader.OneTensor();
      if (!tensor.ok()) return tensor.status();
      results.back().push_back(*std::move(tensor));
    }
  }
  if (!reader.done()) return absl::InternalError("there are more results than calls gave");
  return results;
}

}  // namespace gradus::tests
