#!/usr/bin/env python3
"""Tests of benchmarks/peers/chart.py: the tables and the chart of what benchmarks/compare found."""

import os
import sys
import tempfile
import unittest
import xml.dom.minidom

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path.insert(0, os.path.join(ROOT, "benchmarks", "peers"))
import chart  # noqa: E402


def row(workload, mode, ms, **peers):
    return {"workload": workload, "mode": mode, "batch": 32, "median_ms": ms, "floor_ms": ms / 1.25, "over_floor": 1.25,
            "gflops": 100.0, "percent_of_peak": 40.0, "peak_gflops": 250.0, "compile_cold_ms": 120.0,
            "compile_cached_ms": 1.0, "arena_bytes": 1 << 21, "date": "2026-01-02", "machine": "a core",
            "peers": {k: {"name": k + " 1.0", "how": k, "median_ms": v} for k, v in peers.items()}}


ROWS = [row("rnn", "train", 0.2, PyTorch=1.0), row("rnn", "infer", 0.05, PyTorch=0.3, **{"ONNX Runtime": 0.1}),
        row("mlp", "infer", 2.0), row("matmul:2x3x4", "infer", 0.001, openblas=0.002)]


class ChartTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.page, self.svg = (os.path.join(self.folder.name, n) for n in ("page.md", "chart.svg"))

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_tables_replace_what_stands_between_the_marks_alone(self):
        with open(self.page, "w", encoding="utf-8") as file:
            file.write(f"before\n{chart.BEGIN}\nold\n{chart.END}\nafter\n")
        chart.write_tables(ROWS, self.page)
        once = self.read(self.page)
        self.assertTrue(once.startswith("before\n") and once.endswith("\nafter\n"))
        self.assertNotIn("old", once)
        chart.write_tables(ROWS, self.page)
        self.assertEqual(self.read(self.page), once)

    def test_a_page_without_marks_gets_them(self):
        open(self.page, "w", encoding="utf-8").close()
        chart.write_tables(ROWS, self.page)
        self.assertIn(chart.BEGIN, self.read(self.page))

    def test_cells(self):
        open(self.page, "w", encoding="utf-8").close()
        chart.write_tables(ROWS, self.page)
        text = self.read(self.page)
        self.assertIn("| rnn (32) | 200 µs | 160 µs | 1.25 | 40 % | 1 ms | 5.00 | 120 ms | 2.0 MiB |", text)
        self.assertIn("| rnn (32) | 50 µs | 40 µs | 1.25 | 40 % | 300 µs | 6.00 | 100 µs | 2.00 |", text)
        self.assertIn("| mlp (32) | 2 ms | 1.6 ms | 1.25 | 40 % |  |  |  |  |", text)
        self.assertIn("| `matmul:2x3x4` | 1 µs | 100 GFLOP/s | 40 % | 2.00 |", text)

    def test_says_where_a_peer_is_faster(self):
        open(self.page, "w", encoding="utf-8").close()
        chart.write_tables([row("rnn", "train", 0.2, PyTorch=0.1)] + ROWS[1:], self.page)
        self.assertIn("A peer is faster at rnn (train; PyTorch 1.0: 0.50).\n", self.read(self.page))

    def test_the_chart_is_xml_with_a_bar_a_side(self):
        chart.write_chart(ROWS, self.svg)
        bars = [r for r in xml.dom.minidom.parse(self.svg).getElementsByTagName("rect") if r.getAttribute("x") == "150"
                and r.getAttribute("height") == "10"]
        self.assertEqual(len(bars), 6)


if __name__ == "__main__":
    unittest.main()
