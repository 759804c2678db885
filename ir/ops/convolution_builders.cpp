// The builders of convolution: what is asked for (strides, padding, groups, in the order of Keras),
// checked, as the op, whose axes have names (convolution.cpp).

#include "ir/ops/convolution.h"

#include <algorithm>
#include <optional>
#include <string>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/windows.h"

namespace gradus::ir {
namespace {

std::vector<int64_t> Negated(std::vector<int64_t> list) {
  for (int64_t& n : list) n = -n;
  return list;
}

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
    return Emit(*ConvolutionOps().front(), {x, kernel},
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

Value convolution(Operand x, Operand kernel, const ConvolutionOptions& options) {
  return MakeConvolution(x, kernel, options, false, {});
}

Value transposed_convolution(Operand x, Operand kernel, const ConvolutionOptions& options,
                             std::vector<int64_t> output_padding) {
  return MakeConvolution(x, kernel, options, true, std::move(output_padding));
}

}  // namespace gradus::ir
