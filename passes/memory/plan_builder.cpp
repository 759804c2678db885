#include "passes/memory/plan_builder.h"

#include <algorithm>
#include <utility>

#include "ir/loop/plan.h"

namespace gradus::passes {

using loop::Place;

int PlanBuilder::AddPlace(Place place) {
  plan_->places.push_back(std::move(place));
  owned_.emplace_back();
  return static_cast<int>(plan_->places.size()) - 1;
}

int PlanBuilder::AddPlace(Place::Kind kind, int index, const ir::Type& type) {
  Place p;
  p.kind = kind;
  p.index = index;
  p.type = type;
  return AddPlace(std::move(p));
}

int PlanBuilder::AddWorkspacePlace(const ir::Type& type, const ir::Node* producer) {
  const int place = AddPlace(Place::Kind::kWorkspace, 0, type);
  owned_.back().block = workspace_.Allocate(BytesOf(type), steps());
  producers_.push_back(producer);
  return place;
}

std::pair<int, int> PlanBuilder::AddOverlaid(const ir::Type& stack, const ir::Type& step) {
  loop::SizeTerm bytes = BytesOf(stack);
  const loop::SizeTerm shift = BytesOf(step);
  IR_CHECK(bytes.factors == shift.factors);
  bytes.coefficient += shift.coefficient;
  const int first = AddPlace(Place::Kind::kWorkspace, 0, stack);
  const int second = AddPlace(Place::Kind::kWorkspace, 0, stack);
  const int block = workspace_.Allocate(bytes, steps());
  producers_.push_back(nullptr);
  owned_[static_cast<size_t>(first)] = {block, false, second, {}};
  owned_[static_cast<size_t>(second)] = {block, false, first, shift};
  return {first, second};
}

bool PlanBuilder::AreOverlaid(int first, int second) const {
  return second >= 0 && owned_[static_cast<size_t>(first)].overlaid_by == second;
}

int PlanBuilder::AddSlice(int of, const ir::Type& step, int loop, int shift) {
  Place p;
  p.kind = Place::Kind::kSlice;
  p.index = of;
  p.offset = loop::Polynomial{BytesOf(step)};
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

bool PlanBuilder::IsOwned(int place) const {
  const Owned& owned = owned_[static_cast<size_t>(place)];
  return owned.block >= 0 && !owned.released && owned.overlaid_by < 0;
}

void PlanBuilder::Release(int place) {
  Owned& owned = owned_[static_cast<size_t>(place)];
  if (owned.block < 0 || owned.released) return;
  owned.released = true;
  if (owned.overlaid_by >= 0 && !owned_[static_cast<size_t>(owned.overlaid_by)].released) return;
  workspace_.Release(owned.block, steps() - 1);
}

void PlanBuilder::AddCall(loop::KernelCall call, const loop::Plan& kernel) {
  std::vector<int> scratch;
  for (const loop::Buffer& b : kernel.buffers) {
    if (b.kind != loop::Buffer::Kind::kScratch) continue;
    scratch.push_back(workspace_.Allocate(BytesOf(b), steps()));
    producers_.push_back(nullptr);
    workspace_.Release(scratch.back(), steps());
  }
  scratch_.push_back(std::move(scratch));
  plan_->steps.emplace_back(std::move(call));
}

void PlanBuilder::AddCopy(int from, int to) { plan_->steps.emplace_back(loop::CopyStep{from, to}); }

PlannedEntry PlanBuilder::Finish(const loop::SizeOf& typical, bool layout) {
  const int last = std::max(steps() - 1, 0);
  PlannedEntry entry;
  std::vector<Block> blocks;
  for (size_t b = 0; b < producers_.size(); ++b) {
    blocks.push_back(workspace_.BlockAt(static_cast<int>(b), last, typical));
    entry.living.push_back({producers_[b], blocks.back()});
  }
  const Peak peak = MostLive(blocks);
  entry.bytes = entry.live = peak.bytes;
  entry.peak = peak.step;
  for (const loop::EntryStep& step : plan_->steps) {
    const auto* copy = std::get_if<loop::CopyStep>(&step);
    if (copy == nullptr) continue;
    entry.copied += ValueAt(BytesOf(plan_->places[static_cast<size_t>(copy->to)].type), typical);
  }
  if (layout) entry.bytes = SetOffsets(workspace_.Place(last, typical), typical);
  entry.node_steps = std::move(node_steps_);
  entry.plan = std::move(plan_);
  return entry;
}

int64_t PlanBuilder::SetOffsets(Workspace::Layout layout, const loop::SizeOf& typical) {
  const auto offset = [&](int block) { return layout.offsets[static_cast<size_t>(block)]; };
  for (size_t p = 0; p < owned_.size(); ++p) {
    if (owned_[p].block >= 0) {
      plan_->places[p].offset = offset(owned_[p].block) + owned_[p].shift;
    }
  }
  size_t next = 0;
  for (loop::EntryStep& step : plan_->steps) {
    auto* call = std::get_if<loop::KernelCall>(&step);
    if (call == nullptr) continue;
    for (const int block : scratch_[next]) call->scratch.push_back(offset(block));
    ++next;
  }
  plan_->workspace = std::move(layout.bytes);
  plan_->live = std::move(layout.live);
  return ValueAt(plan_->workspace, typical);
}

}  // namespace gradus::passes
