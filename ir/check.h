#pragma once

// IR_CHECK: for what only a bug of ours can break. Prints the condition, where it stands and the
// pass that was running, then aborts; what a user did wrong is an absl::Status instead.

#include <functional>
#include <string>
#include <string_view>

namespace gradus::ir {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line,
                              std::string_view detail);

// What CheckFailed prints beside the condition: the running pass, and where the IR was written to.
// The pass runner installs one while it works (thread local).
class CheckContext {
 public:
  explicit CheckContext(std::function<std::string()> describe);
  ~CheckContext();
  CheckContext(const CheckContext&) = delete;
  CheckContext& operator=(const CheckContext&) = delete;

 private:
  std::function<std::string()> describe_;
  CheckContext* outer_;
  friend void CheckFailed(const char*, const char*, int, std::string_view);
};

}  // namespace gradus::ir

#define IR_CHECK(condition)               \
  (static_cast<bool>(condition) ? (void)0 \
                                : ::gradus::ir::CheckFailed(#condition, __FILE__, __LINE__, {}))
#define IR_CHECK_MSG(condition, detail) \
  (static_cast<bool>(condition)         \
       ? (void)0                        \
       : ::gradus::ir::CheckFailed(#condition, __FILE__, __LINE__, detail))
