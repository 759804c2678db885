// A History as JSON. README.md of this folder describes the fields.

#include <cmath>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "frontend/training/history.h"
#include "nlohmann/json.hpp"
#include "runtime/files.h"

namespace gradus {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "gradus-history";
constexpr int64_t kVersion = 1;
constexpr int64_t kMaxFileBytes = int64_t{1} << 30;

// JSON knows no NaN and no infinity.
Json Number(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return nullptr;
  return value > 0 ? "inf" : "-inf";
}

template <typename Range>
Json Numbers(const Range& values) {
  Json array = Json::array();
  for (const double v : values) array.push_back(Number(v));
  return array;
}

Json ToObject(const Evaluation& e) {
  Json tables = Json::array();
  for (const MetricTable& t : e.tables) {
    tables.push_back({{"name", t.name}, {"columns", t.columns}, {"values", Numbers(t.values)}});
  }
  return {{"loss", Number(e.loss)}, {"metrics", Numbers(e.metrics)}, {"tables", std::move(tables)}};
}

Json ToObject(const StepRecords& s) {
  Json norms = Json::array();
  for (const ParameterNorms& n : s.norms) {
    norms.push_back(
        {{"name", n.name}, {"gradient", Numbers(n.gradient)}, {"weight", Numbers(n.weight)}});
  }
  return {{"stride", s.stride},
          {"step", s.step},
          {"milliseconds", Numbers(s.milliseconds)},
          {"loss", Numbers(s.loss)},
          {"learning_rate", Numbers(s.learning_rate)},
          {"norms", std::move(norms)}};
}

// One object of the file. The first thing that is wrong is kept; reading goes on with defaults.
class Reader {
 public:
  Reader(const Json& object, std::string where, absl::Status& status)
      : object_(object), where_(std::move(where)), status_(status) {
    if (!object_.is_object()) Bad("", "an object", object_);
  }

  void Read(const char* key, std::string& out) {
    if (const Json* v = Find(key))
      v->is_string() ? void(out = v->get<std::string>()) : Bad(key, "a text", *v);
  }
  void Read(const char* key, bool& out) {
    if (const Json* v = Find(key))
      v->is_boolean() ? void(out = v->get<bool>()) : Bad(key, "true or false", *v);
  }
  void Read(const char* key, int64_t& out) {
    if (const Json* v = Find(key)) out = Integer(key, *v);
  }
  void Read(const char* key, uint64_t& out) {
    const Json* v = Find(key);
    if (v == nullptr) return;
    if (!v->is_number_unsigned()) return Bad(key, "a whole number of 0 or more", *v);
    out = v->get<uint64_t>();
  }
  void Read(const char* key, double& out) {
    if (const Json* v = Find(key)) out = Double(key, *v);
  }
  void Read(const char* key, std::vector<int64_t>& out) {
    ForEach(key, [&](const Json& v, const std::string&) { out.push_back(Integer(key, v)); });
  }
  template <typename Doubles>
  void ReadNumbers(const char* key, Doubles& out) {
    ForEach(key, [&](const Json& v, const std::string&) { out.push_back(Double(key, v)); });
  }
  void Read(const char* key, std::vector<std::string>& out) {
    ForEach(key, [&](const Json& v, const std::string&) {
      v.is_string() ? void(out.push_back(v.get<std::string>())) : Bad(key, "a list of texts", v);
    });
  }
  void Read(const char* key, Evaluation& out) {
    if (!Object(key)) return;
    Reader r(*Find(key), Path(key), status_);
    r.Read("loss", out.loss);
    r.ReadNumbers("metrics", out.metrics);
    r.ReadObjects("tables", [&](Reader& row) {
      MetricTable& table = out.tables.emplace_back();
      row.Read("name", table.name);
      row.Read("columns", table.columns);
      row.ReadNumbers("values", table.values);
    });
  }
  // Calls `f` with a reader of each object of a list.
  template <typename F>
  void ReadObjects(const char* key, F f) {
    ForEach(key, [&](const Json& v, const std::string& path) {
      Reader r(v, path, status_);
      if (v.is_object()) f(r);
    });
  }
  const Json* Find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    return it == object_.end() ? nullptr : &*it;
  }
  bool Object(const char* key) {
    const Json* v = Find(key);
    if (v != nullptr && !v->is_object()) Bad(key, "an object", *v);
    return v != nullptr && v->is_object();
  }
  std::string Path(const std::string& key) const {
    return where_.empty() ? key : where_ + (key.empty() ? "" : "." + key);
  }
  void Bad(const std::string& key, std::string_view expected, const Json& got) {
    if (!status_.ok()) return;
    std::string text = got.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 40) text = text.substr(0, 37) + "...";
    status_ = absl::InvalidArgumentError(
        fmt::format("{}: expected {}, got {}", Path(key), expected, text));
  }

 private:
  template <typename F>
  void ForEach(const char* key, F f) {
    const Json* list = Find(key);
    if (list == nullptr) return;
    if (!list->is_array()) return Bad(key, "a list", *list);
    for (size_t i = 0; i < list->size(); ++i) f((*list)[i], fmt::format("{}[{}]", Path(key), i));
  }
  int64_t Integer(const char* key, const Json& v) {
    if (v.is_number_integer() &&
        (!v.is_number_unsigned() || v.get<uint64_t>() <= uint64_t{INT64_MAX})) {
      return v.get<int64_t>();
    }
    Bad(key, "a whole number", v);
    return 0;
  }
  double Double(const char* key, const Json& v) {
    if (v.is_number()) return v.get<double>();
    if (v.is_null()) return std::numeric_limits<double>::quiet_NaN();
    if (v == "inf") return std::numeric_limits<double>::infinity();
    if (v == "-inf") return -std::numeric_limits<double>::infinity();
    Bad(key, "a number, null, \"inf\" or \"-inf\"", v);
    return 0;
  }

  const Json& object_;
  std::string where_;
  absl::Status& status_;
};

absl::Status CheckLengths(const History& h) {
  const size_t steps = h.steps.step.size();
  const auto fits = [&](std::string_view what, size_t got, size_t expected) {
    if (got == expected) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("{}: expected {} entries, got {}", what, expected, got));
  };
  for (const auto& [what, column] : {std::pair("steps.milliseconds", &h.steps.milliseconds),
                                     std::pair("steps.loss", &h.steps.loss),
                                     std::pair("steps.learning_rate", &h.steps.learning_rate)}) {
    if (absl::Status s = fits(what, column->size(), steps); !s.ok()) return s;
  }
  for (const ParameterNorms& n : h.steps.norms) {
    if (absl::Status s = fits("norms of " + n.name, n.gradient.size(), steps); !s.ok()) return s;
    if (absl::Status s = fits("norms of " + n.name, n.weight.size(), steps); !s.ok()) return s;
  }
  for (const EpochRecord& e : h.epochs) {
    for (const Evaluation* part : {&e.training, e.validation ? &*e.validation : nullptr}) {
      if (part == nullptr) continue;
      for (const MetricTable& t : part->tables) {
        if (!t.columns.empty() && t.values.size() % t.columns.size() == 0) continue;
        return absl::InvalidArgumentError(
            fmt::format("table {} of epoch {}: {} columns, but {} values", t.name, e.epoch,
                        t.columns.size(), t.values.size()));
      }
    }
    const size_t metrics = h.metric_names.size();
    const std::string what = fmt::format("metrics of epoch {}", e.epoch);
    if (absl::Status s = fits(what, e.training.metrics.size(), metrics); !s.ok()) return s;
    if (!e.validation) continue;
    if (absl::Status s = fits(what, e.validation->metrics.size(), metrics); !s.ok()) return s;
  }
  for (const ScoreRecord& s : h.scores) {
    const size_t classes = s.classes < 1 ? 1 : static_cast<size_t>(s.classes);
    if (s.scores.size() % classes != 0 || s.scores.size() / classes != s.labels.size()) {
      return absl::InvalidArgumentError(
          fmt::format("scores of {} {}: {} labels of {} classes, but {} scores", s.part, s.output,
                      s.labels.size(), s.classes, s.scores.size()));
    }
  }
  return absl::OkStatus();
}

void ReadHistory(Reader& r, History& h, absl::Status& status) {
  r.Read("model", h.model);
  r.Read("parameters", h.parameters);
  r.Read("compile_ms", h.compile_ms);
  r.Read("from_cache", h.from_cache);
  r.Read("seed", h.seed);
  r.Read("batch_size", h.batch_size);
  r.Read("stopped", h.stopped);
  r.Read("metric_names", h.metric_names);
  r.ReadObjects("layers", [&](Reader& row) {
    ModelRow& out = h.layers.emplace_back();
    row.Read("layer", out.layer);
    row.Read("type", out.type);
    row.Read("output", out.output);
    row.Read("parameters", out.parameters);
    row.Read("fused_into", out.fused_into);
  });
  r.ReadObjects("epochs", [&](Reader& row) {
    EpochRecord& out = h.epochs.emplace_back();
    row.Read("epoch", out.epoch);
    row.Read("steps", out.steps);
    row.Read("seconds", out.seconds);
    row.Read("learning_rate", out.learning_rate);
    row.Read("training", out.training);
    if (const Json* v = row.Find("validation"); v != nullptr && !v->is_null()) {
      row.Read("validation", out.validation.emplace());
    }
  });
  if (r.Object("steps")) {
    Reader s(*r.Find("steps"), "steps", status);
    s.Read("stride", h.steps.stride);
    s.Read("step", h.steps.step);
    s.ReadNumbers("milliseconds", h.steps.milliseconds);
    s.ReadNumbers("loss", h.steps.loss);
    s.ReadNumbers("learning_rate", h.steps.learning_rate);
    s.ReadObjects("norms", [&](Reader& row) {
      ParameterNorms& out = h.steps.norms.emplace_back();
      row.Read("name", out.name);
      row.ReadNumbers("gradient", out.gradient);
      row.ReadNumbers("weight", out.weight);
    });
  }
  if (h.steps.stride < 1) h.steps.stride = 1;
  r.ReadObjects("scores", [&](Reader& row) {
    ScoreRecord& out = h.scores.emplace_back();
    row.Read("part", out.part);
    row.Read("output", out.output);
    row.Read("classes", out.classes);
    row.ReadNumbers("labels", out.labels);
    row.ReadNumbers("scores", out.scores);
  });
}

}  // namespace

std::string History::ToJson() const {
  Json json = {{"schema", kSchema},
               {"version", kVersion},
               {"model", model},
               {"parameters", parameters},
               {"compile_ms", Number(compile_ms)},
               {"from_cache", from_cache},
               {"seed", seed},
               {"batch_size", batch_size},
               {"stopped", stopped},
               {"metric_names", metric_names}};
  json["layers"] = Json::array();
  for (const ModelRow& row : layers) {
    json["layers"].push_back({{"layer", row.layer},
                              {"type", row.type},
                              {"output", row.output},
                              {"parameters", row.parameters},
                              {"fused_into", row.fused_into}});
  }
  json["epochs"] = Json::array();
  for (const EpochRecord& e : epochs) {
    json["epochs"].push_back({{"epoch", e.epoch},
                              {"steps", e.steps},
                              {"seconds", Number(e.seconds)},
                              {"learning_rate", Number(e.learning_rate)},
                              {"training", ToObject(e.training)},
                              {"validation", e.validation ? ToObject(*e.validation) : Json()}});
  }
  json["steps"] = ToObject(steps);
  json["scores"] = Json::array();
  for (const ScoreRecord& s : scores) {
    json["scores"].push_back({{"part", s.part},
                              {"output", s.output},
                              {"classes", s.classes},
                              {"labels", Numbers(s.labels)},
                              {"scores", Numbers(s.scores)}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::Status History::WriteJson(std::string_view path) const {
  return runtime::WriteFileAtomically(path, ToJson());
}

absl::StatusOr<History> History::ParseJson(std::string_view text, std::string_view name) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", name, what));
  };
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return refuse("not JSON, expected a history as WriteJson writes it");
  absl::Status status;
  Reader reader(json, "", status);
  std::string schema;
  int64_t version = 0;
  reader.Read("schema", schema);
  reader.Read("version", version);
  if (status.ok() && schema != kSchema) {
    return refuse(fmt::format("schema: expected \"{}\", got \"{}\"", kSchema, schema));
  }
  if (status.ok() && version != kVersion) {
    return refuse(fmt::format("version: this program reads version {}, the file is of version {}",
                              kVersion, version));
  }
  History history;
  ReadHistory(reader, history, status);
  if (status.ok()) status = CheckLengths(history);
  if (!status.ok()) return refuse(std::string(status.message()));
  return history;
}

absl::StatusOr<History> History::ReadJson(std::string_view path) {
  absl::StatusOr<std::string> text = runtime::ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  return ParseJson(*text, path);
}

}  // namespace gradus
