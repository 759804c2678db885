// Contractions: a function for each size of register tile, and loops that call it.
//
// A tile function holds rows x vectors accumulators in registers over all of K, then evaluates the
// epilogue on them, and touches the result nowhere else. Strides are constants, so that its
// addresses are one pointer and displacements.

#include <algorithm>

#include "codegen/emit_kernel.h"
#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

using loop::Contraction;
using loop::Index;
using loop::Scalar;
using loop::ScalarKind;
using loop::Term;
using loop::Variable;

namespace {

// The part of a form that depends on the variables given.
Index Part(const Index& form, const std::vector<const Variable*>& variables) {
  Index part;
  for (const Term& t : form.terms()) {
    if (std::find(variables.begin(), variables.end(), t.variable) == variables.end()) continue;
    loop::Extent coefficient(t.coefficient);
    coefficient.symbols = t.symbols;
    part = part + Index(t.variable).Times(coefficient);
  }
  return part;
}

llvm::Value* MultiplyAdd(Frame& frame, DType dtype, llvm::Value* a, llvm::Value* b,
                         llvm::Value* c) {
  auto& builder = frame.builder();
  if (!ir::IsFloat(dtype)) return builder.CreateAdd(builder.CreateMul(a, b), c);
  if (!frame.emitter().target().has_fma) return builder.CreateFAdd(builder.CreateFMul(a, b), c);
  return builder.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

struct TileSize {
  int rows = 0, vectors = 0;
  int tail = 0;  // lanes of the last vector; 0: all
  auto operator<=>(const TileSize&) const = default;
};

class ContractionEmitter {
 public:
  ContractionEmitter(Frame& frame, const Contraction& c, const std::vector<ir::Symbol>& symbols)
      : frame_(frame), c_(c), symbols_(symbols), e_(frame.emitter()), b_(frame.builder()) {
    lanes_ = e_.target().lanes(static_cast<int>(ir::ByteSize(c.dtype)));
    element_ = e_.MemoryType(c.dtype);
    columns_ = static_cast<int64_t>(c.tile_vectors) * lanes_;
    groups_ = static_cast<int>(c.siblings.size()) + 1;
    row_ = c.m.back();
    row_stride_ = c.a.offset.coefficient(row_);
    blocked_ = c.k_block > 0 && c.k.size() == 1;
    fetches_ahead_ = FetchesAhead();
    FindUsed();
  }

  void Emit() {
    ZeroColumnSums();
    Over(c_.batch, 0, c_.batch.size(), [&] { blocked_ ? KBlocks() : Tiles(); });
  }

 private:
  bool FetchesAhead() const {
    if (c_.b_panel_buffer >= 0 || c_.order != Contraction::Order::kColumnsOuter) return false;
    // With many rows the panel's first use is a small part of all.
    if (row_->extent().is_number() &&
        (row_->extent().number() > 128 || row_->extent().number() <= c_.tile_rows))
      return false;
    int64_t bytes = c_.n->extent().number() * ir::ByteSize(c_.dtype);
    for (const Variable* k : c_.k) {
      if (!k->extent().is_number()) return false;
      bytes *= k->extent().number();
    }
    return bytes > e_.target().l2_bytes / 2 && c_.n->extent().number() > columns_;
  }

  // ---- the loops around tiles, in the kernel's function ----

  void Over(const std::vector<const Variable*>& variables, size_t level, size_t end,
            const std::function<void()>& body) {
    if (level == end) return body();
    frame_.LoopOver(variables[level], {}, [&](const Values&) -> Values {
      Over(variables, level + 1, end, body);
      return {};
    });
  }

  llvm::Value* Number(int64_t n) { return llvm::ConstantInt::getSigned(e_.i64(), n); }

  void ZeroColumnSums() {
    for (const loop::FlatStore& s : c_.column_sums) {
      DType dtype = frame_.buffers()[static_cast<size_t>(s.buffer)].type.dtype;
      frame_.VectorLoopOver(c_.n, lanes_, 1, {}, [&](const Values&) -> Values {
        loop::FlatStore zero = s;
        zero.accumulate = false;
        frame_.StorePacket(zero, {{llvm::Constant::getNullValue(e_.MemoryType(dtype))}, false});
        return {};
      });
    }
  }

  // K in blocks of equal length but the last; between blocks the sums are in memory.
  void KBlocks() {
    const loop::Extent& extent = c_.k[0]->extent();
    llvm::Value* k = frame_.Extent(extent);
    llvm::Value* length;
    if (extent.is_number()) {
      int64_t n = std::max<int64_t>(extent.number(), 1), blocks = (n + c_.k_block - 1) / c_.k_block;
      length = Number((n + blocks - 1) / blocks);
    } else {
      llvm::Value* n = b_.CreateSelect(b_.CreateICmpSLT(k, Number(1)), Number(1), k);
      llvm::Value* blocks =
          b_.CreateUDiv(b_.CreateAdd(n, Number(c_.k_block - 1)), Number(c_.k_block));
      length = b_.CreateUDiv(b_.CreateAdd(n, b_.CreateSub(blocks, Number(1))), blocks);
    }
    // At least one block runs, so that an empty sum is stored.
    llvm::Value* end = b_.CreateSelect(b_.CreateICmpSLT(k, Number(1)), Number(1), k);
    llvm::Value* counter_end =
        b_.CreateUDiv(b_.CreateAdd(end, b_.CreateSub(length, Number(1))), length);
    frame_.Loop(Number(0), counter_end, 1, false, {}, nullptr,
                [&](llvm::Value* block, const Values&) -> Values {
                  k_begin_ = b_.CreateMul(block, length);
                  llvm::Value* rest = b_.CreateSub(k, k_begin_);
                  k_count_ = b_.CreateSelect(b_.CreateICmpSLT(rest, length), rest, length);
                  first_ = b_.CreateICmpEQ(block, Number(0));
                  last_ = b_.CreateICmpEQ(b_.CreateAdd(block, Number(1)), counter_end);
                  block_length_ = length;
                  if (c_.b_panel_buffer >= 0) CopyPanels();
                  Tiles();
                  return {};
                });
  }

  // This block of B, a panel [k][columns] for each tile of columns; columns past the end are 0.
  void CopyPanels() {
    Columns([&](llvm::Value* n_base, llvm::Value* tile, int vectors, int tail) {
      frame_.Loop(
          Number(0), k_count_, 1, true, {}, nullptr, [&](llvm::Value* iv, const Values&) -> Values {
            frame_.Bind(c_.n, n_base);
            frame_.Bind(c_.k[0], b_.CreateAdd(k_begin_, iv));
            llvm::Value* source =
                frame_.Address(frame_.pointer(c_.b.buffer), element_, c_.b.offset);
            llvm::Value* target =
                b_.CreateGEP(element_, PanelAddress(tile), b_.CreateMul(iv, Number(columns_)));
            for (int v = 0; v < vectors; ++v) {
              llvm::Value* x =
                  LoadVector(b_, b_.CreateGEP(element_, source, Number(int64_t{v} * lanes_)),
                             v + 1 == vectors ? tail : 0);
              b_.CreateAlignedStore(x, b_.CreateGEP(element_, target, Number(int64_t{v} * lanes_)),
                                    Align());
            }
            return {};
          });
    });
  }

  llvm::Value* PanelAddress(llvm::Value* tile) {
    llvm::Value* offset = b_.CreateMul(tile, b_.CreateMul(block_length_, Number(columns_)));
    return b_.CreateGEP(element_, frame_.pointer(c_.b_panel_buffer), offset);
  }

  // Calls body(first column, number of the tile, vectors, tail) for each tile of columns.
  void Columns(const std::function<void(llvm::Value*, llvm::Value*, int, int)>& body) {
    int64_t n = c_.n->extent().number();
    int64_t full = n / columns_, rest = n % columns_;
    if (full == 1) {
      body(Number(0), Number(0), c_.tile_vectors, 0);
    } else if (full > 1) {
      frame_.Loop(Number(0), Number(full), 1, false, {}, nullptr,
                  [&](llvm::Value* tile, const Values&) -> Values {
                    body(b_.CreateMul(tile, Number(columns_)), tile, c_.tile_vectors, 0);
                    return {};
                  });
    }
    if (rest > 0) {
      body(Number(full * columns_), Number(full), static_cast<int>((rest + lanes_ - 1) / lanes_),
           static_cast<int>(rest % lanes_));
    }
  }

  // Calls body(first row, rows) for each tile of rows, in one or two loops; rows are a number.
  void Rows(const std::function<void(llvm::Value*, int)>& body) {
    const loop::Extent& extent = row_->extent();
    int64_t most = c_.tile_rows;
    auto loop = [&](int64_t begin, int64_t count, int64_t rows) {
      if (count == 0 || rows == 0) return;
      if (count == 1) return body(Number(begin), static_cast<int>(rows));
      frame_.Loop(Number(0), Number(count), 1, false, {}, nullptr,
                  [&](llvm::Value* t, const Values&) -> Values {
                    body(b_.CreateAdd(b_.CreateMul(t, Number(rows)), Number(begin)),
                         static_cast<int>(rows));
                    return {};
                  });
    };
    if (extent.is_number()) {
      int64_t m = extent.number();
      if (m == 0) return;
      if (c_.rows_balanced) {
        int64_t tiles = (m + most - 1) / most, base = m / tiles, larger = m % tiles;
        loop(0, larger, base + 1);
        loop(larger * (base + 1), tiles - larger, base);
      } else {
        loop(0, m / most, most);
        loop(m / most * most, 1, m % most);
      }
      return;
    }
    llvm::Value* m = frame_.Extent(extent);
    if (!c_.rows_balanced) {
      llvm::Value* main = b_.CreateSub(m, b_.CreateURem(m, Number(most)));
      frame_.Loop(Number(0), main, most, true, {}, nullptr,
                  [&](llvm::Value* row, const Values&) -> Values {
                    body(row, static_cast<int>(most));
                    return {};
                  });
      Choose(b_.CreateSub(m, main), most - 1, [&](int rows) { body(main, rows); });
      return;
    }
    llvm::Value* tiles = b_.CreateUDiv(b_.CreateAdd(m, Number(most - 1)), Number(most));
    llvm::Value* divisor = b_.CreateSelect(b_.CreateICmpEQ(tiles, Number(0)), Number(1), tiles);
    llvm::Value* base = b_.CreateUDiv(m, divisor);
    llvm::Value* larger = b_.CreateURem(m, divisor);
    frame_.Loop(Number(0), tiles, 1, true, {}, nullptr,
                [&](llvm::Value* t, const Values&) -> Values {
                  llvm::Value* is_larger = b_.CreateICmpSLT(t, larger);
                  llvm::Value* rows = b_.CreateAdd(base, b_.CreateZExt(is_larger, e_.i64()));
                  llvm::Value* before = b_.CreateSelect(is_larger, t, larger);
                  llvm::Value* first = b_.CreateAdd(b_.CreateMul(t, base), before);
                  Choose(rows, most, [&](int n) { body(first, n); });
                  return {};
                });
  }

  void Choose(llvm::Value* value, int64_t most, const std::function<void(int)>& body) {
    for (int64_t n = most; n >= 1; --n) {
      frame_.If(b_.CreateICmpEQ(value, Number(n)), [&] { body(static_cast<int>(n)); });
    }
  }

  void Tiles() {
    auto call = [&](llvm::Value* row, int rows, llvm::Value* column, llvm::Value* tile, int vectors,
                    int tail) {
      frame_.InScope([&] { Call({rows, vectors, tail}, row, column, tile); });
    };
    size_t outer = c_.m.size() - 1;
    if (c_.order == Contraction::Order::kColumnsOuter) {
      Columns([&](llvm::Value* column, llvm::Value* tile, int vectors, int tail) {
        Over(c_.m, 0, outer, [&] {
          Rows([&](llvm::Value* row, int rows) { call(row, rows, column, tile, vectors, tail); });
        });
      });
    } else {
      Over(c_.m, 0, outer, [&] {
        Rows([&](llvm::Value* row, int rows) {
          Columns([&](llvm::Value* column, llvm::Value* tile, int vectors, int tail) {
            call(row, rows, column, tile, vectors, tail);
          });
        });
      });
    }
  }

  void Call(TileSize size, llvm::Value* row, llvm::Value* column, llvm::Value* tile) {
    auto bind = [&](const Variable* v, llvm::Value* value) {
      auto* number = llvm::dyn_cast<llvm::ConstantInt>(value);
      number != nullptr ? frame_.Bind(v, nullptr, number->getSExtValue()) : frame_.Bind(v, value);
    };
    bind(row_, row);
    bind(c_.n, column);
    for (const Variable* k : c_.k) bind(k, blocked_ ? k_begin_ : Number(0));
    Values args{frame_.Address(frame_.pointer(c_.a.buffer), element_, c_.a.offset),
                c_.b_panel_buffer >= 0
                    ? PanelAddress(tile)
                    : frame_.Address(frame_.pointer(c_.b.buffer), element_, c_.b.offset)};
    for (int buffer : used_buffers_) args.push_back(frame_.pointer(buffer));
    for (const Variable* v : used_variables_) args.push_back(frame_.Evaluate64(Index(v)));
    for (ir::Symbol s : symbols_) args.push_back(frame_.symbol(s));
    if (blocked_) {
      args.push_back(k_count_);
      args.push_back(first_);
      args.push_back(last_);
    }
    if (fetches_ahead_) {
      llvm::Value* vector =
          b_.CreateURem(b_.CreateUDiv(row, Number(size.rows)), Number(c_.tile_vectors));
      args.push_back(b_.CreateAdd(b_.CreateMul(vector, Number(lanes_)), Number(columns_)));
    }
    b_.CreateCall(TileFunction(size), args);
  }

  // ---- the tile function ----

  // Buffers and variables that the epilogue, the sums and the partial results need.
  void FindUsed() {
    std::vector<const Scalar*> work;
    absl::flat_hash_set<const Scalar*> seen;
    auto use_form = [&](const Index& form) {
      for (const Variable* v : loop::LoopVariables(form)) use_variable(v);
    };
    auto use_buffer = [&](int buffer) {
      if (std::find(used_buffers_.begin(), used_buffers_.end(), buffer) == used_buffers_.end()) {
        used_buffers_.push_back(buffer);
      }
    };
    for (const auto* stores : {&c_.epilogue, &c_.column_sums}) {
      for (const loop::FlatStore& s : *stores) {
        use_buffer(s.buffer);
        use_form(s.offset);
        work.push_back(s.value);
        for (const Variable* v : s.value->free) use_variable(v);
      }
    }
    if (blocked_) {
      use_buffer(c_.partial_buffer);
      use_form(c_.partial_offset);
    }
    while (!work.empty()) {
      const Scalar* x = work.back();
      work.pop_back();
      if (!seen.insert(x).second) continue;
      if (x->kind == ScalarKind::kLoad) use_buffer(x->buffer);
      work.insert(work.end(), x->operands.begin(), x->operands.end());
    }
    use_variable(row_);
    use_variable(c_.n);
  }

  void use_variable(const Variable* v) {
    if (std::find(used_variables_.begin(), used_variables_.end(), v) == used_variables_.end()) {
      used_variables_.push_back(v);
    }
  }

  llvm::Align Align() const { return llvm::Align(static_cast<uint64_t>(ir::ByteSize(c_.dtype))); }

  llvm::Value* LoadVector(llvm::IRBuilder<>& b, llvm::Value* address, int tail) {
    auto* type = llvm::FixedVectorType::get(element_, static_cast<unsigned>(lanes_));
    if (tail == 0) return b.CreateAlignedLoad(type, address, Align());
    return b.CreateMaskedLoad(type, address, Align(), TailMask(tail),
                              llvm::Constant::getNullValue(type));
  }

  llvm::Constant* TailMask(int tail) {
    llvm::SmallVector<llvm::Constant*, 16> bits;
    for (int l = 0; l < lanes_; ++l)
      bits.push_back(llvm::ConstantInt::getBool(e_.context(), l < tail));
    return llvm::ConstantVector::get(bits);
  }

  llvm::Function* TileFunction(TileSize size) {
    auto it =
        std::find_if(tiles_.begin(), tiles_.end(), [&](const auto& t) { return t.first == size; });
    if (it != tiles_.end()) return it->second;
    std::vector<llvm::Type*> types(2 + used_buffers_.size(), e_.pointer());
    types.resize(types.size() + used_variables_.size() + symbols_.size(), e_.i64());
    if (blocked_) {
      types.push_back(e_.i64());
      types.resize(types.size() + 2, llvm::Type::getInt1Ty(e_.context()));
    }
    if (fetches_ahead_) types.push_back(e_.i64());
    std::string name = frame_.function()->getName().str() + ".tile" + std::to_string(size.rows) +
                       "x" +
                       std::to_string(size.tail == 0 ? size.vectors * lanes_
                                                     : (size.vectors - 1) * lanes_ + size.tail);
    llvm::Function* f = e_.AddFunction(
        name, llvm::FunctionType::get(llvm::Type::getVoidTy(e_.context()), types, false), false);
    tiles_.emplace_back(size, f);
    EmitTile(f, size);
    return f;
  }

  struct Tile;
  void EmitTile(llvm::Function* f, TileSize size);

  Frame& frame_;
  const Contraction& c_;
  const std::vector<ir::Symbol>& symbols_;
  ModuleEmitter& e_;
  llvm::IRBuilder<>& b_;
  int lanes_ = 0, groups_ = 1;
  llvm::Type* element_ = nullptr;
  int64_t columns_ = 0, row_stride_ = 0;
  const Variable* row_ = nullptr;
  bool blocked_ = false;
  // B does not fit the second-level cache: while one panel of its columns is used by all rows, each
  // tile of rows fetches a vector of the next panel, which would otherwise arrive at the latency of
  // the third level (32x512x784 on Zen 5: 215 GFLOP/s instead of 190).
  bool fetches_ahead_ = false;
  std::vector<int> used_buffers_;
  std::vector<const Variable*> used_variables_;
  std::vector<std::pair<TileSize, llvm::Function*>> tiles_;
  llvm::Value *k_begin_ = nullptr, *k_count_ = nullptr, *first_ = nullptr, *last_ = nullptr,
              *block_length_ = nullptr;
};

// One tile function while it is written.
struct ContractionEmitter::Tile {
  ContractionEmitter& outer;
  const Contraction& c;
  TileSize size;
  Frame frame;
  llvm::IRBuilder<>& b;
  llvm::Value *a, *b_side, *k_count = nullptr, *first = nullptr, *last = nullptr, *ahead = nullptr;
  VectorContext context;
  int lanes, groups;

  Tile(ContractionEmitter& emitter, llvm::Function* f, TileSize tile_size)
      : outer(emitter),
        c(emitter.c_),
        size(tile_size),
        frame(emitter.e_, f, emitter.frame_.buffers()),
        b(frame.builder()),
        a(f->getArg(0)),
        b_side(f->getArg(1)),
        lanes(emitter.lanes_),
        groups(emitter.groups_) {
    unsigned next = 2;
    for (int buffer : outer.used_buffers_) frame.SetPointer(buffer, f->getArg(next++));
    for (const Variable* v : outer.used_variables_) frame.Bind(v, f->getArg(next++));
    for (ir::Symbol s : outer.symbols_) frame.SetSymbol(s, f->getArg(next++));
    if (outer.blocked_) {
      k_count = f->getArg(next++);
      first = f->getArg(next++);
      last = f->getArg(next++);
    }
    if (outer.fetches_ahead_) ahead = f->getArg(next++);
    context = {c.n, lanes, size.vectors, Values(static_cast<size_t>(size.vectors), nullptr)};
    if (size.tail != 0) context.masks.back() = outer.TailMask(size.tail);
  }

  size_t At(int group, int row, int vector) const {
    return static_cast<size_t>((group * size.rows + row) * size.vectors + vector);
  }

  // With the variable of columns vectorised.
  void InColumns(const std::function<void()>& body) {
    llvm::Value* column = frame.Evaluate64(Index(c.n));
    frame.InScope(
        [&] {
          frame.BindAt(c.n, column, 0, 0);
          body();
        },
        &context);
  }

  llvm::Value* Row() { return frame.Evaluate64(Index(outer.row_)); }

  // The sums of this tile over K, added to `sums`.
  Values KLoops(size_t level, const Values& sums) {
    const Variable* k = c.k[level];
    if (level + 1 < c.k.size()) {
      return frame.LoopOver(k, sums, [&](const Values& s) { return KLoops(level + 1, s); });
    }
    int64_t unroll = std::max(c.k_unroll, 1);
    auto steps = [&](llvm::Value* iv, int64_t offset, int64_t count, Values s) {
      for (int64_t t = 0; t < count; ++t) {
        frame.InScope([&] {
          frame.BindAt(k, iv, offset + t, frame.depth() - 1);
          s = Step(std::move(s));
        });
      }
      return s;
    };
    auto loop = [&](llvm::Value* begin, llvm::Value* end, int64_t step, bool may_be_empty,
                    const Values& s) {
      return frame.Loop(
          begin, end, step, may_be_empty, s, nullptr,
          [&](llvm::Value* iv, const Values& inner) { return steps(iv, 0, step, inner); });
    };
    const loop::Extent& extent = k->extent();
    if (extent.is_number() && !outer.blocked_) {
      int64_t n = extent.number(), main = n - n % unroll;
      Values s = sums;
      if (main > unroll) {
        s = loop(outer.Number(0), outer.Number(main), unroll, false, s);
      } else {
        main = 0;
      }
      return steps(nullptr, main, n - main, s);
    }
    llvm::Value* n = outer.blocked_ ? k_count : frame.Extent(extent);
    if (unroll == 1) return loop(outer.Number(0), n, 1, true, sums);
    llvm::Value* main = b.CreateSub(n, b.CreateURem(n, outer.Number(unroll)));
    Values s = loop(outer.Number(0), main, unroll, true, sums);
    return loop(main, n, 1, true, s);
  }

  // One step of K: the row of B in vectors, the column of A in broadcasts.
  Values Step(Values sums) {
    llvm::Value* a_address = frame.Address(a, outer.element_, Part(c.a.offset, c.k));
    llvm::Value* b_address;
    if (c.b_panel_buffer >= 0) {
      b_address = frame.Address(b_side, outer.element_, Index(c.k[0]) * outer.columns_);
    } else {
      b_address = frame.Address(b_side, outer.element_, Part(c.b.offset, c.k));
    }
    auto at = [&](llvm::Value* base, int64_t offset) {
      return offset == 0 ? base : b.CreateGEP(outer.element_, base, outer.Number(offset));
    };
    if (ahead != nullptr) {
      b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                        {b.CreateGEP(outer.element_, b_address, ahead), b.getInt32(0),
                         b.getInt32(3), b.getInt32(1)});
    }
    Values columns;
    for (int g = 0; g < groups; ++g) {
      int64_t offset = g == 0 ? 0 : c.siblings[static_cast<size_t>(g - 1)];
      for (int v = 0; v < size.vectors; ++v) {
        columns.push_back(outer.LoadVector(b, at(b_address, offset + int64_t{v} * lanes),
                                           v + 1 == size.vectors ? size.tail : 0));
      }
    }
    for (int row = 0; row < size.rows; ++row) {
      llvm::Value* x = b.CreateLoad(outer.element_, at(a_address, row * outer.row_stride_));
      x = b.CreateVectorSplat(static_cast<unsigned>(lanes), x);
      for (int g = 0; g < groups; ++g) {
        for (int v = 0; v < size.vectors; ++v) {
          llvm::Value*& sum = sums[At(g, row, v)];
          sum = MultiplyAdd(frame, c.dtype, x, columns[static_cast<size_t>(g * size.vectors + v)],
                            sum);
        }
      }
    }
    return sums;
  }

  // Partial sums, at partial_offset of each row.
  Values Partial(const Values* store) {
    Values sums;
    llvm::Value* row_base = Row();
    InColumns([&] {
      for (int row = 0; row < size.rows; ++row) {
        frame.InScope([&] {
          frame.BindAt(outer.row_, row_base, row, 0);
          for (int v = 0; v < size.vectors; ++v) {
            llvm::Value* address = frame.Address(frame.pointer(c.partial_buffer), outer.element_,
                                                 c.partial_offset, int64_t{v} * lanes);
            int tail = v + 1 == size.vectors ? size.tail : 0;
            if (store == nullptr) {
              sums.push_back(outer.LoadVector(b, address, tail));
            } else if (tail == 0) {
              b.CreateAlignedStore((*store)[At(0, row, v)], address, outer.Align());
            } else {
              b.CreateMaskedStore((*store)[At(0, row, v)], address, outer.Align(),
                                  outer.TailMask(tail));
            }
          }
        });
      }
    });
    return sums;
  }

  void Prefetch() {
    for (const loop::FlatStore& s : c.epilogue) {
      llvm::Type* type =
          outer.e_.MemoryType(frame.buffers()[static_cast<size_t>(s.buffer)].type.dtype);
      for (int row = 0; row < size.rows; ++row) {
        llvm::Value* row_base = Row();
        InColumns([&] {
          frame.BindAt(outer.row_, row_base, row, 0);
          for (int v = 0; v < size.vectors; ++v) {
            llvm::Value* address =
                frame.Address(frame.pointer(s.buffer), type, s.offset, int64_t{v} * lanes);
            b.CreateIntrinsic(llvm::Intrinsic::prefetch, {address->getType()},
                              {address, b.getInt32(1), b.getInt32(3), b.getInt32(1)});
          }
        });
      }
    }
  }

  Packet Accumulator(const Values& sums, int group, int row) {
    Packet p{{}, true};
    for (int v = 0; v < size.vectors; ++v) p.values.push_back(sums[At(group, row, v)]);
    return p;
  }

  // Adds a row's values to the sums over columns, which start out empty.
  Values AddColumnSums(const Values& so_far) {
    Values sums;
    for (const loop::FlatStore& s : c.column_sums) {
      Values v = frame.EvaluateVector(s.value, nullptr);
      for (llvm::Value* x : v) {
        size_t i = sums.size();
        sums.push_back(so_far.empty()
                           ? x
                           : frame.Combine(loop::ReduceKind::kSum, s.value->dtype, so_far[i], x));
      }
    }
    return sums;
  }

  void StoreColumnSums(const Values& sums) {
    for (size_t i = 0; i < c.column_sums.size(); ++i) {
      loop::FlatStore s = c.column_sums[i];
      s.accumulate = true;
      auto begin = sums.begin() + static_cast<long>(i) * size.vectors;
      frame.StorePacket(s, {Values(begin, begin + size.vectors), true});
    }
  }

  void EpilogueInRegisters(const Values& sums) {
    llvm::Value* row_base = Row();
    InColumns([&] {
      Values column_sums;
      for (int row = 0; row < size.rows; ++row) {
        frame.InScope([&] {
          frame.BindAt(outer.row_, row_base, row, 0);
          frame.accumulator = [&](int group) { return Accumulator(sums, group, row); };
          for (const loop::FlatStore& s : c.epilogue) frame.Store(s);
          column_sums = AddColumnSums(column_sums);
        });
      }
      StoreColumnSums(column_sums);
    });
  }

  // Over a stack tile [group][row][column], one row at a time.
  void EpilogueRolled(const Values& sums) {
    int64_t width = int64_t{size.vectors} * lanes;
    int64_t elements = width * size.rows * groups;
    llvm::Value* tile = frame.Alloca(outer.element_, elements);
    auto* vector = llvm::FixedVectorType::get(outer.element_, static_cast<unsigned>(lanes));
    for (size_t i = 0; i < sums.size(); ++i) {
      llvm::Value* address =
          b.CreateGEP(outer.element_, tile, outer.Number(static_cast<int64_t>(i) * lanes));
      b.CreateAlignedStore(
          sums[i], address,
          llvm::Align(static_cast<uint64_t>(lanes) * static_cast<uint64_t>(ir::ByteSize(c.dtype))));
    }
    llvm::Value* row_base = Row();
    InColumns([&] {
      Values zeros;
      for (const loop::FlatStore& s : c.column_sums) {
        auto* type = llvm::FixedVectorType::get(outer.e_.RegisterType(s.value->dtype),
                                                static_cast<unsigned>(lanes));
        for (int v = 0; v < size.vectors; ++v) zeros.push_back(llvm::Constant::getNullValue(type));
      }
      Values column_sums = frame.Loop(
          outer.Number(0), outer.Number(size.rows), 1, false, zeros, nullptr,
          [&](llvm::Value* iv, const Values& so_far) {
            frame.Bind(outer.row_, b.CreateAdd(row_base, iv));
            llvm::Value* row =
                b.CreateGEP(outer.element_, tile, b.CreateMul(iv, outer.Number(width)));
            frame.accumulator = [&](int group) {
              Packet p{{}, true};
              for (int v = 0; v < size.vectors; ++v) {
                int64_t offset = width * size.rows * group + int64_t{v} * lanes;
                llvm::Value* address = b.CreateGEP(outer.element_, row, outer.Number(offset));
                p.values.push_back(b.CreateAlignedLoad(vector, address, outer.Align()));
              }
              return p;
            };
            for (const loop::FlatStore& s : c.epilogue) frame.Store(s);
            return AddColumnSums(so_far);
          });
      StoreColumnSums(column_sums);
    });
  }

  void Emit() {
    auto* vector = llvm::FixedVectorType::get(outer.element_, static_cast<unsigned>(lanes));
    Values zeros(static_cast<size_t>(groups * size.rows * size.vectors),
                 llvm::Constant::getNullValue(vector));
    frame.written = 0;
    for (const loop::FlatStore& s : c.epilogue)
      frame.written |= uint64_t{1} << std::min(s.buffer, 63);
    if (c.prefetch_c) Prefetch();
    Values sums = zeros;
    if (outer.blocked_) {
      // zeros the first time, else what the block before left
      sums = frame.Choose(first, [&] { return zeros; }, [&] { return Partial(nullptr); });
    }
    sums = KLoops(0, sums);
    auto epilogue = [&] {
      c.epilogue_in_registers ? EpilogueInRegisters(sums) : EpilogueRolled(sums);
    };
    if (!outer.blocked_) return epilogue();
    frame.If(last, epilogue);
    frame.If(b.CreateNot(last), [&] { Partial(&sums); });
  }
};

void ContractionEmitter::EmitTile(llvm::Function* f, TileSize size) { Tile(*this, f, size).Emit(); }

}  // namespace

void EmitContraction(Frame& frame, const Contraction& contraction,
                     const std::vector<ir::Symbol>& symbols) {
  ContractionEmitter(frame, contraction, symbols).Emit();
}

}  // namespace gradus::codegen
