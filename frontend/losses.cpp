#include "frontend/losses.h"

#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace gradus {
namespace {

struct Known {
  Loss::Function function;
  Loss::Function each;
  std::string_view name;
  TargetKind kind = TargetKind::kNumbers;
  bool from_logits = false;
};

const std::array<Known, 14> kKnown = {{
    {ir::mean_squared_error, ir::mean_squared_error_each, "mean_squared_error"},
    {ir::mean_absolute_error, ir::mean_absolute_error_each, "mean_absolute_error"},
    {ir::log_cosh, ir::log_cosh_each, "log_cosh"},
    {ir::hinge, ir::hinge_each, "hinge"},
    {ir::squared_hinge, ir::squared_hinge_each, "squared_hinge"},
    {ir::cosine_similarity, ir::cosine_similarity_each, "cosine_similarity"},
    {ir::poisson, ir::poisson_each, "poisson"},
    {ir::kl_divergence, ir::kl_divergence_each, "kl_divergence", TargetKind::kCategorical},
    {ir::binary_crossentropy, ir::binary_crossentropy_each, "binary_crossentropy",
     TargetKind::kBinary},
    {ir::binary_crossentropy_from_logits, ir::binary_crossentropy_from_logits_each,
     "binary_crossentropy_from_logits", TargetKind::kBinary, true},
    {ir::categorical_crossentropy, ir::categorical_crossentropy_each, "categorical_crossentropy",
     TargetKind::kCategorical},
    {ir::categorical_crossentropy_from_logits, ir::categorical_crossentropy_from_logits_each,
     "categorical_crossentropy_from_logits", TargetKind::kCategorical, true},
    {ir::sparse_categorical_crossentropy, ir::sparse_categorical_crossentropy_each,
     "sparse_categorical_crossentropy", TargetKind::kSparse},
    {ir::sparse_categorical_crossentropy_from_logits,
     ir::sparse_categorical_crossentropy_from_logits_each,
     "sparse_categorical_crossentropy_from_logits", TargetKind::kSparse, true},
}};

bool Good(Tensor t) { return t && !t.is_poison(); }

}  // namespace

Loss::Loss(Function f) : name_("custom"), function_(f) {
  for (const Known& k : kKnown) {
    if (k.function != f) continue;
    name_ = k.name;
    each_ = k.each;
    kind_ = k.kind;
    from_logits_ = k.from_logits;
  }
}

Loss::Loss(FunctionOfNumber f) : Loss(f, 1.0) {}

Loss::Loss(FunctionOfNumber f, double number)
    : name_("custom"), function_of_number_(f), number_(number) {
  if (f == ir::huber) {
    name_ = "huber";
    each_of_number_ = ir::huber_each;
  }
}

Loss Loss::Each(std::string name, Function f) {
  Loss loss;
  loss.name_ = std::move(name);
  loss.each_ = f;
  return loss;
}

Loss Loss::WithLabelSmoothing(double amount) const {
  Loss loss = *this;
  loss.smoothing_ = amount;
  return loss;
}

Loss Loss::WithClassWeights(std::vector<double> weights) const {
  Loss loss = *this;
  loss.class_weights_ = std::move(weights);
  return loss;
}

absl::Status Loss::Check(bool sample_weights) const {
  if (!(smoothing_ >= 0 && smoothing_ < 1)) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: label smoothing is {}, expected 0 or more and less than 1", name_, smoothing_));
  }
  if (smoothing_ > 0 && kind_ == TargetKind::kNumbers) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: its targets are numbers, so there are no labels to smooth; use a cross-entropy",
        name_));
  }
  const bool weighted = sample_weights || !class_weights_.empty();
  if (weighted && each_ == nullptr && each_of_number_ == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: a loss that gives only a scalar cannot be weighted by sample or class; "
                    "make it with Loss::Each from a function that gives one term a sample",
                    name_));
  }
  return absl::OkStatus();
}

Tensor Loss::operator()(Operand target, Operand prediction, Tensor weight) const {
  const bool plain = !weight && class_weights_.empty() && smoothing_ == 0;
  if (plain && function_ != nullptr) return function_(target, prediction);
  if (plain && function_of_number_ != nullptr) {
    return function_of_number_(target, prediction, number_);
  }
  if (!Good(target.value()) || !Good(prediction.value())) return prediction.value();
  Tensor terms = Terms(target, prediction);
  if (!Good(terms)) return terms;
  if (!class_weights_.empty()) {
    const Tensor by_class = ClassWeight(target.value(), prediction.value());
    if (!Good(by_class)) return by_class;
    terms = terms * SpreadOver(by_class, terms.shape());
  }
  if (weight) terms = terms * SpreadOver(weight, terms.shape());
  return reduce_mean(terms);
}

Tensor Loss::Terms(const Operand& target, const Operand& prediction) const {
  if (each_of_number_ != nullptr) return each_of_number_(target, prediction, number_);
  if (smoothing_ == 0) return each_(target, prediction);
  if (kind_ != TargetKind::kSparse) {
    return each_(Operand(Smoothed(target.value(), prediction.value()), target.where()), prediction);
  }
  // Class numbers cannot be smoothed: the same loss of one-hot targets.
  const Shape shape = prediction.value().shape();
  const Tensor one_hot_target =
      one_hot(target, shape[shape.rank() - 1].size(), prediction.value().dtype());
  const Tensor smoothed = Smoothed(one_hot_target, prediction.value());
  return from_logits_ ? ir::categorical_crossentropy_from_logits_each(smoothed, prediction)
                      : ir::categorical_crossentropy_each(smoothed, prediction);
}

Tensor Loss::Smoothed(Tensor target, Tensor prediction) const {
  const Shape& shape = prediction.shape();
  const double classes =
      kind_ == TargetKind::kBinary ? 2 : static_cast<double>(shape[shape.rank() - 1].size());
  return target * (1 - smoothing_) + smoothing_ / classes;
}

// A choice an element, class by class; of the shape of the targets or of it without its last axis.
Tensor Loss::ClassWeight(Tensor target, Tensor prediction) const {
  const auto weight_at = [&](size_t c) {
    return c < class_weights_.size() ? class_weights_[c] : 1;
  };
  const DType dtype = prediction.dtype();
  const int rank = target.rank();
  const bool one_score = rank == 0 || target.shape()[rank - 1] == Dim(1);
  if (kind_ == TargetKind::kBinary || (kind_ != TargetKind::kSparse && one_score)) {
    const Tensor one = full_like(target, weight_at(1));
    return select(greater(target, 0.5), one, weight_at(0));
  }
  const Tensor number = kind_ == TargetKind::kSparse ? target : argmax(target, -1);
  Tensor weight =
      constant(prediction.function(), Type{dtype, number.shape()}, class_weights_.back());
  for (size_t c = class_weights_.size() - 1; c-- > 0;) {
    const Tensor own = full_like(weight, class_weights_[c]);
    weight = select(equal(number, static_cast<double>(c)), own, weight);
  }
  return weight;
}

Tensor SpreadOver(Tensor weight, const Shape& shape) {
  if (weight.shape() == shape) return weight;
  Axes axes(static_cast<size_t>(weight.rank()));
  std::iota(axes.begin(), axes.end(), int64_t{0});
  return broadcast(weight, shape, axes);
}

}  // namespace gradus
