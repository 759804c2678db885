// The frame of a report: its styles and its head. See html.h.

#include "fmt/format.h"
#include "frontend/training/report/html.h"

namespace gradus::report {
namespace {

// Colours of curves: Okabe and Ito, "Color Universal Design" (2008), which people with any of the
// common kinds of colour blindness tell apart, without its yellow, which is too pale for a line on
// white; on dark grounds lighter tones of the same hues.
constexpr std::string_view kStyle = R"(
:root {
  color-scheme: light dark;
  --paper: #fff; --card: #fff; --ink: #1b1f24; --dim: #57606a; --rule: #d8dee4; --grid: #e6eaee;
  --on: #fff;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #c98a00; --c5: #56b4e9;
  --c6: #444;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1b1f24; --ink: #e6e8ea; --dim: #9aa4ae; --rule: #343b43;
    --grid: #2b3138; --on: #101214;
    --c0: #4aa8e0; --c1: #f0833a; --c2: #2fc39a; --c3: #e09cc4; --c4: #f2bd3a; --c5: #a5dbff;
    --c6: #c8ccd2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--rule); }
p { margin: .3rem 0 .8rem; max-width: 50rem; color: var(--dim); }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
figure {
  margin: 0; padding: .7rem .9rem; border: 1px solid var(--rule); border-radius: 6px;
  background: var(--card); min-width: 0;
}
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 12.5px system-ui, "DejaVu Sans", sans-serif; fill: var(--dim); }
svg text.mark { fill: var(--ink); }
.grid { stroke: var(--grid); fill: none; }
.axis { stroke: var(--dim); fill: none; }
.aid { stroke: var(--dim); fill: none; stroke-dasharray: 2 4; }
.line {
  stroke: var(--c); fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round;
}
.thin { stroke-width: 1.1; }
.dots { fill: var(--c); }
.bar { fill: var(--c); fill-opacity: .35; stroke: var(--c); stroke-width: 1.2; }
.cell { fill: var(--c0); }
svg text.on { fill: var(--on); }
.d1 { stroke-dasharray: 6 5; }
.d2 { stroke-dasharray: 1.5 4.5; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); }
.ramp { --c: var(--light); }
.legend {
  list-style: none; margin: .3rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem;
  font-size: .85rem; color: var(--dim);
}
.legend b { color: var(--ink); font-weight: 500; }
.legend svg { display: inline-block; width: 26px; height: 10px; vertical-align: middle; margin-right: .35rem; }
.note { font-size: .85rem; margin: .2rem 0; }
details { margin-top: .4rem; font-size: .85rem; }
summary { cursor: pointer; color: var(--dim); }
.tables { display: flex; flex-wrap: wrap; gap: 0 4rem; align-items: flex-start; }
.scroll { overflow-x: auto; }
details .scroll { max-height: 22rem; overflow-y: auto; }
table { border-collapse: collapse; margin: .4rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--rule); }
th { font-weight: 500; }
thead th { color: var(--dim); font-size: .85rem; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; padding: .2rem 0 .2rem 1.2rem; }
@media screen and (prefers-color-scheme: dark) { .ramp { --c: var(--dark); } }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  .charts { grid-template-columns: 1fr 1fr; gap: .6rem; }
  figure { break-inside: avoid; padding: .3rem .5rem; }
  .legend, .note { font-size: 8pt; }
  svg text { font-size: 14.5px; }
  h2 { break-after: avoid; }
  details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)";

}  // namespace

// The policy forbids a browser to fetch anything; the empty icon keeps it from asking for one.
std::string Page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      Escaped(title), kStyle, body);
}

}  // namespace gradus::report
