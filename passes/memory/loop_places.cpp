#include "passes/memory/loop_places.h"

namespace gradus::passes {

using loop::When;

LoopPlaces::LoopPlaces(const ir::ScanView& scan, PlanBuilder& builder,
                       std::span<const int> operands, std::span<const int> results,
                       std::vector<bool>& in_place)
    : scan_(scan), builder_(builder), loop_(builder.NewLoop()) {
  const auto carries = static_cast<size_t>(scan.carries());
  const auto sequences = static_cast<size_t>(scan.sequences());
  arguments_.assign(operands.begin(), operands.end());
  for (size_t i = 0; i < sequences; ++i) {
    const int argument = static_cast<int>(carries + i);
    arguments_[carries + i] =
        builder.AddSlice(operands[carries + i], scan.body().arg(argument).type(), loop_, 0);
  }
  destinations_.resize(results.size());
  for (size_t r = carries; r < results.size(); ++r) {
    const ir::Type& step = scan.body().results()[r].value.type();
    destinations_[r].place = builder.AddSlice(results[r], step, loop_, 0);
  }
  for (size_t i = 0; i < carries; ++i) {
    PlaceCarry(static_cast<int>(i), operands[i], results[i], results, in_place);
  }
}

int LoopPlaces::OutputOf(ir::Value v) const {
  const auto& all = scan_.body().results();
  for (size_t r = static_cast<size_t>(scan_.carries()); r < all.size(); ++r) {
    if (all[r].value == v && destinations_[r].place >= 0) return static_cast<int>(r);
  }
  return -1;
}

void LoopPlaces::PlaceCarry(int i, int initial, int final_place, std::span<const int> results,
                            std::vector<bool>& in_place) {
  const auto at = static_cast<size_t>(i);
  const ir::Value old = scan_.body().arg(i);
  const ir::Value next = scan_.body().results()[at].value;
  const auto part = [&](int output, int shift) {
    return builder_.AddSlice(results[static_cast<size_t>(output)], old.type(), loop_, shift);
  };
  if (next == old) {
    before_.emplace_back(initial, final_place);
    arguments_[at] = final_place;
    return;
  }
  const int stacked_new = next.node()->is_argument() ? -1 : OutputOf(next);
  if (const int stack = OutputOf(old);
      stack >= 0 && stacked_new >= 0 &&
      builder_.AreOverlaid(results[static_cast<size_t>(stack)],
                           results[static_cast<size_t>(stacked_new)])) {
    in_place[at] = false;
    arguments_[at] = part(stack, 0);
    destinations_[static_cast<size_t>(stack)].place = -1;
    before_.emplace_back(initial, part(stack, 0));
    after_.emplace_back(part(stacked_new, -1), final_place);
    return;
  }
  if (const int stack = OutputOf(old); stack >= 0) {
    in_place[at] = false;
    arguments_[at] = part(stack, 0);
    destinations_[static_cast<size_t>(stack)].place = -1;
    before_.emplace_back(initial,
                         builder_.AddEither(When::kEmpty, loop_, final_place, part(stack, 0)));
    destinations_[at].place = builder_.AddEither(When::kLast, loop_, final_place, part(stack, 1));
    return;
  }
  if (stacked_new >= 0) {
    in_place[at] = false;
    arguments_[at] = builder_.AddEither(When::kFirst, loop_, initial, part(stacked_new, -1));
    after_.emplace_back(builder_.AddEither(When::kEmpty, loop_, initial, part(stacked_new, -1)),
                        final_place);
    return;
  }
  if (in_place[at]) {
    before_.emplace_back(initial, final_place);
    arguments_[at] = final_place;
    destinations_[at] = {final_place, i};
    return;
  }
  const int second = builder_.AddWorkspacePlace(old.type(), nullptr);
  own_.push_back(second);
  before_.emplace_back(initial, builder_.AddEither(When::kOddLeft, loop_, second, final_place));
  arguments_[at] = builder_.AddEither(When::kOddLeft, loop_, second, final_place);
  destinations_[at].place = builder_.AddEither(When::kOddLeft, loop_, final_place, second);
}

void LoopPlaces::Release() {
  for (const int place : own_) builder_.Release(place);
}

}  // namespace gradus::passes
