// einsum. Steps for each operand, from left to right, with what there is so far:
// 1. letters that nobody else names are summed away;
// 2. the letters of the two fall into four groups: batch (in both, and wanted later), rows (left
//    only), columns (right only), summed (in both, and not wanted later);
// 3. each group is made one axis by reshape, unless a size of it is a symbol, and one matmul does
//    the rest; where symbols forbid that, a product of everything and a sum.

#include <algorithm>
#include <string>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"

namespace gradus::ir {
namespace {

// A tensor and the letters of its axes.
struct Term {
  Value value;
  std::string letters;

  Dim size(char letter) const { return value.shape()[static_cast<int>(letters.find(letter))]; }
  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
};

Term Ordered(const Term& t, const std::string& letters) {
  if (t.letters == letters) return t;
  Axes permutation;
  for (const char l : letters) permutation.push_back(static_cast<int64_t>(t.letters.find(l)));
  return {transpose(t.value, permutation), letters};
}

// Sums away the letters that are not in `kept`.
Term SummedTo(const Term& t, const std::string& kept) {
  Axes axes;
  std::string letters;
  for (size_t i = 0; i < t.letters.size(); ++i) {
    if (kept.find(t.letters[i]) == std::string::npos) {
      axes.push_back(static_cast<int64_t>(i));
    } else {
      letters += t.letters[i];
    }
  }
  return axes.empty() ? t : Term{reduce_sum(t.value, axes), letters};
}

Shape ShapeOf(const std::string& letters, const Term& a, const Term& b) {
  Shape shape;
  for (const char l : letters) shape.push_back(a.has(l) ? a.size(l) : b.size(l));
  return shape;
}

// The one size of a group of letters; nullopt if a symbol of several cannot be merged.
std::optional<Shape> Merged(const std::string& letters, const Term& t) {
  Shape sizes = ShapeOf(letters, t, t);
  if (sizes.rank() == 1) return sizes;
  const std::optional<int64_t> product = sizes.num_elements();
  if (!product) return std::nullopt;
  return Shape{*product};
}

// Everything multiplied, then summed.
Term ByProduct(const Term& a, const Term& b, const std::string& kept, const std::string& summed) {
  // Open sizes are outermost in memory.
  std::string all = kept + summed;
  std::stable_partition(all.begin(), all.end(),
                        [&](char l) { return (a.has(l) ? a : b).size(l).is_symbol(); });
  const Shape shape = ShapeOf(all, a, b);
  const auto spread = [&](const Term& t) {
    std::string letters;
    Axes axes;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!t.has(all[i])) continue;
      letters += all[i];
      axes.push_back(static_cast<int64_t>(i));
    }
    return broadcast(Ordered(t, letters).value, shape, axes);
  };
  const Value product = mul(spread(a), spread(b));
  return Ordered(SummedTo({product, all}, kept), kept);
}

Term Contract(const Term& left, const Term& right, const std::string& later) {
  const auto wanted = [&](char l) { return later.find(l) != std::string::npos; };
  Term a = SummedTo(left, right.letters + later), b = SummedTo(right, left.letters + later);
  std::string batch, rows, columns, summed;
  for (const char l : a.letters) (b.has(l) ? (wanted(l) ? batch : summed) : rows) += l;
  for (const char l : b.letters) {
    if (!a.has(l)) columns += l;
  }
  const std::string kept = batch + rows + columns;
  const std::optional<Shape> m = Merged(rows, a), n = Merged(columns, b), k = Merged(summed, a);
  if (!m || !n || !k) return ByProduct(a, b, kept, summed);

  a = Ordered(a, batch + rows + summed);
  b = Ordered(b, batch + summed + columns);
  const Shape leading = ShapeOf(batch, a, a);
  const auto with = [&](const Shape& first, const Shape& second) {
    Shape shape = leading;
    shape.push_back(first[0]);
    shape.push_back(second[0]);
    return shape;
  };
  const Value product = matmul(reshape(a.value, with(*m, *k)), reshape(b.value, with(*k, *n)),
                               {.batch = leading.rank()});
  return {reshape(product, ShapeOf(kept, a, b)), kept};
}

// Letters that occur once, in alphabetical order.
std::string ImplicitResult(const std::string& all) {
  std::string result;
  for (const char l : all) {
    if (std::count(all.begin(), all.end(), l) == 1) result += l;
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::string Problem(const std::vector<Term>& terms, const std::string& result, size_t operands) {
  if (terms.size() != operands) {
    return fmt::format("names {} operands, got {}", terms.size(), operands);
  }
  std::string all;
  for (size_t i = 0; i < terms.size(); ++i) {
    const std::string& letters = terms[i].letters;
    for (const char l : letters) {
      if (!((l >= 'a' && l <= 'z') || (l >= 'A' && l <= 'Z'))) {
        return fmt::format("'{}' is no letter", l);
      }
      if (std::count(letters.begin(), letters.end(), l) > 1) {
        return fmt::format("operand {} names '{}' twice", i, l);
      }
    }
    if (static_cast<int>(letters.size()) != terms[i].value.rank()) {
      return fmt::format("operand {} is {}, but \"{}\" has {} letters", i,
                         ToString(terms[i].value.type()), letters, letters.size());
    }
    for (const char l : letters) {
      for (size_t j = 0; j < i; ++j) {
        if (!terms[j].has(l) || terms[j].size(l) == terms[i].size(l)) continue;
        return fmt::format("'{}' is {} in operand {} and {} in operand {}", l,
                           ToString(terms[j].size(l)), j, ToString(terms[i].size(l)), i);
      }
    }
    all += letters;
  }
  for (const char l : result) {
    if (all.find(l) == std::string::npos || std::count(result.begin(), result.end(), l) > 1) {
      return fmt::format("the result names '{}', which {}", l,
                         all.find(l) == std::string::npos ? "no operand has" : "it has already");
    }
  }
  return {};
}

}  // namespace

Value einsum(std::string_view subscripts, const std::vector<Operand>& operands) {
  if (std::optional<Value> stop = Stopped(operands)) return *stop;
  const CallerScope scope({operands.front()});
  std::string text(subscripts);
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  const std::string inputs = text.substr(0, arrow);
  std::vector<Term> terms(1);
  for (const char c : inputs) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back().letters += c;
    }
  }
  std::string all = inputs;
  std::erase(all, ',');
  const std::string result =
      arrow == std::string::npos ? ImplicitResult(all) : text.substr(arrow + 2);

  std::string problem;
  Function* f = nullptr;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].is_number()) {
      problem = fmt::format("operand {} is a number; multiply the result by it", i);
      continue;
    }
    f = &operands[i].value().function();
    if (i < terms.size()) terms[i].value = operands[i].value();
  }
  if (problem.empty() && terms.size() == operands.size()) {
    problem = Problem(terms, result, operands.size());
  } else if (problem.empty()) {
    problem = fmt::format("names {} operands, got {}", terms.size(), operands.size());
  }
  if (!problem.empty()) {
    f->ReportError({.location = operands.front().location(),
                    .message = fmt::format("einsum \"{}\": {}", subscripts, problem),
                    .help = "one letter an axis, operands separated by commas, then -> and the "
                            "result's letters"});
    return f->poison();
  }
  Term sum = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    std::string later = result;
    for (size_t j = i + 1; j < terms.size(); ++j) later += terms[j].letters;
    sum = Contract(sum, terms[i], later);
  }
  return Ordered(SummedTo(sum, result), result).value;
}

}  // namespace gradus::ir
