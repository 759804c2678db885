#pragma once

// What the generic tests do with a row: build its samples, fill their operands, name them in
// messages.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "tests/ops/op_cases.h"

namespace gradus::test {

// A function of a sample's operands, and, if they do not hold B, of one more argument that does. It
// has no results yet.
struct Built {
  ir::Function* function = nullptr;
  std::vector<ir::Value> operands;
  ir::Value result;
  std::vector<ir::Type> argument_types;
};
absl::StatusOr<Built> Build(const OpCase& c, const Sample& s, ir::Module& m, std::string name);

// One array an argument, from the row's domains.
std::vector<Array> FillAll(const OpCase& c, const Built& b, int64_t batch);
// What the row's reference sees of them.
Given GivenOf(const Sample& s, const std::vector<Array>& operands, int64_t batch);

// Whether functions of the module call others: what is interpreted is one kernel alone.
bool HasCalls(const ir::Module& m);

Sizes BatchesOf(const Sample& s);  // one entry, unused, where there is no symbol
std::vector<DType> DTypesOf(const OpCase& c);
std::string Label(const OpCase& c, const Sample& s, int64_t batch);

// A module of one function, "special", that has all special values of a dtype in one call.
struct SpecialCall {
  std::unique_ptr<ir::Module> module;
  std::vector<Array> operands;
  Array want;
};
inline constexpr DType kAllDTypes[] = {DType::kI1, DType::kI32, DType::kI64, DType::kF32,
                                       DType::kF64};
// Nothing if the row has none of that dtype.
absl::StatusOr<std::optional<SpecialCall>> SpecialsOf(const OpCase& c, DType d);

// The ways to run that are compared (see executors.h).
inline constexpr std::string_view kWays[] = {"interpreted", "none", "default", "shared"};

}  // namespace gradus::test
