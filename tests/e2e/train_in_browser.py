"""Drops a CSV into the page of examples/ship_it in a real browser, and looks at what it makes of it.

usage: train_in_browser.py PAGE

Skipped (exit code 77) where there is no Chromium or the page was not made.
"""

import json
import os
import random
import re
import shutil
import sys
import tempfile

from report_in_browser import SKIP, browse, expect, failures

# What a user does with the mouse.
DROP = """
<script>
addEventListener('load', () => {
  const data = new DataTransfer();
  data.items.add(new File([%s], 'meters.csv', {type: 'text/csv'}));
  document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
});
</script>
"""


def meters(seed, customers):
    """Households with a season; every third reports a fraction that changes each month."""
    draw = random.Random(seed)
    lines = ["CUSTOMER,FLAG,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"]
    for i in range(customers):
        thief = i % 3 == 0
        size = draw.uniform(150, 500)
        months = [size * (1.3 if m in (0, 1, 11) else 1) * draw.uniform(0.9, 1.1) for m in range(12)]
        if thief:
            months = [kwh * draw.uniform(0.02, 0.5) for kwh in months]
        cells = [f"{kwh:.0f}" for kwh in months]
        if i % 50 == 7:
            cells[3] = ""  # a reading is missing
        lines.append(f"C{i},{int(thief)}," + ",".join(cells))
    return "\n".join(lines) + "\n"


def last_column(csv):
    """The same without a line of names, the answer behind the months."""
    rows = [line.split(",") for line in csv.splitlines()[1:]]
    return "\n".join(",".join(r[2:] + [r[1]]) for r in rows)


def drop(browser, page, folder, csv):
    """The page's DOM after a file was dropped and all is over, and what it asked the network for."""
    with open(page, encoding="utf-8") as file:
        html = file.read()
    path = os.path.join(folder, "page.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(html + DROP % json.dumps(csv))
    # The browser's clock runs on while WebAssembly is compiled in another thread, and may run out on a busy
    # machine: then the page has not begun, and says neither a loss nor an error.
    for _ in range(5):
        dom, asked = browse(browser, path, "--dump-dom", "--virtual-time-budget=20000")
        if 'data-first="' in dom or re.search(r'id="error"[^>]*>[^<]', dom):
            break
    return dom, asked


def main():
    page = os.path.abspath(sys.argv[1])
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not os.path.exists(page):
        print(f"skipped: there is no {'chromium' if browser is None else page}")
        return SKIP
    csv = meters(1, 300)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("an answer in front", csv), ("an answer at the end", last_column(csv))):
            dom, asked = drop(browser, page, folder, text)
            numbers = {k: float(v) for k, v in re.findall(r'data-(first|last|milliseconds)="([^"]*)"', dom)}
            expect(len(numbers) == 3 and numbers["last"] < numbers["first"] / 2,
                   f"with {name} the loss is less than half in the end: {numbers}")
            state = re.search(r"Epoch 60 of 60: loss [\d.]+, ([\d.]+) % of 60 customers right", dom)
            expect(state and float(state.group(1)) > 90, f"the page says so: {state and state.group(0)}")
            points = [len(re.findall("[ML]", d)) for d in re.findall(r'_curve" class="[a-z_]*" d="([^"]*)"', dom)]
            expect(points == [60, 60], f"two curves are drawn, points {points}")
            expect(not asked, f"the network is asked for nothing {asked[:3]}")
        for name, text, message in (("a line is short", "1,2,3\n", "a line has 3 columns, expected 13 or more"),
                                    ("there is one customer", "1,2,3,4,5,6,7,8,9,10,11,12,1\n", "has 1 customers"),
                                    ("an answer is no answer", ",".join(["1"] * 12 + ["7"]), "the answer of a line is")):
            dom, _ = drop(browser, page, folder, text)
            said = re.search(r'id="error"[^>]*>([^<]*)<', dom).group(1)
            expect(message in said, f"where {name} the page says: {said}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
