"""Trains the example's networks on 360 real customers with the split that came with them, ten seeds each.

The small network must beat always answering "normal" on the test rows for nine seeds; the article's four must have
the article's parameter counts and their median test loss and accuracy inside the bands that came with the data; the
fifth must have a lower median loss and a higher median AUC than each of the four. Skipped (77) where the data are not.

usage: electricity_360.py PROGRAM FOLDER
"""

import json
import os
import statistics
import subprocess
import sys

SKIPPED = 77
ALWAYS_NORMAL = 94 / 108  # of the 108 test rows 14 are thieves
SEEDS = 10
ARTICLE = {"rnn": ("simplernn", 26_369), "cnn": ("cnn1d", 916_673), "lstm": ("lstm", 80_513),
           "hybrid": ("timedistributed_cnn_lstm", 2_112_897)}


def run(program, options, model):
    results = []
    for seed in range(SEEDS):
        ran = subprocess.run([program, *options, f"--model={model}", f"--seed={seed}", "--json"],
                             capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(ran.stdout + ran.stderr)
        results.append(json.loads(ran.stdout.splitlines()[-1]))
    return results


def median(results, figure):
    return statistics.median(r[figure] for r in results)


def main():
    program, folder = sys.argv[1:]
    data = os.path.join(folder, "Combined Customers Data - Sheet1.csv")
    rows = [os.path.join(folder, f"split_{part}_rows.npy") for part in ("train", "test")]
    bands_file = os.path.join(folder, "expected_bands.json")
    missing = [path for path in [data, bands_file, *rows] if not os.path.exists(path)]
    if missing:
        print("SKIPPED: there is no", missing[0])
        return SKIPPED
    with open(bands_file, encoding="utf-8") as file:
        bands = json.load(file)["models"]
    options = [f"--data={data}", f"--train_rows={rows[0]}", f"--test_rows={rows[1]}"]
    wrong = []

    better = sum(r["test_accuracy"] > ALWAYS_NORMAL + 1e-6 for r in run(program, options, "mlp"))
    print(f"mlp: {better} of {SEEDS} seeds beat {ALWAYS_NORMAL:.4f}")
    if better < 9:
        wrong.append("mlp")

    medians = {}
    for model, (band_name, parameters) in ARTICLE.items():
        results = run(program, options, model)
        medians[model] = {f: median(results, f) for f in ("test_loss", "test_accuracy", "test_auc", "seconds")}
        print(f"{model}: {results[0]['params']} parameters, {medians[model]}")
        if any(r["params"] != parameters for r in results):
            wrong.append(f"{model}: parameters")
        for figure in ("test_loss", "test_accuracy"):
            low, _, high = bands[band_name][figure]
            if not low <= medians[model][figure] <= high:
                wrong.append(f"{model}: {figure} {medians[model][figure]} outside of {low}..{high}")

    best = run(program, options, "best")
    loss, auc = median(best, "test_loss"), median(best, "test_auc")
    print(f"best: {best[0]['params']} parameters, test_loss {loss}, test_auc {auc}")
    for model, figures in medians.items():
        if loss >= figures["test_loss"] or auc <= figures["test_auc"]:
            wrong.append(f"best does not beat {model}")
    for line in wrong:
        print("error:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
