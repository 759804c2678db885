#include "tests/fuzz/random_graph.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"

namespace gradus::fuzz {
namespace {

using data::PhiloxStream;

// Grows one graph function. Values stay of moderate size: what could blow up is taken of a tanh.
class Grower {
 public:
  Grower(ir::Function& function, DType dtype, uint64_t seed, uint64_t index)
      : f_(function), dtype_(dtype), random_(seed, index) {}

  void Grow() {
    n_ = Size();
    m_ = Size();
    AddInput("x", {kBatch, n_});
    AddInput("y", {kBatch, n_});
    AddInput("w", {n_, m_});
    AddInput("v", {m_});
    if (Chance(0.3)) AddInput("z", {kBatch, 3, n_});
    const uint64_t ops = 3 + random_.Below(7);
    for (uint64_t i = 0; i < ops; ++i) {
      const Tensor made = Step();
      if (made && !made.is_poison()) pool_.push_back(made);
    }
    Tensor loss;
    for (size_t i = pool_.size() - std::min<size_t>(pool_.size(), 3); i < pool_.size(); ++i) {
      f_.AddResult(pool_[i], fmt::format("value{}", i));
      const Tensor part = reduce_mean(pool_[i] * tanh(pool_[i] + 0.3));
      loss = loss ? loss + part : part;
    }
    f_.AddResult(loss, "loss");
    const std::vector<Tensor> gradients = Grad(loss, inputs_);
    for (size_t i = 0; i < gradients.size(); ++i) {
      f_.AddResult(gradients[i], "d" + inputs_[i].node()->name());
    }
  }

 private:
  // Half of them small, half round vectors, tiles and panels.
  int64_t Size() {
    constexpr std::array<int64_t, 6> kSmall = {1, 2, 3, 4, 5, 6};
    constexpr std::array<int64_t, 18> kThresholds = {7,  8,  9,  12, 15, 16, 17, 18,  23,
                                                     25, 31, 32, 33, 47, 63, 65, 128, 129};
    return Chance(0.5) ? kSmall[random_.Below(kSmall.size())]
                       : kThresholds[random_.Below(kThresholds.size())];
  }
  void AddInput(const char* name, const Shape& shape) {
    inputs_.push_back(f_.AddArgument(name, {dtype_, shape}));
    pool_.push_back(inputs_.back());
  }
  bool Chance(double p) { return random_.Uniform() < p; }
  int64_t Below(int64_t n) { return static_cast<int64_t>(random_.Below(static_cast<uint64_t>(n))); }
  // Later values more often, so that graphs grow deep.
  Tensor Any() {
    const auto n = static_cast<int64_t>(pool_.size());
    return pool_[static_cast<size_t>(std::max(Below(n), Below(n)))];
  }
  Tensor AnyWith(bool (*accept)(Tensor)) {
    for (int i = 0; i < 8; ++i) {
      if (const Tensor t = Any(); accept(t)) return t;
    }
    return pool_[0];
  }

  Tensor Unary(Tensor x) {
    switch (Below(18)) {
      case 0: return tanh(x);
      case 1: return sigmoid(x);
      case 2: return exp(tanh(x));
      case 3: return log(square(x) + 0.5);
      case 4: return sqrt(square(x) + 0.25);
      case 5: return rsqrt(square(x) + 1);
      case 6: return sin(x);
      case 7: return cos(x * 0.5 - 1);
      case 8: return erf(x);
      case 9: return relu(x - 0.1);
      case 10: return abs(x + 0.2);
      case 11: return gelu(x);
      case 12: return softplus(x);
      case 13: return log1p(square(x));
      case 14: return expm1(tanh(x));
      case 15: return pow(square(x) + 0.1, 0.7);
      case 16: return leaky_relu(x, 0.1);
      default: return -x * 1.25 + 0.5;
    }
  }

  // A partner that broadcasts against x: another value if the shapes line up, else one that was
  // reduced.
  Tensor Partner(Tensor x) {
    for (int i = 0; i < 6; ++i) {
      const Tensor other = Any();
      if (LineUp(x.shape(), other.shape())) return other;
    }
    return x.rank() > 0 ? reduce_mean(x, {Below(x.rank())}, true) : x;
  }
  static bool LineUp(const Shape& a, const Shape& b) {
    for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
      const Dim x = a[a.rank() - i], y = b[b.rank() - i];
      if (!(x == y || x == Dim(1) || y == Dim(1))) return false;
    }
    return true;
  }

  Tensor Binary(Tensor x) {
    const Tensor y = Partner(x);
    switch (Below(8)) {
      case 0: return x + y;
      case 1: return x - y * 0.5;
      case 2: return tanh(x) * y;
      case 3: return x / (square(y) + 0.5);
      case 4: return maximum(x, y + 0.1);
      case 5: return minimum(x * 0.9, y);
      case 6: return select(greater(x, y + 0.05), x * 2, y);
      default: return Chance(0.5) ? add(x, x) : mul(sigmoid(x), sigmoid(x));
    }
  }

  Tensor Product() {
    const Tensor x = AnyWith([](Tensor t) { return t.rank() >= 2; });
    const Dim last = x.shape()[x.rank() - 1];
    const Tensor w = inputs_[2];
    if (last == w.shape()[0]) return tanh(matmul(x, w, MatmulOptions{}));
    if (last == w.shape()[1]) return tanh(matmul(x, w, {.transpose_b = true}));
    if (x.rank() == 2) return matmul(x, tanh(x), {.transpose_a = true}) * 0.1;
    return Unary(x);
  }

  Tensor Reduction(Tensor x) {
    if (x.rank() == 0) return Unary(x);
    Axes axes = {Below(x.rank())};
    if (x.rank() > 1 && Chance(0.25)) axes = {};
    const bool keep = Chance(0.4);
    switch (Below(7)) {
      case 0: return reduce_sum(x, axes, keep) * 0.25;
      case 1: return reduce_mean(x, axes, keep);
      case 2: return reduce_max(x, axes, keep);
      case 3: return reduce_min(x, axes, keep);
      case 4: return reduce_prod(cos(x * 0.2), axes, keep);
      case 5: return variance(x, axes, keep);
      default: return logsumexp(x, axes, keep);
    }
  }

  // An axis of fixed size, or -1.
  int64_t FixedAxis(Tensor x) {
    for (int i = 0; i < 4 && x.rank() > 0; ++i) {
      const int64_t axis = Below(x.rank());
      if (!x.shape()[static_cast<int>(axis)].is_symbol()) return axis;
    }
    return -1;
  }

  Tensor Movement(Tensor x) {
    const int64_t axis = FixedAxis(x);
    if (axis < 0) return Unary(x);
    const auto position = static_cast<size_t>(axis);
    const int64_t size = x.shape()[static_cast<int>(axis)].size();
    switch (Below(7)) {
      case 0: {
        Axes order;
        for (int64_t i = 0; i < x.rank(); ++i) order.push_back(i);
        std::swap(order[position], order[static_cast<size_t>(Below(x.rank()))]);
        return transpose(x, order);
      }
      case 1: {
        std::vector<ir::Range1> ranges(position + 1);
        ranges[position].begin = Below(size);
        ranges[position].step = 1 + Below(2);
        return slice(x, ranges);
      }
      case 2: {
        std::vector<ir::Range1> ranges(position + 1);
        ranges[position] = {size - 1, ir::kEnd, -1};
        return slice(x, ranges);
      }
      case 3: return concat({x, Unary(x)}, axis);
      case 4: {
        const auto rank = static_cast<size_t>(x.rank());
        std::vector<int64_t> low(rank), high(rank), interior(rank);
        low[position] = Below(3);
        high[position] = Below(3);
        interior[position] = Below(2);
        return pad(x, low, high, 0.5, interior);
      }
      case 5: return expand_dims(x, Below(x.rank() + 1));
      default: {
        if (x.rank() < 2 || position + 1 >= static_cast<size_t>(x.rank())) return softmax(x, axis);
        Shape merged;
        for (int i = 0; i < x.rank(); ++i) {
          if (i == static_cast<int>(axis) + 1) continue;
          const bool here = i == static_cast<int>(axis);
          const Dim next = here ? x.shape()[i + 1] : Dim(1);
          if (next.is_symbol()) return log_softmax(x, axis);
          merged.push_back(here ? Dim(size * next.size()) : x.shape()[i]);
        }
        return reshape(x, merged);
      }
    }
  }

  Tensor Step() {
    const double kind = random_.Uniform();
    if (kind < 0.30) return Unary(Any());
    if (kind < 0.55) return Binary(Any());
    if (kind < 0.70) return Product();
    if (kind < 0.85) return Reduction(Any());
    return Movement(Any());
  }

  ir::Function& f_;
  DType dtype_;
  PhiloxStream random_;
  int64_t n_ = 0, m_ = 0;
  std::vector<Tensor> inputs_, pool_;
};

}  // namespace

void GrowGraph(ir::Function& function, DType dtype, uint64_t seed, uint64_t index) {
  Grower(function, dtype, seed, index).Grow();
}

}  // namespace gradus::fuzz
