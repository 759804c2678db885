#include "codegen/frame.h"

#include <algorithm>

#include "llvm/IR/BasicBlock.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Instructions.h"

namespace gradus::codegen {

Frame::Frame(ModuleEmitter& emitter, llvm::Function* function,
             const std::vector<loop::Buffer>& buffers)
    : emitter_(emitter),
      function_(function),
      buffers_(buffers),
      builder_(emitter.context()),
      pointers_(buffers.size()) {
  llvm::BasicBlock* entry = llvm::BasicBlock::Create(emitter.context(), "entry", function);
  builder_.SetInsertPoint(entry);
  root_.anchor = builder_.CreateUnreachable();
  if (function->getReturnType()->isVoidTy()) {
    llvm::Instruction* placeholder = root_.anchor;
    root_.anchor = builder_.CreateRetVoid();
    placeholder->eraseFromParent();
  }
  scope_ = &root_;
  Here();
}

llvm::Value* Frame::symbol(ir::Symbol symbol) const {
  for (const auto& [name, value] : symbols_) {
    if (name == symbol) return value;
  }
  IR_CHECK_MSG(false, symbol.name());
  return nullptr;
}

void Frame::Here() { builder_.SetInsertPoint(scope_->anchor); }

Frame::Scope* Frame::ScopeAt(int depth) {
  Scope* s = scope_;
  while (s->depth > depth) s = s->parent;
  return s;
}

const Frame::Binding* Frame::Find(const loop::Variable* v) const {
  for (const Scope* s = scope_; s != nullptr; s = s->parent) {
    for (const Binding& b : s->bindings) {
      if (b.variable == v) return &b;
    }
  }
  IR_CHECK_MSG(false, v->name());
  return nullptr;
}

void Frame::Bind(const loop::Variable* v, llvm::Value* base, int64_t offset) {
  BindAt(v, base, offset, scope_->depth);
}

void Frame::BindAt(const loop::Variable* v, llvm::Value* base, int64_t offset, int base_depth) {
  scope_->bindings.push_back({v, base, offset, base_depth, scope_->depth});
}

const VectorContext* Frame::vector() const {
  for (const Scope* s = scope_; s != nullptr; s = s->parent) {
    if (s->vector != nullptr) return s->vector;
  }
  return nullptr;
}

void Frame::InScope(const std::function<void()>& body, const VectorContext* context) {
  Scope inner;
  inner.parent = scope_;
  inner.depth = scope_->depth + 1;
  inner.anchor = scope_->anchor;
  inner.vector = context;
  Scope* outer = scope_;
  scope_ = &inner;
  Here();
  body();
  scope_ = outer;
  Here();
}

llvm::Value* Frame::Alloca(llvm::Type* element, int64_t elements) {
  llvm::BasicBlock& entry = function_->getEntryBlock();
  builder_.SetInsertPoint(&entry, entry.begin());
  auto* type = llvm::ArrayType::get(element, static_cast<uint64_t>(elements));
  llvm::AllocaInst* memory = builder_.CreateAlloca(type);
  memory->setAlignment(llvm::Align(64));
  Here();
  return memory;
}

void Frame::ForgetLoads() {
  auto loads = [&](const auto& entry) { return FactsOf(entry.first.first).loads != 0; };
  for (Scope* s = scope_; s != nullptr; s = s->parent) {
    absl::erase_if(s->values, loads);
    absl::erase_if(s->splats, loads);
  }
}

// Scopes without a loop of their own share their parent's anchor, hence move together.
void Frame::MoveAnchors(llvm::Instruction* from, llvm::Instruction* to) {
  for (Scope* s = scope_; s != nullptr && s->anchor == from; s = s->parent) s->anchor = to;
}

void Frame::If(llvm::Value* condition, const std::function<void()>& body) {
  llvm::Instruction* anchor = scope_->anchor;
  llvm::BasicBlock* before = anchor->getParent();
  llvm::BasicBlock* after = before->splitBasicBlock(anchor->getIterator());
  before->getTerminator()->eraseFromParent();
  llvm::BasicBlock* inside = llvm::BasicBlock::Create(emitter_.context(), "then", function_, after);
  builder_.SetInsertPoint(before);
  llvm::Instruction* branch = builder_.CreateCondBr(condition, inside, after);
  builder_.SetInsertPoint(inside);
  Scope inner;
  inner.parent = scope_;
  inner.depth = scope_->depth + 1;
  inner.anchor = builder_.CreateBr(after);
  MoveAnchors(anchor, branch);
  Scope* outer = scope_;
  scope_ = &inner;
  Here();
  body();
  scope_ = outer;
  MoveAnchors(branch, anchor);
  Here();
}

Values Frame::Choose(llvm::Value* condition, const std::function<Values()>& yes,
                     const std::function<Values()>& no) {
  Values a, b;
  llvm::BasicBlock *from_yes = nullptr, *from_no = nullptr;
  If(condition, [&] {
    a = yes();
    from_yes = scope_->anchor->getParent();
  });
  If(builder_.CreateNot(condition), [&] {
    b = no();
    from_no = scope_->anchor->getParent();
  });
  // Two branches in a row: after the first, its values or none; after the second, the others
  // replace none.
  Values results;
  llvm::BasicBlock* between = *llvm::pred_begin(from_no);
  llvm::BasicBlock* after = scope_->anchor->getParent();
  llvm::BasicBlock* before = nullptr;
  for (llvm::BasicBlock* p : llvm::predecessors(between)) {
    if (p != from_yes) before = p;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    builder_.SetInsertPoint(between, between->begin());
    llvm::PHINode* first = builder_.CreatePHI(a[i]->getType(), 2);
    first->addIncoming(a[i], from_yes);
    first->addIncoming(llvm::PoisonValue::get(a[i]->getType()), before);
    builder_.SetInsertPoint(after, after->begin());
    llvm::PHINode* second = builder_.CreatePHI(a[i]->getType(), 2);
    second->addIncoming(b[i], from_no);
    second->addIncoming(first, between);
    results.push_back(second);
  }
  Here();
  return results;
}

Values Frame::Loop(llvm::Value* begin, llvm::Value* end, int64_t step, bool may_be_empty,
                   const Values& carried, const VectorContext* context, const LoopBody& body) {
  llvm::Instruction* anchor = scope_->anchor;
  llvm::BasicBlock* before = anchor->getParent();
  llvm::BasicBlock* after = before->splitBasicBlock(anchor->getIterator());
  before->getTerminator()->eraseFromParent();
  llvm::BasicBlock* head = llvm::BasicBlock::Create(emitter_.context(), "loop", function_, after);
  builder_.SetInsertPoint(before);
  llvm::Instruction* enter =
      may_be_empty ? builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), head, after)
                   : builder_.CreateBr(head);

  builder_.SetInsertPoint(head);
  llvm::PHINode* iv = builder_.CreatePHI(begin->getType(), 2);
  iv->addIncoming(begin, before);
  Values phis;
  for (llvm::Value* v : carried) {
    llvm::PHINode* phi = builder_.CreatePHI(v->getType(), 2);
    phi->addIncoming(v, before);
    phis.push_back(phi);
  }
  llvm::Value* next =
      builder_.CreateAdd(iv, llvm::ConstantInt::get(iv->getType(), step), "", true, true);
  llvm::Value* again = builder_.CreateICmpSLT(next, end);
  llvm::Instruction* latch = builder_.CreateCondBr(again, head, after);

  Scope inner;
  inner.parent = scope_;
  inner.depth = scope_->depth + 1;
  inner.anchor = latch;
  inner.vector = context;
  MoveAnchors(anchor, enter);
  Scope* outer = scope_;
  scope_ = &inner;
  Here();
  Values results = body(iv, phis);
  IR_CHECK(results.size() == carried.size());
  iv->addIncoming(next, latch->getParent());
  for (size_t i = 0; i < phis.size(); ++i) {
    llvm::cast<llvm::PHINode>(phis[i])->addIncoming(results[i], latch->getParent());
  }
  scope_ = outer;
  MoveAnchors(enter, anchor);
  if (may_be_empty) {
    builder_.SetInsertPoint(after, after->begin());
    for (size_t i = 0; i < results.size(); ++i) {
      llvm::PHINode* phi = builder_.CreatePHI(results[i]->getType(), 2);
      phi->addIncoming(carried[i], enter->getParent());
      phi->addIncoming(results[i], latch->getParent());
      results[i] = phi;
    }
  }
  Here();
  return results;
}

std::pair<llvm::Value*, llvm::Value*> Frame::BoundsOf(const loop::Variable* v) {
  llvm::IntegerType* index = emitter_.index();
  llvm::Value* extent = Extent(v->extent());
  const Range* range = RangeOf(v);
  if (range == nullptr) return {llvm::ConstantInt::get(index, 0), extent};
  llvm::Value* unit = llvm::ConstantInt::get(index, static_cast<uint64_t>(range->unit));
  llvm::Value* end = builder_.CreateMul(range->end, unit);
  return {builder_.CreateMul(range->first, unit),
          builder_.CreateSelect(builder_.CreateICmpSLT(end, extent), end, extent)};
}

Values Frame::LoopOver(const loop::Variable* v, const Values& carried, const Body& body) {
  const loop::Extent& extent = v->extent();
  llvm::IntegerType* index = emitter_.index();
  const bool whole = RangeOf(v) == nullptr;
  if (extent.is_number() && whole) {
    if (extent.number() == 0) return carried;
    if (extent.number() == 1) {
      Values results;
      InScope([&] {
        Bind(v, nullptr, 0);
        results = body(carried);
      });
      return results;
    }
  }
  const auto bounds = whole ? std::pair<llvm::Value*, llvm::Value*>(
                                  llvm::ConstantInt::get(index, 0), Extent(extent))
                            : BoundsOf(v);
  return Loop(bounds.first, bounds.second, 1, !extent.is_number() || !whole, carried, nullptr,
              [&](llvm::Value* iv, const Values& c) {
                Bind(v, iv);
                return body(c);
              });
}

void Frame::GroupLoopOver(const loop::Variable* v, int steps,
                          const std::function<void(bool is_group)>& body) {
  const bool is_number = v->extent().is_number() && RangeOf(v) == nullptr;
  const auto [begin, end] = BoundsOf(v);
  llvm::Value* rest = builder_.CreateURem(builder_.CreateSub(end, begin),
                                          llvm::ConstantInt::get(emitter_.index(), steps));
  llvm::Value* main = builder_.CreateSub(end, rest);
  const auto run = [&](llvm::Value* first, llvm::Value* last, int step) {
    if (is_number && first == last) return;
    Loop(first, last, step, !is_number, {}, nullptr, [&](llvm::Value* iv, const Values&) {
      Bind(v, iv);
      body(step > 1);
      return Values();
    });
  };
  run(begin, main, steps);
  run(main, end, 1);
}

Values Frame::VectorLoopOver(const loop::Variable* v, int lanes, int copies, const Values& carried,
                             const Body& body, bool carries_copies) {
  const loop::Extent& extent = v->extent();
  llvm::IntegerType* index = emitter_.index();
  VectorContext full{v, lanes, copies, Values(static_cast<size_t>(copies), nullptr)};
  // A body with fewer copies carries only the first values of each group of `copies`.
  auto partial = [&](const VectorContext& context, const Values& all) {
    if (!carries_copies) return body(all);
    size_t groups = carried.size() / static_cast<size_t>(copies);
    Values some;
    for (size_t g = 0; g < groups; ++g) {
      for (size_t c = 0; c < static_cast<size_t>(context.copies); ++c) {
        some.push_back(all[g * static_cast<size_t>(copies) + c]);
      }
    }
    Values results = body(some);
    Values merged = all;
    for (size_t g = 0; g < groups; ++g) {
      for (size_t c = 0; c < static_cast<size_t>(context.copies); ++c) {
        merged[g * static_cast<size_t>(copies) + c] =
            results[g * static_cast<size_t>(context.copies) + c];
      }
    }
    return merged;
  };

  if (extent.is_number() && RangeOf(v) == nullptr) {
    int64_t n = extent.number(), chunk = static_cast<int64_t>(lanes) * copies;
    int64_t main = n - n % chunk;
    Values values = carried;
    if (main == chunk) {
      InScope(
          [&] {
            Bind(v, nullptr, 0);
            values = body(values);
          },
          &full);
    } else if (main > 0) {
      values = Loop(llvm::ConstantInt::get(index, 0), llvm::ConstantInt::get(index, main), chunk,
                    false, values, &full, [&](llvm::Value* iv, const Values& c) {
                      Bind(v, iv);
                      return body(c);
                    });
    }
    if (main < n) {
      int64_t rest = n - main;
      VectorContext tail{v, lanes, static_cast<int>((rest + lanes - 1) / lanes), {}};
      tail.masks.assign(static_cast<size_t>(tail.copies), nullptr);
      if (rest % lanes != 0) {
        tail.masks.back() = LaneMask(nullptr, llvm::ConstantInt::get(index, rest % lanes), lanes);
      }
      InScope(
          [&] {
            Bind(v, nullptr, main);
            values = partial(tail, values);
          },
          &tail);
    }
    return values;
  }

  const auto bounds = BoundsOf(v);
  llvm::Value *begin = bounds.first, *n = bounds.second;
  Values values = carried;
  int64_t chunk = static_cast<int64_t>(lanes) * copies;
  llvm::Value* main = builder_.CreateSub(
      n, builder_.CreateURem(builder_.CreateSub(n, begin), llvm::ConstantInt::get(index, chunk)));
  values = Loop(begin, main, chunk, true, values, &full, [&](llvm::Value* iv, const Values& c) {
    Bind(v, iv);
    return body(c);
  });
  VectorContext tail{v, lanes, 1, {nullptr}};
  return Loop(main, n, lanes, true, values, &tail, [&](llvm::Value* iv, const Values& c) {
    Bind(v, iv);
    tail.masks[0] = LaneMask(nullptr, builder_.CreateSub(n, iv), lanes);
    return partial(tail, c);
  });
}

}  // namespace gradus::codegen
