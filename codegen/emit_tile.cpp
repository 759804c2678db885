// The function of one size of register tile: rows x vectors accumulators in registers over all of
// K, then the epilogue on them; the result is touched nowhere else. Strides are constants, so that
// addresses are one pointer and displacements.

#include <algorithm>

#include "codegen/epilogue_fetch.h"
#include "ir/loop/walk.h"
#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

using loop::Contraction;
using loop::Index;
using loop::Term;
using loop::Variable;

namespace {

// The part of a form that depends on the variables given.
Index Part(const Index& form, std::span<const Variable* const> variables) {
  Index part;
  for (const Term& t : form.terms()) {
    if (std::ranges::find(variables, t.variable) == variables.end()) continue;
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

// One tile function while it is written.
struct Tile {
  const Tiling& tiling;
  const Contraction& c;
  TileSize size;
  Frame frame;
  llvm::IRBuilder<>& b;
  llvm::Value *a, *b_side, *k_count = nullptr, *first = nullptr, *last = nullptr, *ahead = nullptr;
  VectorContext context;
  EpilogueFetch fetch;
  int lanes;

  Tile(const Tiling& shared, llvm::Function* f, TileSize tile_size)
      : tiling(shared),
        c(shared.c),
        size(tile_size),
        frame(shared.e, f, shared.buffers),
        b(frame.builder()),
        a(f->getArg(0)),
        b_side(f->getArg(1)),
        fetch(frame, shared, tile_size),
        lanes(shared.lanes) {
    unsigned next = 2;
    for (int buffer : tiling.used_buffers) frame.SetPointer(buffer, f->getArg(next++));
    for (const Variable* v : tiling.used_variables) frame.Bind(v, f->getArg(next++));
    for (ir::Symbol s : tiling.symbols) frame.SetSymbol(s, f->getArg(next++));
    if (tiling.blocked) {
      k_count = f->getArg(next++);
      first = f->getArg(next++);
      last = f->getArg(next++);
    }
    if (tiling.fetches_ahead && !size.alone) ahead = f->getArg(next++);
    context = {c.n, lanes, size.vectors, Values(static_cast<size_t>(size.vectors), nullptr)};
    if (size.tail != 0) context.masks.back() = tiling.TailMask(size.tail);
  }

  size_t At(int row, int vector) const { return static_cast<size_t>(row * size.vectors + vector); }

  // With the variable of columns vectorised.
  void InColumns(const std::function<void()>& body) {
    llvm::Value* column = frame.EvaluateHere(Index(c.n));
    frame.InScope(
        [&] {
          frame.BindAt(c.n, column, 0, 0);
          body();
        },
        &context);
  }

  llvm::Value* Row() { return frame.EvaluateHere(Index(tiling.row)); }

  // Of a tile for any number of rows, the sizes that few rows are in keep to one step of K: theirs
  // is much code.
  int64_t Unroll() const {
    constexpr int kSmallTile = 16;  // vectors
    const bool rare = !tiling.row->extent().is_number() && size.rows + 1 < c.tile_rows &&
                      c.tile_rows * c.tile_vectors > kSmallTile;
    return tiling.e.small() || rare ? 1 : std::max(c.k_unroll, 1);
  }

  // The sums of this tile over K, added to `sums`.
  Values KLoops(size_t level, const Values& sums) {
    const Variable* k = tiling.tile_k[level];
    const bool in_block = tiling.blocked && level == 0;
    const loop::KRange* range = in_block ? nullptr : tiling.RangeOf(k);
    std::pair<llvm::Value*, llvm::Value*> bounds{tiling.Number(0), k_count};
    if (range != nullptr) bounds = tiling.StepsOf(frame, *range);
    if (level + 1 < tiling.tile_k.size()) {
      if (!in_block && range == nullptr) {
        return frame.LoopOver(k, sums, [&](const Values& s) { return KLoops(level + 1, s); });
      }
      return frame.Loop(bounds.first, bounds.second, 1, in_block, sums, nullptr,
                        [&](llvm::Value* iv, const Values& s) {
                          frame.Bind(k, iv);
                          return KLoops(level + 1, s);
                        });
    }
    const int64_t unroll = Unroll();
    auto steps = [&](llvm::Value* iv, int64_t offset, int64_t count, Values s) {
      for (int64_t t = 0; t < count; ++t) {
        frame.InScope([&] {
          frame.BindAt(k, iv, offset + t, frame.depth() - 1);
          if (t == 0 && (iv != nullptr || offset == 0)) fetch.Step();
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
    if (range == nullptr && extent.is_number() && !in_block) {
      int64_t n = extent.number(), main = n - n % unroll;
      Values s = sums;
      if (main > unroll) {
        s = loop(tiling.Number(0), tiling.Number(main), unroll, false, s);
      } else {
        main = 0;
      }
      return steps(nullptr, main, n - main, s);
    }
    if (range == nullptr && !in_block) bounds.second = frame.Extent(extent);
    const auto [begin, end] = bounds;
    if (unroll == 1) return loop(begin, end, 1, range == nullptr, sums);
    llvm::Value* main =
        b.CreateSub(end, b.CreateURem(b.CreateSub(end, begin), tiling.Number(unroll)));
    Values s = loop(begin, main, unroll, true, sums);
    return loop(main, end, 1, true, s);
  }

  // One step of K: the row of B in vectors, the column of A in broadcasts.
  Values Step(Values sums) {
    llvm::Value* a_address = frame.Address(a, tiling.element, Part(c.a.offset, tiling.tile_k));
    llvm::Value* b_address;
    if (c.b_panel_buffer >= 0 && !size.alone) {
      Index row;
      int64_t stride = tiling.columns * tiling.inner_terms;
      for (const Variable* k : tiling.tile_k) {
        if (k != tiling.tile_k.front()) stride /= k->extent().number();
        row = row + Index(k) * stride;
      }
      b_address = frame.Address(b_side, tiling.element, row);
    } else {
      b_address = frame.Address(b_side, tiling.element, Part(c.b.offset, tiling.tile_k));
    }
    auto at = [&](llvm::Value* base, int64_t offset) {
      return offset == 0 ? base : b.CreateGEP(tiling.element, base, tiling.Number(offset));
    };
    if (ahead != nullptr) FetchAhead(b_address);
    if (tiling.streams_b && (size.alone || c.tile_rows == 1)) FetchRowsOfB(b_address);
    Values columns;
    for (int v = 0; v < size.vectors; ++v) {
      columns.push_back(tiling.LoadVector(b, at(b_address, int64_t{v} * lanes),
                                          v + 1 == size.vectors ? size.tail : 0));
    }
    for (int row = 0; row < size.rows; ++row) {
      llvm::Value* x = b.CreateLoad(tiling.element, at(a_address, row * tiling.row_stride));
      x = b.CreateVectorSplat(static_cast<unsigned>(lanes), x);
      for (int v = 0; v < size.vectors; ++v) {
        llvm::Value*& sum = sums[At(row, v)];
        sum = MultiplyAdd(frame, c.dtype, x, columns[static_cast<size_t>(v)], sum);
      }
    }
    return sums;
  }

  // The row of B some steps on, which passes the caches once.
  void FetchRowsOfB(llvm::Value* b_address) {
    constexpr int64_t kStepsAhead = 8;
    constexpr int kFirst = 3;  // LLVM's `locality`
    const int64_t row = kStepsAhead * c.b.offset.coefficient(tiling.tile_k.back());
    for (int v = 0; v < size.vectors; ++v) {
      llvm::Value* at =
          b.CreateGEP(tiling.element, b_address, tiling.Number(row + int64_t{v} * lanes));
      b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                        {at, b.getInt32(0), b.getInt32(kFirst), b.getInt32(1)});
    }
  }

  // Of the next panel: a vector of this row to the first-level cache. Where the panel is to be
  // copied first, a line every few steps to the second: memory would not keep up with more.
  void FetchAhead(llvm::Value* b_address) {
    constexpr int kFirst = 3, kSecond = 2;  // LLVM's `locality`
    if (tiling.transposes_panels) {
      const Index step = Part(c.b.offset, tiling.tile_k);
      b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                        {frame.Address(ahead, tiling.element, step), b.getInt32(0),
                         b.getInt32(kSecond), b.getInt32(1)});
      return;
    }
    llvm::Value* address = b.CreateGEP(tiling.element, tiling.copies_as_it_goes ? ahead : b_address,
                                       tiling.copies_as_it_goes ? LineAhead() : ahead);
    b.CreateIntrinsic(llvm::Intrinsic::prefetch, {b.getPtrTy()},
                      {address, b.getInt32(0),
                       b.getInt32(tiling.copies_as_it_goes ? kSecond : kFirst), b.getInt32(1)});
  }

  // Elements from `ahead` on: in kFetchSteps steps all vectors of a row, in a tile a part of the
  // rows.
  llvm::Value* LineAhead() {
    const Variable* inner = tiling.tile_k.back();
    llvm::Value* step = frame.EvaluateHere(Index(inner));
    llvm::Value* row = b.CreateUDiv(step, tiling.Number(kFetchSteps));
    llvm::Value* vector = b.CreateUDiv(
        b.CreateMul(b.CreateURem(step, tiling.Number(kFetchSteps)), tiling.Number(c.tile_vectors)),
        tiling.Number(kFetchSteps));
    const int64_t stride = c.b.offset.coefficient(inner);
    return b.CreateAdd(b.CreateMul(row, tiling.Number(stride)),
                       b.CreateMul(vector, tiling.Number(lanes)));
  }

  // Partial sums, at partial_offset of each row.
  Values Partial(const Values* store) {
    Values sums;
    llvm::Value* row_base = Row();
    InColumns([&] {
      for (int row = 0; row < size.rows; ++row) {
        frame.InScope([&] {
          frame.BindAt(tiling.row, row_base, row, 0);
          for (int v = 0; v < size.vectors; ++v) {
            llvm::Value* address = frame.Address(frame.pointer(c.partial_buffer), tiling.element,
                                                 c.partial_offset, int64_t{v} * lanes);
            int tail = v + 1 == size.vectors ? size.tail : 0;
            if (store == nullptr) {
              sums.push_back(tiling.LoadVector(b, address, tail));
            } else if (tail == 0) {
              b.CreateAlignedStore((*store)[At(row, v)], address, tiling.Align());
            } else {
              b.CreateMaskedStore((*store)[At(row, v)], address, tiling.Align(),
                                  tiling.TailMask(tail));
            }
          }
        });
      }
    });
    return sums;
  }

  Packet Accumulator(const Values& sums, int row) {
    Packet p{{}, true};
    for (int v = 0; v < size.vectors; ++v) p.values.push_back(sums[At(row, v)]);
    return p;
  }

  void EpilogueInRegisters(const Values& sums) {
    llvm::Value* row_base = Row();
    InColumns([&] {
      for (int row = 0; row < size.rows; ++row) {
        frame.InScope([&] {
          frame.BindAt(tiling.row, row_base, row, 0);
          frame.accumulator = [&] { return Accumulator(sums, row); };
          for (const loop::FlatStore& s : c.epilogue) frame.Store(s);
        });
      }
    });
  }

  // Over a stack tile [row][column], one row at a time.
  void EpilogueRolled(const Values& sums) {
    int64_t width = int64_t{size.vectors} * lanes;
    int64_t elements = width * size.rows;
    llvm::Value* tile = frame.Alloca(tiling.element, elements);
    auto* vector = llvm::FixedVectorType::get(tiling.element, static_cast<unsigned>(lanes));
    for (size_t i = 0; i < sums.size(); ++i) {
      llvm::Value* address =
          b.CreateGEP(tiling.element, tile, tiling.Number(static_cast<int64_t>(i) * lanes));
      b.CreateAlignedStore(
          sums[i], address,
          llvm::Align(static_cast<uint64_t>(lanes) * static_cast<uint64_t>(ir::ByteSize(c.dtype))));
    }
    llvm::Value* row_base = Row();
    InColumns([&] {
      frame.Loop(tiling.Number(0), tiling.Number(size.rows), 1, false, {}, nullptr,
                 [&](llvm::Value* iv, const Values&) -> Values {
                   frame.Bind(tiling.row, b.CreateAdd(row_base, iv));
                   llvm::Value* row =
                       b.CreateGEP(tiling.element, tile, b.CreateMul(iv, tiling.Number(width)));
                   frame.accumulator = [&] {
                     Packet p{{}, true};
                     for (int v = 0; v < size.vectors; ++v) {
                       llvm::Value* address =
                           b.CreateGEP(tiling.element, row, tiling.Number(int64_t{v} * lanes));
                       p.values.push_back(b.CreateAlignedLoad(vector, address, tiling.Align()));
                     }
                     return p;
                   };
                   for (const loop::FlatStore& s : c.epilogue) frame.Store(s);
                   return {};
                 });
    });
  }

  // A row's epilogue once rather than once a row.
  bool RollsForSize() const {
    return tiling.e.small() && size.rows > 2 && size.rows * size.vectors >= 8;
  }

  void Emit() {
    auto* vector = llvm::FixedVectorType::get(tiling.element, static_cast<unsigned>(lanes));
    Values zeros(static_cast<size_t>(size.rows * size.vectors),
                 llvm::Constant::getNullValue(vector));
    frame.written = 0;
    for (const loop::FlatStore& s : c.epilogue)
      frame.written |= uint64_t{1} << std::min(s.buffer, 63);
    // Not where code is to be small: it would also keep tiles apart that are one without it.
    if (c.prefetch_epilogue && !tiling.e.small()) {
      InColumns([&] { fetch.Begin(last); });
    }
    Values sums = zeros;
    if (tiling.blocked) {
      // zeros the first time, else what the block before left
      sums = frame.Choose(first, [&] { return zeros; }, [&] { return Partial(nullptr); });
    }
    sums = KLoops(0, sums);
    auto epilogue = [&] {
      const bool rolled = !c.epilogue_in_registers || RollsForSize();
      rolled ? EpilogueRolled(sums) : EpilogueInRegisters(sums);
    };
    if (!tiling.blocked) return epilogue();
    frame.If(last, epilogue);
    frame.If(b.CreateNot(last), [&] { Partial(&sums); });
  }
};

}  // namespace

llvm::Function* EmitTile(const Tiling& tiling, TileSize size, const std::string& name) {
  ModuleEmitter& e = tiling.e;
  std::vector<llvm::Type*> types(2 + tiling.used_buffers.size(), e.pointer());
  types.resize(types.size() + tiling.used_variables.size() + tiling.symbols.size(), e.index());
  if (tiling.blocked) {
    types.push_back(e.index());
    types.resize(types.size() + 2, llvm::Type::getInt1Ty(e.context()));
  }
  if (tiling.fetches_ahead && !size.alone) {
    types.push_back(tiling.copies_as_it_goes ? static_cast<llvm::Type*>(e.pointer()) : e.index());
  }
  llvm::Function* f = e.AddFunction(
      name, llvm::FunctionType::get(llvm::Type::getVoidTy(e.context()), types, false), false);
  Tile(tiling, f, size).Emit();
  return f;
}

}  // namespace gradus::codegen
