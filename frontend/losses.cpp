#include "frontend/losses.h"

#include <array>
#include <string_view>

namespace gradus {
namespace {

struct Known {
  Loss::Function function;
  std::string_view name;
  bool sparse = false;
  bool from_logits = false;
};

const std::array<Known, 8> kKnown = {{
    {ir::mean_squared_error, "mean_squared_error"},
    {ir::mean_absolute_error, "mean_absolute_error"},
    {ir::binary_crossentropy, "binary_crossentropy"},
    {ir::binary_crossentropy_from_logits, "binary_crossentropy_from_logits", false, true},
    {ir::categorical_crossentropy, "categorical_crossentropy"},
    {ir::categorical_crossentropy_from_logits, "categorical_crossentropy_from_logits", false, true},
    {ir::sparse_categorical_crossentropy, "sparse_categorical_crossentropy", true},
    {ir::sparse_categorical_crossentropy_from_logits, "sparse_categorical_crossentropy_from_logits",
     true, true},
}};

}  // namespace

Loss::Loss(Function f) : name_("custom"), function_(f) {
  for (const Known& k : kKnown) {
    if (k.function != f) continue;
    name_ = k.name;
    sparse_ = k.sparse;
    from_logits_ = k.from_logits;
  }
}

Loss::Loss(FunctionOfNumber f) : Loss(f, 1.0) {}

Loss::Loss(FunctionOfNumber f, double number)
    : name_(f == ir::huber ? "huber" : "custom"), function_of_number_(f), number_(number) {}

Tensor Loss::operator()(Operand target, Operand prediction) const {
  return function_ != nullptr ? function_(target, prediction)
                              : function_of_number_(target, prediction, number_);
}

}  // namespace gradus
