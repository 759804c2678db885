// Index forms: the linear part that only run-time values decide is computed once a scope and
// cached; constants (offsets of unrolled rows and vectors) stay apart, and end in the address.

#include <algorithm>

#include "codegen/frame.h"

namespace gradus::codegen {

using loop::Index;
using loop::Term;
using loop::Variable;

int Frame::DepthOf(const Variable* v) const {
  if (v->kind() == Variable::Kind::kLoop) return Find(v)->depth;
  int depth = 0;
  for (const Term& t : v->numerator().terms()) {
    if (t.variable != nullptr) depth = std::max(depth, DepthOf(t.variable));
  }
  return depth;
}

bool Frame::DependsOnVector(const Index& form) const {
  const VectorContext* context = vector();
  return context != nullptr && form.depends_on(context->variable);
}

llvm::Value* Frame::SymbolProduct(const loop::Symbols& symbols) {
  if (symbols.size() == 1) return symbol(symbols[0]);
  AtDepth root(*this, 0);
  llvm::Value* product = symbol(symbols[0]);
  for (size_t i = 1; i < symbols.size(); ++i) {
    llvm::Value*& p = root_.pairs[{product, symbol(symbols[i])}];
    if (p == nullptr) p = builder_.CreateMul(product, symbol(symbols[i]));
    product = p;
  }
  return product;
}

llvm::Value* Frame::ValueOf(const loop::Polynomial& polynomial) {
  llvm::Value* sum = nullptr;
  for (const loop::SizeTerm& t : polynomial) {
    llvm::Value* x = llvm::ConstantInt::getSigned(emitter_.index(), t.coefficient);
    for (const loop::Extent& factor : t.factors) x = builder_.CreateMul(x, Extent(factor));
    sum = sum == nullptr ? x : builder_.CreateAdd(sum, x);
  }
  return sum == nullptr ? llvm::ConstantInt::get(emitter_.index(), 0) : sum;
}

llvm::Value* Frame::Extent(const loop::Extent& extent) {
  llvm::IntegerType* index = emitter_.index();
  if (extent.is_number()) return llvm::ConstantInt::getSigned(index, extent.number());
  AtDepth root(*this, 0);
  llvm::Value* product = SymbolProduct(extent.symbols);
  if (extent.scale != 1) {
    llvm::Value* scale = llvm::ConstantInt::getSigned(index, extent.scale);
    llvm::Value*& scaled = root_.pairs[{product, scale}];
    if (scaled == nullptr) scaled = builder_.CreateMul(product, scale);
    product = scaled;
  }
  if (extent.divisor == 1) return product;
  llvm::Value*& value = root_.atoms[{nullptr, product, extent.divisor}];
  if (value == nullptr) {
    value = builder_.CreateAdd(product, llvm::ConstantInt::getSigned(index, extent.divisor - 1));
    value = builder_.CreateUDiv(value, llvm::ConstantInt::getSigned(index, extent.divisor));
  }
  return value;
}

llvm::Value* Frame::FloorDiv(llvm::Value* a, int64_t divisor, bool non_negative) {
  llvm::Value* d = llvm::ConstantInt::getSigned(a->getType(), divisor);
  if (non_negative) return builder_.CreateUDiv(a, d);
  // Truncation rounds negative numerators up: one less where a remainder is left.
  llvm::Value* q = builder_.CreateSDiv(a, d);
  llvm::Value* r = builder_.CreateSub(a, builder_.CreateMul(q, d));
  llvm::Value* negative = builder_.CreateICmpSLT(r, llvm::ConstantInt::get(a->getType(), 0));
  return builder_.CreateAdd(q, builder_.CreateSExt(negative, a->getType()));
}

std::pair<llvm::Value*, int> Frame::Atom(const Variable* atom, int64_t vector_offset) {
  Form n = Evaluate(atom->numerator(), vector_offset);
  AtDepth at(*this, n.depth);
  llvm::Value*& value = scope_->atoms[{atom, n.runtime, n.constant}];
  if (value == nullptr) {
    llvm::Value* a = Materialize(n);
    auto bounds = loop::Range(atom->numerator());
    llvm::Value* q = FloorDiv(a, atom->divisor(), bounds.low.has_value() && *bounds.low >= 0);
    if (atom->kind() == Variable::Kind::kMod) {
      q = builder_.CreateSub(
          a, builder_.CreateMul(q, llvm::ConstantInt::get(a->getType(), atom->divisor())));
    }
    value = q;
  }
  return {value, n.depth};
}

Form Frame::Evaluate(const Index& form, int64_t vector_offset) {
  struct Part {
    llvm::Value* value;
    int64_t coefficient;
    int depth;
  };
  const VectorContext* context = vector();
  llvm::SmallVector<Part, 4> parts;
  Form result;
  for (const Term& t : form.terms()) {
    llvm::Value* base = nullptr;
    int64_t offset = t.variable == nullptr ? 1 : 0;
    int depth = 0;
    if (t.variable != nullptr) {
      if (t.variable->kind() == Variable::Kind::kLoop) {
        const Binding* b = Find(t.variable);
        base = b->base;
        offset = b->offset;
        depth = b->base_depth;
        if (context != nullptr && context->variable == t.variable) offset += vector_offset;
      } else {
        std::tie(base, depth) = Atom(t.variable, vector_offset);
      }
    }
    if (t.symbols.empty()) {
      result.constant += t.coefficient * offset;
      if (base != nullptr) parts.push_back({base, t.coefficient, depth});
      continue;
    }
    llvm::Value* scale = SymbolProduct(t.symbols);
    if (offset != 0) parts.push_back({scale, t.coefficient * offset, 0});
    if (base != nullptr) {
      AtDepth at(*this, depth);
      llvm::Value*& product = scope_->pairs[{base, scale}];
      if (product == nullptr) product = builder_.CreateMul(base, scale);
      parts.push_back({product, t.coefficient, depth});
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.depth < b.depth; });
  // Sums grow from the outermost scope inwards; each prefix is remembered where it is known.
  Sum key;
  for (size_t i = 0; i < parts.size();) {
    int depth = parts[i].depth;
    size_t begin = i;
    for (; i < parts.size() && parts[i].depth == depth; ++i) {
      key.emplace_back(parts[i].value, parts[i].coefficient);
    }
    AtDepth at(*this, depth);
    llvm::Value*& sum = scope_->sums[key];
    if (sum == nullptr) {
      llvm::Value* total = result.runtime;
      for (size_t p = begin; p < i; ++p) {
        llvm::Value* x = parts[p].value;
        if (parts[p].coefficient != 1) {
          x = builder_.CreateMul(x,
                                 llvm::ConstantInt::getSigned(x->getType(), parts[p].coefficient));
        }
        total = total == nullptr ? x : builder_.CreateAdd(total, x);
      }
      sum = total;
    }
    result.runtime = sum;
    result.depth = depth;
  }
  return result;
}

llvm::Value* Frame::Materialize(const Form& form) {
  llvm::Value* constant = llvm::ConstantInt::getSigned(emitter_.index(), form.constant);
  if (form.runtime == nullptr) return constant;
  return form.constant == 0 ? form.runtime : builder_.CreateAdd(form.runtime, constant);
}

llvm::Value* Frame::Address(llvm::Value* buffer, llvm::Type* type, const Index& form,
                            int64_t vector_offset) {
  Form f = Evaluate(form, vector_offset);
  llvm::Value* address = buffer;
  if (f.runtime != nullptr) {
    AtDepth at(*this, f.depth);
    llvm::Value*& a = scope_->pairs[{buffer, f.runtime}];
    if (a == nullptr) a = builder_.CreateGEP(type, buffer, f.runtime);
    address = a;
  }
  if (f.constant != 0) {
    address = builder_.CreateGEP(type, address,
                                 llvm::ConstantInt::getSigned(emitter_.index(), f.constant));
  }
  return address;
}

std::optional<int64_t> Frame::VectorStride(const Index& form) const {
  const VectorContext* context = vector();
  if (context == nullptr) return 0;
  int64_t stride = 0;
  for (const Term& t : form.terms()) {
    if (t.variable == nullptr) continue;
    if (t.variable == context->variable) {
      if (!t.symbols.empty()) return std::nullopt;
      stride += t.coefficient;
    } else if (t.variable->kind() != Variable::Kind::kLoop &&
               t.variable->numerator().depends_on(context->variable)) {
      return std::nullopt;
    }
  }
  return stride;
}

llvm::Value* Frame::AtomLanes(const Variable* atom, int copy) {
  llvm::Value* a = EvaluateLanes(atom->numerator(), copy);
  auto bounds = loop::Range(atom->numerator());
  // Masked-off lanes run past the range: without a sign they would still divide to something.
  llvm::Value* q = FloorDiv(a, atom->divisor(), bounds.low.has_value() && *bounds.low >= 0);
  if (atom->kind() != Variable::Kind::kMod) return q;
  return builder_.CreateSub(
      a, builder_.CreateMul(q, llvm::ConstantInt::get(a->getType(), atom->divisor())));
}

llvm::Value* Frame::EvaluateLanes(const Index& form, int copy) {
  const VectorContext& context = *vector();
  auto lanes = static_cast<unsigned>(context.lanes);
  // The terms without the vectorised variable's atoms are affine in the lane.
  Index affine;
  llvm::Value* rest = nullptr;
  int64_t stride = 0;
  llvm::Value* runtime_stride = nullptr;
  for (const Term& t : form.terms()) {
    Index one = t.variable == nullptr ? Index(1) : Index(t.variable);
    loop::Extent coefficient(t.coefficient);
    coefficient.symbols = t.symbols;
    bool atom = t.variable != nullptr && t.variable->kind() != Variable::Kind::kLoop &&
                t.variable->numerator().depends_on(context.variable);
    if (!atom) {
      affine = affine + one.Times(coefficient);
      if (t.variable == context.variable && t.variable != nullptr) {
        if (t.symbols.empty()) {
          stride += t.coefficient;
        } else {
          llvm::Value* s = Extent(coefficient);
          runtime_stride = runtime_stride == nullptr ? s : builder_.CreateAdd(runtime_stride, s);
        }
      }
      continue;
    }
    llvm::Value* x = builder_.CreateMul(AtomLanes(t.variable, copy),
                                        builder_.CreateVectorSplat(lanes, Extent(coefficient)));
    rest = rest == nullptr ? x : builder_.CreateAdd(rest, x);
  }
  llvm::SmallVector<llvm::Constant*, 16> steps, iota;
  for (unsigned l = 0; l < lanes; ++l) {
    steps.push_back(llvm::ConstantInt::getSigned(emitter_.index(), stride * l));
    iota.push_back(llvm::ConstantInt::get(emitter_.index(), l));
  }
  llvm::Value* base = Materialize(Evaluate(affine, static_cast<int64_t>(copy) * context.lanes));
  llvm::Value* v =
      builder_.CreateAdd(builder_.CreateVectorSplat(lanes, base), llvm::ConstantVector::get(steps));
  if (runtime_stride != nullptr) {
    v = builder_.CreateAdd(v, builder_.CreateMul(builder_.CreateVectorSplat(lanes, runtime_stride),
                                                 llvm::ConstantVector::get(iota)));
  }
  return rest == nullptr ? v : builder_.CreateAdd(v, rest);
}

llvm::Value* Frame::LaneMask(llvm::Value* low, llvm::Value* high, int lanes) {
  auto count = static_cast<unsigned>(lanes);
  llvm::IntegerType* i32 = builder_.getInt32Ty();
  llvm::SmallVector<llvm::Constant*, 16> iota;
  for (unsigned l = 0; l < count; ++l) iota.push_back(llvm::ConstantInt::get(i32, l));
  llvm::Constant* lane = llvm::ConstantVector::get(iota);
  // Bounds are clamped to [0, lanes] so that they fit the narrow compare.
  auto bound = [&](llvm::Value* b) {
    llvm::Value* zero = llvm::ConstantInt::get(b->getType(), 0);
    llvm::Value* most = llvm::ConstantInt::get(b->getType(), count);
    b = builder_.CreateSelect(builder_.CreateICmpSLT(b, zero), zero, b);
    b = builder_.CreateSelect(builder_.CreateICmpSGT(b, most), most, b);
    return builder_.CreateVectorSplat(count, builder_.CreateTrunc(b, i32));
  };
  llvm::Value* mask = nullptr;
  if (high != nullptr) mask = builder_.CreateICmpULT(lane, bound(high));
  if (low != nullptr) {
    llvm::Value* m = builder_.CreateICmpUGE(lane, bound(low));
    mask = mask == nullptr ? m : builder_.CreateAnd(mask, m);
  }
  return mask;
}

}  // namespace gradus::codegen
