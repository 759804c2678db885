// Code in memory as debuggers see it: at lines of this file.

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "frontend/trainer.h"
#include "runtime/files.h"
#include "tests/shell.h"

namespace gradus {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::Folder;
using tests::Shell;

// The list of objects that debuggers read, as GDB's manual has it.
struct Entry {
  const Entry *next, *previous;
  const char* object;
  uint64_t size;
};
struct List {
  uint32_t version, action;
  const Entry *changed, *first;
};

std::vector<std::string> ShownObjects() {
  const auto* list = static_cast<const List*>(dlsym(RTLD_DEFAULT, "__jit_debug_descriptor"));
  EXPECT_NE(list, nullptr);
  std::vector<std::string> objects;
  const Entry* previous = nullptr;
  for (const Entry* e = list == nullptr ? nullptr : list->first; e != nullptr; e = e->next) {
    EXPECT_EQ(e->previous, previous);
    previous = e;
    objects.emplace_back(e->object, e->size);
  }
  return objects;
}

struct Built {
  absl::StatusOr<Trainer> trainer;
  int hidden, out;  // the lines of the calls of its layers
};

Built Build(const CompileOptions& options) {
  Model m("lines");
  const Tensor x = m.Input("x", {kBatch, 3});
  const Tensor h = m.Add<Dense>("hidden", 8, tanh)(x);
  const int hidden = __LINE__ - 1;
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  const int out = __LINE__ - 1;
  return {Compile(m, {.optimizer = SGD(), .loss = binary_crossentropy}, options), hidden, out};
}

// The same model from other lines.
Built BuildElsewhere(const CompileOptions& options) {
  Model m("lines");
  const Tensor x = m.Input("x", {kBatch, 3});
  const Tensor h = m.Add<Dense>("hidden", 8, tanh)(x);
  const int hidden = __LINE__ - 1;
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  const int out = __LINE__ - 1;
  return {Compile(m, {.optimizer = SGD(), .loss = binary_crossentropy}, options), hidden, out};
}

class DebugLines : public ::testing::Test {
 protected:
  // Addresses of functions come from elsewhere, too: the list for perf.
  DebugLines() {
    setenv("GRADUS_PERF_MAP", "1", 1);
    unsetenv("GRADUS_DEBUG_LINES");
  }
  ~DebugLines() override {
    unsetenv("GRADUS_PERF_MAP");
    std::filesystem::remove(map_);
  }

  // Where functions were loaded since the last call, by name.
  std::map<std::string, uint64_t> Loaded() {
    std::map<std::string, uint64_t> addresses;
    std::ifstream in(map_);
    uint64_t address = 0, size = 0;
    std::string name;
    while (in >> std::hex >> address >> size >> name) addresses[name] = address;
    std::filesystem::remove(map_);
    return addresses;
  }

  // Checks that each kernel of the two layers is shown at the line of the layer.
  void ExpectLines(const Built& built) {
    ASSERT_TRUE(built.trainer.ok()) << built.trainer.status();
    const std::vector<std::string> objects = ShownObjects();
    ASSERT_THAT(objects, SizeIs(1));
    ASSERT_TRUE(runtime::WriteFileAtomically(folder_ / "shown.o", objects[0]).ok());
    std::map<int, int> kernels;  // by line
    for (const auto& [name, address] : Loaded()) {
      const bool hidden = name.starts_with("kernel.hidden_");
      if (!hidden && !name.starts_with("kernel.out_")) continue;
      // What draws weights belongs to "hidden/kernel", and to no call.
      if (name.find("_kernel_") != std::string::npos || name.find("_bias_") != std::string::npos)
        continue;
      const int line = hidden ? built.hidden : built.out;
      ++kernels[line];
      for (const uint64_t at : {address, address + 1}) {
        EXPECT_EQ(Shell(fmt::format("addr2line -f -e {} {:#x} | sed 's/ (discrim.*//'",
                                    folder_ / "shown.o", at))
                      .text,
                  fmt::format("{}\ndebug_lines_test.cpp:{}\n", name, line));
      }
    }
    EXPECT_GT(kernels[built.hidden], 1);  // forward, its gradients
    EXPECT_GT(kernels[built.out], 1);
  }

  const Folder folder_;
  const std::string map_ = fmt::format("/tmp/perf-{}.map", getpid());
};

TEST_F(DebugLines, AreOfTheCallsOfLayersForAsLongAsTheCodeIsThere) {
  {
    const Built built = Build({.cache_dir = "", .debug_lines = true});
    ExpectLines(built);
    const Built other = Build({.cache_dir = "", .debug_lines = true});
    EXPECT_THAT(ShownObjects(), SizeIs(2));
  }
  EXPECT_THAT(ShownObjects(), IsEmpty());
}

TEST_F(DebugLines, AreThereWhereAskedFor) {
  const Built built = Build({.cache_dir = folder_.path()});
  EXPECT_TRUE(built.trainer.ok());
  EXPECT_THAT(ShownObjects(), IsEmpty());
  setenv("GRADUS_DEBUG_LINES", "1", 1);
  EXPECT_TRUE(CompileOptions().debug_lines);
  setenv("GRADUS_DEBUG_LINES", "", 1);
  EXPECT_FALSE(CompileOptions().debug_lines);
  unsetenv("GRADUS_DEBUG_LINES");
  EXPECT_FALSE(CompileOptions().debug_lines);
}

// An object has the lines of the model that it was made for.
TEST_F(DebugLines, AreRightInCachedObjects) {
  const auto check = [&](Built (*build)(const CompileOptions&), bool lines, bool from_cache) {
    Loaded();
    const Built built = build({.cache_dir = folder_.path(), .debug_lines = lines});
    ASSERT_TRUE(built.trainer.ok()) << built.trainer.status();
    EXPECT_EQ(built.trainer->compile_report().from_cache, from_cache);
    if (lines) {
      ExpectLines(built);
    } else {
      EXPECT_THAT(ShownObjects(), IsEmpty());
    }
  };
  check(Build, false, false);
  check(BuildElsewhere, false, true);
  check(Build, true, false);
  check(BuildElsewhere, true, false);
  check(Build, true, true);
  check(BuildElsewhere, true, true);
}

}  // namespace
}  // namespace gradus
