#include "frontend/data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/gradus.h"
#include "frontend/preprocess_layer.h"

namespace gradus::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

Table People() {
  return ParseCsv(
             "age,colour,height\n"
             "10,red,1\n"
             "20,blue,2\n"
             ",red,3\n"
             "60,green,6\n")
      .value();
}

TEST(Preprocess, FillsScalesAndEncodes) {
  const auto p =
      Preprocess::Fit(People(), {.fill = FillWith::kMedian, .scale = ScaleTo::kUnitRange});
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->features(), 5);
  EXPECT_THAT(p->feature_names(),
              ElementsAre("age", "colour=blue", "colour=green", "colour=red", "height"));
  const auto x = p->Apply(People(), runtime::DType::kF64);
  ASSERT_TRUE(x.ok()) << x.status();
  EXPECT_THAT(x->shape(), ElementsAre(4, 5));
  EXPECT_THAT(x->data<double>(), ElementsAre(0, 0, 0, 1, 0,      //
                                             0.2, 1, 0, 0, 0.2,  //
                                             0.2, 0, 0, 1, 0.4,  //
                                             1, 0, 1, 0, 1));
}

TEST(Preprocess, StandardIsOfTheFilledColumn) {
  const Table t = ParseCsv("a,b\n0,5\n4,5\n,5\n").value();
  const auto p = Preprocess::Fit(t, {.fill = FillWith::kMean});
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->columns()[0].fill, 2);
  EXPECT_EQ(p->columns()[0].offset, 2);
  EXPECT_DOUBLE_EQ(p->columns()[0].scale, std::sqrt(8.0 / 3));
  EXPECT_EQ(p->Apply(t)->data<float>()[1], 0) << "a constant column";
  const auto as_is = Preprocess::Fit(t, {.fill_value = -1, .scale = ScaleTo::kAsIs});
  EXPECT_THAT(as_is->Apply(t)->data<float>(), ElementsAre(0, 5, 4, 5, -1, 5));
}

TEST(Preprocess, OtherTablesAreDoneAlike) {
  const auto p = Preprocess::Fit(People(), {.scale = ScaleTo::kAsIs}).value();
  const Table other = ParseCsv("more,height,colour,age\nx,7,violet,n/k\n").value();
  EXPECT_THAT(p.Apply(other)->data<float>(), ElementsAre(0, 0, 0, 0, 7));
  const auto raw = p.ApplyRaw(other)->data<float>()[0];
  EXPECT_TRUE(std::isnan(raw));
  const Table missing = ParseCsv("age,colour\n1,red\n").value();
  EXPECT_EQ(Message(p.Apply(missing).status()),
            "the table has no column \"height\" that training had; it has age, colour");
}

TEST(Preprocess, RefusesWhatCannotBeFitted) {
  EXPECT_THAT(Message(Preprocess::Fit(Table()).status()), HasSubstr("has no rows"));
  const Table none = ParseCsv("a,b\n,1\n,2\n").value();
  EXPECT_THAT(Message(Preprocess::Fit(none, {.fill = FillWith::kMean}).status()),
              HasSubstr("column \"a\" has no number in the training part"));
  EXPECT_TRUE(Preprocess::Fit(none).ok());
  EXPECT_THAT(Message(Preprocess::Fit(People(), {.max_categories = 2}).status()),
              HasSubstr("column \"colour\" has more than 2 categories"));
}

TEST(Preprocess, ReadsBackWhatWasWritten) {
  const Table t = ParseCsv("a,\"t \"\"q\"\"\"\n0.1,x\n0.7,\xc3\xa9\n,\"a,b\"\n").value();
  const auto p = Preprocess::Fit(t, {.fill = FillWith::kMean}).value();
  const std::string path = ::testing::TempDir() + "/gradus_preprocess.json";
  ASSERT_TRUE(p.WriteJson(path).ok());
  const auto back = Preprocess::ReadJson(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), p.ToJson());
  EXPECT_EQ(back->columns()[0].scale, p.columns()[0].scale) << "not the same bits";
  EXPECT_TRUE(std::ranges::equal(back->Apply(t)->data<float>(), p.Apply(t)->data<float>()));
}

TEST(Preprocess, RefusesFilesByField) {
  const auto message = [](const std::string& columns) {
    const std::string text =
        R"({"schema": "gradus-preprocess", "version": 1, "columns": )" + columns + "}";
    return Message(Preprocess::ParseJson(text, "p.json").status());
  };
  EXPECT_EQ(message("[]"), "");
  EXPECT_EQ(message("7"), "p.json: columns: expected a list");
  EXPECT_THAT(message("[{}]"), HasSubstr("columns[0]: expected an object with a text \"name\""));
  EXPECT_THAT(message(R"([{"name": "a", "fill": 0, "offset": 0, "scale": 0}])"),
              HasSubstr("columns[0]: scale: expected a number other than 0"));
  EXPECT_THAT(message(R"([{"name": "a", "fill": 0, "offset": "x"}])"),
              HasSubstr("offset: expected a number"));
  EXPECT_THAT(message(R"([{"name": "a", "categories": [1]}])"),
              HasSubstr("categories: expected texts"));
  EXPECT_THAT(Message(Preprocess::ParseJson("{}", "p.json").status()), HasSubstr("p.json: schema"));
  EXPECT_THAT(Message(Preprocess::ParseJson("[", "p.json").status()),
              HasSubstr("not a JSON object"));
}

TEST(Preprocess, OneHotReplacesAColumn) {
  const auto t = OneHot(People(), "colour");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT(t->names(),
              ElementsAre("age", "colour=blue", "colour=green", "colour=red", "height"));
  EXPECT_THAT(t->Numbers("colour=red").value(), ElementsAre(1, 0, 1, 0));
  EXPECT_FALSE(OneHot(People(), "age").ok());
  EXPECT_FALSE(OneHot(People(), "nothing").ok());
}

TEST(Preprocess, IsTheSameInTheGraph) {
  const auto p = Preprocess::Fit(People(), {.fill = FillWith::kMean}).value();
  Model m("people");
  const Tensor raw = m.Input("people", {kBatch, p.features()});
  const Tensor x = m.Add<PreprocessLayer>("preprocess", p)(raw);
  m.Output("x", m.Add<Dense>("out", 1)(x) * 0.0 + x);
  auto trainer = Compile(m, {.optimizer = SGD(0.1), .loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  ASSERT_TRUE(trainer->Reset(3).ok());
  const auto data =
      Dataset::Of({"people", p.ApplyRaw(People()).value()}, {"x", p.Apply(People()).value()})
          .value();
  const auto compare = [&] {
    const auto got = trainer->Predict(data);
    ASSERT_TRUE(got.ok()) << got.status();
    const runtime::Tensor expected = p.Apply(People()).value();
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_NEAR((*got)[0].data<float>()[i], expected.data<float>()[i], 1e-6) << i;
    }
  };
  compare();
  // Training leaves it as it is, and it travels with the weights.
  FitOptions options;
  options.epochs = 2;
  options.progress = ProgressMode::kOff;
  ASSERT_TRUE(trainer->Fit(data, options).ok());
  compare();
  EXPECT_NE(trainer->Parameter("preprocess.scale"), nullptr);
}

TEST(Preprocess, TravelsWithTheWeights) {
  const auto p = Preprocess::Fit(People()).value();
  Model m("people");
  m.Output("y", m.Add<Dense>("out", 1)(m.Input("x", {kBatch, 5})));
  auto trainer = Compile(m, {.optimizer = SGD(0.1), .loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  trainer->SetMetadata("preprocess", p.ToJson());
  const std::string path = ::testing::TempDir() + "/gradus_weights.safetensors";
  ASSERT_TRUE(trainer->SaveWeights(path).ok());
  trainer->SetMetadata("preprocess", "");
  ASSERT_TRUE(trainer->LoadWeights(path).ok());
  const auto back = Preprocess::ParseJson(trainer->Metadata("preprocess"));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), p.ToJson());
}

}  // namespace
}  // namespace gradus::data
