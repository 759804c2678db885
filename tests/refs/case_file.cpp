#include "tests/refs/case_file.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "runtime/files.h"
#include "runtime/npy.h"

namespace gradus::refs {
namespace {

using nlohmann::json;

std::string Text(const json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

double Number(const json& j, const char* key) {
  const auto it = j.find(key);
  return it != j.end() && it->is_number() ? it->get<double>() : 0;
}

RefOptimizer ReadOptimizer(const json& j) {
  RefOptimizer o;
  o.kind = Text(j, "kind");
  for (const auto& [key, value] : j.items()) {
    if (value.is_number()) o.numbers[key] = value.get<double>();
    if (value.is_boolean() && value.get<bool>()) o.flags.push_back(key);
  }
  return o;
}

absl::StatusOr<RefTensor> ReadTensor(const std::string& folder, const json& j) {
  RefTensor t;
  t.name = Text(j, "name");
  t.role = Text(j, "role");
  t.atol = Number(j, "atol");
  t.rtol = Number(j, "rtol");
  std::string file = Text(j, "file");
  if (j.contains("files") && j["files"].is_array() && j["files"].size() == 2) {
    auto indices = runtime::ReadNpy(folder + "/" + j["files"][0].get<std::string>());
    if (!indices.ok()) return indices.status();
    t.probe = *std::move(indices);
    file = j["files"][1].get<std::string>();
  }
  auto values = runtime::ReadNpy(folder + "/" + file);
  if (!values.ok()) return values.status();
  t.values = *std::move(values);
  if (const std::string mask = Text(j, "mask"); !mask.empty()) {
    auto m = runtime::ReadNpy(folder + "/" + mask);
    if (!m.ok()) return m.status();
    t.mask = *std::move(m);
  }
  return t;
}

}  // namespace

const RefTensor* RefCase::Find(std::string_view tensor) const {
  for (const RefTensor& t : tensors) {
    if (t.name == tensor) return &t;
  }
  return nullptr;
}

absl::StatusOr<RefCase> ReadCase(const std::string& folder) {
  auto text = runtime::ReadFile(folder + "/case.json", int64_t{64} << 20);
  if (!text.ok()) return text.status();
  const json j = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (j.is_discarded() || !j.is_object() || !j.contains("tensors") || !j["tensors"].is_array()) {
    return absl::InvalidArgumentError(
        fmt::format("{}/case.json: expected an object with \"tensors\"", folder));
  }
  RefCase c;
  c.name = Text(j, "case");
  c.group = Text(j, "group");
  if (j.contains("desc"))
    c.text = j["desc"].is_string() ? j["desc"].get<std::string>() : j["desc"].dump();
  if (j.contains("optimizer") && j["optimizer"].is_object())
    c.optimizer = ReadOptimizer(j["optimizer"]);
  c.steps = static_cast<int64_t>(Number(j, "steps"));
  for (const json& t : j["tensors"]) {
    auto tensor = ReadTensor(folder, t);
    if (!tensor.ok()) return tensor.status();
    c.tensors.push_back(*std::move(tensor));
  }
  return c;
}

absl::StatusOr<std::vector<std::string>> ListCases(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (std::filesystem::exists(it->path() / "case.json", error)) {
      names.push_back(it->path().filename().string());
    }
  }
  if (error) {
    return absl::NotFoundError(
        fmt::format("{}: cannot list the folder ({})", directory, error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<double> NumberAfter(std::string_view text, std::string_view marker) {
  const size_t at = text.find(marker);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string rest(text.substr(at + marker.size(), 40));
  char* end = nullptr;
  const double value = std::strtod(rest.c_str(), &end);
  if (end == rest.c_str()) return std::nullopt;
  return value;
}

}  // namespace gradus::refs
