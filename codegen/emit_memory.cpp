// Loads, stores and guards. A load whose guard fails reads a constant zero instead: no memory that
// the guard excludes is touched, and no branch is needed.

#include <algorithm>

#include "codegen/frame.h"

namespace gradus::codegen {

using loop::Scalar;

llvm::Value* Frame::FromMemory(DType dtype, llvm::Value* x) {
  if (dtype != DType::kI1) return x;
  return builder_.CreateICmpNE(x, llvm::ConstantInt::get(x->getType(), 0));
}

llvm::Value* Frame::ToMemory(DType dtype, llvm::Value* x) {
  if (dtype != DType::kI1) return x;
  llvm::Type* type = emitter_.MemoryType(dtype);
  if (auto* t = llvm::dyn_cast<llvm::FixedVectorType>(x->getType())) {
    type = WithLanes(type, static_cast<int>(t->getNumElements()));
  }
  return builder_.CreateZExt(x, type);
}

// ---- guards ----

const Guard* Frame::MakeGuard(std::span<const loop::Condition> conditions, const Guard* outer) {
  Guard g;
  if (outer != nullptr) g = *outer;
  for (const loop::Condition& c : conditions) {
    for (const loop::Index* form : {&c.low, &c.form, &c.high}) {
      for (const loop::Variable* v : loop::LoopVariables(*form))
        g.depth = std::max(g.depth, Find(v)->depth);
    }
  }
  AtDepth at(*this, g.depth);
  auto both = [&](llvm::Value* a, llvm::Value* b) {
    return a == nullptr ? b : builder_.CreateAnd(a, b);
  };
  for (const loop::Condition& c : conditions) {
    bool bounds_vary = DependsOnVector(c.low) || DependsOnVector(c.high);
    if (!bounds_vary && !DependsOnVector(c.form)) {
      llvm::Value* x = EvaluateHere(c.form);
      llvm::Value* holds = builder_.CreateAnd(builder_.CreateICmpSLE(EvaluateHere(c.low), x),
                                              builder_.CreateICmpSLT(x, EvaluateHere(c.high)));
      g.uniform = both(g.uniform, holds);
      continue;
    }
    const VectorContext& context = *vector();
    if (g.masks.empty()) g.masks.assign(static_cast<size_t>(context.copies), nullptr);
    for (int copy = 0; copy < context.copies; ++copy) {
      llvm::Value*& mask = g.masks[static_cast<size_t>(copy)];
      if (!bounds_vary && VectorStride(c.form) == 1) {
        llvm::Value* first =
            Materialize(Evaluate(c.form, static_cast<int64_t>(copy) * context.lanes));
        mask = both(mask, LaneMask(builder_.CreateSub(EvaluateHere(c.low), first),
                                   builder_.CreateSub(EvaluateHere(c.high), first), context.lanes));
        continue;
      }
      llvm::Value* x = EvaluateLanes(c.form, copy);
      llvm::Value* holds =
          builder_.CreateAnd(builder_.CreateICmpSLE(EvaluateLanes(c.low, copy), x),
                             builder_.CreateICmpSLT(x, EvaluateLanes(c.high, copy)));
      mask = both(mask, holds);
    }
  }
  scope_->owned_guards.push_back(std::make_unique<Guard>(std::move(g)));
  return scope_->owned_guards.back().get();
}

// For a value that is the same in all lanes: its loads happen if any lane asks for it.
const Guard* Frame::Uniform(const Guard* guard) {
  AtDepth at(*this, guard->depth);
  std::unique_ptr<Guard>& uniform = scope_->uniform_guards[guard];
  if (uniform != nullptr) return uniform.get();
  llvm::Value* any = nullptr;
  for (llvm::Value* mask : guard->masks) {
    llvm::Value* m = builder_.CreateOrReduce(mask);
    any = any == nullptr ? m : builder_.CreateOr(any, m);
  }
  if (guard->uniform != nullptr) any = builder_.CreateAnd(any, guard->uniform);
  uniform = std::make_unique<Guard>(Guard{guard->depth, any, {}});
  return uniform.get();
}

Packet Frame::EmitGuard(const Scalar* x, const Guard* guard) {
  const Guard* inner = nullptr;
  {
    int depth = guard == nullptr ? 0 : guard->depth;
    for (const loop::Condition& c : x->conditions) {
      for (const loop::Index* form : {&c.low, &c.form, &c.high}) {
        for (const loop::Variable* v : loop::LoopVariables(*form))
          depth = std::max(depth, Find(v)->depth);
      }
    }
    AtDepth at(*this, depth);
    const Guard*& known = scope_->guards[{x, guard}];
    if (known == nullptr) known = MakeGuard({x->conditions.data(), x->conditions.size()}, guard);
    inner = known;
  }
  const Scalar* operand = x->operands[0];
  Packet value = Evaluate(operand, inner);
  // The conditions of this guard alone decide the value, but those around hold wherever the value
  // counts.
  bool vector = value.vector || !inner->masks.empty();
  Values v = vector ? EvaluateVector(operand, inner) : value.values;
  Packet result{{}, vector};
  for (size_t c = 0; c < v.size(); ++c) {
    llvm::Value* zero = llvm::Constant::getNullValue(v[c]->getType());
    llvm::Value* r = v[c];
    if (!inner->masks.empty()) r = builder_.CreateSelect(inner->masks[c], r, zero);
    if (inner->uniform != nullptr) r = builder_.CreateSelect(inner->uniform, r, zero);
    result.values.push_back(r);
  }
  return result;
}

llvm::Value* Frame::MaskOf(const Guard* guard, int copy) {
  auto c = static_cast<size_t>(copy);
  llvm::Value* mask = vector()->masks[c];
  if (guard == nullptr || guard->masks.empty()) return mask;
  return mask == nullptr ? guard->masks[c] : builder_.CreateAnd(mask, guard->masks[c]);
}

// ---- loads ----

Packet Frame::EmitLoad(const Scalar* x, const Guard* guard) {
  if (load_hook) {
    Packet p;
    if (load_hook(x, guard, &p)) return p;
  }
  llvm::Value* buffer = pointer(x->buffer);
  const loop::Index& form = x->indices[0];
  if (DependsOnVector(form)) return {LoadVectors(buffer, x->dtype, form, guard, {}), true};
  llvm::Type* type = emitter_.MemoryType(x->dtype);
  llvm::Value* address = Address(buffer, type, form);
  if (guard != nullptr && guard->uniform != nullptr) {
    address = builder_.CreateSelect(guard->uniform, address, emitter_.Zeros());
  }
  return {{FromMemory(x->dtype, builder_.CreateLoad(type, address))}};
}

// The address of the form alone is known in outer scopes; the jump is added last.
Packet Frame::EmitGather(const Scalar* x, const Guard* guard) {
  Packet jump = Evaluate(x->operands[0], guard);
  for (llvm::Value*& j : jump.values) {
    llvm::Value* stride = Extent(x->extent);
    if (auto* t = llvm::dyn_cast<llvm::FixedVectorType>(j->getType())) {
      stride = builder_.CreateVectorSplat(t->getNumElements(), stride);
    }
    j = builder_.CreateMul(builder_.CreateSExtOrTrunc(j, stride->getType()), stride);
  }
  llvm::Value* buffer = pointer(x->buffer);
  const loop::Index& form = x->indices[0];
  if (jump.vector || DependsOnVector(form)) {
    return {LoadVectors(buffer, x->dtype, form, guard, jump), true};
  }
  llvm::Type* type = emitter_.MemoryType(x->dtype);
  llvm::Value* address = builder_.CreateGEP(type, Address(buffer, type, form), jump.values[0]);
  if (guard != nullptr && guard->uniform != nullptr) {
    address = builder_.CreateSelect(guard->uniform, address, emitter_.Zeros());
  }
  return {{FromMemory(x->dtype, builder_.CreateLoad(type, address))}};
}

Values Frame::LoadVectors(llvm::Value* buffer, DType dtype, const loop::Index& form,
                          const Guard* guard, const Packet& jump) {
  const VectorContext& context = *vector();
  llvm::Type* element = emitter_.MemoryType(dtype);
  llvm::Type* type = WithLanes(element, context.lanes);
  llvm::Value* uniform = guard == nullptr ? nullptr : guard->uniform;
  auto lanes = static_cast<unsigned>(context.lanes);
  llvm::Align align(static_cast<uint64_t>(ir::ByteSize(dtype)));
  std::optional<int64_t> stride = VectorStride(form);
  Values result;
  for (int copy = 0; copy < context.copies; ++copy) {
    llvm::Value* mask = MaskOf(guard, copy);
    llvm::Value* jumps = nullptr;  // of this copy's lanes
    if (!jump.values.empty()) jumps = jump.values[jump.vector ? static_cast<size_t>(copy) : 0];
    int64_t first = static_cast<int64_t>(copy) * context.lanes;
    if (!jump.vector && (stride == 1 || stride == -1)) {
      bool reversed = stride == -1;
      llvm::Value* address =
          Address(buffer, element, form, reversed ? first + context.lanes - 1 : first);
      if (jumps != nullptr) address = builder_.CreateGEP(element, address, jumps);
      // (Not part of the mask: where a half of it is constant, LLVM 19 loads the other half of a
      // vector as wide as two registers without any.)
      if (uniform != nullptr) {
        address = builder_.CreateSelect(uniform, address, emitter_.Zeros());
      }
      if (reversed && mask != nullptr) mask = builder_.CreateVectorReverse(mask);
      llvm::Value* v =
          mask == nullptr
              ? static_cast<llvm::Value*>(builder_.CreateAlignedLoad(type, address, align))
              : builder_.CreateMaskedLoad(type, address, align, mask,
                                          llvm::Constant::getNullValue(type));
      result.push_back(FromMemory(dtype, reversed ? builder_.CreateVectorReverse(v) : v));
      continue;
    }
    // One lane after the other. Lanes that a constant mask leaves out are skipped; other masks
    // choose the address.
    auto* constant_mask = mask == nullptr ? nullptr : llvm::dyn_cast<llvm::Constant>(mask);
    llvm::Value* v = llvm::Constant::getNullValue(type);
    for (unsigned l = 0; l < lanes; ++l) {
      llvm::Value* holds = uniform;
      if (constant_mask != nullptr) {
        if (constant_mask->getAggregateElement(l)->isZeroValue()) continue;
      } else if (mask != nullptr) {
        llvm::Value* bit = builder_.CreateExtractElement(mask, l);
        holds = holds == nullptr ? bit : builder_.CreateAnd(holds, bit);
      }
      llvm::Value* address = Address(buffer, element, form, first + l);
      if (jumps != nullptr) {
        llvm::Value* own = jump.vector ? builder_.CreateExtractElement(jumps, l) : jumps;
        address = builder_.CreateGEP(element, address, own);
      }
      if (holds != nullptr) address = builder_.CreateSelect(holds, address, emitter_.Zeros());
      v = builder_.CreateInsertElement(v, builder_.CreateLoad(element, address), l);
    }
    result.push_back(FromMemory(dtype, v));
  }
  return result;
}

// ---- stores ----

void Frame::Store(const loop::FlatStore& store, const Guard* guard) {
  Packet packet = Evaluate(store.value, guard);
  llvm::Value* holds = guard == nullptr ? nullptr : guard->uniform;
  if (store.where != nullptr) {
    Packet where = Evaluate(store.where, guard);
    IR_CHECK_MSG(!where.vector, "lanes that may go to one place");
    holds = holds == nullptr ? where.values[0] : builder_.CreateAnd(holds, where.values[0]);
  }
  if (holds != nullptr) {
    Guard masks_only;
    if (guard != nullptr) masks_only = *guard;
    masks_only.uniform = nullptr;
    If(holds,
       [&] { StorePacket(store, packet, masks_only.masks.empty() ? nullptr : &masks_only); });
  } else {
    StorePacket(store, packet, guard);
  }
  // What was loaded from this buffer is out of date.
  uint64_t stored = written & (uint64_t{1} << std::min(store.buffer, 63));
  if (stored == 0) return;
  auto outdated = [&](const auto& entry) {
    return (FactsOf(entry.first.first).loads & stored) != 0;
  };
  for (Scope* s = scope_; s != nullptr; s = s->parent) {
    absl::erase_if(s->values, outdated);
    absl::erase_if(s->splats, outdated);
  }
}

// A vector of which one lane is stored, known when compiled: LLVM 19 would narrow all that computes
// it to one element, and then cannot select a scalar comparison for equality in a mask register.
// A fence of floats, which costs no instruction, keeps the vector whole.
llvm::Value* Frame::KeptWhole(llvm::Value* value, const llvm::Value* mask) {
  if (!emitter_.target().has_masked_memory || !value->getType()->isFPOrFPVectorTy()) return value;
  const auto* lanes = llvm::dyn_cast_or_null<llvm::Constant>(mask);
  if (lanes == nullptr) return value;
  const auto count = llvm::cast<llvm::FixedVectorType>(lanes->getType())->getNumElements();
  int stored = 0;
  for (unsigned l = 0; l < count; ++l) stored += lanes->getAggregateElement(l)->isOneValue();
  if (stored != 1) return value;
  return builder_.CreateIntrinsic(llvm::Intrinsic::arithmetic_fence, {value->getType()}, {value});
}

void Frame::StorePacket(const loop::FlatStore& store, const Packet& packet, const Guard* guard) {
  DType dtype = buffers_[static_cast<size_t>(store.buffer)].type.dtype;
  llvm::Type* element = emitter_.MemoryType(dtype);
  llvm::Value* buffer = pointer(store.buffer);
  bool is_float = ir::IsFloat(dtype);
  auto add = [&](llvm::Value* a, llvm::Value* b) {
    return is_float ? builder_.CreateFAdd(a, b) : builder_.CreateAdd(a, b);
  };
  llvm::Value* jump = nullptr;
  if (store.jump != nullptr) {
    Packet p = Evaluate(store.jump, guard);
    IR_CHECK_MSG(!p.vector, "lanes that may go to one place");
    jump = p.values[0];
  }
  // The address of the form alone is known in outer scopes.
  auto address_of = [&](int64_t lane) {
    llvm::Value* address = Address(buffer, element, store.offset, lane);
    return jump == nullptr ? address : builder_.CreateGEP(element, address, jump);
  };
  if (!DependsOnVector(store.offset)) {
    IR_CHECK_MSG(!packet.vector, "a store of many lanes to one place");
    llvm::Value* address = address_of(0);
    llvm::Value* value = ToMemory(dtype, packet.values[0]);
    if (store.accumulate) value = add(builder_.CreateLoad(element, address), value);
    builder_.CreateStore(value, address);
    return;
  }
  const VectorContext& context = *vector();
  Values values = packet.vector ? packet.values : Splat(packet, context);
  auto lanes = static_cast<unsigned>(context.lanes);
  llvm::Align align(static_cast<uint64_t>(ir::ByteSize(dtype)));
  llvm::Type* type = WithLanes(element, context.lanes);
  std::optional<int64_t> stride = VectorStride(store.offset);
  for (int copy = 0; copy < context.copies; ++copy) {
    llvm::Value* mask = MaskOf(guard, copy);
    int64_t first = static_cast<int64_t>(copy) * context.lanes;
    llvm::Value* value = KeptWhole(ToMemory(dtype, values[static_cast<size_t>(copy)]), mask);
    if (stride == 1 || (stride == -1 && !store.accumulate)) {
      const bool reversed = stride == -1;
      llvm::Value* address = address_of(reversed ? first + context.lanes - 1 : first);
      if (reversed) {
        value = builder_.CreateVectorReverse(value);
        if (mask != nullptr) mask = builder_.CreateVectorReverse(mask);
      }
      if (store.accumulate) {
        llvm::Value* old =
            mask == nullptr
                ? static_cast<llvm::Value*>(builder_.CreateAlignedLoad(type, address, align))
                : builder_.CreateMaskedLoad(type, address, align, mask,
                                            llvm::Constant::getNullValue(type));
        value = add(old, value);
      }
      if (mask == nullptr && past_caches && !store.read_soon) {
        llvm::Align whole(static_cast<uint64_t>(context.lanes) * align.value());
        llvm::Metadata* one = llvm::ConstantAsMetadata::get(builder_.getInt32(1));
        builder_.CreateAlignedStore(value, address, whole)
            ->setMetadata("nontemporal", llvm::MDNode::get(emitter_.context(), one));
      } else if (mask == nullptr) {
        builder_.CreateAlignedStore(value, address, align);
      } else {
        builder_.CreateMaskedStore(value, address, align, mask);
      }
      continue;
    }
    auto* constant_mask = mask == nullptr ? nullptr : llvm::dyn_cast<llvm::Constant>(mask);
    for (unsigned l = 0; l < lanes; ++l) {
      if (constant_mask != nullptr && constant_mask->getAggregateElement(l)->isZeroValue())
        continue;
      llvm::Value* address = address_of(first + l);
      llvm::Value* one = builder_.CreateExtractElement(value, l);
      auto put = [&] {
        llvm::Value* v = one;
        if (store.accumulate) v = add(builder_.CreateLoad(element, address), v);
        builder_.CreateStore(v, address);
      };
      if (mask == nullptr || constant_mask != nullptr) {
        put();
      } else {
        If(builder_.CreateExtractElement(mask, l), put);
      }
    }
  }
}

}  // namespace gradus::codegen
