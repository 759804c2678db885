// Contractions: loops that call a function for each size of register tile (emit_tile.cpp).

#include <algorithm>

#include "codegen/copy_panel.h"
#include "codegen/emit_kernel.h"
#include "codegen/row_tiles.h"
#include "codegen/tiling.h"
#include "fmt/format.h"

namespace gradus::codegen {

using loop::Contraction;
using loop::Index;
using loop::Variable;

namespace {

class ContractionEmitter {
 public:
  ContractionEmitter(Frame& frame, const Contraction& c, const std::vector<ir::Symbol>& symbols)
      : frame_(frame),
        t_(frame.emitter(), c, frame.buffers(), symbols),
        c_(c),
        e_(frame.emitter()),
        b_(frame.builder()) {}

  void Emit() {
    Over(c_.batch, 0, c_.batch.size(), [&] { t_.blocked ? KBlocks() : Tiles(); });
  }

 private:
  void Over(const std::vector<const Variable*>& variables, size_t level, size_t end,
            const std::function<void()>& body) {
    if (level == end) return body();
    frame_.LoopOver(variables[level], {}, [&](const Values&) -> Values {
      Over(variables, level + 1, end, body);
      return {};
    });
  }

  llvm::Value* Number(int64_t n) const { return t_.Number(n); }

  // Loops over the K loops outside of those in blocks. Each runs at least once, for a sum over
  // nothing is stored, too: then blocks are empty.
  void KBlocks(size_t level = 0) {
    if (level == 0) {
      first_ = last_ = b_.getTrue();
      empty_ = b_.getFalse();
    }
    if (level == static_cast<size_t>(c_.k_level)) return Blocks();
    llvm::Value* count = frame_.Extent(c_.k[level]->extent());
    llvm::Value* none = b_.CreateICmpEQ(count, Number(0));
    llvm::Value* end = b_.CreateSelect(none, Number(1), count);
    frame_.Loop(Number(0), end, 1, false, {}, nullptr,
                [&](llvm::Value* iv, const Values&) -> Values {
                  llvm::Value *first = first_, *last = last_, *empty = empty_;
                  frame_.Bind(c_.k[level], iv);
                  if (t_.RangeOf(c_.k[level]) == nullptr) {
                    first_ = b_.CreateAnd(first, b_.CreateICmpEQ(iv, Number(0)));
                    last_ = b_.CreateAnd(last, b_.CreateICmpEQ(b_.CreateAdd(iv, Number(1)), end));
                  }
                  empty_ = b_.CreateOr(empty, none);
                  KBlocks(level + 1);
                  first_ = first;
                  last_ = last;
                  empty_ = empty;
                  return {};
                });
  }

  // K in blocks of equal length but the last; between blocks the sums are in memory.
  void Blocks() {
    const loop::Extent& extent = c_.k[static_cast<size_t>(c_.k_level)]->extent();
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
                  k_count_ = b_.CreateSelect(empty_, Number(0), k_count_);
                  llvm::Value *first = first_, *last = last_;
                  if (t_.RangeOf(t_.tile_k.front()) == nullptr) {
                    first_ = b_.CreateAnd(first, b_.CreateICmpEQ(block, Number(0)));
                    last_ = b_.CreateAnd(
                        last, b_.CreateICmpEQ(b_.CreateAdd(block, Number(1)), counter_end));
                  }
                  block_length_ = length;
                  if (c_.b_panel_buffer >= 0 && !t_.copies_as_it_goes) CopyPanels();
                  Tiles();
                  first_ = first;
                  last_ = last;
                  return {};
                });
  }

  // This block of B, a panel [k][columns] for each tile of columns.
  void CopyPanels() {
    Columns([&](llvm::Value* n_base, llvm::Value* tile, int vectors, int tail) {
      CopyPanel(n_base, tile, vectors, tail);
    });
  }

  void CopyPanel(llvm::Value* n_base, llvm::Value* tile, int vectors, int tail) {
    EmitCopyPanel(frame_, t_, {PanelAddress(tile), n_base, k_begin_, k_count_, vectors, tail});
  }

  // One that is copied as it goes is in the place of the first: of all, or of this part's.
  llvm::Value* PanelAddress(llvm::Value* tile) {
    const Frame::Range* range = frame_.RangeOf(c_.n);
    if (t_.copies_as_it_goes) tile = range != nullptr ? range->first : Number(0);
    llvm::Value* offset =
        b_.CreateMul(tile, b_.CreateMul(block_length_, Number(t_.columns * t_.inner_terms)));
    return b_.CreateGEP(t_.element, frame_.pointer(c_.b_panel_buffer), offset);
  }

  // Of the block, what a tile does: all of it, or what ranges of K leave.
  struct Steps {
    llvm::Value *begin, *count, *first, *last;
    llvm::Value* runs = nullptr;  // null: always
  };

  // Where these begin in the panel.
  llvm::Value* PanelAddress(llvm::Value* tile, const Steps& steps) {
    llvm::Value* panel = PanelAddress(tile);
    if (steps.begin == k_begin_) return panel;
    llvm::Value* rows = b_.CreateSub(steps.begin, k_begin_);
    return b_.CreateGEP(t_.element, panel, b_.CreateMul(rows, Number(t_.columns * t_.inner_terms)));
  }

  // Calls body(first column, number of the tile, vectors, tail) for each tile of columns.
  void Columns(const std::function<void(llvm::Value*, llvm::Value*, int, int)>& body) {
    int64_t n = c_.n->extent().number();
    int64_t full = n / t_.columns, rest = n % t_.columns;
    auto whole_tile = [&](llvm::Value* tile, const Values&) -> Values {
      body(b_.CreateMul(tile, Number(t_.columns)), tile, c_.tile_vectors, 0);
      return {};
    };
    auto last_tile = [&] {
      body(Number(full * t_.columns), Number(full),
           static_cast<int>((rest + t_.lanes - 1) / t_.lanes), static_cast<int>(rest % t_.lanes));
    };
    if (const Frame::Range* range = frame_.RangeOf(c_.n)) {
      frame_.Loop(range->first, Least(b_, range->end, Number(full)), 1, true, {}, nullptr,
                  whole_tile);
      if (rest > 0) frame_.If(b_.CreateICmpSGT(range->end, Number(full)), last_tile);
      return;
    }
    if (full == 1) {
      body(Number(0), Number(0), c_.tile_vectors, 0);
    } else if (full > 1) {
      frame_.Loop(Number(0), Number(full), 1, false, {}, nullptr, whole_tile);
    }
    if (rest > 0) last_tile();
  }

  void Tiles() {
    if (c_.one_row_vectors == 0) return TilesOfRows();
    // Whole tiles of columns, of this part or of all.
    const int64_t full = c_.n->extent().number() / t_.columns;
    const Frame::Range* range = frame_.RangeOf(c_.n);
    llvm::Value* first = range == nullptr ? Number(0) : range->first;
    llvm::Value* end = range == nullptr ? Number(full) : Least(b_, range->end, Number(full));
    llvm::Value* rest =
        b_.CreateURem(b_.CreateSub(end, first), Number(c_.one_row_vectors / c_.tile_vectors));
    const auto [row, row_end] = frame_.BoundsOf(t_.row);
    llvm::Value* alone = b_.CreateICmpEQ(b_.CreateSub(row_end, row), Number(1));
    llvm::Value* narrow = end;
    if (e_.small()) {  // which has no other widths for it
      alone = b_.CreateAnd(alone, b_.CreateICmpEQ(rest, Number(0)));
    } else {
      narrow = b_.CreateSub(end, rest);
    }
    frame_.If(alone, [&] { TilesOfOneRow(row, first, narrow, end); });
    frame_.If(b_.CreateNot(alone), [&] { TilesOfRows(); });
  }

  // Tiles of columns [first, end), up to `narrow` several at once, and the last columns.
  void TilesOfOneRow(llvm::Value* row, llvm::Value* first, llvm::Value* narrow, llvm::Value* end) {
    const auto call = [&](int vectors, int tail, llvm::Value* tile) {
      frame_.InScope([&] {
        Call({1, vectors, tail, true}, row, b_.CreateMul(tile, Number(t_.columns)), tile);
      });
    };
    const auto loop = [&](llvm::Value* from, llvm::Value* to, int tiles) {
      frame_.Loop(from, to, tiles, true, {}, nullptr, [&](llvm::Value* tile, const Values&) {
        call(tiles * c_.tile_vectors, 0, tile);
        return Values();
      });
    };
    loop(first, narrow, c_.one_row_vectors / c_.tile_vectors);
    if (e_.small()) return;
    loop(narrow, end, 1);
    const int64_t n = c_.n->extent().number(), last = n % t_.columns;
    if (last == 0) return;
    const auto last_tile = [&] {
      call(static_cast<int>((last + t_.lanes - 1) / t_.lanes), static_cast<int>(last % t_.lanes),
           Number(n / t_.columns));
    };
    const Frame::Range* range = frame_.RangeOf(c_.n);
    if (range == nullptr) return last_tile();
    frame_.If(b_.CreateICmpSGT(range->end, Number(n / t_.columns)), last_tile);
  }

  void TilesOfRows() {
    auto call = [&](llvm::Value* row, int rows, llvm::Value* column, llvm::Value* tile, int vectors,
                    int tail) {
      frame_.InScope([&] { Call({rows, vectors, tail}, row, column, tile); });
    };
    size_t outer = c_.m.size() - 1;
    if (c_.order == Contraction::Order::kColumnsOuter) {
      Columns([&](llvm::Value* column, llvm::Value* tile, int vectors, int tail) {
        if (t_.copies_as_it_goes) CopyPanel(column, tile, vectors, tail);
        Over(c_.m, 0, outer, [&] {
          ForEachRowTile(frame_, t_, [&](llvm::Value* row, int rows) {
            call(row, rows, column, tile, vectors, tail);
          });
        });
      });
    } else {
      Over(c_.m, 0, outer, [&] {
        ForEachRowTile(frame_, t_, [&](llvm::Value* row, int rows) {
          Columns([&](llvm::Value* column, llvm::Value* tile, int vectors, int tail) {
            call(row, rows, column, tile, vectors, tail);
          });
        });
      });
    }
  }

  Steps StepsOfBlock() {
    Steps steps{k_begin_, k_count_, first_, last_};
    if (!t_.blocked) return steps;
    auto runs = [&](llvm::Value* condition) {
      steps.runs = steps.runs == nullptr ? condition : b_.CreateAnd(steps.runs, condition);
    };
    for (const Variable* k : std::span(c_.k).first(static_cast<size_t>(c_.k_level))) {
      const loop::KRange* range = t_.RangeOf(k);
      if (range == nullptr) continue;
      const auto [begin, end] = t_.StepsOf(frame_, *range);
      llvm::Value* at = frame_.EvaluateHere(Index(k));
      runs(b_.CreateICmpSGE(at, begin));
      runs(b_.CreateICmpSLT(at, end));
      steps.first = b_.CreateAnd(steps.first, b_.CreateICmpEQ(at, begin));
      steps.last = b_.CreateAnd(steps.last, b_.CreateICmpEQ(b_.CreateAdd(at, Number(1)), end));
    }
    if (const loop::KRange* range = t_.RangeOf(t_.tile_k.front())) {
      const auto [begin, end] = t_.StepsOf(frame_, *range);
      llvm::Value* end_of_block = b_.CreateAdd(k_begin_, k_count_);
      steps.first = b_.CreateAnd(steps.first, b_.CreateICmpSGE(begin, k_begin_));
      steps.last = b_.CreateAnd(steps.last, b_.CreateICmpSLE(end, end_of_block));
      steps.begin = Largest(b_, begin, k_begin_);
      steps.count = b_.CreateSub(Least(b_, end, end_of_block), steps.begin);
      runs(b_.CreateOr(b_.CreateICmpSGT(steps.count, Number(0)), empty_));
      steps.count = b_.CreateSelect(empty_, Number(0), steps.count);
    }
    return steps;
  }

  void Call(TileSize size, llvm::Value* row, llvm::Value* column, llvm::Value* tile) {
    const Steps steps = StepsOfBlock();
    auto call = [&] { Call(size, row, column, tile, steps); };
    steps.runs != nullptr ? frame_.If(steps.runs, call) : call();
  }

  void Call(TileSize size, llvm::Value* row, llvm::Value* column, llvm::Value* tile,
            const Steps& steps) {
    auto bind = [&](const Variable* v, llvm::Value* value) {
      auto* number = llvm::dyn_cast<llvm::ConstantInt>(value);
      number != nullptr ? frame_.Bind(v, nullptr, number->getSExtValue()) : frame_.Bind(v, value);
    };
    bind(t_.row, row);
    bind(c_.n, column);
    for (const Variable* k : t_.tile_k) {
      bind(k, t_.blocked && k == t_.tile_k.front() ? steps.begin : Number(0));
    }
    Values args{frame_.Address(frame_.pointer(c_.a.buffer), t_.element, c_.a.offset),
                c_.b_panel_buffer >= 0 && !size.alone
                    ? PanelAddress(tile, steps)
                    : frame_.Address(frame_.pointer(c_.b.buffer), t_.element, c_.b.offset)};
    for (int buffer : t_.used_buffers) args.push_back(frame_.pointer(buffer));
    for (const Variable* v : t_.used_variables) args.push_back(frame_.EvaluateHere(Index(v)));
    for (ir::Symbol s : t_.symbols) args.push_back(frame_.symbol(s));
    if (t_.blocked) {
      args.push_back(steps.count);
      args.push_back(steps.first);
      args.push_back(steps.last);
    }
    if (t_.fetches_ahead && !size.alone) {
      // Tiles of rows take turns, those of all loops around.
      llvm::Value* turn = b_.CreateUDiv(row, Number(size.rows));
      for (size_t i = 0; i + 1 < c_.m.size(); ++i) {
        turn = b_.CreateAdd(turn, frame_.EvaluateHere(Index(c_.m[i])));
      }
      if (t_.transposes_panels) {
        llvm::Value* next =
            b_.CreateAdd(b_.CreateURem(turn, Number(t_.columns)), Number(t_.columns));
        args.push_back(b_.CreateGEP(
            t_.element, frame_.Address(frame_.pointer(c_.b.buffer), t_.element, c_.b.offset),
            b_.CreateMul(next, Number(c_.b.offset.coefficient(c_.n)))));
      } else if (t_.copies_as_it_goes) {
        const Variable* inner = t_.tile_k.back();
        llvm::Value* count = t_.tile_k.size() == 1 ? k_count_ : frame_.Extent(inner->extent());
        llvm::Value* part = b_.CreateMul(b_.CreateURem(turn, Number(kFetchSteps)),
                                         b_.CreateUDiv(count, Number(kFetchSteps)));
        llvm::Value* rows = b_.CreateMul(part, Number(c_.b.offset.coefficient(inner)));
        args.push_back(b_.CreateGEP(
            t_.element, frame_.Address(frame_.pointer(c_.b.buffer), t_.element, c_.b.offset),
            b_.CreateAdd(rows, Number(t_.columns))));
      } else {
        llvm::Value* vector = b_.CreateURem(turn, Number(c_.tile_vectors));
        args.push_back(b_.CreateAdd(b_.CreateMul(vector, Number(t_.lanes)), Number(t_.columns)));
      }
    }
    b_.CreateCall(TileFunction(size), args);
  }

  llvm::Function* TileFunction(TileSize size) {
    auto it =
        std::find_if(tiles_.begin(), tiles_.end(), [&](const auto& t) { return t.first == size; });
    if (it != tiles_.end()) return it->second;
    const int width =
        size.tail == 0 ? size.vectors * t_.lanes : (size.vectors - 1) * t_.lanes + size.tail;
    llvm::Function* f =
        EmitTile(t_, size,
                 fmt::format("{}.tile{}x{}", frame_.function()->getName().str(), size.rows, width));
    tiles_.emplace_back(size, f);
    return f;
  }

  Frame& frame_;
  const Tiling t_;
  const Contraction& c_;
  ModuleEmitter& e_;
  llvm::IRBuilder<>& b_;
  std::vector<std::pair<TileSize, llvm::Function*>> tiles_;
  // Of the block: where it begins, its steps and those of a full one; whether its sums begin at 0
  // and end in the epilogue; whether a K loop around it runs over nothing.
  llvm::Value *k_begin_ = nullptr, *k_count_ = nullptr, *block_length_ = nullptr;
  llvm::Value *first_ = nullptr, *last_ = nullptr, *empty_ = nullptr;
};

}  // namespace

void EmitContraction(Frame& frame, const Contraction& contraction,
                     const std::vector<ir::Symbol>& symbols) {
  ContractionEmitter(frame, contraction, symbols).Emit();
}

}  // namespace gradus::codegen
