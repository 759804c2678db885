#pragma once

// How many floating-point operations a graph takes, by one rule for all ops.

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "ir/loop/plan.h"
#include "ir/module.h"

namespace gradus::passes {

// What each symbol stands for.
using Sizes = std::map<std::string, int64_t, std::less<>>;

// Multiplications and additions of the sums of products (trait kContraction) that `function`
// computes, after the passes that work on graphs; steps of loops over time counted as often as they
// run. It follows from loop IR: a sum over k of products, for each i and j, is 2 i j k operations.
// Products with padding count, as everywhere in the field; those with the zeros between the
// elements of a dilated input, which nobody needs to compute, do not. All else (activations,
// normalisation, the optimiser) counts nothing.
absl::StatusOr<double> CountOperations(const ir::Module& module, const std::string& function,
                                       const Sizes& sizes);

// The same of one kernel of a lowered module, from its plan: what its contractions do, the last
// partial tiles at their real size.
double PlannedOperations(const loop::Plan& plan, const Sizes& sizes);

// PlannedOperations of each kernel that `function` calls, by name, times the number of its calls.
std::map<std::string, double> OperationsByKernel(const ir::Module& module,
                                                 const ir::Function& function, const Sizes& sizes);

}  // namespace gradus::passes
