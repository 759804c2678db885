#include "runtime/entry_info.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "runtime/dtype.h"

namespace gradus::runtime {
namespace {

std::string FormatNamed(std::string_view kind, int64_t index, const gradus_tensor_info& tensor) {
  if (tensor.name == nullptr || tensor.name[0] == '\0') return fmt::format("{} {}", kind, index);
  return fmt::format("{} {} `{}`", kind, index, tensor.name);
}

// What is wrong with one tensor, or nothing.
std::string FaultOf(const gradus_entry_info& info, const gradus_tensor_info& tensor) {
  if (!DTypeFromAbi(tensor.dtype)) return fmt::format("unknown dtype {}", tensor.dtype);
  if (tensor.rank < 0) return fmt::format("rank {}", tensor.rank);
  if (tensor.rank > 0 && tensor.dims == nullptr) return "no dims";
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    const gradus_dim& dim = tensor.dims[axis];
    if (dim.symbol >= info.symbol_count) {
      return fmt::format("symbol {} on axis {}, of {} symbols", dim.symbol, axis,
                         info.symbol_count);
    }
    if (dim.symbol < 0 && dim.size < 0) return fmt::format("size {} on axis {}", dim.size, axis);
  }
  return "";
}

std::string FaultOf(const gradus_entry_info& info, const gradus_term& term) {
  if (term.factor_count < 0 || term.factor_count > 2) {
    return fmt::format("{} factors, expected 0 to 2", term.factor_count);
  }
  for (int32_t f = 0; f < term.factor_count; ++f) {
    const gradus_factor& factor = term.factors[f];
    if (factor.divisor < 1) return fmt::format("divisor {}, expected 1 or more", factor.divisor);
    if (factor.scale < 0) return fmt::format("scale {}, expected 0 or more", factor.scale);
    if (factor.symbol_count < 0 || factor.symbol_count > 3) {
      return fmt::format("{} symbols in a factor, expected 0 to 3", factor.symbol_count);
    }
    for (int32_t s = 0; s < factor.symbol_count; ++s) {
      if (factor.symbols[s] < 0 || factor.symbols[s] >= info.symbol_count) {
        return fmt::format("symbol {}, of {} symbols", factor.symbols[s], info.symbol_count);
      }
    }
  }
  return "";
}

std::span<const gradus_term> WorkspaceTerms(const gradus_entry_info& info) {
  return {info.workspace_bytes, static_cast<size_t>(info.workspace_term_count)};
}

std::span<const gradus_term> LiveTerms(const gradus_entry_info& info) {
  return {info.live_bytes, static_cast<size_t>(info.live_term_count)};
}

bool SameType(const gradus_tensor_info& a, const gradus_tensor_info& b) {
  if (a.dtype != b.dtype || a.rank != b.rank) return false;
  for (int32_t axis = 0; axis < a.rank; ++axis) {
    const gradus_dim &x = a.dims[axis], &y = b.dims[axis];
    if (x.symbol >= 0 ? x.symbol != y.symbol : y.symbol >= 0 || x.size != y.size) return false;
  }
  return true;
}

// The value of one term, or nothing if it overflows.
std::optional<int64_t> Evaluate(const gradus_term& term, std::span<const int64_t> dims) {
  int64_t value = term.coefficient;
  for (int32_t f = 0; f < term.factor_count; ++f) {
    const gradus_factor& factor = term.factors[f];
    int64_t product = factor.scale;
    for (int32_t s = 0; s < factor.symbol_count; ++s) {
      if (__builtin_mul_overflow(product, dims[factor.symbols[s]], &product)) return std::nullopt;
    }
    product = product / factor.divisor + (product % factor.divisor != 0);
    if (__builtin_mul_overflow(value, product, &value)) return std::nullopt;
  }
  return value;
}

}  // namespace

absl::Status CheckEntryInfo(const gradus_entry_info& info) {
  if (info.abi_version != GRADUS_ABI_VERSION) {  // first: the rest of the record may look different
    return absl::InvalidArgumentError(
        fmt::format("compiled entry has ABI version {}, expected {}; compile it again",
                    info.abi_version, GRADUS_ABI_VERSION));
  }
  std::string_view name = info.name == nullptr ? "" : info.name;
  auto fault = [&](std::string_view where, std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("entry info of `{}` is malformed: {}: {}", name, where, what));
  };
  if (name.empty()) return fault("name", "none");
  if (info.argument_count < 0 || info.result_count < 0 || info.symbol_count < 0 ||
      info.workspace_term_count < 0 || info.live_term_count < 0) {
    return fault("counts", "one is negative");
  }
  if ((info.argument_count > 0 && info.arguments == nullptr) ||
      (info.result_count > 0 && info.results == nullptr) ||
      (info.symbol_count > 0 && info.symbols == nullptr) ||
      (info.workspace_term_count > 0 && info.workspace_bytes == nullptr) ||
      (info.live_term_count > 0 && info.live_bytes == nullptr)) {
    return fault("tables", "one is a null pointer");
  }
  for (int32_t s = 0; s < info.symbol_count; ++s) {
    if (info.symbols[s] == nullptr) return fault(fmt::format("symbol {}", s), "no name");
  }
  for (int32_t i = 0; i < info.argument_count; ++i) {
    std::string what = FaultOf(info, info.arguments[i]);
    if (!what.empty()) return fault(FormatArgument(info, i), what);
  }
  std::vector<bool> taken(static_cast<size_t>(info.argument_count), false);
  for (int32_t i = 0; i < info.result_count; ++i) {
    const gradus_tensor_info& result = info.results[i];
    std::string what = FaultOf(info, result);
    if (!what.empty()) return fault(FormatResult(info, i), what);
    if (result.alias < 0) continue;
    if (result.alias >= info.argument_count) {
      return fault(FormatResult(info, i), fmt::format("uses the memory of argument {}, of {}",
                                                      result.alias, info.argument_count));
    }
    const gradus_tensor_info& argument = info.arguments[result.alias];
    if (!SameType(result, argument)) {
      return fault(
          FormatResult(info, i),
          fmt::format("{} uses the memory of {}, which is {}", FormatDeclaredType(info, result),
                      FormatArgument(info, result.alias), FormatDeclaredType(info, argument)));
    }
    if (taken[result.alias]) {
      return fault(FormatResult(info, i),
                   fmt::format("uses the memory of {}, as does another result",
                               FormatArgument(info, result.alias)));
    }
    taken[result.alias] = true;
  }
  const auto check_terms = [&](std::string_view where, std::span<const gradus_term> terms) {
    for (size_t t = 0; t < terms.size(); ++t) {
      std::string what = FaultOf(info, terms[t]);
      const int32_t sum = terms[t].sum, last = t == 0 ? 0 : terms[t - 1].sum;
      if (what.empty() && sum != last && (t == 0 || sum != last + 1)) {
        what = fmt::format("of sum {}, expected {} at most", sum, t == 0 ? 0 : last + 1);
      }
      if (!what.empty()) return fault(fmt::format("{} term {}", where, t), what);
    }
    return absl::OkStatus();
  };
  absl::Status status = check_terms("workspace", WorkspaceTerms(info));
  if (status.ok()) status = check_terms("live", LiveTerms(info));
  return status;
}

std::string FormatDeclaredType(const gradus_entry_info& info, const gradus_tensor_info& tensor) {
  std::vector<std::string> dims;
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    const gradus_dim& dim = tensor.dims[axis];
    dims.push_back(dim.symbol >= 0 ? info.symbols[dim.symbol] : fmt::format("{}", dim.size));
  }
  return fmt::format("{}[{}]", DTypeName(static_cast<DType>(tensor.dtype)), fmt::join(dims, ", "));
}

std::string FormatArgument(const gradus_entry_info& info, int64_t index) {
  return FormatNamed("argument", index, info.arguments[index]);
}

std::string FormatResult(const gradus_entry_info& info, int64_t index) {
  return FormatNamed("result", index, info.results[index]);
}

namespace {

absl::StatusOr<int64_t> EvaluateBytes(const gradus_entry_info& info,
                                      std::span<const gradus_term> terms,
                                      std::span<const int64_t> dims) {
  int64_t largest = 0, sum = 0;
  bool fits = true;
  for (size_t t = 0; t < terms.size() && fits; ++t) {
    if (t > 0 && terms[t].sum != terms[t - 1].sum) sum = 0;
    std::optional<int64_t> value = Evaluate(terms[t], dims);
    fits = value && !__builtin_add_overflow(sum, *value, &sum) && sum >= 0;
    largest = std::max(largest, sum);
  }
  if (fits) return largest;
  std::vector<std::string> sizes;
  sizes.reserve(dims.size());
  for (int32_t s = 0; s < info.symbol_count; ++s) {
    sizes.push_back(fmt::format("{} = {}", info.symbols[s], dims[s]));
  }
  return absl::InvalidArgumentError(
      fmt::format("{}: the workspace for {} does not fit in 64 bits; pass smaller sizes", info.name,
                  fmt::join(sizes, ", ")));
}

}  // namespace

absl::StatusOr<int64_t> EvaluateWorkspaceBytes(const gradus_entry_info& info,
                                               std::span<const int64_t> dims) {
  return EvaluateBytes(info, WorkspaceTerms(info), dims);
}

absl::StatusOr<int64_t> EvaluateLiveBytes(const gradus_entry_info& info,
                                          std::span<const int64_t> dims) {
  return EvaluateBytes(info, LiveTerms(info), dims);
}

}  // namespace gradus::runtime
