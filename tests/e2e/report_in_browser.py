"""Opens reports in a real browser: curves are drawn, nothing is fetched, no text lies outside its picture.

usage: report_in_browser.py GRADUS_REPORT FOLDER

Makes histories with a fixed seed, in the form that frontend/training/README.md describes, lets
gradus-report draw them, and opens the pages in headless Chromium. The pages and their screenshots
stay in FOLDER. Skipped (exit code 77) where there is no Chromium.
"""

import json
import math
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

SKIP = 77
WIDTH = 1180
# Colours of curves on white: the palette of frontend/training/report/page.cpp.
PALETTE = {"c0": (0x00, 0x72, 0xB2), "c1": (0xD5, 0x5E, 0x00)}
# What a browser asks for on its own account, whatever page it shows.
BROWSERS_OWN = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")


def history(name, seed, classes):
    """A training as it could have been; every list that a report draws is there."""
    draw = random.Random(seed)
    steps, layers = 1200, [f"hidden_{i}" for i in range(1, 8)] + ["out"]
    rate = [1e-3 * 0.5 * (1 + math.cos(math.pi * s / steps)) + 1e-6 for s in range(steps)]
    loss = [0.1 + 0.6 * math.exp(-s / 250) * draw.uniform(0.6, 1.4) for s in range(steps)]
    loss[600] = None  # NaN: a gap
    norms = []
    for depth, layer in enumerate(layers):
        scale = 10 ** (-(0.7 + seed % 3) * (len(layers) - depth) / 2)
        for parameter in ("kernel", "bias"):
            norms.append({"name": f"{layer}.{parameter}",
                          "gradient": [scale * draw.uniform(0.5, 2) * (1 + s / 400) for s in range(steps)],
                          "weight": [1 + depth * 0.3 + s / steps for s in range(steps)]})
    epochs = [{"epoch": e + 1, "steps": 100, "seconds": 0.4, "learning_rate": rate[100 * e + 99],
               "training": {"loss": 0.1 * seed + 0.6 * math.exp(-e / 2.5), "metrics": [1 - 0.5 * math.exp(-e / 3)]},
               "validation": {"loss": 0.07 + 0.1 * seed + 0.5 * math.exp(-e / 2.2) + 0.01 * e,
                              "metrics": [0.96 - 0.5 * math.exp(-e / 2.5)]}} for e in range(12)]
    labels = [draw.randrange(max(classes, 2)) if draw.random() < 0.6 else 0 for _ in range(900)]
    scores = []
    for label in labels:
        if classes == 1:
            scores.append(min(1, max(0, draw.gauss(0.3 + 0.35 * label, 0.2))))
        else:
            weight = [math.exp(draw.gauss(2.2 if c == label else 0, 1)) for c in range(classes)]
            scores += [w / sum(weight) for w in weight]
    return {"schema": "gradus-history", "version": 1, "model": name, "parameters": 26369, "compile_ms": 181.5,
            "from_cache": False, "seed": seed, "batch_size": 32, "stopped": "", "metric_names": ["accuracy"],
            "layers": [{"layer": layer, "type": "dense", "output": "[B, 32]", "parameters": 1056,
                        "fused_into": f"dense_{i}"} for i, layer in enumerate(layers)],
            "epochs": epochs,
            "steps": {"stride": 1, "step": list(range(1, steps + 1)), "loss": loss, "learning_rate": rate,
                      "milliseconds": [0.2 * draw.uniform(0.9, 1.3) for _ in range(steps)], "norms": norms},
            "scores": [{"part": "test", "output": "p", "classes": classes, "labels": labels, "scores": scores}]}


def pixels(path):
    """Width, height and rows of (r, g, b) of an 8-bit PNG without interlacing (W3C PNG, section 9)."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert depth == 8 and colour in (2, 6) and not interlaced
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + length
    size = 3 if colour == 2 else 4
    raw, stride = zlib.decompress(packed), width * size
    above, rows = bytearray(stride), []
    for y in range(height):
        kind = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        if kind == 1:
            for i in range(size, stride):
                row[i] = (row[i] + row[i - size]) & 255
        elif kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above))
        elif kind == 3:
            for i in range(stride):
                left = row[i - size] if i >= size else 0
                row[i] = (row[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            for i in range(stride):
                a = row[i - size] if i >= size else 0
                b, c = above[i], above[i - size] if i >= size else 0
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                row[i] = (row[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        rows.append(row)
        above = row
    return width, height, size, rows


def count(picture, colour):
    """Pixels of about this colour."""
    _, _, size, rows = picture
    exact = bytes(colour)
    return sum(row[i:i + 3] == exact for row in rows for i in range(0, len(row), size))


class Proxy:
    """Stands between the browser and all networks: lets nothing through and notes what was asked for."""

    def __init__(self):
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    line = connection.recv(4096).split(b"\r\n")[0].decode(errors="replace")
                    self.asked.append(line)
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    pass

    def close(self):
        self.socket.close()
        return [line for line in self.asked if not any(own in line for own in BROWSERS_OWN)]


def browse(browser, page, *flags):
    """Opens a page; returns what the browser printed and what it asked the network for."""
    proxy = Proxy()
    with tempfile.TemporaryDirectory() as profile:
        ended = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-extensions",
             "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1", f"--user-data-dir={profile}",
             f"--proxy-server=127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>", *flags, f"file://{page}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=True)
    return ended.stdout.decode(), proxy.close()


failures = []


def expect(truth, what):
    print(f"{'ok' if truth else 'FAILED'}: {what}")
    if not truth:
        failures.append(what)


def check_page(browser, page, curves, folder):
    name = os.path.basename(page)
    with open(page, encoding="utf-8") as file:
        html = file.read()
    reaching_out = re.findall(r"https?:|src=|url\(|@import|<script|<link(?! rel=\"icon\" href=\"data:,\")", html)
    expect(not reaching_out, f"{name} names nothing outside itself {reaching_out[:3]}")

    dom, asked = browse(browser, page, "--dump-dom")
    expect(not asked, f"{name} asks the network for nothing {asked[:3]}")
    lines = re.findall(r'<path class="line[^>]* d="([^"]*)"', re.sub(r"<ul.*?</ul>", "", dom, flags=re.S))
    points = [len(re.findall(r"[ML]", d)) for d in lines]
    expect(len(lines) >= curves and min(points, default=0) >= 2,
           f"{name} has {len(lines)} curves with {sum(points)} points, at least {curves} are expected")
    outside = [x for x, _ in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", " ".join(lines)) if not 0 <= float(x) <= 480]
    expect(not outside, f"{name} has no point beside its picture")

    # The same page without its curves: what differs is what the curves paint.
    bare = os.path.join(folder, "bare.html")
    with open(bare, "w", encoding="utf-8") as file:
        file.write(re.sub(r'(<path class="(?:line|bar)[^>]*) d="[^"]*"', r"\1", html))
    screenshots = []
    for path in (page, bare):
        screenshots.append(path.replace(".html", ".png"))
        browse(browser, path, f"--window-size={WIDTH},7000", f"--screenshot={screenshots[-1]}")
    drawn, empty = map(pixels, screenshots)
    for key, colour in PALETTE.items():
        more = count(drawn, colour) - count(empty, colour)
        expect(more > 500, f"{name}: curves paint {more} pixels in colour {key}")
    os.remove(bare)
    os.remove(screenshots[1])


def check_proxy(browser, folder):
    """A page that does reach out is seen to."""
    page = os.path.join(folder, "reaching_out.html")
    with open(page, "w", encoding="utf-8") as file:
        file.write("<!DOCTYPE html><title>t</title><img src='http://pictures.invalid/a.png'>")
    _, asked = browse(browser, page, "--dump-dom")
    expect(any("pictures.invalid" in line for line in asked), "a page that asks the network is noticed")
    os.remove(page)


def main():
    tool, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("skipped: there is no chromium; apt-get install chromium")
        return SKIP
    os.makedirs(folder, exist_ok=True)
    files = []
    for name, seed, classes in (("rnn <b>&amp;", 1, 1), ("lstm", 2, 1), ("digits", 3, 10)):
        files.append(os.path.join(folder, f"history_{seed}.json"))
        with open(files[-1], "w", encoding="utf-8") as file:
            json.dump(history(name, seed, classes), file)
    for page, inputs, curves in (("one.html", files[:1], 25), ("compared.html", files[:2], 40),
                                 ("classes.html", files[2:], 40)):
        page = os.path.join(folder, page)
        subprocess.run([tool, *inputs, f"--output={page}"], check=True)
        check_page(browser, page, curves, folder)
    check_proxy(browser, folder)
    print(f"pages and screenshots are in {folder}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
