#pragma once

// Single operations by a name that holds their sizes, as gradus-bench takes them:
//
//   matmul:MxNxK[:ta][:tb]                    [M, K] times [K, N]; ta, tb: that operand is stored
//                                             transposed
//   conv:BxLxCxFxW[:sS][:valid]               a batch of B, L steps of C channels, F filters of W
//   conv:BxHxWxCxFxK[:sS][:valid]             images, windows of KxK; strides of S; zeros around
//                                             unless valid
//   softmax:RxC  layernorm:RxC                rows of C
//   exp:N  tanh:N  sigmoid:N  log:N           N elements
//   adam:N                                    one update of N parameters, in place

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace gradus::tools {

inline constexpr std::string_view kOperationGrammar =
    "matmul:MxNxK[:ta][:tb], conv:BxLxCxFxW[:sS][:valid], conv:BxHxWxCxFxK[:sS][:valid], "
    "softmax:RxC, layernorm:RxC, adam:N, exp:N, tanh:N, sigmoid:N, log:N";

// Whether the name is one of an operation, right or wrong: it has a colon.
bool IsOperation(std::string_view name);

// A module with the one function @f. With `gradients` its results are those of all of the
// operation's arguments, for a given gradient of its result. Errors say what is wrong in the name.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildOperation(std::string_view name, bool gradients);

}  // namespace gradus::tools
