// Files of models: written, read, and refused.

#include <gtest/gtest.h>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "frontend/library/saved_model.h"
#include "runtime/files.h"
#include "runtime/safetensors.h"
#include "tests/e2e/library_support.h"

namespace gradus {
namespace {

using tests::Contents;
using tests::Folder;
using tests::kCFlags;
using tests::Ran;
using tests::Shell;
using tests::Small;
using tests::Training;

TEST(SavedModel, ComesBack) {
  const Folder folder;
  const Model model = Small();
  const TrainingOptions training = Training();
  auto trainer = Compile(model, training, {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const Weights weights = trainer->CloneWeights().value();
  const std::string path = folder / "theft.gradus";
  ASSERT_TRUE(model.Save(path, {.training = &training, .weights = &weights}).ok());
  const auto read = ReadModelFile(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->module->name(), "theft");
  EXPECT_TRUE(read->trains());
  EXPECT_EQ(read->loss, "binary_crossentropy");
  EXPECT_EQ(read->optimizer, "adam");
  EXPECT_EQ(read->learning_rate, 0.001);
  EXPECT_EQ(read->layers.size(), model.layers().size());
  EXPECT_EQ(read->weights.size(), weights.size());
  ASSERT_TRUE(WriteModelFile(folder / "again", *read).ok());
  EXPECT_TRUE(Contents(path) == Contents(folder / "again"));
}

// How a table becomes what the model takes goes with it, to whoever reads the header.
TEST(SavedModel, SaysWhatItsRowsAreMadeOf) {
  const Folder folder;
  const auto table = data::ParseCsv("kWh */ in Jan,area,tariff\n1,10,night\n3,,day\n,30,day\n");
  ASSERT_TRUE(table.ok()) << table.status();
  const auto preprocess = data::Preprocess::Fit(*table, {.fill = data::FillWith::kMean});
  ASSERT_TRUE(preprocess.ok()) << preprocess.status();
  Model m("theft");
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(m.Input("x", {kBatch, preprocess->features()})));
  const std::string path = folder / "theft.gradus";
  ASSERT_TRUE(m.Save(path, {.preprocess = &*preprocess}).ok());
  const auto read = ReadModelFile(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->preprocess, preprocess->ToJson());
  ASSERT_TRUE(WriteLibrary(*read, {.folder = folder.path()}).ok());
  const std::string header = Contents(folder / "theft.h");
  EXPECT_NE(header.find("   kWh *_ in Jan: fill 2, offset 2, scale 0.816"), std::string::npos)
      << header;
  EXPECT_NE(header.find("   tariff: is \"day\", \"night\"\n"), std::string::npos) << header;
  const Ran ran =
      Shell(fmt::format("cd {} && gcc {} -fsyntax-only -x c theft.h", folder.path(), kCFlags));
  EXPECT_EQ(ran.code, 0) << ran.text;
  // A file whose description of rows is damaged.
  std::string bytes = Contents(path);
  const size_t at = bytes.find("gradus-preprocess");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'G';
  ASSERT_TRUE(runtime::WriteFileAtomically(path, bytes).ok());
  const auto damaged = ReadModelFile(path);
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.status().message().find("(preprocess)"), std::string::npos) << damaged.status();
}

TEST(SavedModel, RefusesWhatIsNoModel) {
  const Folder folder;
  const std::string path = folder / "file";
  const auto message = [&](const runtime::SafetensorsMetadata& metadata) {
    EXPECT_TRUE(runtime::WriteSafetensors(path, {}, metadata).ok());
    const auto read = ReadModelFile(path);
    return read.ok() ? "(good)" : std::string(read.status().message());
  };
  const auto expect = [&](const std::string& got, std::string_view want) {
    EXPECT_NE(got.find(want), std::string::npos) << got;
    EXPECT_NE(got.find(path), std::string::npos) << got;
  };
  runtime::SafetensorsMetadata good = {
      {"format", "gradus-model"},
      {"version", "1"},
      {"graph", "module @m\nfunc @forward(%x: f32[B]) -> (f32[B]) {\n  return %x\n}\n"},
      {"description", "{\"layers\": []}"}};
  EXPECT_EQ(message(good), "(good)");
  const auto with = [&](const char* key, const char* value) {
    runtime::SafetensorsMetadata changed = good;
    changed[key] = value;
    return message(changed);
  };
  expect(message({}), "is no model");
  expect(with("format", "gradus-weights"), "expected a model");
  expect(with("version", "2"), "is of version 2");
  expect(with("graph", "module @m\nfunc @forward("), "expected");
  expect(with("graph", "module @m\n"), "has no @forward");
  expect(with("description", "{"), "expected JSON");
  expect(with("description", "{}"), "layers: expected an array");
  expect(with("description", "{\"layers\": [{\"name\": 1}]}"), "layers[0].name: expected a text");
}

}  // namespace
}  // namespace gradus
