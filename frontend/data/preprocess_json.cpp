// A Preprocess as JSON.

#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "frontend/data/preprocess.h"
#include "nlohmann/json.hpp"
#include "runtime/files.h"

namespace gradus::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "gradus-preprocess";
constexpr int kVersion = 1;
constexpr int64_t kMaxFileBytes = int64_t{1} << 28;

// The member of this kind of an object, or null.
const Json* Member(const Json& object, const char* key, bool (Json::*is)() const noexcept) {
  const auto it = object.find(key);
  return it != object.end() && ((*it).*is)() ? &*it : nullptr;
}

absl::StatusOr<FittedColumn> ParseColumn(const Json& json) {
  const Json* name = json.is_object() ? Member(json, "name", &Json::is_string) : nullptr;
  if (name == nullptr) return absl::InvalidArgumentError("expected an object with a text \"name\"");
  FittedColumn column{.name = name->get<std::string>()};
  if (const Json* categories = Member(json, "categories", &Json::is_array)) {
    for (const Json& c : *categories) {
      if (!c.is_string()) return absl::InvalidArgumentError("categories: expected texts");
      column.categories.push_back(c.get<std::string>());
    }
    if (column.categories.empty()) return absl::InvalidArgumentError("categories: there are none");
    return column;
  }
  for (const auto& [key, number] :
       {std::pair("fill", &column.fill), std::pair("offset", &column.offset),
        std::pair("scale", &column.scale)}) {
    const Json* value = Member(json, key, &Json::is_number);
    if (value == nullptr || !std::isfinite(value->get<double>())) {
      return absl::InvalidArgumentError(fmt::format("{}: expected a number", key));
    }
    *number = value->get<double>();
  }
  if (column.scale == 0) return absl::InvalidArgumentError("scale: expected a number other than 0");
  return column;
}

}  // namespace

std::string Preprocess::ToJson() const {
  Json json = {{"schema", kSchema}, {"version", kVersion}, {"columns", Json::array()}};
  for (const FittedColumn& c : columns_) {
    if (c.categories.empty()) {
      json["columns"].push_back(
          {{"name", c.name}, {"fill", c.fill}, {"offset", c.offset}, {"scale", c.scale}});
    } else {
      json["columns"].push_back({{"name", c.name}, {"categories", c.categories}});
    }
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Preprocess> Preprocess::ParseJson(std::string_view text, std::string_view name) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", name, what));
  };
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return refuse("not a JSON object, expected what WriteJson writes");
  const Json* schema = Member(json, "schema", &Json::is_string);
  const Json* version = Member(json, "version", &Json::is_number_integer);
  if (schema == nullptr || *schema != kSchema) {
    return refuse(fmt::format("schema: expected \"{}\"", kSchema));
  }
  if (version == nullptr || *version != kVersion) {
    return refuse(fmt::format("version: this program reads version {}", kVersion));
  }
  const Json* columns = Member(json, "columns", &Json::is_array);
  if (columns == nullptr) return refuse("columns: expected a list");
  Preprocess fitted;
  for (size_t i = 0; i < columns->size(); ++i) {
    auto column = ParseColumn((*columns)[i]);
    if (!column.ok()) {
      return refuse(fmt::format("columns[{}]: {}", i, std::string(column.status().message())));
    }
    fitted.columns_.push_back(*std::move(column));
  }
  return fitted;
}

absl::Status Preprocess::WriteJson(std::string_view path) const {
  return runtime::WriteFileAtomically(path, ToJson());
}

absl::StatusOr<Preprocess> Preprocess::ReadJson(std::string_view path) {
  absl::StatusOr<std::string> text = runtime::ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  return ParseJson(*text, path);
}

}  // namespace gradus::data
