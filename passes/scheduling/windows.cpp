#include "passes/scheduling/windows.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "fmt/format.h"

namespace gradus::passes::scheduling {
namespace {

// Every form of a scalar, and those inside atoms.
std::vector<Index> AllForms(const Scalar* scalar) {
  std::vector<Index> forms;
  const Scalar* const roots[] = {scalar};
  for (const Scalar* s : PostOrder(roots)) {
    ForEachForm(*s, [&](const Index& form) { forms.push_back(form); });
  }
  for (size_t i = 0; i < forms.size(); ++i) {
    const Index form = forms[i];
    for (const loop::Term& t : form.terms()) {
      if (t.variable != nullptr && t.variable->kind() != Variable::Kind::kLoop) {
        forms.push_back(t.variable->numerator());
      }
    }
  }
  return forms;
}

// A variable as the forms see it: factor * direction, where the direction's numbers have no common
// divisor and its first is positive.
struct Member {
  const Variable* variable;
  int64_t factor = 0;
  std::vector<int64_t> direction;
};

// Nullopt: a stride is no number, or it occurs nowhere.
std::optional<Member> MemberOf(const Variable* v, std::span<const Index> forms) {
  Member m{v, 0, {}};
  int64_t sign = 0;
  for (const Index& form : forms) {
    const std::optional<int64_t> stride = Stride(form, v);
    if (!stride) return std::nullopt;
    m.direction.push_back(*stride);
    m.factor = std::gcd(m.factor, *stride);
    if (sign == 0 && *stride != 0) sign = *stride > 0 ? 1 : -1;
  }
  if (sign == 0) return std::nullopt;
  m.factor *= sign;
  for (int64_t& d : m.direction) d /= m.factor;
  return m;
}

// How far a member goes.
int64_t Reach(const Member& m) { return std::abs(m.factor) * (m.variable->extent().number() - 1); }

// Places of `a` and `b` fall between each other's.
bool Overlap(const Member& a, const Member& b) {
  return Reach(a) >= std::abs(b.factor) && Reach(b) >= std::abs(a.factor);
}

// Adds a variable for the members' place to `result`, if one of them has a factor of 1.
void JoinPlaces(Arena& arena, std::vector<Member> members, Windowed& result) {
  int64_t common = 0;
  for (const Member& m : members) common = std::gcd(common, m.factor);
  Index place;  // over the members
  int64_t least = 0, most = 0;
  const Member* unit = nullptr;
  for (Member& m : members) {
    m.factor /= common;
    place = place + Index(m.variable) * m.factor;
    (m.factor < 0 ? least : most) += m.factor * (m.variable->extent().number() - 1);
    if (unit == nullptr && std::abs(m.factor) == 1) unit = &m;
  }
  if (unit == nullptr) return;
  const Variable* along = arena.NewVariable(unit->variable->name() + "w", Extent(most - least + 1));
  const Index others = place - Index(unit->variable) * unit->factor;
  const loop::Substitution solved{unit->variable,
                                  (Index(along) + Index(least) - others) * unit->factor};
  result.scalar = arena.Substitute(result.scalar, std::span(&solved, 1));
  result.places.push_back({along, place - Index(least)});
}

// Leaves out places at which a guard around the whole scalar does not hold.
void DropZeroPlaces(Arena& arena, Windowed& windowed) {
  if (windowed.scalar->kind != ScalarKind::kGuard) return;
  loop::Substitution& place = windowed.places.front();
  int64_t first = 0, end = place.from->extent().number();
  for (const loop::Condition& condition : windowed.scalar->conditions) {
    const std::optional<Bounded> bounded = AsBounded(condition);
    if (!bounded || bounded->v != place.from) continue;
    first = std::max(first, bounded->low);
    end = std::min(end, bounded->high);
  }
  if (first >= end || (first == 0 && end == place.from->extent().number())) return;
  const Variable* along = arena.NewVariable(place.from->name(), Extent(end - first));
  const loop::Substitution shifted{place.from, Index(along) + Index(first)};
  windowed.scalar = arena.Substitute(windowed.scalar, std::span(&shifted, 1));
  place = {along, place.to - Index(first)};
}

}  // namespace

Windowed FindWindows(Arena& arena, const Scalar* scalar, const Variable* fixed) {
  const std::vector<Index> forms = AllForms(scalar);
  std::vector<std::vector<Member>> groups;
  for (const Variable* v : scalar->free) {
    if (v == fixed || !v->extent().is_number() || v->extent().number() < 2) continue;
    std::optional<Member> member = MemberOf(v, forms);
    if (!member) continue;
    const auto home = std::ranges::find_if(groups, [&](const std::vector<Member>& group) {
      return std::ranges::any_of(group, [&](const Member& other) {
        return other.direction == member->direction && Overlap(other, *member);
      });
    });
    if (home == groups.end()) {
      groups.push_back({*std::move(member)});
    } else {
      home->push_back(*std::move(member));
    }
  }
  Windowed result{scalar, {}};
  for (const std::vector<Member>& group : groups) {
    if (group.size() >= 2) JoinPlaces(arena, group, result);
  }
  return result;
}

std::optional<Windowed> FindWindow(Arena& arena, const Scalar* scalar, const Variable* p,
                                   const Variable* q) {
  const std::vector<Index> forms = AllForms(scalar);
  std::vector<Member> members;
  for (const Variable* v : {p, q}) {
    if (!v->extent().is_number()) return std::nullopt;
    std::optional<Member> member = MemberOf(v, forms);
    if (!member) return std::nullopt;
    members.push_back(*std::move(member));
  }
  if (members[0].direction != members[1].direction || !Overlap(members[0], members[1])) {
    return std::nullopt;
  }
  Windowed result{scalar, {}};
  JoinPlaces(arena, std::move(members), result);
  if (result.places.empty()) return std::nullopt;
  DropZeroPlaces(arena, result);
  return result;
}

}  // namespace gradus::passes::scheduling
