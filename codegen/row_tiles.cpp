// Tiles of rows: balanced or with a short last one, for a number of rows that is known or not, of
// all or of a thread's part.

#include "codegen/row_tiles.h"

namespace gradus::codegen {
namespace {

class RowTiles {
 public:
  RowTiles(Frame& frame, const Tiling& tiling)
      : frame_(frame), t_(tiling), c_(tiling.c), e_(tiling.e), b_(frame.builder()) {}

  void ForEach(const RowTileBody& body) {
    const loop::Extent& extent = t_.row->extent();
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
    const Frame::Range* range = frame_.RangeOf(t_.row);
    if (extent.is_number() && range != nullptr) return ForEachOf(*range, body);
    if (extent.is_number()) {
      int64_t m = extent.number();
      if (m == 0) return;
      if (const int64_t rows = RowsWithoutRest(m); rows > 0) {
        loop(0, m / rows, rows);
      } else if (c_.rows_balanced) {
        int64_t tiles = (m + most - 1) / most, base = m / tiles, larger = m % tiles;
        loop(0, larger, base + 1);
        loop(larger * (base + 1), tiles - larger, base);
      } else {
        loop(0, m / most, most);
        loop(m / most * most, 1, m % most);
      }
      return;
    }
    const auto [begin, end] = frame_.BoundsOf(t_.row);
    llvm::Value* m = b_.CreateSub(end, begin);
    llvm::Value* start = begin;
    // Few sizes of tiles where code is to be small.
    if (e_.small()) return HalvingRows(start, m, body);
    if (!c_.rows_balanced) {
      llvm::Value* main = b_.CreateSub(m, b_.CreateURem(m, Number(most)));
      frame_.Loop(Number(0), main, most, true, {}, nullptr,
                  [&](llvm::Value* row, const Values&) -> Values {
                    body(b_.CreateAdd(row, start), static_cast<int>(most));
                    return {};
                  });
      Choose(b_.CreateSub(m, main), most - 1,
             [&](int rows) { body(b_.CreateAdd(main, start), rows); });
      return;
    }
    // Balanced tiles of three rows or more have two at least, but for one row in all.
    const int64_t least = c_.one_row_vectors > 0 && most > 2 ? 2 : 1;
    llvm::Value* tiles = b_.CreateUDiv(b_.CreateAdd(m, Number(most - 1)), Number(most));
    llvm::Value* divisor = b_.CreateSelect(b_.CreateICmpEQ(tiles, Number(0)), Number(1), tiles);
    llvm::Value* base = b_.CreateUDiv(m, divisor);
    llvm::Value* larger = b_.CreateURem(m, divisor);
    frame_.Loop(
        Number(0), tiles, 1, true, {}, nullptr, [&](llvm::Value* t, const Values&) -> Values {
          llvm::Value* is_larger = b_.CreateICmpSLT(t, larger);
          llvm::Value* rows = b_.CreateAdd(base, b_.CreateZExt(is_larger, e_.index()));
          llvm::Value* before = b_.CreateSelect(is_larger, t, larger);
          llvm::Value* first = b_.CreateAdd(b_.CreateAdd(b_.CreateMul(t, base), before), start);
          Choose(rows, most, [&](int n) { body(first, n); }, least);
          return {};
        });
  }

 private:
  llvm::Value* Number(int64_t n) const { return t_.Number(n); }

  // The same for the range of tiles of this part, M a number.
  void ForEachOf(const Frame::Range& range, const RowTileBody& body) {
    const int64_t m = t_.row->extent().number(), most = c_.tile_rows;
    // Tiles [begin, end) of `rows` rows, of which the first of all is at `row`.
    auto tiles = [&](int64_t begin, int64_t end, int64_t row, int64_t rows) {
      if (begin == end || rows == 0) return;
      frame_.Loop(Largest(b_, range.first, Number(begin)), Least(b_, range.end, Number(end)), 1,
                  true, {}, nullptr, [&](llvm::Value* tile, const Values&) -> Values {
                    body(b_.CreateAdd(b_.CreateMul(tile, Number(rows)), Number(row - begin * rows)),
                         static_cast<int>(rows));
                    return {};
                  });
    };
    const int64_t count = (m + most - 1) / most;
    if (c_.rows_balanced) {
      const int64_t base = m / count, larger = m % count;
      tiles(0, larger, 0, base + 1);
      tiles(larger, count, larger * (base + 1), base);
    } else {
      tiles(0, m / most, 0, most);
      tiles(m / most, count, m / most * most, m % most);
    }
  }

  // A size of tiles, not much smaller, that leaves no rest, where code is to be small; 0: none.
  int64_t RowsWithoutRest(int64_t m) const {
    const int64_t most = c_.tile_rows;
    if (!e_.small()) return 0;
    for (int64_t rows = most; rows > most / 2; --rows) {
      if (m % rows == 0) return rows;
    }
    return 0;
  }

  // Tiles of `most` rows, then at most one of each power of two below.
  void HalvingRows(llvm::Value* start, llvm::Value* m, const RowTileBody& body) {
    const int64_t most = c_.tile_rows;
    llvm::Value* rest = b_.CreateURem(m, Number(most));
    llvm::Value* main = b_.CreateSub(m, rest);
    frame_.Loop(Number(0), main, most, true, {}, nullptr,
                [&](llvm::Value* row, const Values&) -> Values {
                  body(b_.CreateAdd(row, start), static_cast<int>(most));
                  return {};
                });
    llvm::Value* row = b_.CreateAdd(main, start);
    int64_t rows = 1;
    while (2 * rows < most) rows *= 2;
    for (; rows > 0 && rows < most; rows /= 2) {
      llvm::Value* of_these = b_.CreateAnd(rest, Number(rows));
      frame_.If(b_.CreateICmpNE(of_these, Number(0)), [&] { body(row, static_cast<int>(rows)); });
      row = b_.CreateAdd(row, of_these);
    }
  }

  void Choose(llvm::Value* value, int64_t most, const std::function<void(int)>& body,
              int64_t least = 1) {
    for (int64_t n = most; n >= least; --n) {
      frame_.If(b_.CreateICmpEQ(value, Number(n)), [&] { body(static_cast<int>(n)); });
    }
  }

  Frame& frame_;
  const Tiling& t_;
  const loop::Contraction& c_;
  ModuleEmitter& e_;
  llvm::IRBuilder<>& b_;
};

}  // namespace

llvm::Value* Least(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y) {
  return b.CreateSelect(b.CreateICmpSLT(x, y), x, y);
}

llvm::Value* Largest(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y) {
  return b.CreateSelect(b.CreateICmpSGT(x, y), x, y);
}

void ForEachRowTile(Frame& frame, const Tiling& tiling, const RowTileBody& body) {
  RowTiles(frame, tiling).ForEach(body);
}

}  // namespace gradus::codegen
