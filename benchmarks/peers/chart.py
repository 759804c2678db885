"""What benchmarks/compare found, as tables in a page and as a chart."""

import math

BEGIN, END = "<!-- written by benchmarks/compare: begin -->", "<!-- end -->"
PEERS = ["PyTorch", "ONNX Runtime", "openblas", "onednn"]
COLOURS = {"Gradus": "#2c6fbb", "PyTorch": "#e4743c", "ONNX Runtime": "#7a8793"}


def milliseconds(ms):
    if ms is None:
        return ""
    return f"{ms * 1e3:.3g} µs" if ms < 1 else f"{ms:.4g} ms" if ms >= 100 else f"{ms:.3g} ms"


def times(row, peer):
    """How often as long as ours."""
    found = row["peers"].get(peer)
    return f"{found['median_ms'] / row['median_ms']:.2f}" if found else ""


def time_of(row, peer):
    found = row["peers"].get(peer)
    return milliseconds(found["median_ms"]) if found else ""


def table(head, lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head)] + lines) + "\n"


def network_table(rows, mode):
    peers = [p for p in PEERS if any(p in r["peers"] for r in rows)]
    head = ["network (batch)", "Gradus", "floor", "over floor", "of peak"]
    for peer in peers:
        head += [peer, "times ours"]
    if mode == "train":
        head += ["compiled in", "workspace"]
    lines = []
    for r in rows:
        cells = [f"{r['workload']} ({r['batch']})", milliseconds(r["median_ms"]), milliseconds(r["floor_ms"]),
                 f"{r['over_floor']:.2f}", f"{r['percent_of_peak']:.0f} %"]
        for peer in peers:
            cells += [time_of(r, peer), times(r, peer)]
        if mode == "train":
            cells += [f"{r['compile_cold_ms']:.0f} ms", f"{r['arena_bytes'] / 2**20:.1f} MiB"]
        lines.append(cells)
    return table(head, lines)


def operation_table(rows):
    peers = [p for p in PEERS if any(p in r["peers"] for r in rows)]
    lines = []
    for r in rows:
        speed = f"{r['gflops']:.0f} GFLOP/s" if r["gflops"] > 0 else ""
        of_peak = f"{r['percent_of_peak']:.0f} %" if r["gflops"] > 0 else ""
        lines.append([f"`{r['workload']}`", milliseconds(r["median_ms"]), speed, of_peak] + [times(r, p) for p in peers])
    names = {"openblas": "OpenBLAS", "onednn": "oneDNN"}
    return table(["operation", "Gradus", "speed", "of peak"] + [f"{names.get(p, p)}, times ours" for p in peers], lines)


def write_tables(rows, path):
    """Replaces what stands between the marks; puts them at the end of a page that has none."""
    networks = [r for r in rows if ":" not in r["workload"]]
    operations = [r for r in rows if ":" in r["workload"]]
    names = sorted({p["name"] for r in rows for p in r["peers"].values()})
    dates, machines = sorted({r["date"] for r in rows}), sorted({r["machine"] for r in rows})
    peak = sorted(r["peak_gflops"] for r in rows)[len(rows) // 2]
    text = f"{BEGIN}\n\n"
    text += (f"{' to '.join([dates[0], dates[-1]] if len(dates) > 1 else dates)}, {'; '.join(machines)}, one thread, "
             f"peak {peak:.0f} GFLOP/s in f32; {', '.join(names)}; medians of interleaved runs.\n\n")
    for mode, title in (("train", "Training steps, Adam"), ("infer", "Inference")):
        chosen = [r for r in networks if r["mode"] == mode]
        if chosen:
            text += f"### {title}\n\n{network_table(chosen, mode)}\n"
    if operations:
        text += f"### Operations\n\n{operation_table(operations)}\n"
    slower = [f"{r['workload']} ({r['mode']}; {peer['name']}: {times(r, kind)})"
              for r in rows for kind, peer in r["peers"].items() if peer["median_ms"] < r["median_ms"]]
    if slower:
        text += f"A peer is faster at {', '.join(slower)}.\n\n"
    text += END
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if BEGIN in page and END in page:
        page = page[:page.index(BEGIN)] + text + page[page.index(END) + len(END):]
    else:
        page += "\n" + text + "\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


def write_chart(rows, path):
    """Bars: how many times the floor each side takes, on a logarithmic axis from 1."""
    groups = [r for r in rows if ":" not in r["workload"]]
    bar, gap, left, width, top = 11, 9, 150, 560, 64
    sides = ["Gradus", "PyTorch", "ONNX Runtime"]
    largest = max([p["median_ms"] / r["floor_ms"] for r in groups for p in r["peers"].values()] + [10])
    decades = math.log10(largest) * 1.04

    def x_of(ratio):
        return left + width * max(0.0, math.log10(max(ratio, 1.0))) / decades

    body, y, mode = [], top, None
    for r in groups:
        if r["mode"] != mode:
            mode = r["mode"]
            y += 14
            title = "Training steps" if mode == "train" else "Inference"
            body.append(f'<text x="{left}" y="{y}" font-weight="bold">{title}</text>')
            y += 10
        values = {"Gradus": r["median_ms"]} | {k: p["median_ms"] for k, p in r["peers"].items()}
        present = [s for s in sides if s in values]
        body.append(f'<text x="{left - 8}" y="{y + bar * len(present) / 2 + 4:.0f}" text-anchor="end">'
                    f'{r["workload"]} ({r["batch"]})</text>')
        for side in present:
            ratio = values[side] / r["floor_ms"]
            end = x_of(ratio)
            body.append(f'<rect x="{left}" y="{y}" width="{max(end - left, 1):.1f}" height="{bar - 1}" '
                        f'fill="{COLOURS[side]}"/>')
            body.append(f'<text x="{end + 4:.1f}" y="{y + bar - 2}" font-size="10">{milliseconds(values[side])}</text>')
            y += bar
        y += gap
    grid = []
    for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500):
        if tick <= largest:
            x = x_of(tick)
            grid.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{y}" stroke="#ddd"/>')
            grid.append(f'<text x="{x:.1f}" y="{top - 6}" text-anchor="middle" fill="#555">{tick}</text>')
    legend = []
    for i, side in enumerate(sides):
        legend.append(f'<rect x="{left + 130 * i}" y="24" width="12" height="12" fill="{COLOURS[side]}"/>')
        legend.append(f'<text x="{left + 130 * i + 17}" y="34">{side}</text>')
    title = "Time, in multiples of the least that this core allows (log scale); one thread"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 90} {y + 10}" '
                   f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
                   f'<text x="{left}" y="16" font-weight="bold">{title}</text>\n')
        file.write("\n".join(legend + grid + body))
        file.write("\n</svg>\n")
