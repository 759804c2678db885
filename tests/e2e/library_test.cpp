// Libraries as C programs use them: built by a C compiler, run as processes of their own, compared
// with the same model compiled in memory.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "frontend/library/levels.h"
#include "frontend/training_module.h"
#include "runtime/files.h"
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

// What step_test.cpp shows of the graph, through the C interface.
TEST(Library, StepsThroughASequence) {
  const Folder folder;
  Model m("meter");
  Tensor h = m.Input("x", {kBatch, 6, 2});
  h = m.Add<LSTM>("lstm", 9, RecurrentOptions{.return_sequences = true})(h);
  m.Output("y", m.Add<Dense>("out", 1, sigmoid)(h));
  const auto report = WriteLibrary(m, {}, {.folder = folder.path()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->entries,
            (std::vector<std::string>{"init", "forward", "step", "save", "load", "selftest"}));
  ASSERT_TRUE(
      runtime::WriteFileAtomically(
          folder / "steps.c",
          "#include \"meter.h\"\n#include <string.h>\n"
          "METER_ALIGNED static unsigned char arena[METER_ARENA_BYTES(3)];\n"
          "static meter_parameters w;\n"
          "static float x[3][6][2], now[3][2], y[3][6][1], one[3][1];\n"
          "static float state[METER_STATE_BYTES(3) / sizeof(float)];\n"
          "int main(void) {\n"
          "  int t, b, i, wrong = meter_init(&w, 5, arena, sizeof arena);\n"
          "  for (i = 0; i < 36; ++i) (&x[0][0][0])[i] = (float)(i % 7) - 3;\n"
          "  wrong += meter_forward(&w, &x[0][0][0], 3, &y[0][0][0], arena, sizeof arena);\n"
          "  memset(state, 1, sizeof state);\n"
          "  wrong += meter_step_start(state, 3);\n"
          "  for (t = 0; t < 6; ++t) {\n"
          "    for (b = 0; b < 3; ++b) memcpy(now[b], x[b][t], sizeof now[b]);\n"
          "    wrong += meter_step(&w, &now[0][0], 3, state, &one[0][0], arena, sizeof arena);\n"
          "    for (b = 0; b < 3; ++b) wrong += one[b][0] != y[b][t][0];\n"
          "  }\n"
          "  wrong += y[0][0][0] == y[0][5][0];\n"
          "  wrong += meter_step_start(0, 3) != METER_ERROR_NULL;\n"
          "  wrong += meter_step_start(state, -1) != METER_ERROR_SIZE;\n"
          "  wrong += meter_step(&w, &now[0][0], 3, 0, &one[0][0], arena, sizeof arena) != "
          "METER_ERROR_NULL;\n"
          "  return wrong;\n}\n")
          .ok());
  const Ran ran = Shell(fmt::format("cd {} && gcc {} -I. -o steps steps.c -L. -lmeter && ./steps",
                                    folder.path(), kCFlags));
  EXPECT_EQ(ran.code, 0) << ran.text;
  const auto refused = WriteLibrary(Small(), {}, {.folder = folder.path(), .entries = {"step"}});
  ASSERT_FALSE(refused.ok());
}

std::vector<std::string> FilesOf(const Folder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

TEST(Library, IsTheSameEveryTimeAndFromAFile) {
  const Model model = Small();
  TrainingOptions training = Training();
  auto trainer = Compile(model, training, {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const Weights weights = trainer->CloneWeights().value();
  const SaveOptions contents{.training = &training, .weights = &weights};
  LibraryOptions options{.weights = WeightsIn::kLibrary, .emit = {"lib", "obj", "llvm", "graph"}};
  const Folder first, second, third;
  options.folder = first.path();
  ASSERT_TRUE(WriteLibrary(model, contents, options).ok());
  options.folder = second.path();
  ASSERT_TRUE(WriteLibrary(model, contents, options).ok());
  const std::vector<std::string> names = FilesOf(first);
  EXPECT_GE(names.size(), 10U);
  EXPECT_EQ(FilesOf(second), names);
  for (const std::string& name : names) {
    EXPECT_TRUE(Contents(first / name) == Contents(second / name)) << name;
  }
  // And by the program, from a file.
  const Folder saved;
  ASSERT_TRUE(model.Save(saved / "theft.gradus", contents).ok());
  const Ran ran = Shell(
      fmt::format("{} {} -o {} --weights=embed", GRADUSC, saved / "theft.gradus", third.path()));
  ASSERT_EQ(ran.code, 0) << ran.text;
  EXPECT_NE(ran.text.find("undefined symbols: none"), std::string::npos) << ran.text;
  for (const std::string name : {"libtheft.a", "theft.h", "theft.pc"}) {
    EXPECT_TRUE(Contents(first / name) == Contents(third / name)) << name;
  }
}

TEST(Library, HeaderIsCAndCpp) {
  const Folder folder;
  const TrainingOptions training = Training();
  ASSERT_TRUE(WriteLibrary(Small(), {.training = &training}, {.folder = folder.path()}).ok());
  ASSERT_TRUE(runtime::WriteFileAtomically(
                  folder / "use.c",
                  "#include \"theft.h\"\n#include \"theft.h\"\n"
                  "THEFT_ALIGNED static unsigned char arena[THEFT_ARENA_BYTES(7)];\n"
                  "unsigned char* get(void);\nunsigned char* get(void) { return arena; }\n")
                  .ok());
  for (const char* compiler : {"gcc -std=c99", "gcc -std=c11", "g++ -std=c++11 -x c++",
                               "g++ -std=c++20 -x c++", "clang-19 -std=c99"}) {
    const Ran ran =
        Shell(fmt::format("cd {} && {} -Wall -Wextra -pedantic -Wshadow -Wconversion "
                          "-Werror -fsyntax-only use.c",
                          folder.path(), compiler));
    EXPECT_EQ(ran.code, 0) << compiler << ": " << ran.text;
  }
}

TEST(Library, RefusesMisuse) {
  const Folder folder;
  const TrainingOptions training = Training();
  const auto report = WriteLibrary(Small(), {.training = &training}, {.folder = folder.path()});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const char* sanitizer : {"-fsanitize=address,undefined -fno-sanitize-recover=all", ""}) {
    const Ran built =
        Shell(fmt::format("cd {0} && gcc {1} -g {3} -I. -o misuse '{2}/tests/e2e/library_misuse.c' "
                          "-L. -ltheft",
                          folder.path(), kCFlags, GRADUS_SOURCE_DIR, sanitizer));
    ASSERT_EQ(built.code, 0) << built.text;
    const Ran ran = Shell(folder / "misuse");
    EXPECT_EQ(ran.code, 0) << ran.text;
    EXPECT_NE(ran.text.find("all as expected"), std::string::npos) << ran.text;
  }
  // Levels.
  for (const auto& [value, good] :
       {std::pair("v2", true), std::pair("x86-64-v2", true), std::pair("", true),
        std::pair("v1", false), std::pair("v9", false), std::pair("x86-64", false),
        std::pair("avx2", false), std::pair("x86-64-v2-and-a-long-tail", false)}) {
    const Ran ran = Shell(fmt::format("THEFT_ISA={} {} isa", value, folder / "misuse"));
    EXPECT_EQ(ran.code, good ? 0 : 1) << value << ": " << ran.text;
    if (good) continue;
    EXPECT_NE(ran.text.find("named in the environment"), std::string::npos) << ran.text;
  }
  // A processor below the lowest level, where there is an emulator of one.
  if (Shell("command -v qemu-x86_64").code == 0) {
    const Ran old = Shell(fmt::format("qemu-x86_64 -cpu qemu64,-sse3 {} isa", folder / "misuse"));
    EXPECT_EQ(old.code, 1) << old.text;
    EXPECT_NE(old.text.find("lacks what the lowest"), std::string::npos) << old.text;
  }
  const Ran needed = Shell(fmt::format("readelf -d {}", folder / "misuse"));
  EXPECT_EQ(needed.text.find("NEEDED"), needed.text.rfind("NEEDED")) << needed.text;
  EXPECT_NE(needed.text.find("[libc.so.6]"), std::string::npos) << needed.text;
}

TEST(Library, FreestandingAsksNobody) {
  const Folder folder;
  const TrainingOptions training = Training();
  const auto report = WriteLibrary(Small(), {.training = &training},
                                   {.folder = folder.path(), .freestanding = true});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->summary.undefined.empty());
  EXPECT_EQ(Contents(folder / "theft.h").find("_ISA="), std::string::npos);
  const Ran ran = Shell(
      fmt::format("cd {0} && gcc {1} -I. -o misuse '{2}/tests/e2e/library_misuse.c' -L. -ltheft && "
                  "THEFT_ISA=nonsense ./misuse isa",
                  folder.path(), kCFlags, GRADUS_SOURCE_DIR));
  EXPECT_EQ(ran.code, 0) << ran.text;
}

// 10,000 calls from four threads that share one model's weights, the first of which choose the
// level at the same time: as users link it, and with every access of the code watched.
TEST(Library, ThreadsShareWeights) {
  const Folder folder;
  ASSERT_TRUE(
      WriteLibrary(Small(), {},
                   {.folder = folder.path(), .targets = {"x86-64-v2"}, .emit = {"lib", "llvm"}})
          .ok());
  ASSERT_TRUE(
      runtime::WriteFileAtomically(
          folder / "threads.c",
          "#include <pthread.h>\n#include <string.h>\n#include \"theft.h\"\n"
          "static theft_parameters weights;\n"
          "static float x[7][3], want[7];\n"
          "static int forward(float* y, unsigned char* arena, size_t bytes) {\n"
          "#ifdef WATCHED\n"
          "  int32_t theft_forward(const void* const*, void* const*, const int64_t*, void*, "
          "void*);\n"
          "  const char* w = (const char*)&weights;\n"
          "  const void* in[] = {x, ARGUMENTS};\n"
          "  void* out[] = {y};\n  const int64_t batch = 7;\n  (void)bytes;\n"
          "  return theft_forward(in, out, &batch, arena, NULL);\n"
          "#else\n  return theft_forward(&weights, &x[0][0], 7, y, arena, bytes);\n#endif\n}\n"
          "static void* run(void* failed) {\n"
          "  THEFT_ALIGNED unsigned char arena[THEFT_FORWARD_ARENA_BYTES(7) + 64];\n"
          "  float y[7];\n"
          "  for (int i = 0; i < 2500; ++i) {\n"
          "    if (forward(y, arena, sizeof arena) || memcmp(y, want, sizeof y)) *(int*)failed = "
          "1;\n"
          "  }\n  return NULL;\n}\n"
          "int main(int argc, char** argv) {\n"
          "  pthread_t threads[4];\n  int failed[4] = {0, 0, 0, 0};\n"
          "  float* w = (float*)(void*)&weights;\n  (void)argv;\n"
          "  for (size_t i = 0; i < sizeof weights / 4; ++i) w[i] = (float)(i % 5 + 1) / 4;\n"
          "  for (int i = 0; i < 21; ++i) x[0][i] = (float)(i % 4) - 1;\n"
          "  if (argc > 1) { /* who is first chooses the level */\n"
          "    THEFT_ALIGNED unsigned char arena[THEFT_FORWARD_ARENA_BYTES(7) + 64];\n"
          "    if (forward(want, arena, sizeof arena)) return 2;\n  }\n"
          "  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, run, &failed[i]);\n"
          "  if (argc > 2) { /* a race */\n"
          "    for (int i = 0; i < 1000; ++i) w[i % 4] = (float)(i % 4 + 1) / 4;\n  }\n"
          "  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);\n"
          "  return argc > 1 && (failed[0] | failed[1] | failed[2] | failed[3]);\n}\n")
          .ok());
  const Ran linked =
      Shell(fmt::format("cd {} && clang-19 -std=gnu99 -O1 -Wall -Werror -fsanitize=thread -I. -o "
                        "threads threads.c -L. "
                        "-ltheft && ./threads && ./threads compare",
                        folder.path()));
  EXPECT_EQ(linked.code, 0) << linked.text;
  // The entry's arguments behind x, as the header's structure has them.
  std::string arguments;
  Model m = Small();
  const auto module = BuildInferenceModule(m);
  ASSERT_TRUE(module.ok());
  const ir::Function& forward = *(*module)->Find("forward");
  for (int i = 1; i < forward.num_args(); ++i) {
    std::string name = forward.arg(i).node()->name();
    std::ranges::replace(name, '.', '_');
    arguments += fmt::format("{}w + offsetof(theft_parameters, {})", i > 1 ? ", " : "", name);
  }
  const Ran watched = Shell(fmt::format(
      "cd {} && sed -i 's/^attributes #0 = {{/& sanitize_thread/' theft_x86-64-v2.ll && "
      "sed 's/theft_forward(const theft_parameters/unused(const theft_parameters/' theft.h > w.h "
      "&& "
      "mv w.h theft.h && clang-19 -std=gnu99 -O1 -Wno-override-module -fsanitize=thread -DWATCHED "
      "'-DARGUMENTS={}' -I. "
      "-o watched threads.c -x ir theft_x86-64-v2.ll && nm watched | grep -c __tsan_read && "
      "./watched compare",
      folder.path(), arguments));
  EXPECT_EQ(watched.code, 0) << watched.text;
  const Ran planted = Shell(fmt::format("cd {} && ./watched compare race", folder.path()));
  EXPECT_EQ(planted.code, 66) << planted.text;
  EXPECT_NE(planted.text.find("data race"), std::string::npos) << planted.text;
}

// Of several sizes that are fixed one after another; the rest are the call's.
TEST(Library, HasCodeForOneOfTwoSizes) {
  const Folder folder;
  Model m("meter");
  Tensor h = m.Input("x", {kBatch, kTime, 2});
  m.Output("y", m.Add<Dense>("out", 3)(m.Add<LSTM>("lstm", 5)(h)));
  LibraryOptions options{.folder = folder.path(), .specialize = {{"B", 1}, {"T", 6}}};
  const auto report = WriteLibrary(m, {}, options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NE(report->Card().find("meter_x86-64-v2_T6.o"), std::string::npos) << report->Card();
  ASSERT_TRUE(runtime::WriteFileAtomically(
                  folder / "sizes.c",
                  "#include \"meter.h\"\n#include <string.h>\n"
                  "METER_ALIGNED static unsigned char arena[METER_ARENA_BYTES(4, 8)];\n"
                  "static meter_parameters w;\nstatic float x[4 * 8 * 2], all[4 * 3], one[4 * 3];\n"
                  "static float row[8 * 2];\n"
                  "int main(void) {\n"
                  "  int t, b, i, wrong = meter_init(&w, 5, arena, sizeof arena);\n"
                  "  for (i = 0; i < 64; ++i) x[i] = (float)(i % 7) - 3;\n"
                  "  for (t = 5; t <= 8; ++t) {\n"
                  "    wrong += meter_forward(&w, x, 4, t, all, arena, sizeof arena) != 0;\n"
                  "    for (b = 0; b < 4; ++b) {\n"
                  "      memcpy(row, x + b * t * 2, sizeof(float) * 2 * (size_t)t);\n"
                  "      wrong += meter_forward(&w, row, 1, t, one, arena, sizeof arena) != 0;\n"
                  "      for (i = 0; i < 3; ++i) {\n"
                  "        float off = one[i] - all[3 * b + i];\n"
                  "        wrong += !(off < 1e-6f && off > -1e-6f);\n"
                  "      }\n"
                  "    }\n"
                  "  }\n"
                  "  return wrong;\n}\n")
                  .ok());
  const Ran ran = Shell(fmt::format("cd {} && gcc {} -I. -o sizes sizes.c -L. -lmeter && ./sizes",
                                    folder.path(), kCFlags));
  EXPECT_EQ(ran.code, 0) << ran.text;
  for (const auto& [size, message] :
       std::vector<std::pair<std::pair<std::string, int64_t>, std::string>>{
           {{"N", 1}, "no entry has a size N"},
           {{"B", 0}, "expected a size of 1 or more"},
           {{"B", int64_t{1} << 62}, "the model cannot have B="}}) {
    options.specialize = {size};
    const auto refused = WriteLibrary(m, {}, options);
    ASSERT_FALSE(refused.ok()) << message;
    EXPECT_NE(refused.status().message().find(message), std::string::npos) << refused.status();
  }
  options.specialize = {{"B", 2}, {"B", 2}};
  EXPECT_FALSE(WriteLibrary(m, {}, options).ok());
  // And by the program, where a number belongs to the symbol before it.
  ASSERT_TRUE(m.Save(folder / "meter.gradus", {}).ok());
  const auto gradusc = [&](const char* sizes) {
    return Shell(fmt::format("{} {} -o {} --specialize={}", GRADUSC, folder / "meter.gradus",
                             folder.path(), sizes));
  };
  const Ran made = gradusc("B=1,4,T=6");
  EXPECT_EQ(made.code, 0) << made.text;
  for (const char* member : {"v3_B1.o", "v3_B4.o", "v3_T6.o"}) {
    EXPECT_NE(made.text.find(member), std::string::npos) << made.text;
  }
  for (const char* sizes : {"1", "B=", "B=one", "B"}) {
    const Ran refused = gradusc(sizes);
    EXPECT_EQ(refused.code, 2) << refused.text;
    EXPECT_NE(refused.text.find("is no size, expected for instance B=1,32"), std::string::npos)
        << refused.text;
  }
}

// Two models in one program, and one model in two versions.
TEST(Library, TwoLinkTogether) {
  const Folder folder;
  const TrainingOptions training = Training();
  for (const char* prefix : {"theft", "theft_v3", "other"}) {
    const auto report =
        WriteLibrary(Small(), {.training = &training}, {.folder = folder.path(), .name = prefix});
    ASSERT_TRUE(report.ok()) << report.status();
  }
  ASSERT_TRUE(
      runtime::WriteFileAtomically(
          folder / "both.c",
          "#include \"theft.h\"\n#include \"theft_v3.h\"\n#include \"other.h\"\n"
          "int main(void) {\n"
          "  static theft_parameters a; static theft_v3_parameters b;\n"
          "  static other_parameters c;\n"
          "  THEFT_ALIGNED static unsigned char arena[THEFT_INIT_ARENA_BYTES + 64];\n"
          "  return theft_init(&a, 1, arena, sizeof arena) + "
          "theft_v3_init(&b, 1, arena, sizeof arena) + other_init(&c, 1, arena, sizeof arena) "
          "+ (a.hidden_kernel[0][0] != c.hidden_kernel[0][0]) + (a.hidden_kernel[0][0] == 0);\n"
          "}\n")
          .ok());
  const Ran built = Shell(
      fmt::format("cd {} && gcc {} -I. -o both both.c -L. -ltheft -ltheft_v3 -lother && ./both",
                  folder.path(), kCFlags));
  EXPECT_EQ(built.code, 0) << built.text;
}

TEST(Library, SaysWhatIsWrong) {
  const Folder folder;
  const Model model = Small();
  const TrainingOptions training = Training();
  const auto message = [&](LibraryOptions options, bool trained = true) {
    options.folder = folder.path();
    const auto report = WriteLibrary(model, {.training = trained ? &training : nullptr}, options);
    return report.ok() ? "(good)" : std::string(report.status().message());
  };
  const auto expect = [&](const std::string& got, std::string_view want) {
    EXPECT_NE(got.find(want), std::string::npos) << got;
  };
  expect(message({.name = "a/b"}), "is no name for files");
  expect(message({.prefix = "2x"}), "cannot begin the names of C functions");
  expect(message({.prefix = "int"}), "cannot begin the names of C functions");
  expect(message({.entries = {"forwards"}}),
         "there is no entry \"forwards\", expected some of init");
  expect(message({.entries = {"train_step"}}, false), "model theft has no entry \"train_step\"");
  expect(message({.weights = WeightsIn::kLibrary}), "comes without weights");
  expect(message({.targets = {"x86-64-v9"}}), "cannot make a library for \"x86-64-v9\"");
  expect(message({.targets = {}}), "no target");
  expect(message({.targets = {"scalar"}}),
         "cannot make a library for \"scalar\", expected some of x86-64, x86-64-v2, x86-64-v3, "
         "x86-64-v4, aarch64, riscv64, riscv64-v, cortex-m4, cortex-m7, wasm32, wasm32-simd128, or "
         "host");
  expect(message({.targets = {"x86-64-v3", "aarch64"}}),
         "x86-64-v3 and aarch64 do not go into one library");
  expect(message({.targets = {"riscv64", "riscv64-v"}}),
         "riscv64 and riscv64-v do not go into one library");
  expect(message({.emit = {"exe"}}), "cannot emit \"exe\"");
  expect(message({.max_arena = 64}), "needs an arena of");
  EXPECT_EQ(FilesOf(folder), std::vector<std::string>());
  EXPECT_EQ(message({}), "(good)");
}

TEST(Library, ArchitecturesAndTriplesHaveTargets) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(TargetsOf("x86-64", {}).value(), (Names{"x86-64-v2", "x86-64-v3", "x86-64-v4"}));
  EXPECT_EQ(TargetsOf("x86_64-pc-linux-gnu", {}).value().size(), 3U);
  EXPECT_EQ(TargetsOf("riscv64-unknown-elf", {}).value(), Names{"riscv64"});
  EXPECT_EQ(TargetsOf("thumbv7em-none-eabihf", Names{"cortex-m7"}).value(), Names{"cortex-m7"});
  EXPECT_EQ(TargetsOf("armv7e-m", {}).value(), Names{"cortex-m4"});
  EXPECT_EQ(TargetsOf("wasm32-unknown-unknown", {}).value(), Names{"wasm32"});
  EXPECT_EQ(TargetsOf("sparc", {}).status().message(),
            "unknown architecture \"sparc\", expected one of x86-64, aarch64, riscv64, armv7e-m, "
            "wasm32, or a triple that begins with one");
  EXPECT_EQ(TargetsOf("wasm32", Names{"cortex-m4"}).status().message(),
            "\"cortex-m4\" is no processor of wasm32, expected some of wasm32, wasm32-simd128");
}

// A processor without arithmetic of doubles, and a model of them.
TEST(Library, CallsNoLibraryOfTheCompiler) {
  const Folder folder;
  Model m("wide", DType::kF64);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(m.Input("x", {kBatch, 3})));
  const auto report = WriteLibrary(m, {}, {.folder = folder.path(), .targets = {"cortex-m7"}});
  ASSERT_EQ(report.status().code(), absl::StatusCode::kUnimplemented);
  const std::string message(report.status().message());
  EXPECT_NE(message.find("library: code for cortex-m7 would call __"), std::string::npos)
      << message;
  EXPECT_NE(message.find("f64 is what most often is missing"), std::string::npos) << message;
  EXPECT_EQ(FilesOf(folder), std::vector<std::string>());
}

}  // namespace
}  // namespace gradus
