#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "frontend/library/model_description.h"
#include "nlohmann/json.hpp"

namespace gradus {
namespace {

using Json = nlohmann::ordered_json;

// Fields of one object. The first thing that is wrong is kept.
class Fields {
 public:
  Fields(const Json& object, std::string where, absl::Status& status)
      : object_(object), where_(std::move(where)), status_(status) {
    if (!object.is_object()) Bad("", "an object");
  }
  void Read(const char* key, std::string& out) {
    const Json* v = Find(key);
    if (v == nullptr || !v->is_string()) return Bad(key, "a text");
    out = v->get<std::string>();
  }
  void Read(const char* key, double& out) {
    const Json* v = Find(key);
    if (v == nullptr || !v->is_number() || !std::isfinite(v->get<double>()))
      return Bad(key, "a finite number");
    out = v->get<double>();
  }
  void Read(const char* key, int64_t& out) {
    const Json* v = Find(key);
    if (v == nullptr || !v->is_number_integer()) return Bad(key, "a whole number");
    out = v->get<int64_t>();
  }
  const Json& List(const char* key) {
    static const Json& none = *new Json(Json::array());
    const Json* v = Find(key);
    if (v != nullptr && v->is_array()) return *v;
    Bad(key, "an array");
    return none;
  }

 private:
  const Json* Find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    return it == object_.end() ? nullptr : &*it;
  }
  void Bad(const char* key, std::string_view expected) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        fmt::format("description: {}{}: expected {}", where_, key, expected));
  }

  const Json& object_;
  std::string where_;
  absl::Status& status_;
};

}  // namespace

std::string DescriptionText(const SavedModel& model) {
  Json layers = Json::array();
  for (const LayerInfo& l : model.layers) {
    layers.push_back(
        {{"name", l.name}, {"type", l.type}, {"output", l.output}, {"parameters", l.parameters}});
  }
  Json json = {{"layers", std::move(layers)}};
  if (model.trains()) {
    Json state = Json::array();
    for (const StateStart& s : model.state) {
      state.push_back({{"name", s.name}, {"start", s.start}});
    }
    json["loss"] = model.loss;
    json["optimizer"] = model.optimizer;
    json["learning_rate"] = model.learning_rate;
    json["state"] = std::move(state);
  }
  return json.dump();
}

absl::Status ReadDescription(std::string_view text, SavedModel& model) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("description: expected JSON");
  absl::Status status;
  Fields fields(json, "", status);
  for (const Json& one : fields.List("layers")) {
    LayerInfo layer;
    Fields f(one, fmt::format("layers[{}].", model.layers.size()), status);
    f.Read("name", layer.name);
    f.Read("type", layer.type);
    f.Read("output", layer.output);
    f.Read("parameters", layer.parameters);
    if (!status.ok()) return status;
    model.layers.push_back(std::move(layer));
  }
  if (model.trains()) {
    fields.Read("loss", model.loss);
    fields.Read("optimizer", model.optimizer);
    fields.Read("learning_rate", model.learning_rate);
    for (const Json& one : fields.List("state")) {
      StateStart start;
      Fields f(one, fmt::format("state[{}].", model.state.size()), status);
      f.Read("name", start.name);
      f.Read("start", start.start);
      if (!status.ok()) return status;
      model.state.push_back(std::move(start));
    }
  }
  return status;
}

}  // namespace gradus
