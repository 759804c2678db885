#include "ir/loop/size.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace gradus::loop {
namespace {

// Sums are joined where it costs least for sizes up to this one.
constexpr int64_t kLargestProbe = 4096;

// Without rounding in its factors: at least `t`, or (`below`) at most. Factors of several kinds
// stay as they are.
SizeTerm WithoutCeil(const SizeTerm& t, bool below) {
  SizeTerm plain{t.coefficient, {}};
  Symbols symbols;
  for (const Extent& e : t.factors) {
    // With `below`, the factor comes first: 64 * ceil(4*B/64) >= 4*B.
    const int64_t scaled = below ? plain.coefficient * e.scale : e.scale;
    plain.coefficient =
        below ? scaled / e.divisor : plain.coefficient * ((scaled + e.divisor - 1) / e.divisor);
    symbols = Product(symbols, e.symbols);
  }
  if (!symbols.empty()) {
    Extent product(1);
    product.symbols = symbols;
    plain.factors.push_back(product);
  }
  return plain;
}

// Takes from each term of b what a has of the same factors; what is left of each.
void Cancel(Polynomial& a, Polynomial& b) {
  for (SizeTerm& y : b) {
    for (SizeTerm& x : a) {
      if (!(x.factors == y.factors)) continue;
      const int64_t common = std::min(x.coefficient, y.coefficient);
      x.coefficient -= common;
      y.coefficient -= common;
    }
  }
  const auto is_gone = [](const SizeTerm& t) { return t.coefficient == 0; };
  std::erase_if(a, is_gone);
  std::erase_if(b, is_gone);
}

// Coefficient by coefficient the larger.
Polynomial UpperBound(const Polynomial& a, const Polynomial& b) {
  Polynomial larger = a;
  for (const SizeTerm& t : b) {
    const auto same = std::ranges::find(larger, t.factors, &SizeTerm::factors);
    if (same == larger.end()) {
      larger.push_back(t);
    } else {
      same->coefficient = std::max(same->coefficient, t.coefficient);
    }
  }
  return larger;
}

// How much larger than `m` it is where it is larger, over all powers of two that symbols may be.
double Excess(const Polynomial& p, const Maximum& m) {
  double excess = 0;
  for (int64_t n = 1; n <= kLargestProbe; n *= 2) {
    const SizeOf all = [n](Symbol) { return n; };
    const auto now = static_cast<double>(std::max<int64_t>(ValueAt(m, all), 1));
    excess += std::max(static_cast<double>(ValueAt(p, all)) / now - 1, 0.0);
  }
  return excess;
}

}  // namespace

std::string ToString(const Polynomial& p) {
  std::string text;
  for (const SizeTerm& t : p) {
    std::string term;
    if (t.coefficient != 1 || t.factors.empty()) term = fmt::format("{}", t.coefficient);
    for (const Extent& f : t.factors) {
      if (!term.empty()) term += '*';
      term += ToString(f);
    }
    text += (text.empty() ? "" : " + ") + term;
  }
  return text.empty() ? "0" : text;
}

void AddTo(Polynomial& sum, const SizeTerm& term) {
  if (term.coefficient == 0) return;
  for (SizeTerm& t : sum) {
    if (t.factors == term.factors) {
      t.coefficient += term.coefficient;
      return;
    }
  }
  sum.push_back(term);
}

bool IsAtLeast(const Polynomial& a, const Polynomial& b) {
  Polynomial more = a, less = b;
  Cancel(more, less);
  if (less.empty()) return true;
  Polynomial plain_more, plain_less;
  for (const SizeTerm& t : more) AddTo(plain_more, WithoutCeil(t, true));
  for (const SizeTerm& t : less) AddTo(plain_less, WithoutCeil(t, false));
  Cancel(plain_more, plain_less);
  return plain_less.empty();
}

int64_t ValueAt(const SizeTerm& t, const SizeOf& size) {
  const auto times = [](int64_t a, int64_t b) {
    int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? kHuge : std::min(product, kHuge);
  };
  int64_t value = t.coefficient;
  for (const Extent& e : t.factors) {
    int64_t product = e.scale;
    for (const Symbol s : e.symbols) product = times(product, size(s));
    value = times(value, (product + e.divisor - 1) / e.divisor);
  }
  return std::min(value, kHuge);
}

int64_t ValueAt(const Polynomial& p, const SizeOf& size) {
  int64_t sum = 0;
  for (const SizeTerm& t : p) sum = std::min(sum + ValueAt(t, size), kHuge);
  return sum;
}

void Maximum::Raise(Polynomial p) {
  if (p.empty()) return;
  for (const Polynomial& known : sums_) {
    if (IsAtLeast(known, p)) return;
  }
  std::erase_if(sums_, [&](const Polynomial& known) { return IsAtLeast(p, known); });
  sums_.push_back(std::move(p));
}

void Maximum::Raise(const Maximum& m) {
  for (const Polynomial& p : m.sums_) Raise(p);
}

void Maximum::Limit(size_t count) {
  while (sums_.size() > std::max<size_t>(count, 1)) {
    size_t first = 0, second = 1;
    Polynomial best;
    double least = 0;
    for (size_t i = 0; i < sums_.size(); ++i) {
      for (size_t k = i + 1; k < sums_.size(); ++k) {
        Polynomial both = UpperBound(sums_[i], sums_[k]);
        const double excess = Excess(both, *this);
        if (!best.empty() && excess >= least) continue;
        least = excess;
        best = std::move(both);
        first = i;
        second = k;
      }
    }
    sums_.erase(sums_.begin() + static_cast<std::ptrdiff_t>(second));
    sums_.erase(sums_.begin() + static_cast<std::ptrdiff_t>(first));
    Raise(std::move(best));
  }
}

Maximum Maximum::operator+(const SizeTerm& term) const {
  Maximum sum;
  if (sums_.empty()) {
    Polynomial alone;
    AddTo(alone, term);
    sum.Raise(std::move(alone));
  }
  for (Polynomial p : sums_) {
    AddTo(p, term);
    sum.Raise(std::move(p));
  }
  return sum;
}

std::string ToString(const Maximum& m) {
  if (m.sums().size() < 2) return ToString(m.sums().empty() ? Polynomial() : m.sums()[0]);
  std::string text;
  for (const Polynomial& p : m.sums()) text += (text.empty() ? "" : ", ") + ToString(p);
  return "max(" + text + ")";
}

int64_t ValueAt(const Maximum& m, const SizeOf& size) {
  int64_t largest = 0;
  for (const Polynomial& p : m.sums()) largest = std::max(largest, ValueAt(p, size));
  return largest;
}

bool IsAtLeast(const Maximum& a, const Maximum& b) {
  return std::ranges::all_of(b.sums(), [&](const Polynomial& less) {
    return std::ranges::any_of(a.sums(),
                               [&](const Polynomial& more) { return IsAtLeast(more, less); });
  });
}

std::string FormatBytes(int64_t bytes) {
  constexpr double kKiB = 1024, kMiB = kKiB * 1024, kGiB = kMiB * 1024;
  const auto d = static_cast<double>(bytes);
  if (d < kKiB) return fmt::format("{} B", bytes);
  if (d < kMiB) return fmt::format("{:.1f} KiB", d / kKiB);
  if (d < kGiB) return fmt::format("{:.1f} MiB", d / kMiB);
  return fmt::format("{:.1f} GiB", d / kGiB);
}

}  // namespace gradus::loop
