#include "passes/one_step.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"
#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/scan.h"
#include "passes/kernels/access.h"
#include "passes/pipelines.h"

namespace gradus::passes {
namespace {

using ir::Dim;
using ir::Function;
using ir::Node;
using ir::Shape;
using ir::Type;
using ir::Value;

// Chains of nodes that depend on weights alone are short.
constexpr int kMostNested = 64;

// What a value of @forward is in @step.
struct Tracked {
  enum class Kind : uint8_t {
    kFixed,  // depends on no input
    kTime,   // has time along `axis`: there the present step, size 1
    kNow,    // what it would be if the sequence ended now
  };
  Kind kind = Kind::kFixed;
  int axis = -1;
  Value value;  // in @step; of kFixed empty until it is needed
};

Shape With(Shape shape, int axis, const Dim& size) {
  shape[axis] = size;
  return shape;
}
Shape Without(const Shape& shape, int axis) {
  Shape less;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i != axis) less.push_back(shape[i]);
  }
  return less;
}

class Stepper {
 public:
  Stepper(const Function& forward, Function& step) : forward_(forward), step_(step) {}

  absl::StatusOr<OneStep> Run() {
    if (absl::Status s = AddArguments(); !s.ok()) return s;
    if (absl::Status s = Measure(); !s.ok()) return s;
    for (const auto& n : forward_.nodes()) {
      step_.set_location_override(n->location());
      if (absl::Status s = Visit(*n); !s.ok()) return s;
    }
    step_.set_location_override(std::nullopt);
    if (absl::Status s = AddResults(); !s.ok()) return s;
    if (step_.error()) return step_.error()->ToStatus();
    return std::move(found_);
  }

 private:
  static absl::Status Refuse(const Node& n, std::string why, std::string help = "") {
    const std::string layer(n.location().scope_name());
    return ir::Diagnostic{.location = n.location(),
                          .message = fmt::format("step: {}{}{} {}", layer,
                                                 layer.empty() ? "" : ": ", n.op().name, why),
                          .notes = {},
                          .help = std::move(help),
                          .text = ""}
        .ToStatus();
  }

  // Inputs lose their axis 1; the state is added once its size is known.
  absl::Status AddArguments() {
    const ir::Module& module = *forward_.module();
    for (int i = 0; i < forward_.num_args(); ++i) {
      const Value a = forward_.arg(i);
      const bool is_weight = std::ranges::any_of(
          module.parameters(), [&](const ir::Parameter& p) { return p.name == a.node()->name(); });
      if (is_weight) continue;
      if (a.rank() < 2) {
        return Refuse(*a.node(),
                      fmt::format("{} is {}, without an axis of time", a.node()->name(),
                                  ir::ToString(a.type())),
                      "inputs are [batch, time, ...]");
      }
      if (inputs_.empty()) {
        batch_ = a.shape()[0];
        time_ = a.shape()[1];
        dtype_ = a.dtype();
      }
      if (!(a.shape()[1] == time_) || !(a.shape()[0] == batch_)) {
        return Refuse(*a.node(), "is not as long as the other inputs");
      }
      if (time_ == Dim(1)) return Refuse(*a.node(), "has one step of time, which is all of it");
      inputs_.push_back(i);
      step_.AddArgument(a.node()->name(), {a.dtype(), Without(a.shape(), 1)});
    }
    if (inputs_.empty()) return absl::InvalidArgumentError("step: the model has no input");
    return absl::OkStatus();
  }

  // A first sweep in a function of its own finds what has to be remembered; the second one builds.
  absl::Status Measure() {
    if (!measuring_) {
      ir::Module& module = *step_.module();
      Function& draft = module.AddFunction(module.UniqueName("step_draft"));
      Stepper first(forward_, draft);
      first.measuring_ = true;
      const absl::StatusOr<OneStep> found = first.Run();
      module.EraseFunction(&draft);
      if (!found.ok()) return found.status();
      found_.state = {dtype_, {batch_, Dim(first.columns_)}};
      state_ = step_.AddArgument("state", found_.state);
    }
    AddWeights();
    return absl::OkStatus();
  }

  void AddWeights() {
    for (int k = 0; k < static_cast<int>(inputs_.size()); ++k) {
      const Value given = step_.arg(k);
      const Value whole = forward_.arg(inputs_[static_cast<size_t>(k)]);
      tracked_[whole] = {Tracked::Kind::kTime, 1,
                         ir::reshape(given, With(whole.shape(), 1, Dim(1)))};
    }
    for (int i = 0; i < forward_.num_args(); ++i) {
      const Value a = forward_.arg(i);
      if (tracked_.contains(a)) continue;
      tracked_[a] = {Tracked::Kind::kFixed, -1, step_.AddArgument(a.node()->name(), a.type())};
    }
  }

  // --- state

  // What an earlier step left, of this type with the batch first.
  absl::StatusOr<Value> Remembered(const Node& n, const Type& type, double start) {
    if (type.rank() < 1 || !(type.shape[0] == batch_) || type.dtype != dtype_) {
      return Refuse(n, fmt::format("would remember {}, which is not {} with the batch first",
                                   ir::ToString(type), ir::Name(dtype_)));
    }
    int64_t count = 1;
    for (int i = 1; i < type.rank(); ++i) {
      if (type.shape[i].is_symbol()) {
        return Refuse(n, fmt::format("would remember {}, of no fixed size", ir::ToString(type)));
      }
      count *= type.shape[i].size();
    }
    const int64_t offset = columns_;
    columns_ += count;
    if (start != 0) found_.fills.push_back({offset, count, start});
    if (measuring_) return ir::constant(step_, type, start);
    return ir::reshape(ir::slice(state_, {ir::Range1{}, {offset, offset + count}}), type.shape);
  }
  void Remember(Value now) {
    int64_t count = 1;
    for (int i = 1; i < now.rank(); ++i) count *= now.shape()[i].size();
    new_state_.push_back(ir::reshape(now, {batch_, Dim(count)}));
  }

  // --- nodes

  // A value that depends on no input, as it is.
  absl::StatusOr<Value> Fixed(Value v, int nested = 0) {
    Tracked& t = tracked_[v];
    if (t.value) return t.value;
    const Node& n = *v.node();
    if (nested > kMostNested || n.op().has(ir::kCall)) return Refuse(n, "is too far from weights");
    std::vector<Value> operands;
    for (const Value o : n.operands()) {
      absl::StatusOr<Value> operand = Fixed(o, nested + 1);
      if (!operand.ok()) return operand.status();
      operands.push_back(*operand);
    }
    const absl::StatusOr<Node*> made = Make(n, operands, n.attrs());
    if (!made.ok()) return made.status();
    for (int r = 0; r < n.num_results(); ++r) {
      tracked_[Value(v.node(), r)].value = (*made)->result(r);
    }
    return tracked_[v].value;
  }

  // The same, one element along `axis`, along which all are equal.
  absl::StatusOr<Value> FixedAt(Value v, int axis, int nested = 0) {
    if (v.shape()[axis] == Dim(1)) return Fixed(v);
    const Node& n = *v.node();
    if (nested > kMostNested || n.is_argument() || n.op().has(ir::kCall) ||
        n.op().emit != nullptr || (n.num_operands() == 0 && !n.op().has(ir::kSplat))) {
      return Refuse(n, "is another one at every step, which one step does not know");
    }
    std::vector<Value> operands;
    for (int k = 0; k < n.num_operands(); ++k) {
      const absl::StatusOr<int> at = AxisFor(n, k, axis);
      if (!at.ok()) return at.status();
      absl::StatusOr<Value> operand =
          *at < 0 ? Fixed(n.operand(k)) : FixedAt(n.operand(k), *at, nested + 1);
      if (!operand.ok()) return operand.status();
      operands.push_back(*operand);
    }
    const absl::StatusOr<Node*> made = Make(n, operands, AttrsFor(n, axis));
    if (!made.ok()) return made.status();
    return Checked(n, (*made)->result(), axis);
  }

  // The axis of operand k that goes with axis `axis` of the result; -1: none does.
  absl::StatusOr<int> AxisFor(const Node& n, int k, int axis) {
    const std::vector<AxisUse> uses = AxisUses(n, k);
    for (size_t a = 0; a < uses.size(); ++a) {
      if ((uses[a].result_axes >> axis & 1U) == 0) continue;
      if (!uses[a].plain || uses[a].reduced != 0 || std::popcount(uses[a].result_axes) != 1) {
        return Refuse(n, "mixes steps of time");
      }
      return static_cast<int>(a);
    }
    return -1;
  }

  // Attributes for a result with size 1 along `axis`.
  static ir::AttrList AttrsFor(const Node& n, int axis) {
    ir::AttrList attrs = n.attrs();
    for (ir::NamedAttribute& a : attrs) {
      auto* shape = std::get_if<Shape>(&a.value);
      if (shape != nullptr && *shape == n.type().shape) *shape = With(*shape, axis, Dim(1));
    }
    return attrs;
  }

  absl::StatusOr<Node*> Make(const Node& n, std::span<const Value> operands, ir::AttrList attrs) {
    ir::Diagnostic error;
    Node* made = ir::TryEmit(step_, n.op(), operands, std::move(attrs), n.location(),
                             step_.module(), &error);
    if (made == nullptr) return Refuse(n, "cannot be done for one step: " + error.message);
    return made;
  }

  // The type rule has the last word on what the attributes for one step were.
  static absl::StatusOr<Value> Checked(const Node& n, Value made, int axis) {
    const Type want{n.type().dtype, With(n.type().shape, axis, Dim(1))};
    if (made.type() == want) return made;
    return Refuse(n, fmt::format("gives {} for one step, expected {}", ir::ToString(made.type()),
                                 ir::ToString(want)));
  }

  absl::Status Visit(const Node& n) {
    bool any_time = false, any_now = false;
    for (const Value o : n.operands()) {
      any_time = any_time || tracked_[o].kind == Tracked::Kind::kTime;
      any_now = any_now || tracked_[o].kind == Tracked::Kind::kNow;
    }
    if (n.op().has(ir::kLoop) && (any_time || any_now)) return VisitLoop(n);
    if (!any_time && !any_now) return absl::OkStatus();  // made where it is needed
    if (any_time && any_now) {
      return Refuse(n, "needs at every step what is known at the end",
                    "a layer before gives its last step only");
    }
    return any_now ? VisitNow(n) : VisitTime(n);
  }

  absl::Status VisitNow(const Node& n) {
    std::vector<Value> operands;
    for (const Value o : n.operands()) {
      const Tracked t = tracked_[o];
      absl::StatusOr<Value> v = t.kind == Tracked::Kind::kNow ? t.value : Fixed(o);
      if (!v.ok()) return v.status();
      operands.push_back(*v);
    }
    const absl::StatusOr<Node*> made = Make(n, operands, n.attrs());
    if (!made.ok()) return made.status();
    for (int r = 0; r < n.num_results(); ++r) {
      tracked_[Value(const_cast<Node*>(&n), r)] = {Tracked::Kind::kNow, -1, (*made)->result(r)};
    }
    return absl::OkStatus();
  }

  absl::Status VisitTime(const Node& n) {
    if (n.op().has(ir::kTypeOnly) || n.op().has(ir::kCall) || n.op().emit != nullptr ||
        n.num_results() != 1) {
      return Refuse(n, "needs all steps of time at once");
    }
    int result_axis = -1, past = 0;
    ir::AttrList attrs;
    for (int k = 0; k < n.num_operands(); ++k) {
      const Tracked& t = tracked_[n.operand(k)];
      if (t.kind != Tracked::Kind::kTime) continue;
      const AxisUse use = AxisUses(n, k)[static_cast<size_t>(t.axis)];
      const bool one_axis = std::popcount(use.result_axes) == 1;
      const int axis = one_axis ? std::countr_zero(use.result_axes) : -1;
      const bool own = one_axis && use.plain && use.reduced == 0;
      if (!own && k == 0 && one_axis && n.op().look_back != nullptr) {
        const auto step = n.op().look_back(n, t.axis);
        if (!step.ok()) return Refuse(n, std::string(step.status().message()));
        past = static_cast<int>(step->past);
        attrs = step->attrs;
      } else if (!own) {
        return Refuse(n, use.reduced != 0 && !one_axis ? "takes all steps of time together"
                                                       : "reads other steps of time than its own");
      }
      if (result_axis >= 0 && axis != result_axis) return Refuse(n, "mixes steps of time");
      result_axis = axis;
    }
    if (!(n.type().shape[result_axis] == time_)) {
      return Refuse(n, fmt::format("gives {} steps for {}",
                                   ir::ToString(n.type().shape[result_axis]), ir::ToString(time_)));
    }
    std::vector<Value> operands;
    for (int k = 0; k < n.num_operands(); ++k) {
      const Tracked t = tracked_[n.operand(k)];
      absl::StatusOr<Value> v = t.value;
      if (t.kind == Tracked::Kind::kFixed) {
        const absl::StatusOr<int> at = AxisFor(n, k, result_axis);
        if (!at.ok()) return at.status();
        v = *at < 0 ? Fixed(n.operand(k)) : FixedAt(n.operand(k), *at);
      } else if (k == 0 && past > 0) {
        v = WithPast(n, t.value, t.axis, past);
      }
      if (!v.ok()) return v.status();
      operands.push_back(*v);
    }
    if (attrs.empty()) attrs = AttrsFor(n, result_axis);
    const absl::StatusOr<Node*> made = Make(n, operands, std::move(attrs));
    if (!made.ok()) return made.status();
    const absl::StatusOr<Value> value = Checked(n, (*made)->result(), result_axis);
    if (!value.ok()) return value.status();
    tracked_[Value(const_cast<Node*>(&n), 0)] = {Tracked::Kind::kTime, result_axis, *value};
    return absl::OkStatus();
  }

  // The samples of before, then the present one; before the first there were zeros.
  absl::StatusOr<Value> WithPast(const Node& n, Value now, int axis, int past) {
    const Type type{now.dtype(), With(now.shape(), axis, Dim(past))};
    const absl::StatusOr<Value> before = Remembered(n, type, 0);
    if (!before.ok()) return before.status();
    const Value all = ir::concat({*before, now}, axis);
    std::vector<ir::Range1> later(static_cast<size_t>(axis) + 1);
    later.back().begin = 1;
    Remember(ir::slice(all, later));
    return all;
  }

  absl::Status VisitLoop(const Node& n) {
    const ir::ScanView scan(n);
    if (scan.reverse()) {
      return Refuse(n, "goes from the last step to the first",
                    "a layer that goes backwards, or in both directions, needs the whole sequence");
    }
    if (!(scan.length() == time_)) return Refuse(n, "is a loop over something else than time");
    std::vector<Value> arguments;
    for (int i = 0; i < scan.carries(); ++i) {
      const std::optional<double> start = ir::SplatNumber(scan.carry(i));
      if (tracked_[scan.carry(i)].kind != Tracked::Kind::kFixed || !start) {
        return Refuse(n, "starts from something else than one number",
                      "an initial state has to be a constant");
      }
      const absl::StatusOr<Value> v = Remembered(n, scan.carry(i).type(), *start);
      if (!v.ok()) return v.status();
      arguments.push_back(*v);
    }
    for (int i = 0; i < scan.sequences(); ++i) {
      const Tracked t = tracked_[scan.sequence(i)];
      absl::StatusOr<Value> v = t.value;
      if (t.kind == Tracked::Kind::kFixed) v = FixedAt(scan.sequence(i), 0);
      if (t.kind == Tracked::Kind::kNow || (t.kind == Tracked::Kind::kTime && t.axis != 0)) {
        return Refuse(n, "reads what is no sequence over time");
      }
      if (!v.ok()) return v.status();
      arguments.push_back(ir::reshape(*v, Without(v->shape(), 0)));
    }
    for (int i = 0; i < scan.invariants(); ++i) {
      if (tracked_[scan.invariant(i)].kind != Tracked::Kind::kFixed) {
        return Refuse(n, "needs at every step what is known at the end");
      }
      const absl::StatusOr<Value> v = Fixed(scan.invariant(i));
      if (!v.ok()) return v.status();
      arguments.push_back(*v);
    }
    if (step_.error()) return step_.error()->ToStatus();
    const std::vector<Value> results = ir::InlineInto(step_, scan.body(), arguments);
    for (int i = 0; i < static_cast<int>(results.size()); ++i) {
      const Value v = results[static_cast<size_t>(i)];
      Tracked& t = tracked_[Value(const_cast<Node*>(&n), i)];
      if (i < scan.carries()) {
        Remember(v);
        t = {Tracked::Kind::kNow, -1, v};
        continue;
      }
      Shape shape{Dim(1)};
      for (const Dim& d : v.shape()) shape.push_back(d);
      t = {Tracked::Kind::kTime, 0, ir::reshape(v, shape)};
    }
    return absl::OkStatus();
  }

  absl::Status AddResults() {
    for (const ir::Result& r : forward_.results()) {
      const Tracked t = tracked_[r.value];
      absl::StatusOr<Value> v = t.value;
      if (t.kind == Tracked::Kind::kFixed) v = Fixed(r.value);
      if (!v.ok()) return v.status();
      if (t.kind == Tracked::Kind::kTime) v = ir::reshape(*v, Without(v->shape(), t.axis));
      step_.AddResult(*v, r.name);
    }
    if (measuring_) return absl::OkStatus();
    Value state = state_;
    if (new_state_.size() == 1) state = new_state_[0];
    if (new_state_.size() > 1) {
      state = ir::concat(std::vector<ir::Operand>(new_state_.begin(), new_state_.end()), 1);
    }
    step_.AddResult(state, "state", step_.ArgumentIndex(state_));
    return absl::OkStatus();
  }

  const Function& forward_;
  Function& step_;
  bool measuring_ = false;
  std::vector<int> inputs_;
  Dim batch_{0}, time_{0};
  ir::DType dtype_ = ir::DType::kF32;
  absl::flat_hash_map<Value, Tracked> tracked_;
  Value state_;
  int64_t columns_ = 0;  // of the state, so far
  std::vector<Value> new_state_;
  OneStep found_;
};

}  // namespace

absl::StatusOr<OneStep> AddOneStep(ir::Module& module) {
  const Function* forward = module.Find("forward");
  if (forward == nullptr) return absl::InvalidArgumentError("step: there is no @forward");
  // What changes nothing (a pooling of one step) is out of the way.
  const std::unique_ptr<ir::Module> plain = module.Clone();
  absl::Status s = RunPipeline(*plain, "inline-calls,simplify,cse,dce", {}, {.verify_each = false});
  if (!s.ok()) return s;
  Function& step = module.AddFunction("step");
  absl::StatusOr<OneStep> found = Stepper(*plain->Find("forward"), step).Run();
  if (!found.ok()) module.EraseFunction(&step);
  return found;
}

}  // namespace gradus::passes
