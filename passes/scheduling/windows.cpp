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
  for (std::vector<Member>& group : groups) {
    if (group.size() < 2) continue;
    int64_t common = 0;
    for (const Member& m : group) common = std::gcd(common, m.factor);
    Index place;  // over the members
    int64_t least = 0, most = 0;
    const Member* unit = nullptr;
    for (Member& m : group) {
      m.factor /= common;
      place = place + Index(m.variable) * m.factor;
      (m.factor < 0 ? least : most) += m.factor * (m.variable->extent().number() - 1);
      if (unit == nullptr && std::abs(m.factor) == 1) unit = &m;
    }
    if (unit == nullptr) continue;
    const Variable* along =
        arena.NewVariable(unit->variable->name() + "w", Extent(most - least + 1));
    const Index others = place - Index(unit->variable) * unit->factor;
    const loop::Substitution solved{unit->variable,
                                    (Index(along) + Index(least) - others) * unit->factor};
    result.scalar = arena.Substitute(result.scalar, std::span(&solved, 1));
    result.places.push_back({along, place - Index(least)});
  }
  return result;
}

}  // namespace gradus::passes::scheduling
