// Rows: unfold, fold, window_max, and the poolings made of them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/ops/pooling.h"
#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

using ir::IntList;

Sample Over(ir::Type x, int64_t first, ir::Shape sizes, IntList window, IntList strides,
            IntList dilation, Sizes batch = {}) {
  return {{std::move(x)},
          {{"first", first},
           {"sizes", std::move(sizes)},
           {"window", std::move(window)},
           {"strides", std::move(strides)},
           {"dilation", std::move(dilation)}},
          std::move(batch)};
}

std::vector<Sample> SlidingSamples(DType d) {
  const ir::Dim b(kB);
  std::vector<Sample> samples = {
      Over({d, {5}}, 0, {3}, {3}, {1}, {1}),
      Over({d, {0, 5, 2}}, 1, {2}, {2}, {2}, {1}),
      Over({d, {2, 12, 3}}, 1, {12}, {1}, {1}, {1}),  // nothing slides
      Over({d, {2, 11, 17}}, 1, {5}, {2}, {2}, {1}),
      Over({d, {2, 9, 3}}, 1, {2}, {3}, {2}, {2}),
      Over({d, {2, 9, 3}}, 1, {0}, {3}, {2}, {2}),
      Over({d, {2, 6, 7, 5}}, 1, {4, 3}, {3, 2}, {1, 2}, {1, 1}),
      Over({d, {6, 7}}, 0, {2, 2}, {2, 3}, {3, 1}, {1, 2}),
      Over({d, {b, 8, 16}}, 1, {4}, {2}, {2}, {1}, {0, 1, 5}),
      Over({d, {3, b}}, 1, {b}, {1}, {1}, {1}, {0, 1, 9}),
  };
  if (d == DType::kF32) {
    samples.push_back(Over({DType::kI32, {2, 11, 3}}, 1, {5}, {2}, {2}, {1}));
    samples.push_back(Over({DType::kI64, {2, 11, 3}}, 1, {5}, {2}, {2}, {1}));
  }
  return samples;
}

// The operand of a fold is what unfold would give.
std::vector<Sample> FoldSamples(DType d) {
  std::vector<Sample> samples = SlidingSamples(d);
  for (Sample& s : samples) {
    const ir::Shape x = s.operands[0].shape;
    const Given g{{}, s.attrs};
    const auto first = static_cast<int>(g.attr<int64_t>("first"));
    const ir::Shape& positions = g.attr<ir::Shape>("sizes");
    ir::Shape unfolded, sizes;
    for (int i = 0; i < first; ++i) unfolded.push_back(x[i]);
    for (const ir::Dim& size : positions) unfolded.push_back(size);
    for (const int64_t n : g.attr<IntList>("window")) unfolded.push_back(n);
    for (int i = first + positions.rank(); i < x.rank(); ++i) unfolded.push_back(x[i]);
    for (int i = 0; i < positions.rank(); ++i) sizes.push_back(x[first + i]);
    s.operands[0].shape = unfolded;
    s.attrs[1].value = sizes;
  }
  return samples;
}

struct Slid {
  size_t first, axes;
  IntList window, strides, dilation;
  Sizes sizes;
};
Slid SlidOf(const Given& g) {
  Slid s{.first = static_cast<size_t>(g.attr<int64_t>("first")),
         .axes = g.attr<IntList>("window").size(),
         .window = g.attr<IntList>("window"),
         .strides = g.attr<IntList>("strides"),
         .dilation = g.attr<IntList>("dilation"),
         .sizes = {}};
  for (const ir::Dim& d : g.attr<ir::Shape>("sizes")) s.sizes.push_back(d.size());
  return s;
}

// The index in x of an index of what unfold gives.
Sizes Place(const Slid& s, const Sizes& unfolded) {
  Sizes at(unfolded.begin(), unfolded.begin() + static_cast<int64_t>(s.first));
  for (size_t i = 0; i < s.axes; ++i) {
    at.push_back(unfolded[s.first + i] * s.strides[i] +
                 unfolded[s.first + s.axes + i] * s.dilation[i]);
  }
  at.insert(at.end(), unfolded.begin() + static_cast<int64_t>(s.first + 2 * s.axes),
            unfolded.end());
  return at;
}

Sizes Replaced(Sizes shape, size_t first, size_t count, const Sizes& by) {
  const auto at = shape.erase(shape.begin() + static_cast<int64_t>(first),
                              shape.begin() + static_cast<int64_t>(first + count));
  shape.insert(at, by.begin(), by.end());
  return shape;
}

Array UnfoldReference(const Given& g) {
  const Slid s = SlidOf(g);
  Sizes middle = s.sizes;
  middle.insert(middle.end(), s.window.begin(), s.window.end());
  const Sizes shape = Replaced(g.operands[0].shape, s.first, s.axes, middle);
  return Filled(g.dtype(), shape, [&](const Sizes& i) { return g.operands[0].at(Place(s, i)); });
}

Array FoldReference(const Given& g) {
  const Slid s = SlidOf(g);
  Array result = Filled(g.dtype(), Replaced(g.operands[0].shape, s.first, 2 * s.axes, s.sizes),
                        [](const Sizes&) { return 0; });
  ForEachIndex(g.operands[0].shape,
               [&](const Sizes& i) { result.at(Place(s, i)) += g.operands[0].at(i); });
  return result;
}

Array WindowMaxReference(const Given& g) {
  const Slid s = SlidOf(g);
  const Sizes shape = Replaced(g.operands[0].shape, s.first, s.axes, s.sizes);
  return Filled(g.dtype(), shape, [&](const Sizes& i) {
    double largest = -std::numeric_limits<double>::infinity();
    ForEachIndex(s.window, [&](const Sizes& k) {
      Sizes at = i;
      at.insert(at.begin() + static_cast<int64_t>(s.first + s.axes), k.begin(), k.end());
      largest = std::max(largest, g.operands[0].at(Place(s, at)));
    });
    return largest;
  });
}

// --- poolings: options as attributes of the sample alone

Sample Pool(ir::Type x, const ir::PoolingOptions& o, bool count_padding = false) {
  return {{std::move(x)},
          {{"window", o.window},
           {"strides", o.strides},
           {"low", o.low},
           {"high", o.high},
           {"dilation", o.dilation},
           {"ceil_mode", o.ceil_mode},
           {"count_padding", count_padding}},
          {}};
}

ir::PoolingOptions OptionsOf(const ir::AttrList& attrs) {
  const Given g{{}, attrs};
  return {.window = g.attr<IntList>("window"),
          .strides = g.attr<IntList>("strides"),
          .low = g.attr<IntList>("low"),
          .high = g.attr<IntList>("high"),
          .dilation = g.attr<IntList>("dilation"),
          .ceil_mode = g.attr<bool>("ceil_mode")};
}

std::vector<Sample> PoolSamples(DType d) {
  std::vector<Sample> samples;
  for (const bool count_padding : {false, true}) {
    const auto add = [&](ir::Type x, const ir::PoolingOptions& o) {
      samples.push_back(Pool(std::move(x), o, count_padding));
    };
    add({d, {2, 8, 17}}, {.window = {2}});
    add({d, {2, 12, 3}}, {.window = {1}});
    add({d, {2, 9, 5}}, {.window = {3}, .strides = {2}, .low = {1}, .high = {1}});
    add({d, {2, 8, 5}}, {.window = {3}, .strides = {2}, .ceil_mode = true});
    add({d, {2, 7, 5}},
        {.window = {2}, .strides = {3}, .low = {1}, .high = {1}, .ceil_mode = true});
    add({d, {2, 10, 5}}, {.window = {3}, .strides = {1}, .dilation = {3}});
    add({d, {1, 7, 8, 4}},
        {.window = {3, 2}, .strides = {2, 2}, .low = {1, 0}, .high = {1, 1}, .ceil_mode = true});
    add({d, {2, 3, 4, 6, 2}}, {.window = {2, 2}});  // two leading axes
  }
  return samples;
}

// What one window of x covers: its elements, and how many places of padding.
struct Covered {
  std::vector<double> elements;
  double padding = 0;
};

Array PoolReference(const Given& g, const std::function<double(const Covered&)>& of_window) {
  const Array& x = g.operands[0];
  ir::PoolingOptions o = OptionsOf(g.attrs);
  const size_t axes = o.window.size(), leading = x.shape.size() - 1 - axes;
  if (o.strides.empty()) o.strides = o.window;
  for (IntList* list : {&o.low, &o.high}) list->resize(axes, 0);
  o.dilation.resize(axes, 1);
  Sizes shape = x.shape;
  for (size_t i = 0; i < axes; ++i) {
    const int64_t n = x.shape[leading + i], padded = n + o.low[i] + o.high[i];
    int64_t count = 0;  // positions one by one
    for (int64_t start = 0;; start += o.strides[i], ++count) {
      const int64_t end = start + (o.window[i] - 1) * o.dilation[i] + 1;
      // With ceil_mode one more that is not whole, if it starts in x or before.
      if (end <= padded) continue;
      const bool last_was_whole =
          count > 0 && end - o.strides[i] == padded;  // nothing is left over
      if (o.ceil_mode && !last_was_whole && start < n + o.low[i]) ++count;
      break;
    }
    shape[leading + i] = count;
  }
  return Filled(x.dtype, shape, [&](const Sizes& at) {
    Covered covered;
    ForEachIndex(o.window, [&](const Sizes& k) {
      Sizes from = at;
      bool in_x = true, in_padding = true;
      for (size_t i = 0; i < axes; ++i) {
        int64_t& place = from[leading + i];
        place = place * o.strides[i] + k[i] * o.dilation[i] - o.low[i];
        in_x = in_x && place >= 0 && place < x.shape[leading + i];
        in_padding = in_padding && place < x.shape[leading + i] + o.high[i];
      }
      if (in_x)
        covered.elements.push_back(x.at(from));
      else if (in_padding)
        ++covered.padding;
    });
    return of_window(covered);
  });
}

}  // namespace

std::vector<OpCase> PoolingCases() {
  const Domain distinct{.low = -2, .high = 2, .distinct = true};
  const Domain exact{.low = -2, .high = 2, .grid = 0.125};
  const auto attrs = [](ir::Shape sizes, IntList window, IntList strides) {
    IntList dilations(window.size(), 1);
    return Over({}, 1, std::move(sizes), std::move(window), std::move(strides),
                std::move(dilations))
        .attrs;
  };
  const std::vector<Refused> refused = {
      {{F32({2, 8, 3})}, attrs({4}, {3}, {2}), "axis 1 has 8 elements, fewer than 4 windows reach"},
      {{F32({2, 8, 3})}, attrs({4}, {0}, {2}), "window of 0"},
      {{F32({2, 8, 3})}, attrs({4}, {2}, {0}), "strides of 0"},
      {{F32({2, 8, 3})}, attrs({4}, {2, 2}, {2}), "window has 2 entries"},
      {{F32({2})}, attrs({4}, {2}, {2}), "1 spatial axes from axis 1 on are more than there are"},
      {{F32({2, ir::Dim(kB), 3})}, attrs({4}, {2}, {2}), "axis 1 has B elements and 4 positions"},
      {{I1({2, 8, 3})}, attrs({4}, {2}, {2}), "takes f32, f64, i32 or i64, got i1"},
  };
  return {
      {.name = "unfold",
       .samples = SlidingSamples,
       .domains = {exact},
       .reference = UnfoldReference,
       .refused = refused},
      {.name = "fold",
       .samples = FoldSamples,
       .domains = {exact},
       .reference = FoldReference,
       .f32 = {.absolute = 1e-300},  // of either sign, where it is 0
       .f64 = {.absolute = 1e-300},
       .refused = {{{F32({2, 4, 3, 3})},
                    attrs({8}, {2}, {2}),
                    "axis 2 of [2, 4, 3, 3] is not a window of 2"},
                   {{F32({2, 4, 2, 3})},
                    attrs({7}, {2}, {2}),
                    "axis 1 has 7 elements, fewer than 4 windows reach"},
                   {{F32({2, 4})}, attrs({8}, {2}, {2}), "more than there are"}}},
      {.name = "window_max",
       .samples = SlidingSamples,
       .domains = {distinct},
       .reference = WindowMaxReference,
       .refused = refused},
      {.name = "max_pool",
       .samples = PoolSamples,
       .domains = {distinct},
       .reference =
           [](const Given& g) {
             return PoolReference(g, [](const Covered& c) {
               return *std::max_element(c.elements.begin(), c.elements.end());
             });
           },
       .build = [](ir::Module&, ir::Function&, const std::vector<ir::Value>& v,
                   const Sample& s) { return ir::max_pool(v[0], OptionsOf(s.attrs)); }},
      {.name = "average_pool",
       .samples = PoolSamples,
       .domains = {exact},
       .reference =
           [](const Given& g) {
             return PoolReference(g, [&](const Covered& c) {
               double sum = 0;
               for (const double x : c.elements) sum += x;
               return sum / (static_cast<double>(c.elements.size()) +
                             (g.attr<bool>("count_padding") ? c.padding : 0));
             });
           },
       .f32 = {.ulps = 1, .absolute = 1e-300},
       .f64 = {.ulps = 1, .absolute = 1e-300},
       .build =
           [](ir::Module&, ir::Function&, const std::vector<ir::Value>& v, const Sample& s) {
             return ir::average_pool(v[0], OptionsOf(s.attrs),
                                     Given{{}, s.attrs}.attr<bool>("count_padding"));
           }},
  };
}

}  // namespace gradus::test
