// convolution: a sum of products with windows. Its axes are named as in an einsum, which closes it
// under gradients: those are convolutions with the roles of the three tensors changed.

#include "ir/ops/convolution.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"
#include "ir/ops/windows.h"

namespace gradus::ir {
namespace {

// The names of the axes: "ab0c,0cd->ab0d" for x, kernel and result. A digit names a spatial axis,
// which all three have. A letter names any other; two or three have it, and what the result does
// not have is summed over.
struct AxisNames {
  std::string x, kernel, result;
  std::string digits;  // in the order of the result's axes
  std::string summed;  // letters
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool Has(std::string_view names, char name) { return names.find(name) != std::string::npos; }
int AxisOf(std::string_view names, char name) { return static_cast<int>(names.find(name)); }

absl::StatusOr<AxisNames> ParseNames(const std::string& text) {
  const auto refuse = [&](std::string_view why) {
    return TypeError(fmt::format("axes \"{}\": {}", text, why));
  };
  const std::vector<std::string> sides = absl::StrSplit(text, "->");
  const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
  if (sides.size() != 2 || operands.size() != 2) {
    return refuse("expected \"x,kernel->result\", as in \"b0c,0cd->b0d\"");
  }
  AxisNames names{operands[0], operands[1], sides[1], {}, {}};
  for (const std::string& list : {names.x, names.kernel, names.result}) {
    for (size_t i = 0; i < list.size(); ++i) {
      const char c = list[i];
      if (!IsDigit(c) && !(c >= 'a' && c <= 'z')) return refuse("names are digits and letters");
      if (list.find(c, i + 1) != std::string::npos) {
        return refuse(fmt::format("{} stands twice in \"{}\"", c, list));
      }
      const int uses = Has(names.x, c) + Has(names.kernel, c) + Has(names.result, c);
      if (IsDigit(c) && uses < 3) {
        return refuse(fmt::format("the spatial axis {} is not in all three", c));
      }
      if (uses < 2) return refuse(fmt::format("{} is in one of them alone", c));
    }
  }
  for (const char c : names.result) {
    if (IsDigit(c)) names.digits += c;
  }
  for (const char c : names.kernel) {
    if (!IsDigit(c) && !Has(names.result, c)) names.summed += c;
  }
  return names;
}

// One number a digit, none beyond kFarthest.
absl::Status CheckList(std::string_view attr, const IntList& list, const AxisNames& names,
                       int64_t least, bool may_be_zero) {
  if (list.size() != names.digits.size()) {
    return TypeError(fmt::format("{} has {} entries for {} spatial axes", attr, list.size(),
                                 names.digits.size()));
  }
  for (const int64_t n : list) {
    if (n < least || n > kFarthest || (n == 0 && !may_be_zero)) {
      return TypeError(fmt::format("{} of {}", attr, n));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Types> InferConvolution(const InferContext& c) {
  const Type &x = c.operands[0], &kernel = c.operands[1];
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSameDType(x.dtype, kernel.dtype); !s.ok()) return s;
  const absl::StatusOr<AxisNames> names = ParseNames(c.attr<std::string>("axes"));
  if (!names.ok()) return names.status();
  for (const auto& [operand, list] : {std::pair(&x, &names->x), {&kernel, &names->kernel}}) {
    if (static_cast<size_t>(operand->rank()) == list->size()) continue;
    return TypeError(fmt::format("{} has not the axes \"{}\"", ToString(*operand), *list));
  }
  const Shape& sizes = c.attr<Shape>("sizes");
  if (absl::Status s = CheckSizes(sizes); !s.ok()) return s;
  if (static_cast<size_t>(sizes.rank()) != names->digits.size()) {
    return TypeError(fmt::format("sizes has {} entries for {} spatial axes", sizes.rank(),
                                 names->digits.size()));
  }
  for (const auto& [attr, least, may_be_zero] : {std::tuple("strides", -kFarthest, false),
                                                 {"low", -kFarthest, true},
                                                 {"kernel_dilation", -kFarthest, false},
                                                 {"input_dilation", int64_t{1}, false}}) {
    absl::Status s = CheckList(attr, c.attr<IntList>(attr), *names, least, may_be_zero);
    if (!s.ok()) return s;
  }
  Type result{x.dtype, {}};
  for (const char name : names->result) {
    if (IsDigit(name)) {
      result.shape.push_back(sizes[AxisOf(names->digits, name)]);
    } else {
      result.shape.push_back(Has(names->x, name) ? x.shape[AxisOf(names->x, name)]
                                                 : kernel.shape[AxisOf(names->kernel, name)]);
    }
  }
  for (const char name : names->x) {
    const Dim& size = x.shape[AxisOf(names->x, name)];
    if (IsDigit(name) || !Has(names->kernel, name)) continue;
    const Dim& other = kernel.shape[AxisOf(names->kernel, name)];
    if (size == other) continue;
    return TypeError(fmt::format("{} and kernel {}: the sizes of axis {} differ ({}, {})",
                                 ToString(x.shape), ToString(kernel.shape), name, ToString(size),
                                 ToString(other)));
  }
  for (const Type& type : {x, kernel, result}) {
    for (const Dim& d : type.shape) {
      if (!d.is_symbol() && d.size() > kFarthest) return TypeError("an axis is too large");
    }
  }
  return Types{result};
}

// At position o, step k of the window reads x at (stride * o + dilation * k - low) /
// input_dilation, if there is no rest and x goes so far.
loop::Expr ConvolutionAt(const loop::At& at) {
  const AxisNames names = ParseNames(at.attr<std::string>("axes")).value();
  const Shape &x_shape = at.operand_type(0).shape, &kernel_shape = at.operand_type(1).shape;
  const auto index_of = [&](char name) {
    return at.index()[static_cast<size_t>(AxisOf(names.result, name))];
  };
  Indices x_index(names.x.size()), kernel_index(names.kernel.size());
  absl::InlinedVector<const loop::Variable*, 4> variables;
  absl::InlinedVector<loop::Condition, 4> inside;
  for (const char name : names.digits) {
    const auto i = static_cast<size_t>(AxisOf(names.digits, name));
    const int x_axis = AxisOf(names.x, name), kernel_axis = AxisOf(names.kernel, name);
    const loop::Variable* k =
        at.ReductionVariable(static_cast<int>(i), loop::Extent(kernel_shape[kernel_axis]));
    variables.push_back(k);
    const loop::Index place = index_of(name) * at.attr<IntList>("strides")[i] +
                              loop::Index(k) * at.attr<IntList>("kernel_dilation")[i] -
                              loop::Index(at.attr<IntList>("low")[i]);
    const int64_t dilation = at.attr<IntList>("input_dilation")[i];
    const loop::DivModResult parts = loop::DivMod(at.arena(), place, dilation);
    inside.push_back(
        {loop::Index(0), parts.quotient, loop::Index::Of(loop::Extent(x_shape[x_axis]))});
    if (dilation > 1) inside.push_back({loop::Index(0), parts.remainder, loop::Index(1)});
    x_index[static_cast<size_t>(x_axis)] = parts.quotient;
    kernel_index[static_cast<size_t>(kernel_axis)] = k;
  }
  for (size_t i = 0; i < names.x.size(); ++i) {
    const char name = names.x[i];
    if (IsDigit(name)) continue;
    if (Has(names.result, name)) {
      x_index[i] = index_of(name);
      continue;
    }
    const auto number = static_cast<int>(names.digits.size()) + AxisOf(names.summed, name);
    variables.push_back(at.ReductionVariable(number, loop::Extent(x_shape[static_cast<int>(i)])));
    x_index[i] = variables.back();
    kernel_index[static_cast<size_t>(AxisOf(names.kernel, name))] = variables.back();
  }
  for (size_t i = 0; i < names.kernel.size(); ++i) {
    const char name = names.kernel[i];
    if (!IsDigit(name) && Has(names.result, name)) kernel_index[i] = index_of(name);
  }
  const loop::Expr x = at.Guard(inside, at.Operand(0, x_index));
  const loop::Expr product = x * at.Operand(1, kernel_index);
  return variables.empty() ? product : at.Reduce(loop::ReduceKind::kSum, variables, product);
}

IntList Negated(IntList list) {
  for (int64_t& n : list) n = -n;
  return list;
}

// The sizes along the digits, of a tensor with these names.
Shape SpatialSizes(const Shape& shape, std::string_view names, std::string_view digits) {
  Shape sizes;
  for (const char name : digits) sizes.push_back(shape[AxisOf(names, name)]);
  return sizes;
}

// An attribute in the order of other digits.
IntList Reordered(const IntList& list, std::string_view digits, std::string_view to) {
  IntList reordered;
  for (const char name : to) reordered.push_back(list[static_cast<size_t>(AxisOf(digits, name))]);
  return reordered;
}

std::string DigitsOf(std::string_view names) {
  std::string digits;
  std::copy_if(names.begin(), names.end(), std::back_inserter(digits), IsDigit);
  return digits;
}

// input_dilation * i = stride * o + dilation * k - low links the places of x, result and kernel.
// Solved for stride * o, that is a convolution of the result's gradient by the kernel, with the
// gradient of x as its result; the signs are such that the dilation of its input is positive.
Value InputGradient(const Vjp& c) {
  const Node& n = *c.node;
  const AxisNames names = ParseNames(n.attr<std::string>("axes")).value();
  IntList strides = n.attr<IntList>("strides"), low = Negated(n.attr<IntList>("low"));
  IntList dilation = Negated(n.attr<IntList>("kernel_dilation"));
  IntList solved = n.attr<IntList>("input_dilation");
  for (size_t i = 0; i < strides.size(); ++i) {
    if (strides[i] > 0) continue;
    for (int64_t* term : {&strides[i], &low[i], &dilation[i], &solved[i]}) *term = -*term;
  }
  const std::string digits = DigitsOf(names.x);
  const auto ordered = [&](const IntList& list) { return Reordered(list, names.digits, digits); };
  return Emit(n.op(), {c.grad, c.operand(1)},
              {{"axes", fmt::format("{},{}->{}", names.result, names.kernel, names.x)},
               {"sizes", SpatialSizes(c.operand(0).shape(), names.x, digits)},
               {"strides", ordered(solved)},
               {"low", ordered(low)},
               {"kernel_dilation", ordered(dilation)},
               {"input_dilation", ordered(strides)}});
}

// The same equation with o and k in each other's place.
Value KernelGradient(const Vjp& c) {
  const Node& n = *c.node;
  const AxisNames names = ParseNames(n.attr<std::string>("axes")).value();
  const std::string digits = DigitsOf(names.kernel);
  const auto ordered = [&](std::string_view attr) {
    return Reordered(n.attr<IntList>(attr), names.digits, digits);
  };
  return Emit(n.op(), {c.operand(0), c.grad},
              {{"axes", fmt::format("{},{}->{}", names.x, names.result, names.kernel)},
               {"sizes", SpatialSizes(c.operand(1).shape(), names.kernel, digits)},
               {"strides", ordered("kernel_dilation")},
               {"low", ordered("low")},
               {"kernel_dilation", ordered("strides")},
               {"input_dilation", ordered("input_dilation")}});
}

// The window's last element is at the position itself where as many zeros stand before x as it is
// long.
absl::StatusOr<LookBack> ConvolutionLookBack(const Node& n, int axis) {
  const AxisNames names = ParseNames(n.attr<std::string>("axes")).value();
  const char name = names.x[static_cast<size_t>(axis)];
  const int digit = AxisOf(names.digits, name);
  const auto number = [&](std::string_view list) {
    return n.attr<IntList>(list)[static_cast<size_t>(digit)];
  };
  const Dim& window = n.operand(1).shape()[AxisOf(names.kernel, name)];
  if (!IsDigit(name) || window.is_symbol()) return TypeError("takes all steps of time together");
  if (number("strides") != 1 || number("input_dilation") != 1) {
    return TypeError("does not give one step for each step that it is given");
  }
  const int64_t reach = (window.size() - 1) * number("kernel_dilation"), low = number("low");
  if (reach > low || number("kernel_dilation") < 0) {
    return TypeError(fmt::format(
        "looks {} steps ahead; with padding of {} before and 0 after it looks back alone",
        reach - low, reach));
  }
  LookBack back{low, n.attrs()};
  for (NamedAttribute& a : back.attrs) {
    if (a.name == "sizes") std::get<Shape>(a.value)[digit] = Dim(1);
    if (a.name == "low") std::get<IntList>(a.value)[static_cast<size_t>(digit)] = 0;
  }
  return back;
}

constinit const OpDef kConvolution{
    .name = "convolution",
    .summary =
        "sum over windows: with axes \"b0c,0cd->b0d\", result[b, o, d] = sum over k, c of x[b, "
        "(stride * o + kernel_dilation * k - low) / input_dilation, c] * kernel[k, c, d], where x "
        "is 0 outside and between its elements",
    .operands = {"x", "kernel"},
    .attrs =
        {AttrSpec{.name = "axes",
                  .kind = AttrKind::kString,
                  .summary = "names of the axes of x, kernel and result: a digit for a spatial "
                             "axis, a letter for any other; letters that the result lacks are "
                             "summed over"},
         AttrSpec{
             .name = "sizes", .kind = AttrKind::kShape, .summary = "the result's spatial sizes"},
         AttrSpec{.name = "strides",
                  .kind = AttrKind::kIntList,
                  .summary = "step from position to position, along each spatial axis of the "
                             "result; not 0"},
         AttrSpec{
             .name = "low", .kind = AttrKind::kIntList, .summary = "how many zeros stand before x"},
         AttrSpec{.name = "kernel_dilation",
                  .kind = AttrKind::kIntList,
                  .summary = "step in x from one of the kernel's elements to the next; not 0"},
         AttrSpec{.name = "input_dilation",
                  .kind = AttrKind::kIntList,
                  .summary = "distance of neighbours of x, with zeros between; at least 1"}},
    .traits = kContraction,
    .infer = InferConvolution,
    .vjp = {InputGradient, KernelGradient},
    .at = ConvolutionAt,
    .look_back = ConvolutionLookBack,
};

constexpr const OpDef* kTable[] = {&kConvolution};

}  // namespace

OpTable ConvolutionOps() { return kTable; }

}  // namespace gradus::ir
