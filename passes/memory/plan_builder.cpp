#include "passes/memory/plan_builder.h"

#include <utility>

#include "ir/loop/plan.h"

namespace gradus::passes {

using loop::Place;

int PlanBuilder::AddPlace(Place place) {
  plan_->places.push_back(std::move(place));
  slots_.emplace_back();
  return static_cast<int>(plan_->places.size()) - 1;
}

int PlanBuilder::AddPlace(Place::Kind kind, int index, const ir::Type& type) {
  Place p;
  p.kind = kind;
  p.index = index;
  p.type = type;
  return AddPlace(std::move(p));
}

int PlanBuilder::AddWorkspacePlace(const ir::Type& type) {
  const int place = AddPlace(Place::Kind::kWorkspace, 0, type);
  slots_.back().number = workspace_.Allocate(BytesOf(type));
  return place;
}

int PlanBuilder::AddSlice(int of, const ir::Type& step, int loop, int shift) {
  Place p;
  p.kind = Place::Kind::kSlice;
  p.index = of;
  p.offset = {BytesOf(step)};
  p.type = step;
  p.loop = loop;
  p.shift = shift;
  return AddPlace(std::move(p));
}

int PlanBuilder::AddEither(loop::When when, int loop, int yes, int no) {
  Place p;
  p.kind = Place::Kind::kEither;
  p.index = yes;
  p.type = plan_->places[static_cast<size_t>(yes)].type;
  p.loop = loop;
  p.when = when;
  p.other = no;
  return AddPlace(std::move(p));
}

void PlanBuilder::Release(int place) {
  Slot& slot = slots_[static_cast<size_t>(place)];
  if (slot.number < 0 || slot.released) return;
  slot.released = true;
  workspace_.Release(slot.number);
}

void PlanBuilder::AddCall(loop::KernelCall call, const loop::Plan& kernel) {
  std::vector<int> scratch;
  for (const loop::Buffer& b : kernel.buffers) {
    if (b.kind == loop::Buffer::Kind::kScratch) scratch.push_back(workspace_.Allocate(BytesOf(b)));
  }
  for (const int slot : scratch) workspace_.Release(slot);
  scratch_slots_.push_back(std::move(scratch));
  plan_->steps.emplace_back(std::move(call));
}

void PlanBuilder::AddCopy(int from, int to) { plan_->steps.emplace_back(loop::CopyStep{from, to}); }

std::unique_ptr<loop::EntryPlan> PlanBuilder::Finish() {
  const std::vector<loop::Polynomial> offsets = workspace_.Offsets();
  for (size_t p = 0; p < slots_.size(); ++p) {
    if (slots_[p].number >= 0)
      plan_->places[p].offset = offsets[static_cast<size_t>(slots_[p].number)];
  }
  size_t next = 0;
  for (loop::EntryStep& step : plan_->steps) {
    auto* call = std::get_if<loop::KernelCall>(&step);
    if (call == nullptr) continue;
    for (const int slot : scratch_slots_[next])
      call->scratch.push_back(offsets[static_cast<size_t>(slot)]);
    ++next;
  }
  plan_->workspace = workspace_.Size();
  return std::move(plan_);
}

}  // namespace gradus::passes
