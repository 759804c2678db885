#include "tests/ops/executors.h"

#include "codegen/compile.h"
#include "fmt/format.h"
#include "passes/pipelines.h"
#include "tests/elf_symbols.h"
#include "tests/guarded_run.h"
#include "tests/ops/interpreter.h"

namespace gradus::test {

absl::StatusOr<Executor> Executor::Create(const ir::Module& module, std::string_view way) {
  Executor executor;
  std::unique_ptr<ir::Module> copy = module.Clone();
  if (way == "interpreted") {
    executor.interpreted_ = std::move(copy);
    return executor;
  }
  codegen::CodegenOptions options;  // no object cache: what is tested is the code of now
  if (way == "shared") {
    options.target.sharing = {.least_work = 0, .part_work = 1, .part_rows = 1};
    auto pool = runtime::ThreadPool::Create(4);
    if (!pool.ok()) return pool.status();
    executor.pool_ = *std::move(pool);
  }
  const std::string_view pipeline = way == "shared" ? "default" : way;
  if (absl::Status s = passes::RunPipeline(*copy, pipeline, {options.target}); !s.ok()) return s;
  const auto object = codegen::EmitObject(*copy, options);
  if (!object.ok()) return object.status();
  if (const std::string foreign = tests::ForeignSymbols(*object); !foreign.empty()) {
    return absl::InternalError("compiled code calls " + foreign);
  }
  auto entries = codegen::Load(*object, *copy, options);
  if (!entries.ok()) return entries.status();
  for (codegen::LoadedEntry& e : *entries)
    executor.compiled_.emplace(e.name, std::move(e.executable));
  return executor;
}

absl::StatusOr<std::vector<Array>> Executor::Run(std::string_view function,
                                                 const std::vector<Array>& operands) const {
  if (interpreted_) return Interpret(*interpreted_->Find(function), operands);
  const auto found = compiled_.find(function);
  if (found == compiled_.end()) return absl::NotFoundError(fmt::format("no entry {}", function));
  std::vector<runtime::Tensor> tensors;
  for (const Array& a : operands) tensors.push_back(ToTensor(a));
  const absl::StatusOr<std::vector<runtime::Tensor>> results = tests::RunGuarded(
      found->second, tensors, function, pool_ == nullptr ? nullptr : pool_->threads());
  if (!results.ok()) return results.status();
  std::vector<Array> arrays;
  for (const runtime::Tensor& t : *results) arrays.push_back(FromTensor(t));
  return arrays;
}

}  // namespace gradus::test
