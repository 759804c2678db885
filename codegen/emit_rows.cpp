// Passes over a row: several reductions in one loop, and values that stay in the row's memory for
// what comes after. The memory is the function's own, so that threads can share the loops around.

#include <algorithm>
#include <tuple>

#include "codegen/frame.h"
#include "ir/loop/walk.h"
#include "llvm/IR/Intrinsics.h"

namespace gradus::codegen {

using loop::Scalar;

namespace {

// Accumulators of a pass: enough to hide the latency of an addition, few enough for registers.
constexpr int kAccumulators = 8;
// Vectors side by side whose steps are long: their intermediate values need registers, too.
constexpr int kLongSteps = 4;
// Row memory holds whole vectors of any type.
constexpr int64_t kRowUnit = 64;
// Sums of more elements than this are compensated.
constexpr int64_t kLongSum = 4096;

bool IsCompensated(const Scalar* x, const loop::Extent& extent) {
  return x->reduce == loop::ReduceKind::kSum && ir::IsFloat(x->dtype) &&
         (!extent.is_number() || extent.number() > kLongSum);
}

int64_t RowElements(const loop::Variable* row) {
  return (row->extent().number() + kRowUnit - 1) / kRowUnit * kRowUnit;
}

}  // namespace

// One step of Kahan's sum: of (sum, what is too much in it) and one more term. Where the sum is not
// finite, it stays what it is.
std::pair<llvm::Value*, llvm::Value*> Frame::AddCompensated(llvm::Value* sum, llvm::Value* excess,
                                                            llvm::Value* term) {
  auto& b = builder_;
  llvm::Value* rest = b.CreateFSub(term, excess);
  llvm::Value* next = b.CreateFAdd(sum, rest);
  llvm::Value* too_much = b.CreateFSub(b.CreateFSub(next, sum), rest);
  llvm::Type* type = sum->getType();
  llvm::Value* finite = b.CreateFCmpOLT(b.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, too_much),
                                        llvm::ConstantFP::getInfinity(type));
  return {next, b.CreateSelect(finite, too_much, llvm::ConstantFP::get(type, 0))};
}

llvm::Value* Frame::AddPairwise(Values terms) {
  for (size_t n = terms.size(); n > 1; n = (n + 1) / 2) {
    for (size_t i = 0; i < n / 2; ++i) {
      terms[i] = builder_.CreateFAdd(terms[i], terms[i + (n + 1) / 2]);
    }
  }
  return terms[0];
}

int Frame::CopiesAlong(std::span<const Scalar* const> reductions, const loop::Variable* row,
                       int lanes, int count) {
  const loop::Extent& extent = row->extent();
  int size = 0;
  bool compensates = false;
  for (const Scalar* r : reductions) {
    size = std::max(size, SizeAlong(r->operands[0], row));
    compensates |= IsCompensated(r, extent);
  }
  int copies = size > 40 ? 2 : size > 12 || !compensates ? 4 : 8;
  const int most = size > 12 ? kLongSteps : kAccumulators;
  while (copies > 1 &&
         (copies * count > most ||
          (extent.is_number() && extent.number() < static_cast<int64_t>(copies) * lanes))) {
    copies /= 2;
  }
  return copies;
}

int Frame::LanesOf(const loop::RowPass& pass) {
  std::vector<const Scalar*> values(pass.kept.begin(), pass.kept.end());
  for (const Scalar* r : pass.reductions) values.push_back(r->operands[0]);
  return LanesFor(values);
}

// Values that a reduction carries.
size_t Frame::AccumulatorsOf(const Scalar* r, const Along& along) {
  if (IsCompensated(r, along.row->extent())) return 2;
  return static_cast<size_t>(along.copies) + (FlagsNan(r) ? 1 : 0);
}

// A compensated sum has one accumulator and its excess, the others one for each of the vectors of a
// step; a maximum or minimum of floats also a flag, the lanes in which there was a NaN.
Values Frame::StartAlong(const Along& along) {
  Values start;
  for (const Scalar* r : along.reductions) {
    start.append(AccumulatorsOf(r, along),
                 builder_.CreateVectorSplat(static_cast<unsigned>(along.lanes), IdentityOf(r)));
    if (FlagsNan(r)) {
      start.back() = llvm::Constant::getNullValue(FlagType(r->dtype, along.lanes));
    }
  }
  return start;
}

// Lanes past the end of the row are stored, too: nobody counts them.
void Frame::StoreKept(const Along& along) {
  for (size_t k = 0; k < along.kept.size(); ++k) {
    const Scalar* kept = along.kept[k];
    const Values parts = EvaluateVector(kept, nullptr);
    for (size_t c = 0; c < parts.size(); ++c) {
      llvm::Value* address = Address(along.memory[k], emitter_.MemoryType(kept->dtype),
                                     loop::Index(along.row), static_cast<int64_t>(c) * along.lanes);
      builder_.CreateAlignedStore(parts[c], address, llvm::Align(ir::ByteSize(kept->dtype)));
    }
  }
}

Values Frame::StepAlong(const Along& along, std::span<llvm::Value* const> carried,
                        const Guard* guard) {
  const auto now = static_cast<size_t>(vector()->copies);
  Values results(carried.begin(), carried.end());
  size_t at = 0;
  for (const Scalar* r : along.reductions) {
    const size_t width = AccumulatorsOf(r, along);
    if (IsCompensated(r, along.row->extent())) {
      Values terms = EvaluateVector(r->operands[0], guard);
      for (size_t c = 0; c < now; ++c) {
        llvm::Value* mask = vector()->masks[c];
        if (mask == nullptr) continue;
        llvm::Value* zero = llvm::Constant::getNullValue(terms[c]->getType());
        terms[c] = builder_.CreateSelect(mask, terms[c], zero);
      }
      std::tie(results[at], results[at + 1]) =
          AddCompensated(carried[at], carried[at + 1], AddPairwise(terms));
    } else {
      const std::span accumulators(carried.begin() + at, now);
      const bool is_kept = std::ranges::find(along.kept, r->operands[0]) != along.kept.end();
      const Values more = FlagsNan(r) ? AccumulateExtreme(r, guard, accumulators)
                                      : Accumulate(r, guard, accumulators, true, !is_kept);
      std::copy_n(more.begin(), now, results.begin() + at);
      if (FlagsNan(r)) {
        llvm::Value*& flag = results[at + width - 1];
        flag = builder_.CreateOr(flag, more.back());
      }
    }
    at += width;
  }
  return results;
}

// Accumulators and lanes are combined pairwise: neighbours of one kind, as those of several rows
// are, at once.
Values Frame::EndAlong(const Along& along, std::span<llvm::Value* const> sums) {
  Values results;
  size_t at = 0;
  for (size_t k = 0; k < along.reductions.size();) {
    const Scalar* kind = along.reductions[k];
    const auto is_like = [&](const Scalar* r) {
      return r->reduce == kind->reduce && r->dtype == kind->dtype;
    };
    Values vectors, flags;
    for (; k < along.reductions.size() && is_like(along.reductions[k]); ++k) {
      const size_t accumulators =
          IsCompensated(kind, along.row->extent()) ? 1 : static_cast<size_t>(along.copies);
      const auto first = sums.begin() + static_cast<std::ptrdiff_t>(at);
      vectors.push_back(Gathered(
          kind, Values(first, first + static_cast<std::ptrdiff_t>(accumulators)), FlagsNan(kind)));
      at += AccumulatorsOf(kind, along);
      if (FlagsNan(kind)) flags.push_back(sums[at - 1]);
    }
    results.append(AcrossAll(kind, vectors, flags));
  }
  return results;
}

Values Frame::ReduceAlong(const Along& along, const Guard* guard, const InEachStep& in_each_step) {
  const Values sums = VectorLoopOver(
      along.row, along.lanes, along.copies, StartAlong(along),
      [&](const Values& carried) {
        in_each_step();
        StoreKept(along);
        return StepAlong(along, carried, guard);
      },
      /*carries_copies=*/false);
  return EndAlong(along, sums);
}

int Frame::CopiesOf(const loop::RowPass& pass, const loop::Variable* row, int sums) {
  return pass.across != nullptr ? 1 : CopiesAlong(pass.reductions, row, LanesOf(pass), sums);
}

llvm::Value* Frame::RowMemory(DType dtype, const loop::Variable* row) {
  return Alloca(emitter_.MemoryType(dtype), RowElements(row));
}

void Frame::EmitRowPass(const loop::RowPass& pass, const loop::Variable* row, int copies,
                        const InEachStep& in_each_step) {
  if (pass.across != nullptr) return EmitColumnPass(pass, row);
  AtDepth at(*this, DepthOf(pass.reductions[0], nullptr));
  Values memory;
  for (const Scalar* k : pass.kept) {
    memory.push_back(RowMemory(k->dtype, row));
  }
  const Values results = ReduceAlong(
      {pass.reductions, pass.kept, memory, row, LanesOf(pass), copies}, nullptr, in_each_step);
  for (size_t r = 0; r < results.size(); ++r) {
    scope_->values[{pass.reductions[r], nullptr}] = {{results[r]}, false};
  }
  for (size_t k = 0; k < pass.kept.size(); ++k) kept_[pass.kept[k]] = {memory[k], row};
}

void Frame::Prefetch(int buffer, DType dtype, const loop::Index& form, const loop::Variable* v,
                     int steps, bool to_write) {
  const std::optional<int64_t> stride = form.numeric_coefficient(v);
  if (!stride) return;
  llvm::Type* type = emitter_.MemoryType(dtype);
  for (int copy = 0; copy < vector()->copies; ++copy) {
    llvm::Value* address = Address(pointer(buffer), type, form,
                                   steps * *stride + static_cast<int64_t>(copy) * vector()->lanes);
    llvm::Value* keep = builder_.getInt32(3);
    llvm::Value* data = builder_.getInt32(1);
    builder_.CreateIntrinsic(llvm::Intrinsic::prefetch, {emitter_.pointer()},
                             {address, builder_.getInt32(to_write ? 1 : 0), keep, data});
  }
}

Packet Frame::LoadKept(const Scalar* x) {
  const Kept& kept = kept_.at(x);
  const loop::Index form(kept.row);
  if (DependsOnVector(form)) return {LoadVectors(kept.memory, x->dtype, form, nullptr, {}), true};
  llvm::Type* type = emitter_.MemoryType(x->dtype);
  return {{builder_.CreateLoad(type, Address(kept.memory, type, form))}, false};
}

int Frame::SizeAlong(const Scalar* root, const loop::Variable* v) const {
  int size = 0;
  loop::ForEachReached(root, [&](const Scalar* x) {
    if (x->kind == loop::ScalarKind::kReduce || !x->depends_on(v)) return false;
    ++size;
    return !IsKept(x);
  });
  return size;
}

}  // namespace gradus::codegen
