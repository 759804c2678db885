#include "passes/kernels/left_to_readers.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"
#include "passes/kernels/access.h"

namespace gradus::passes {
namespace {

using ir::Node;
using ir::Value;

size_t Id(const Node& n) { return static_cast<size_t>(n.id()); }

class Left {
 public:
  explicit Left(const Grouped& grouped)
      : grouped_(grouped), f_(grouped.function), repeatable_(grouped.repeatable) {
    const auto nodes = static_cast<size_t>(f_.id_bound());
    left_.resize(nodes, false);
    from_.resize(nodes);
    scaled_.resize(nodes, false);
    read_elsewhere_.resize(nodes);
  }

  std::vector<bool> Process() {
    for (const auto& n : f_.nodes()) Consider(*n);
    // Those who read it: other kernels, and none that needs it in memory.
    for (const ir::Result& r : f_.results()) left_[Id(*r.value.node())] = false;
    ForEachRead([&](const Node&, int group, const Source& s) {
      if (s.moved) read_elsewhere_[Id(*s.value.node())].insert(group);
    });
    ForEachRead([&](const Node& reader, int group, const Source& s) {
      if (left_[Id(*s.value.node())]) {
        left_[Id(*s.value.node())] = MayBeLeftTo(reader, group, s);
      }
    });
    return std::move(left_);
  }

 private:
  int GroupOf(Value v) const {
    return v.node()->is_argument() ? -1 : grouped_.group[Id(*v.node())];
  }

  // Whether `v` is a few numbers in memory, spread over the shape of `n`: one a channel.
  bool IsSmallBeside(Value v, const Node& n) const {
    if (!repeatable_.contains(*v.node())) return false;
    const int own = grouped_.group[Id(n)];
    return std::ranges::all_of(repeatable_.SourcesOf(v, false), [&](const Source& s) {
      return GroupOf(s.value) != own && SpannedAxes(s.value.type()) < SpannedAxes(n.type());
    });
  }

  // Marks `n` if it follows from one other value that its group stores.
  void Consider(const Node& n) {
    if (!grouped_.live[Id(n)] || !IsCheap(n) || !grouped_.stored[Id(n)]) return;
    if (repeatable_.contains(n)) return;
    Value& of = from_[Id(n)];
    bool one = true;
    for (const Value& v : n.operands()) {
      if (v.node()->op().has(ir::kSplat)) continue;
      if (IsSmallBeside(v, n)) {
        scaled_[Id(n)] = true;
        continue;
      }
      one = one && (!of || of == v);
      of = v;
    }
    left_[Id(n)] = one && of && !of.node()->is_argument() && grouped_.stored[Id(*of.node())] &&
                   !repeatable_.contains(*of.node()) && !left_[Id(*of.node())] &&
                   GroupOf(of) == grouped_.group[Id(n)];
  }

  // Calls body(reader, its group, what it reads) for all that live nodes read.
  template <typename Body>
  void ForEachRead(const Body& body) const {
    for (const auto& reader : f_.nodes()) {
      if (!grouped_.live[Id(*reader)]) continue;
      const int group = repeatable_.contains(*reader) ? -1 : GroupOf(reader->result());
      for (const Value v : reader->operands()) {
        for (const Source& s : repeatable_.SourcesOf(v, !reader->op().has(ir::kPointwise))) {
          body(*reader, group, s);
        }
      }
    }
  }

  bool MayBeLeftTo(const Node& reader, int group, const Source& s) const {
    const size_t id = Id(*s.value.node());
    // (A product would have to copy what it reads first.)
    const bool in_memory = reader.op().has(ir::kCall) || reader.op().has(ir::kGathers) ||
                           (scaled_[id] && reader.op().has(ir::kContraction));
    const bool own = group == GroupOf(s.value);
    return !in_memory && (!own || (scaled_[id] && !s.moved)) &&
           (own || !read_elsewhere_[Id(*from_[id].node())].contains(group));
  }

  const Grouped& grouped_;
  const ir::Function& f_;
  const Repeatable& repeatable_;
  // By node id.
  std::vector<bool> left_;
  std::vector<Value> from_;                               // the one other value
  std::vector<bool> scaled_;                              // follows from small values, too
  std::vector<absl::flat_hash_set<int>> read_elsewhere_;  // by which groups, at other indices
};

}  // namespace

std::vector<bool> LeftToReaders(const Grouped& grouped) { return Left(grouped).Process(); }

}  // namespace gradus::passes
