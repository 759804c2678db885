// convolution: a sum of products with windows. Its axes are named as in an einsum, which closes it
// under gradients: those are convolutions with the roles of the three tensors changed.

#include "ir/ops/convolution.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

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

// How far indices may go: their arithmetic then stays in 64 bits.
constexpr int64_t kFarthest = int64_t{1} << 31;

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

// --- builders
// --------------------------------------------------------------------------------------------------------

// A convolution as it is asked for, on its way to the op.
class Asked {
 public:
  Asked(const Operand& x, const Operand& kernel, const ConvolutionOptions& options, bool transposed)
      : x_(x),
        kernel_(kernel),
        options_(options),
        transposed_(transposed),
        spatial_(kernel.value().rank() - 2),
        leading_(x.value().rank() - 1 - spatial_) {}

  Value Make(std::vector<int64_t> output_padding) {
    if (spatial_ < 0 || leading_ < 0 || spatial_ > 10 ||
        leading_ > static_cast<int>(kLeadingNames.size())) {
      return Fail(fmt::format("x {} and kernel {} do not fit together", ToString(x_.value().type()),
                              ToString(kernel_.value().type())),
                  "x is [leading..., spatial..., channels], the kernel [window..., in, out]");
    }
    for (auto [list, missing] : {std::pair(&options_.strides, 1),
                                 {&options_.low, 0},
                                 {&options_.high, 0},
                                 {&options_.kernel_dilation, 1},
                                 {&options_.input_dilation, 1},
                                 {&output_padding, 0}}) {
      if (list->empty()) list->assign(static_cast<size_t>(spatial_), missing);
      if (list->size() == static_cast<size_t>(spatial_)) continue;
      return Fail(
          fmt::format("an option has {} numbers for {} spatial axes", list->size(), spatial_),
          "give one number for each axis of the kernel's window");
    }
    Shape sizes;
    for (int i = 0; i < spatial_; ++i) {
      std::string why;
      const std::optional<Dim> size = Positions(i, output_padding[static_cast<size_t>(i)], &why);
      if (!size) return Fail(why, {});
      sizes.push_back(*size);
    }
    return Grouped(sizes);
  }

 private:
  // Channels are c (in), d (out) and e (groups).
  static constexpr std::string_view kLeadingNames = "bfghijklmnopqrstuvwxyz";

  Value Fail(std::string message, std::string help) {
    Function& f = x_.value().function();
    f.ReportError({.location = x_.location(),
                   .message = "convolution: " + std::move(message),
                   .help = std::move(help)});
    return f.poison();
  }

  std::optional<Dim> Positions(int i, int64_t output_padding, std::string* why) {
    const auto at = static_cast<size_t>(i);
    const Dim& n = x_.value().shape()[leading_ + i];
    const Dim& window = kernel_.value().shape()[i];
    const int64_t stride = options_.strides[at], dilation = options_.kernel_dilation[at];
    const int64_t between = options_.input_dilation[at];
    for (const int64_t number : {stride, dilation, between}) {
      if (number >= 1 && number <= kFarthest) continue;
      *why = fmt::format("a stride or dilation of {} along spatial axis {}", number, i);
      return std::nullopt;
    }
    const int64_t padding = options_.low[at] + options_.high[at];
    if (window.is_symbol()) {
      *why = fmt::format("the kernel's window has the symbolic size {}", ToString(window));
      return std::nullopt;
    }
    const int64_t reach = (window.size() - 1) * dilation;
    if (n.is_symbol()) {
      if (stride == 1 && between == 1 && output_padding == 0 && padding == reach) return n;
      *why = fmt::format(
          "axis {} has the symbolic size {}, which this convolution would change; pad with {} in "
          "all and no strides, or give it a number",
          leading_ + i, ToString(n), reach);
      return std::nullopt;
    }
    if (transposed_) {
      const int64_t size = (n.size() - 1) * stride - padding + reach + 1 + output_padding;
      return Dim(n.size() == 0 ? 0 : std::max<int64_t>(size, 0));
    }
    const int64_t room = (n.size() - 1) * between + 1 + padding - reach - 1;
    return Dim(n.size() == 0 || room < 0 ? 0 : room / stride + 1);
  }

  // With groups, x is [..., group, in], the kernel [..., in, group, out] (transposed [..., out,
  // group, in]) and the result [..., group, out]; channels of which a group has one have no axis.
  Value Grouped(const Shape& sizes) {
    const Shape& x_shape = x_.value().shape();
    const Shape& kernel_shape = kernel_.value().shape();
    std::string batch, digits;
    for (int i = 0; i < leading_; ++i) batch += kLeadingNames[static_cast<size_t>(i)];
    for (int i = 0; i < spatial_; ++i) digits += static_cast<char>('0' + i);
    const std::string lead = batch + digits;
    if (options_.groups == 1) {
      return Op(x_, kernel_, lead + "c", digits + (transposed_ ? "dc" : "cd"), lead + "d", sizes);
    }
    const Dim& channels = x_shape[x_shape.rank() - 1];
    const Dim& per_group = kernel_shape[spatial_ + (transposed_ ? 1 : 0)];
    const Dim& out = kernel_shape[spatial_ + (transposed_ ? 0 : 1)];
    const int64_t groups = options_.groups;
    if (channels.is_symbol() || per_group.is_symbol() || out.is_symbol() || groups < 1) {
      return Fail(fmt::format("{} groups of {} channels", groups, ToString(channels)),
                  "groups need channels that are numbers");
    }
    const int64_t in_each = channels.size() / groups;
    const int64_t out_each = transposed_ ? out.size() : out.size() / groups;
    const int64_t kernel_in = transposed_ ? per_group.size() / groups : per_group.size();
    if (channels.size() % groups != 0 || kernel_in != in_each ||
        (transposed_ ? per_group.size() : out.size()) % groups != 0) {
      return Fail(fmt::format("{} groups do not divide the channels of x {} and kernel {}", groups,
                              ToString(x_shape), ToString(kernel_shape)),
                  transposed_ ? "the kernel is [window..., out / groups, in]"
                              : "the kernel is [window..., in / groups, out]");
    }
    const std::string in_name = in_each == 1 ? "" : "c", out_name = out_each == 1 ? "" : "d";
    Shape grouped_x(x_shape.dims().first(static_cast<size_t>(x_shape.rank() - 1)));
    grouped_x.push_back(groups);
    if (in_each != 1) grouped_x.push_back(in_each);
    Shape grouped_kernel(kernel_shape.dims().first(static_cast<size_t>(spatial_)));
    const auto [first, last] =
        transposed_ ? std::pair(out_each, in_each) : std::pair(in_each, out_each);
    if (first != 1) grouped_kernel.push_back(first);
    grouped_kernel.push_back(groups);
    if (last != 1) grouped_kernel.push_back(last);
    const std::string& first_name = transposed_ ? out_name : in_name;
    const std::string& last_name = transposed_ ? in_name : out_name;
    const Value y =
        Op(Operand(reshape(x_, grouped_x), x_.where()),
           Operand(reshape(kernel_, grouped_kernel), kernel_.where()), lead + "e" + in_name,
           digits + first_name + "e" + last_name, lead + "e" + out_name, sizes);
    if (out_each == 1 || !y || y.is_poison()) return y;
    Shape joined(y.shape().dims().first(static_cast<size_t>(leading_ + spatial_)));
    joined.push_back(groups * out_each);
    return reshape(y, joined);
  }

  Value Op(const Operand& x, const Operand& kernel, const std::string& x_names,
           const std::string& kernel_names, const std::string& result_names, const Shape& sizes) {
    const std::vector<int64_t> ones(static_cast<size_t>(spatial_), 1);
    return Emit(kConvolution, {x, kernel},
                {{"axes", fmt::format("{},{}->{}", x_names, kernel_names, result_names)},
                 {"sizes", sizes},
                 {"strides", transposed_ ? ones : options_.strides},
                 {"low", transposed_ ? Negated(options_.low) : options_.low},
                 {"kernel_dilation",
                  transposed_ ? Negated(options_.kernel_dilation) : options_.kernel_dilation},
                 {"input_dilation", transposed_ ? options_.strides : options_.input_dilation}});
  }

  const Operand& x_;
  const Operand& kernel_;
  ConvolutionOptions options_;
  bool transposed_;
  int spatial_, leading_;
};

Value MakeConvolution(const Operand& x, const Operand& kernel, const ConvolutionOptions& options,
                      bool transposed, std::vector<int64_t> output_padding) {
  if (std::optional<Value> stop = Stopped({x, kernel})) return *stop;
  if (x.is_number() || kernel.is_number()) {
    Function& f = (x.is_number() ? kernel : x).value().function();
    f.ReportError({.location = x.location(),
                   .message = "convolution: a number has no axes to slide along",
                   .help = "mul(x, number) scales each element"});
    return f.poison();
  }
  const CallerScope scope({x, kernel});
  return Asked(x, kernel, options, transposed).Make(std::move(output_padding));
}

}  // namespace

OpTable ConvolutionOps() { return kTable; }

Value convolution(Operand x, Operand kernel, const ConvolutionOptions& options) {
  return MakeConvolution(x, kernel, options, false, {});
}

Value transposed_convolution(Operand x, Operand kernel, const ConvolutionOptions& options,
                             std::vector<int64_t> output_padding) {
  return MakeConvolution(x, kernel, options, true, std::move(output_padding));
}

}  // namespace gradus::ir
