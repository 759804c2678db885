// Functions that kernels of a module share: register transposition and plain copies.

#include <vector>

#include "codegen/frame.h"

namespace gradus::codegen {

namespace {

using Rows = std::vector<llvm::Value*>;

// Transposes lanes x lanes elements held in `lanes` vectors, in two stages: blocks of 128 bits are
// transposed inside (interleaving pairs of rows once for doubles, twice for floats), then moved as
// wholes. Both are what x86 shuffles do in one instruction.
Rows Shuffle(llvm::IRBuilder<>& b, Rows rows, int element_bytes) {
  int lanes = static_cast<int>(rows.size());
  int chunk = 16 / element_bytes;  // elements of a block
  if (lanes < chunk) return rows;
  int chunks = lanes / chunk;
  // Interleaves groups of `group` elements of the low or high half of each block of x and y.
  auto unpack = [&](llvm::Value* x, llvm::Value* y, int group, bool high) {
    llvm::SmallVector<int, 16> mask;
    for (int q = 0; q < chunks; ++q) {
      int begin = q * chunk + (high ? chunk / 2 : 0);
      for (int i = 0; i < chunk / 2; i += group) {
        for (int j = 0; j < group; ++j) mask.push_back(begin + i + j);
        for (int j = 0; j < group; ++j) mask.push_back(lanes + begin + i + j);
      }
    }
    return b.CreateShuffleVector(x, y, mask);
  };
  // blocks[g][c]: block q holds rows g*chunk.. of column q*chunk + c.
  std::vector<Rows> blocks;
  for (int g = 0; g < chunks; ++g) {
    auto row = [&](int i) { return rows[static_cast<size_t>(g * chunk + i)]; };
    if (chunk == 2) {
      blocks.push_back({unpack(row(0), row(1), 1, false), unpack(row(0), row(1), 1, true)});
      continue;
    }
    llvm::Value* t0 = unpack(row(0), row(1), 1, false);
    llvm::Value* t1 = unpack(row(0), row(1), 1, true);
    llvm::Value* t2 = unpack(row(2), row(3), 1, false);
    llvm::Value* t3 = unpack(row(2), row(3), 1, true);
    blocks.push_back({unpack(t0, t2, 2, false), unpack(t0, t2, 2, true), unpack(t1, t3, 2, false),
                      unpack(t1, t3, 2, true)});
  }
  // Halving: vectors x and y of two groups give one with the even and one with the odd blocks.
  // After log2(chunks) rounds vector g of column c holds block g of every group, in order.
  Rows out(rows.size());
  for (int c = 0; c < chunk; ++c) {
    Rows v;
    for (int g = 0; g < chunks; ++g)
      v.push_back(blocks[static_cast<size_t>(g)][static_cast<size_t>(c)]);
    auto pick = [&](llvm::Value* x, llvm::Value* y, llvm::ArrayRef<int> wanted) {
      llvm::SmallVector<int, 16> mask;
      for (int q : wanted) {
        for (int j = 0; j < chunk; ++j) mask.push_back(q * chunk + j);
      }
      return b.CreateShuffleVector(x, y, mask);
    };
    if (chunks == 2) {
      v = {pick(v[0], v[1], {0, 2}), pick(v[0], v[1], {1, 3})};
    } else if (chunks == 4) {
      llvm::Value* low01 = pick(v[0], v[1], {0, 1, 4, 5});
      llvm::Value* high01 = pick(v[0], v[1], {2, 3, 6, 7});
      llvm::Value* low23 = pick(v[2], v[3], {0, 1, 4, 5});
      llvm::Value* high23 = pick(v[2], v[3], {2, 3, 6, 7});
      v = {pick(low01, low23, {0, 2, 4, 6}), pick(low01, low23, {1, 3, 5, 7}),
           pick(high01, high23, {0, 2, 4, 6}), pick(high01, high23, {1, 3, 5, 7})};
    }
    for (int q = 0; q < chunks; ++q)
      out[static_cast<size_t>(q * chunk + c)] = v[static_cast<size_t>(q)];
  }
  return out;
}

}  // namespace

llvm::Function* TransposeFunction(ModuleEmitter& emitter, int element_bytes, bool full) {
  std::string name = (full ? "transpose_" : "transpose_edge_") + std::to_string(element_bytes * 8);
  llvm::Function*& known = emitter.Shared(name);
  if (known != nullptr) return known;
  auto* ptr = emitter.pointer();
  auto* index = emitter.index();
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(emitter.context()),
                                       {ptr, index, ptr, index, index, index}, false);
  llvm::Function* f = emitter.AddFunction(name, type, false);
  known = f;
  static const std::vector<loop::Buffer> kNoBuffers;
  Frame frame(emitter, f, kNoBuffers);
  auto& b = frame.builder();
  const int lanes = emitter.target().lanes(element_bytes);
  llvm::Type* element = element_bytes == 4 ? b.getFloatTy() : b.getDoubleTy();
  auto* vector = llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes));
  const llvm::Align align(static_cast<uint64_t>(element_bytes));
  const auto number = [&](int n) {
    return llvm::ConstantInt::get(index, static_cast<uint64_t>(n));
  };
  const auto address = [&](llvm::Value* base, llvm::Value* stride, llvm::Value* row) {
    return b.CreateGEP(element, base, b.CreateMul(stride, row));
  };
  llvm::Value *source = f->getArg(0), *source_stride = f->getArg(1);
  llvm::Value *target = f->getArg(2), *target_stride = f->getArg(3);
  if (full) {
    Rows tile;
    for (int r = 0; r < lanes; ++r) {
      tile.push_back(b.CreateAlignedLoad(vector, address(source, source_stride, number(r)), align));
    }
    tile = Shuffle(b, std::move(tile), element_bytes);
    for (int c = 0; c < lanes; ++c) {
      b.CreateAlignedStore(tile[static_cast<size_t>(c)], address(target, target_stride, number(c)),
                           align);
    }
    return f;
  }
  // By way of whole tiles on the stack, in and out with masks. Nothing outside is touched.
  llvm::Value *rows = f->getArg(4), *columns = f->getArg(5);
  llvm::Value* column_mask = frame.LaneMask(nullptr, columns, lanes);
  llvm::Value* row_mask = frame.LaneMask(nullptr, rows, lanes);
  llvm::Value* in = frame.Alloca(element, int64_t{lanes} * lanes);
  llvm::Value* out = frame.Alloca(element, int64_t{lanes} * lanes);
  frame.Loop(number(0), rows, 1, true, {}, nullptr, [&](llvm::Value* row, const Values&) -> Values {
    llvm::Value* values = b.CreateMaskedLoad(vector, address(source, source_stride, row), align,
                                             column_mask, llvm::Constant::getNullValue(vector));
    b.CreateAlignedStore(values, address(in, number(lanes), row), align);
    return {};
  });
  b.CreateCall(TransposeFunction(emitter, element_bytes, true),
               {in, number(lanes), out, number(lanes), number(lanes), number(lanes)});
  frame.Loop(number(0), columns, 1, true, {}, nullptr,
             [&](llvm::Value* column, const Values&) -> Values {
               llvm::Value* values =
                   b.CreateAlignedLoad(vector, address(out, number(lanes), column), align);
               b.CreateMaskedStore(values, address(target, target_stride, column), align, row_mask);
               return {};
             });
  return f;
}

llvm::Function* CopyFunction(ModuleEmitter& emitter) {
  llvm::Function*& known = emitter.Shared("copy");
  if (known != nullptr) return known;
  auto* ptr = emitter.pointer();
  auto* index = emitter.index();
  auto* type =
      llvm::FunctionType::get(llvm::Type::getVoidTy(emitter.context()), {ptr, ptr, index}, false);
  llvm::Function* f = emitter.AddFunction("copy", type, false);
  known = f;
  static const std::vector<loop::Buffer> kNoBuffers;
  Frame frame(emitter, f, kNoBuffers);
  auto& b = frame.builder();
  auto chunk = static_cast<uint64_t>(emitter.target().vector_bytes);
  auto* vector = llvm::FixedVectorType::get(b.getInt8Ty(), static_cast<unsigned>(chunk));
  llvm::Value *to = f->getArg(0), *from = f->getArg(1), *bytes = f->getArg(2);
  llvm::Value* zero = llvm::ConstantInt::get(index, 0);
  llvm::Value* main =
      b.CreateAnd(bytes, llvm::ConstantInt::getSigned(index, -static_cast<int64_t>(chunk)));
  auto copy = [&](llvm::Type* t, llvm::Value* iv) -> Values {
    llvm::Value* v = b.CreateAlignedLoad(t, b.CreateGEP(b.getInt8Ty(), from, iv), llvm::Align(1));
    b.CreateAlignedStore(v, b.CreateGEP(b.getInt8Ty(), to, iv), llvm::Align(1));
    return {};
  };
  frame.Loop(zero, main, static_cast<int64_t>(chunk), true, {}, nullptr,
             [&](llvm::Value* iv, const Values&) { return copy(vector, iv); });
  frame.Loop(main, bytes, 1, true, {}, nullptr,
             [&](llvm::Value* iv, const Values&) { return copy(b.getInt8Ty(), iv); });
  return f;
}

}  // namespace gradus::codegen
