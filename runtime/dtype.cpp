#include "runtime/dtype.h"

#include <array>

namespace gradus::runtime {
namespace {

struct Entry {
  std::string_view name;
  int64_t size;
};

// In the order of enum gradus_dtype, whose values are stable.
constexpr std::array<Entry, 5> kEntries{
    {{"i1", 1}, {"i32", 4}, {"i64", 8}, {"f32", 4}, {"f64", 8}}};

}  // namespace

std::string_view DTypeName(DType dtype) { return kEntries[static_cast<size_t>(dtype)].name; }

int64_t DTypeSize(DType dtype) { return kEntries[static_cast<size_t>(dtype)].size; }

std::optional<DType> DTypeFromAbi(int32_t value) {
  if (value < 0 || value >= static_cast<int32_t>(kEntries.size())) return std::nullopt;
  return static_cast<DType>(value);
}

}  // namespace gradus::runtime
