// What tools and debuggers see of a library: its passport and the lines of the model's source.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "runtime/files.h"
#include "runtime/standalone/standalone.h"
#include "tests/e2e/library_support.h"

namespace gradus {
namespace {

namespace fs = std::filesystem;

using tests::Contents;
using tests::Folder;
using tests::kCFlags;
using tests::Ran;
using tests::Shell;
using tests::Small;
using tests::Training;

// The passport, read and run; and damaged in every way.
TEST(InspectedLibrary, KnowsItself) {
  const Folder folder;
  ASSERT_TRUE(WriteLibrary(Small(), {}, {.folder = folder.path()}).ok());
  ASSERT_TRUE(
      runtime::WriteFileAtomically(
          folder / "self.c",
          "#include \"theft.h\"\n#include <stdio.h>\n"
          "THEFT_ALIGNED static unsigned char memory[THEFT_SELFTEST_BYTES + 64];\n"
          "int main(void) {\n"
          "  if (theft_selftest(0, sizeof memory) == THEFT_OK) return 100;\n"
          "  if (theft_selftest(memory + 8, THEFT_SELFTEST_BYTES) == THEFT_OK) return 101;\n"
          "  if (theft_selftest(memory, THEFT_SELFTEST_BYTES - 1) == THEFT_OK) return 102;\n"
          "  return theft_selftest(memory, THEFT_SELFTEST_BYTES);\n}\n")
          .ok());
  const auto selftest = [&](const std::string& variable) {
    const Ran built =
        Shell(fmt::format("cd {} && gcc {} -fsanitize=address,undefined -I. -o self self.c -L. "
                          "-ltheft",
                          folder.path(), kCFlags));
    EXPECT_EQ(built.code, 0) << built.text;
    return Shell(variable + " " + (folder / "self")).code;
  };
  for (int level = 2; level <= 4; ++level) {
    const auto target = codegen::NamedTarget(fmt::format("x86-64-v{}", level));
    if (!codegen::CheckRunsHere(*target).ok()) continue;
    EXPECT_EQ(selftest(fmt::format("THEFT_ISA=v{}", level)), GRADUS_OK) << level;
  }
  const auto info = [&] { return Shell(fmt::format("{} {}", GRADUS_INFO, folder / "libtheft.a")); };
  const Ran good = info();
  EXPECT_EQ(good.code, 0) << good.text;
  for (const char* line : {"model: theft\n", "hash: ", "compiler: Gradus ", "LLVM 19.1",
                           "instruction sets: x86-64-v2 x86-64-v3 x86-64-v4\n",
                           "self-test: forward at 2, 2 numbers"}) {
    EXPECT_NE(good.text.find(line), std::string::npos) << line << good.text;
  }
  // The program has it, too.
  const Ran program = Shell(fmt::format("{} {}", GRADUS_INFO, folder / "self"));
  EXPECT_EQ(program.text, good.text);

  const std::string archive = Contents(folder / "libtheft.a");
  const size_t at = archive.find(GRADUS_PASSPORT_MAGIC);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(archive.find(GRADUS_PASSPORT_MAGIC, at + 1), std::string::npos);
  gradus_passport head;
  std::memcpy(&head, archive.data() + at, sizeof head);
  const auto write = [&](const std::string& bytes) {
    ASSERT_TRUE(runtime::WriteFileAtomically(folder / "libtheft.a", bytes).ok());
  };
  const auto expect_info = [&](std::string_view message) {
    const Ran ran = info();
    EXPECT_EQ(ran.code, 1) << ran.text;
    EXPECT_NE(ran.text.find(message), std::string::npos) << ran.text;
    EXPECT_NE(ran.text.find("libtheft.a: "), std::string::npos) << ran.text;
  };
  // Any byte of it, in the file and in the program.
  for (const size_t byte :
       {size_t{3}, size_t{16}, size_t{21}, size_t{30}, sizeof head + 1, size_t{head.bytes} - 1}) {
    std::string damaged = archive;
    damaged[at + byte] ^= 4;
    write(damaged);
    expect_info(byte < 16 ? "holds no passport" : byte < 20 ? "is of version" : "is damaged");
    EXPECT_EQ(selftest(""), GRADUS_PASSPORT) << byte;
  }
  // What it expects is another number, and the hash right.
  std::string other = archive;
  other[at + head.bytes - 2] ^= 4;
  head.hash = gradus_standalone_hash(other.data() + at + sizeof head, head.bytes - sizeof head);
  std::memcpy(other.data() + at, &head, sizeof head);
  write(other);
  EXPECT_EQ(info().code, 0);
  EXPECT_EQ(selftest(""), GRADUS_SELFTEST);
  // Cut, foreign, not there.
  write(archive.substr(0, at + 20));
  expect_info("is cut off");
  write(archive.substr(0, at + head.bytes - 1));
  expect_info("is cut off");
  write("!<arch>\n");
  expect_info("holds no passport");
  write("");
  expect_info("holds no passport");
  fs::remove(folder / "libtheft.a");
  EXPECT_EQ(info().code, 1);
  // Without forward there is nothing to run.
  const auto report =
      WriteLibrary(Small(), {}, {.folder = folder.path(), .entries = {"init", "selftest"}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(info().text.find("self-test: none\n"), std::string::npos);
}

// Debuggers find the line of the source where a layer was called, under a name that says which one.
TEST(InspectedLibrary, PointsAtTheModelsSource) {
  const Folder folder;
  const TrainingOptions training = Training();
  const auto build = [&](bool lines) {
    const auto report =
        WriteLibrary(Small(), {.training = &training},
                     {.folder = folder.path(), .targets = {"x86-64-v2"}, .debug_lines = lines});
    EXPECT_TRUE(report.ok()) << report.status();
    const Ran linked =
        Shell(fmt::format("cd {0} && gcc -shared -Wl,--build-id=none -o all.so -Wl,--whole-archive "
                          "libtheft.a -Wl,--no-whole-archive && "
                          "strip -o bare.so all.so",
                          folder.path()));
    EXPECT_EQ(linked.code, 0) << linked.text;
    return report.ok() ? report->summary : codegen::LibrarySummary{};
  };
  const codegen::LibrarySummary without = build(false);
  EXPECT_EQ(Shell("readelf -S " + (folder / "all.so")).text.find(".debug_line"), std::string::npos);
  const std::string bare = Contents(folder / "bare.so");
  const codegen::LibrarySummary with = build(true);
  EXPECT_TRUE(bare == Contents(folder / "bare.so"));  // nothing of it is loaded
  for (size_t i = 0; i < with.members.size(); ++i) {
    EXPECT_EQ(with.members[i].second.total(), without.members[i].second.total());
  }
  const std::string source =
      Contents(fmt::format("{}/tests/e2e/library_support.h", GRADUS_SOURCE_DIR));
  const auto line_of = [&](std::string_view text) {
    return std::count(source.begin(),
                      source.begin() + static_cast<std::ptrdiff_t>(source.find(text)), '\n') +
           1;
  };
  for (const auto& [layer, text] :
       {std::pair("hidden", "h = m.Add<Dense>(\"hidden\", 5, relu)(h);"),
        std::pair("out", "m.Output(\"p\", m.Add<Dense>(\"out\", 1, sigmoid)(h));")}) {
    const Ran ran =
        Shell(fmt::format("cd {0} && nm all.so | grep -E ' t theft_{1}_(backward_)?matmul' | "
                          "cut -d' ' -f1 | addr2line -f -e all.so | sed 's/ (discrim.*//'",
                          folder.path(), layer));
    const std::string place = fmt::format("library_support.h:{}\n", line_of(text));
    for (const std::string_view of : {"matmul", "backward_matmul"}) {
      EXPECT_NE(ran.text.find(fmt::format("theft_{}_{}", layer, of)), std::string::npos)
          << ran.text;
    }
    int kernels = 0;
    for (size_t at = 0; at < ran.text.size(); ++kernels) {  // a line of the name, one of the place
      const size_t name_end = ran.text.find('\n', at), end = ran.text.find('\n', name_end + 1);
      EXPECT_TRUE(ran.text.substr(name_end + 1, end - name_end).ends_with(place))
          << ran.text.substr(at, end - at) << ", expected " << place;
      at = end + 1;
    }
    EXPECT_GT(kernels, 2);  // forward, its gradients
  }
}

}  // namespace
}  // namespace gradus
