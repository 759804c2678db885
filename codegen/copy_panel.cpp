#include "codegen/copy_panel.h"

namespace gradus::codegen {

using loop::Variable;

namespace {

class PanelCopy {
 public:
  PanelCopy(Frame& frame, const Tiling& tiling, const PanelPart& part)
      : frame_(frame), t_(tiling), part_(part), b_(frame.builder()) {}

  void Emit() {
    frame_.Bind(t_.c.n, part_.column);
    Level(0, part_.count, Number(0));
  }

 private:
  llvm::Value* Number(int64_t n) const { return t_.Number(n); }

  // The rows of the panel from K loop `level` of a tile on, which runs `count` steps; `row` is the
  // first.
  void Level(size_t level, llvm::Value* count, llvm::Value* row) {
    const Variable* k = t_.tile_k[level];
    const bool innermost = level + 1 == t_.tile_k.size();
    int64_t rows = 1;
    for (const Variable* inside : t_.tile_k.subspan(level + 1)) rows *= inside->extent().number();
    const bool transposes = innermost && t_.transposes_panels;
    frame_.Loop(Number(0), count, transposes ? t_.lanes : 1, true, {}, nullptr,
                [&](llvm::Value* iv, const Values&) -> Values {
                  frame_.Bind(k, level == 0 ? b_.CreateAdd(part_.begin, iv) : iv);
                  llvm::Value* here = b_.CreateAdd(row, b_.CreateMul(iv, Number(rows)));
                  if (transposes) {
                    Transpose(here, b_.CreateSub(count, iv));
                  } else if (innermost) {
                    Copy(here);
                  } else {
                    Level(level + 1, frame_.Extent(t_.tile_k[level + 1]->extent()), here);
                  }
                  return {};
                });
  }

  llvm::Value* Source() {
    return frame_.Address(frame_.pointer(t_.c.b.buffer), t_.element, t_.c.b.offset);
  }
  llvm::Value* Target(llvm::Value* row) {
    return b_.CreateGEP(t_.element, part_.panel, b_.CreateMul(row, Number(t_.columns)));
  }

  void Copy(llvm::Value* row) {
    llvm::Value *source = Source(), *target = Target(row);
    for (int v = 0; v < part_.vectors; ++v) {
      llvm::Value* at = Number(int64_t{v} * t_.lanes);
      llvm::Value* x = t_.LoadVector(b_, b_.CreateGEP(t_.element, source, at),
                                     v + 1 == part_.vectors ? part_.tail : 0);
      b_.CreateAlignedStore(x, b_.CreateGEP(t_.element, target, at), t_.Align());
    }
  }

  // As many rows as a vector has lanes, or the `rest` that is left.
  void Transpose(llvm::Value* row, llvm::Value* rest) {
    const int64_t stride = t_.c.b.offset.coefficient(t_.c.n);
    const auto bytes = static_cast<int>(ir::ByteSize(t_.c.dtype));
    llvm::Value *source = Source(), *target = Target(row), *lanes = Number(t_.lanes);
    llvm::Value* whole = b_.CreateICmpSGE(rest, lanes);
    llvm::Value* rows = b_.CreateSelect(whole, lanes, rest);
    for (int v = 0; v < part_.vectors; ++v) {
      const bool is_tail = v + 1 == part_.vectors && part_.tail != 0;
      const int64_t at = int64_t{v} * t_.lanes;
      const std::vector<llvm::Value*> args = {b_.CreateGEP(t_.element, source, Number(at * stride)),
                                              Number(stride),
                                              b_.CreateGEP(t_.element, target, Number(at)),
                                              Number(t_.columns),
                                              is_tail ? Number(part_.tail) : lanes,
                                              rows};
      const auto call = [&](bool full) {
        b_.CreateCall(TransposeFunction(t_.e, bytes, full), args);
      };
      if (is_tail) {
        call(false);
        continue;
      }
      frame_.If(whole, [&] { call(true); });
      frame_.If(b_.CreateNot(whole), [&] { call(false); });
    }
  }

  Frame& frame_;
  const Tiling& t_;
  const PanelPart& part_;
  llvm::IRBuilder<>& b_;
};

}  // namespace

void EmitCopyPanel(Frame& frame, const Tiling& tiling, const PanelPart& part) {
  frame.InScope([&] { PanelCopy(frame, tiling, part).Emit(); });
}

}  // namespace gradus::codegen
