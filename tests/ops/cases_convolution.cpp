// Rows: convolution, and its builders. Operands are multiples of 1/8, so that every sum is exact in
// any order, fused or not. The reference walks over x's elements and asks where each one goes.

#include <algorithm>
#include <string>

#include "ir/ops/convolution.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::IntList;

struct Window {
  IntList strides = {1}, low = {0}, kernel_dilation = {1}, input_dilation = {1};
};

Sample Slide(ir::Type x, ir::Type kernel, std::string axes, ir::Shape sizes, Window w = {},
             Sizes batch = {}) {
  return {{std::move(x), std::move(kernel)},
          {{"axes", std::move(axes)},
           {"sizes", std::move(sizes)},
           {"strides", w.strides},
           {"low", w.low},
           {"kernel_dilation", w.kernel_dilation},
           {"input_dilation", w.input_dilation}},
          std::move(batch)};
}

std::vector<Sample> ConvolutionSamples(DType d) {
  const ir::Dim b(kB);
  const Window same{.low = {1}};
  const Window strided{.strides = {2}, .low = {1}};
  const Window plane{
      .strides = {1, 1}, .low = {1, 1}, .kernel_dilation = {1, 1}, .input_dilation = {1, 1}};
  const Window uneven{
      .strides = {2, 1}, .low = {1, 2}, .kernel_dilation = {1, 2}, .input_dilation = {1, 1}};
  const Window apart{
      .strides = {2, 3}, .low = {2, 0}, .kernel_dilation = {1, 1}, .input_dilation = {3, 2}};
  const Window volume{.strides = {1, 1, 1},
                      .low = {0, 0, 0},
                      .kernel_dilation = {1, 1, 1},
                      .input_dilation = {1, 1, 1}};
  const Window none{.strides = {}, .low = {}, .kernel_dilation = {}, .input_dilation = {}};
  return {
      Slide({d, {5, 1}}, {d, {3, 1, 1}}, "0c,0cd->0d", {3}),
      Slide({d, {2, 12, 4}}, {d, {3, 4, 17}}, "b0c,0cd->b0d", {12}, same),
      Slide({d, {2, 9, 4}}, {d, {3, 4, 16}}, "b0c,0cd->b0d", {5}, strided),
      Slide({d, {2, 0, 4}}, {d, {3, 4, 5}}, "b0c,0cd->b0d", {2}, same),
      Slide({d, {2, 6, 4}}, {d, {0, 4, 5}}, "b0c,0cd->b0d", {6}),
      Slide({d, {7, 3}}, {d, {3, 4}}, "bc,cd->bd", {}, none),  // a product
      Slide({d, {2, 8, 5}}, {d, {3, 4, 5}}, "b0d,0cd->b0c", {8},
            {.low = {-1}, .kernel_dilation = {-1}}),  // as an input's gradient is
      Slide({d, {2, 4, 5}}, {d, {3, 4, 5}}, "b0d,0cd->b0c", {9},
            {.low = {-1}, .kernel_dilation = {-1}, .input_dilation = {2}}),  // with strides
      Slide({d, {2, 9, 4}}, {d, {2, 9, 6}}, "b0c,b0d->0cd", {3}, same),      // a kernel's
      Slide({d, {9, 2, 4}}, {d, {3, 4, 6}}, "0bc,0cd->bd0", {5},
            {.strides = {-2}, .low = {-8}}),                         // backward
      Slide({d, {2, 7, 6}}, {d, {3, 6}}, "b0c,0c->b0c", {7}, same),  // depthwise
      Slide({d, {2, 7, 3, 4}}, {d, {3, 4, 3, 5}}, "b0gc,0cgd->b0gd", {7}, same),
      Slide({d, {1, 6, 7, 3}}, {d, {3, 3, 3, 16}}, "b01c,01cd->b01d", {6, 7}, plane),
      Slide({d, {1, 7, 8, 2}}, {d, {2, 3, 2, 5}}, "b01c,01cd->b01d", {4, 8}, uneven),
      Slide({d, {1, 3, 4, 2}}, {d, {3, 2, 2, 5}}, "b01c,01cd->b10d", {4, 2}, apart),
      Slide({d, {3, 4, 5, 2}}, {d, {2, 3, 2, 2, 3}}, "012c,012cd->012d", {2, 2, 4}, volume),
      Slide({d, {b, 12, 1}}, {d, {3, 1, 32}}, "b0c,0cd->b0d", {12}, same, {0, 1, 5, 17}),
      Slide({d, {b, 12, 5}}, {d, {3, 5, 20}}, "b0c,0cd->b0d", {12}, same, {0, 1, 5, 17}),
      Slide({d, {b, 6, 5}}, {d, {b, 6, 20}}, "b0c,b0d->0cd", {3}, same, {0, 1, 5, 17}),
      Slide({d, {2, b, 3}}, {d, {3, 3, 4}}, "a0c,0cd->a0d", {b}, same, {0, 1, 2, 9}),
      Slide({d, {b, 2, 1, 4, 1}}, {d, {1, 3, 1, 6}}, "ab01c,01cd->ab01d", {1, 4},
            {.strides = {1, 1}, .low = {0, 1}, .kernel_dilation = {1, 1}, .input_dilation = {1, 1}},
            {3}),
  };
}

// Spreads each product x * kernel to the one result element that it belongs to, if any.
Array ConvolutionReference(const Given& g) {
  const Array &x = g.operands[0], &kernel = g.operands[1];
  const auto& axes = g.attr<std::string>("axes");
  const size_t comma = axes.find(','), arrow = axes.find("->");
  const std::string of_x = axes.substr(0, comma);
  const std::string of_kernel = axes.substr(comma + 1, arrow - comma - 1);
  const std::string of_result = axes.substr(arrow + 2);
  Sizes shape;
  std::string digits;
  for (const char c : of_result) {
    if (c <= '9') {
      shape.push_back(g.attr<ir::Shape>("sizes")[static_cast<int>(digits.size())].size());
      digits += c;
    } else {
      const size_t at = of_x.find(c);
      shape.push_back(at != std::string::npos ? x.shape[at] : kernel.shape[of_kernel.find(c)]);
    }
  }
  Array result = Filled(x.dtype, shape, [](const Sizes&) { return 0; });
  ForEachIndex(x.shape, [&](const Sizes& i) {
    ForEachIndex(kernel.shape, [&](const Sizes& k) {
      Sizes at(shape.size());
      for (size_t axis = 0; axis < of_kernel.size(); ++axis) {
        const char c = of_kernel[axis];
        const size_t in_x = of_x.find(c), in_result = of_result.find(c);
        if (c <= '9') {
          const size_t n = digits.find(c);
          // input_dilation * i = stride * o + kernel_dilation * k - low
          const int64_t place = g.attr<IntList>("input_dilation")[n] * i[in_x] +
                                g.attr<IntList>("low")[n] -
                                g.attr<IntList>("kernel_dilation")[n] * k[axis];
          const int64_t stride = g.attr<IntList>("strides")[n];
          const int64_t o = place / stride;
          if (o * stride != place || o < 0 || o >= shape[in_result]) return;
          at[in_result] = o;
        } else {
          if (in_x != std::string::npos && i[in_x] != k[axis]) return;
          if (in_result != std::string::npos) at[in_result] = k[axis];
        }
      }
      for (size_t axis = 0; axis < of_x.size(); ++axis) {
        const size_t in_result = of_result.find(of_x[axis]);
        if (of_x[axis] > '9' && in_result != std::string::npos) at[in_result] = i[axis];
      }
      result.at(at) += x.at(i) * kernel.at(k);
    });
  });
  return result;
}

// What the rows of builders are made of: options by name, as attributes of the sample alone.
Sample Built(ir::Type x, ir::Type kernel, const ir::ConvolutionOptions& o, IntList output = {}) {
  return {{std::move(x), std::move(kernel)},
          {{"strides", o.strides},
           {"low", o.low},
           {"high", o.high},
           {"kernel_dilation", o.kernel_dilation},
           {"input_dilation", o.input_dilation},
           {"groups", o.groups},
           {"output_padding", std::move(output)}},
          {}};
}

template <typename T>
T Attr(const ir::AttrList& attrs, std::string_view name) {
  return Given{{}, attrs}.attr<T>(name);
}

ir::ConvolutionOptions OptionsOf(const ir::AttrList& attrs) {
  return {.strides = Attr<IntList>(attrs, "strides"),
          .low = Attr<IntList>(attrs, "low"),
          .high = Attr<IntList>(attrs, "high"),
          .kernel_dilation = Attr<IntList>(attrs, "kernel_dilation"),
          .input_dilation = Attr<IntList>(attrs, "input_dilation"),
          .groups = Attr<int64_t>(attrs, "groups")};
}

int64_t Or(const IntList& list, size_t i, int64_t otherwise) {
  return list.empty() ? otherwise : list[i];
}

// Channels last with groups, from the definition: x [batch, spatial..., in], kernel [window..., in
// / groups, out].
Array GroupedReference(const Given& g) {
  const Array &x = g.operands[0], &kernel = g.operands[1];
  const ir::ConvolutionOptions o = OptionsOf(g.attrs);
  const size_t spatial = kernel.shape.size() - 2, leading = x.shape.size() - 1 - spatial;
  Sizes shape(x.shape.begin(), x.shape.begin() + static_cast<int64_t>(leading));
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t n = (x.shape[leading + i] - 1) * Or(o.input_dilation, i, 1) + 1 +
                      Or(o.low, i, 0) + Or(o.high, i, 0);
    const int64_t reach = (kernel.shape[i] - 1) * Or(o.kernel_dilation, i, 1) + 1;
    shape.push_back((n - reach) / Or(o.strides, i, 1) + 1);
  }
  shape.push_back(kernel.shape.back());
  const int64_t in = kernel.shape[spatial], out = kernel.shape[spatial + 1] / o.groups;
  return Filled(x.dtype, shape, [&](const Sizes& at) {
    double sum = 0;
    ForEachIndex(kernel.shape, [&](const Sizes& k) {
      if (k.back() != at.back()) return;
      Sizes from = at;
      from.back() = at.back() / out * in + k[spatial];
      for (size_t i = 0; i < spatial; ++i) {
        const int64_t place = at[leading + i] * Or(o.strides, i, 1) +
                              k[i] * Or(o.kernel_dilation, i, 1) - Or(o.low, i, 0);
        const int64_t apart = Or(o.input_dilation, i, 1);
        if (place < 0 || place % apart != 0 || place / apart >= x.shape[leading + i]) return;
        from[leading + i] = place / apart;
      }
      sum += x.at(from) * kernel.at(k);
    });
    return sum;
  });
}

// Each element of x adds a window to the result: kernel [window..., out / groups, in].
Array TransposedReference(const Given& g) {
  const Array &x = g.operands[0], &kernel = g.operands[1];
  const ir::ConvolutionOptions o = OptionsOf(g.attrs);
  const auto& extra = g.attr<IntList>("output_padding");
  const size_t spatial = kernel.shape.size() - 2, leading = x.shape.size() - 1 - spatial;
  Sizes shape(x.shape.begin(), x.shape.begin() + static_cast<int64_t>(leading));
  for (size_t i = 0; i < spatial; ++i) {
    shape.push_back((x.shape[leading + i] - 1) * Or(o.strides, i, 1) - Or(o.low, i, 0) -
                    Or(o.high, i, 0) + (kernel.shape[i] - 1) * Or(o.kernel_dilation, i, 1) + 1 +
                    Or(extra, i, 0));
  }
  const int64_t out = kernel.shape[spatial], in = kernel.shape[spatial + 1] / o.groups;
  shape.push_back(out * o.groups);
  Array result = Filled(x.dtype, shape, [](const Sizes&) { return 0; });
  ForEachIndex(x.shape, [&](const Sizes& i) {
    ForEachIndex(kernel.shape, [&](const Sizes& k) {
      if (k.back() != i.back()) return;
      Sizes at = i;
      at.back() = i.back() / in * out + k[spatial];
      for (size_t axis = 0; axis < spatial; ++axis) {
        int64_t& to = at[leading + axis];
        to = to * Or(o.strides, axis, 1) + k[axis] * Or(o.kernel_dilation, axis, 1) -
             Or(o.low, axis, 0);
        if (to < 0 || to >= shape[leading + axis]) return;
      }
      result.at(at) += x.at(i) * kernel.at(k);
    });
  });
  return result;
}

std::vector<Sample> GroupedSamples(DType d) {
  return {
      Built({d, {2, 10, 6}}, {d, {3, 3, 8}}, {.strides = {2}, .groups = 2}),
      Built({d, {2, 7, 6}}, {d, {3, 1, 6}}, {.low = {1}, .high = {1}, .groups = 6}),
      Built({d, {2, 7, 17}}, {d, {3, 1, 34}}, {.low = {2}, .high = {0}, .groups = 17}),
      Built({d, {1, 5, 6, 4}}, {d, {3, 2, 2, 6}},
            {.strides = {1, 2}, .low = {1, 0}, .high = {1, 1}, .groups = 2}),
      Built({d, {2, 3, 9, 2}}, {d, {3, 2, 5}}, {.kernel_dilation = {2}}),  // two leading axes
      Built({d, {2, 4, 2}}, {d, {3, 2, 5}}, {.low = {-1}, .high = {3}, .input_dilation = {2}}),
  };
}

std::vector<Sample> TransposedSamples(DType d) {
  return {
      Built({d, {2, 5, 3}}, {d, {4, 6, 3}}, {.strides = {2}}),
      Built({d, {2, 5, 3}}, {d, {3, 17, 3}}, {.strides = {2}, .low = {1}, .high = {1}}, {1}),
      Built({d, {1, 3, 4, 4}}, {d, {3, 2, 5, 4}},
            {.strides = {2, 3}, .low = {1, 0}, .high = {0, 0}, .kernel_dilation = {2, 1}}, {1, 0}),
      Built({d, {2, 4, 6}}, {d, {3, 2, 6}}, {.strides = {2}, .groups = 3}),
      Built({d, {2, 4, 6}}, {d, {3, 1, 6}}, {.strides = {3}, .groups = 6}),
  };
}

}  // namespace

std::vector<OpCase> ConvolutionCases() {
  const auto op = [](std::string axes, ir::Shape sizes, Window w = {}) {
    return Slide({}, {}, std::move(axes), std::move(sizes), std::move(w)).attrs;
  };
  const Domain exact{.low = -2, .high = 2, .grid = 0.125};
  const Tolerance either_zero{.absolute = 1e-300};
  return {
      {.name = "convolution",
       .samples = ConvolutionSamples,
       .domains = {exact},
       .reference = ConvolutionReference,
       .f32 = either_zero,
       .f64 = either_zero,
       .refused =
           {{{F32({2, 9, 4}), F32({3, 5, 6})},
             op("b0c,0cd->b0d", {7}),
             "[2, 9, 4] and kernel [3, 5, 6]: the sizes of axis c differ (4, 5)"},
            {{F32({9, 4}), F32({3, 4, 6})}, op("b0c,0cd->b0d", {7}), "has not the axes \"b0c\""},
            {{F32({9, 4}), F64({3, 4, 6})}, op("0c,0cd->0d", {7}), "are different element types"},
            {{F32({9, 4}), F32({3, 4, 6})}, op("0c,0cd", {7}), "expected \"x,kernel->result\""},
            {{F32({9, 4}), F32({3, 4, 6})}, op("0c,0cD->0D", {7}), "digits and letters"},
            {{F32({9, 4}), F32({3, 4, 6})}, op("0c,0cc->0c", {7}), "c stands twice in \"0cc\""},
            {{F32({9, 4}), F32({3, 4, 6})}, op("0c,0cd->d", {7}), "0 is not in all three"},
            {{F32({9, 4}), F32({3, 4, 6})}, op("0c,0cd->0", {7}), "d is in one of them alone"},
            {{F32({9, 4}), F32({3, 4, 6})},
             op("0c,0cd->0d", {7, 7}),
             "sizes has 2 entries for 1 spatial axes"},
            {{F32({9, 4}), F32({3, 4, 6})},
             op("0c,0cd->0d", {7}, {.strides = {0}}),
             "strides of 0"},
            {{F32({9, 4}), F32({3, 4, 6})},
             op("0c,0cd->0d", {7}, {.input_dilation = {-1}}),
             "input_dilation of -1"},
            {{I1({9, 4}), I1({3, 4, 6})}, op("0c,0cd->0d", {7}), "takes f32, f64, i32 or i64"}},
       .specials = {}},
      {.name = "convolution_in_groups",
       .samples = GroupedSamples,
       .domains = {exact},
       .reference = GroupedReference,
       .f32 = either_zero,
       .f64 = either_zero,
       .build = [](ir::Module&, ir::Function&, const std::vector<ir::Value>& v,
                   const Sample& s) { return ir::convolution(v[0], v[1], OptionsOf(s.attrs)); }},
      {.name = "transposed_convolution",
       .samples = TransposedSamples,
       .domains = {exact},
       .reference = TransposedReference,
       .f32 = either_zero,
       .f64 = either_zero,
       .build =
           [](ir::Module&, ir::Function&, const std::vector<ir::Value>& v, const Sample& s) {
             return ir::transposed_convolution(v[0], v[1], OptionsOf(s.attrs),
                                               Attr<IntList>(s.attrs, "output_padding"));
           }},
  };
}

}  // namespace gradus::test
