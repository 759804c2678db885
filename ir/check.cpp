#include "ir/check.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace gradus::ir {
namespace {

thread_local CheckContext* current = nullptr;

}  // namespace

CheckContext::CheckContext(std::function<std::string()> describe)
    : describe_(std::move(describe)), outer_(std::exchange(current, this)) {}

CheckContext::~CheckContext() { current = outer_; }

void CheckFailed(const char* condition, const char* file, int line, std::string_view detail) {
  std::fprintf(stderr, "gradus: internal error: %s:%d: %s does not hold", file, line, condition);
  if (!detail.empty()) {
    std::fprintf(stderr, ": %.*s", static_cast<int>(detail.size()), detail.data());
  }
  std::fputc('\n', stderr);
  if (CheckContext* context = std::exchange(current, nullptr)) {
    std::fprintf(stderr, "  %s\n", context->describe_().c_str());
  }
  std::abort();
}

}  // namespace gradus::ir
