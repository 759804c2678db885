"""Trains the example's network on 360 real customers with the split that came with them, ten seeds: at least nine must
beat always answering "normal" on the test rows. Skipped (77) where the data are not.

usage: electricity_360.py PROGRAM FOLDER
"""

import csv
import json
import os
import subprocess
import sys

SKIPPED = 77
ALWAYS_NORMAL = 94 / 108  # of the 108 test rows 14 are thieves
SEEDS = 10


def main():
    program, folder = sys.argv[1:]
    data = os.path.join(folder, "Combined Customers Data - Sheet1.csv")
    rows = [os.path.join(folder, f"split_{part}_rows.npy") for part in ("train", "test")]
    missing = [path for path in [data, *rows] if not os.path.exists(path)]
    if missing:
        print("SKIPPED: there is no", missing[0])
        return SKIPPED
    with open(data, newline="", encoding="utf-8") as file:
        assert sum(1 for _ in csv.reader(file)) == 361
    better = 0
    for seed in range(SEEDS):
        ran = subprocess.run(
            [program, f"--data={data}", f"--train_rows={rows[0]}", f"--test_rows={rows[1]}",
             f"--seed={seed}", "--json"],
            capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            print(ran.stdout, ran.stderr)
            return 1
        result = json.loads(ran.stdout.splitlines()[-1])
        better += result["test_accuracy"] > ALWAYS_NORMAL + 1e-6
        print(f"seed {seed}: test accuracy {result['test_accuracy']:.4f}  auc {result['test_auc']:.4f}")
    print(f"{better} of {SEEDS} seeds beat {ALWAYS_NORMAL:.4f}")
    return 0 if better >= 9 else 1


if __name__ == "__main__":
    sys.exit(main())
