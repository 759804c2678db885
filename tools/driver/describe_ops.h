#pragma once

// The reference of ops and passes, made from their records: --print-ops and --print-passes.

#include <string>

namespace gradus::tools {

std::string DescribeOps();
std::string DescribePasses();

}  // namespace gradus::tools
