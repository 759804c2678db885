#pragma once

// Modules of one kernel with a plan written by hand: the buffers of the kernel are the arguments of
// one entry, results included (as results in the memory of arguments).

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"
#include "ir/module.h"

namespace gradus::codegen {

struct HandMade {
  ir::Module module{"hand_made"};
  ir::Function& kernel = module.AddFunction("kernel", ir::FunctionKind::kKernel);
  ir::Function& entry = module.AddFunction("run");
  loop::EntryPlan* entry_plan = nullptr;
  loop::Plan* plan = nullptr;
  loop::Arena* arena = nullptr;
  std::vector<ir::Symbol> symbols;

  HandMade() {
    kernel.kernel = std::make_unique<loop::Kernel>();
    kernel.plan = std::make_unique<loop::Plan>();
    kernel.plan->kernel = "kernel";
    entry.entry = std::make_unique<loop::EntryPlan>();
    plan = kernel.plan.get();
    arena = kernel.kernel->arena.get();
    entry_plan = entry.entry.get();
    entry_plan->steps.emplace_back(loop::KernelCall{&kernel, {}, {}});
  }

  int Buffer(const std::string& name, ir::DType dtype, ir::Shape shape, bool output) {
    ir::Type type{dtype, std::move(shape)};
    for (const ir::Dim& d : type.shape) {
      bool known = !d.is_symbol();
      for (ir::Symbol s : entry_plan->symbols) known |= s == d.symbol();
      if (!known) entry_plan->symbols.push_back(d.symbol());
    }
    ir::Value arg = entry.AddArgument(name, type);
    int index = static_cast<int>(plan->buffers.size());
    plan->buffers.push_back(
        {name, type, output ? loop::Buffer::Kind::kOutput : loop::Buffer::Kind::kInput, {}});
    if (output) entry.AddResult(arg, name, index);
    entry_plan->places.push_back({loop::Place::Kind::kArgument, index, {}, type});
    std::get<loop::KernelCall>(entry_plan->steps[0]).places.push_back(index);
    return index;
  }
  int Input(const std::string& name, ir::DType dtype, ir::Shape shape) {
    return Buffer(name, dtype, std::move(shape), false);
  }
  int Output(const std::string& name, ir::DType dtype, ir::Shape shape) {
    return Buffer(name, dtype, std::move(shape), true);
  }
  // After all inputs and outputs. Elements are a number.
  int Scratch(const std::string& name, ir::DType dtype, int64_t elements) {
    int index = static_cast<int>(plan->buffers.size());
    plan->buffers.push_back(
        {name, {dtype, {}}, loop::Buffer::Kind::kScratch, {loop::Extent(elements)}});
    std::get<loop::KernelCall>(entry_plan->steps[0]).scratch.push_back(entry_plan->workspace);
    int64_t bytes = (elements * ir::ByteSize(dtype) + 63) / 64 * 64;
    entry_plan->workspace = entry_plan->workspace + loop::SizeTerm{bytes, {}};
    return index;
  }

  // o[i] = factor * x[i] for a run-time count.
  void Scale(double factor) {
    const ir::Dim b{ir::Symbol("B")};
    const int x = Input("x", ir::DType::kF32, {b}), o = Output("o", ir::DType::kF32, {b});
    const loop::Variable* i = arena->NewVariable("i", loop::Extent(b));
    loop::Nest nest;
    nest.loops = {i};
    nest.vector = i;
    const loop::Index at(i);
    nest.stores = {{o, at, (E(Load(x, at)) * factor).scalar(), false}};
    plan->steps.emplace_back(nest);
  }

  const loop::Scalar* Load(int buffer, const loop::Index& form) {
    return arena->Load(buffer, plan->buffers[static_cast<size_t>(buffer)].type.dtype, {&form, 1});
  }
  loop::Expr E(const loop::Scalar* s) { return loop::Expr(*arena, s); }

  runtime::Executable Compile(const CodegenOptions& options = {}) {
    auto loaded = CompileAndLoad(module, options);
    if (!loaded.ok()) {
      ADD_FAILURE() << std::string(loaded.status().message()) << "\n" << loop::Print(*plan);
      std::abort();
    }
    return loaded->at(0).executable;
  }
};

// A copy of `values` with bytes of a pattern around it, to see writes past either end.
template <typename T>
class Guarded {
 public:
  Guarded(std::vector<int64_t> shape, const std::vector<T>& values)
      : shape_(std::move(shape)), count_(values.size()) {
    memory_.assign(values.size() * sizeof(T) + 2 * kMargin, std::byte{0xA5});
    std::byte* to = memory_.data() + kMargin;
    for (const T& v : values) {
      std::memcpy(to, &v, sizeof(T));
      to += sizeof(T);
    }
  }
  T* data() { return reinterpret_cast<T*>(memory_.data() + kMargin); }
  T operator[](size_t i) const {
    T x;
    std::memcpy(&x, memory_.data() + kMargin + i * sizeof(T), sizeof(T));
    return x;
  }
  size_t size() const { return count_; }
  runtime::MutableTensorView view() { return {data(), runtime::kDTypeOf<T>, shape_}; }
  bool Intact() const {
    for (size_t i = 0; i < kMargin; ++i) {
      if (memory_[i] != std::byte{0xA5} || memory_[memory_.size() - 1 - i] != std::byte{0xA5})
        return false;
    }
    return true;
  }

 private:
  static constexpr size_t kMargin = 256;
  std::vector<int64_t> shape_;
  size_t count_;
  std::vector<std::byte> memory_;
};

}  // namespace gradus::codegen
