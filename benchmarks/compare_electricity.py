#!/usr/bin/env python3
"""Whole trainings of the article's four detectors, Gradus beside PyTorch, one thread: seconds, test loss, ratio.

usage: benchmarks/compare_electricity.py [--build=build/release] [--data=FILE.csv] [--seeds=3] [--models=rnn,lstm]
                                         [--flush_subnormals]

Both read the same CSV, take the same rows to train and to test on, and train with Adam at the article's batch size
and epochs. Neither side's time holds reading or compiling; Gradus' holds an evaluation of the test rows after each
epoch, PyTorch's does not. Without --data Gradus writes its synthetic customers. Needs PyTorch (Debian: python3-torch).
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

WINDOW = 12
TRAINING = {"rnn": (15, 32), "cnn": (10, 32), "lstm": (10, 32), "hybrid": (18, 16)}  # epochs, batch


def read(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))[1:]

    def number(cell):
        try:
            return float(cell)
        except ValueError:
            return 0.0

    return [[number(c) for c in row[2:]] for row in rows], [float(row[1]) for row in rows]


def split(np, labels):
    """Three of ten customers of each class are tested on; rows in a fixed random order."""
    order = np.random.RandomState(0).permutation(len(labels))
    seen, train, test = {}, [], []
    for row in order:
        k = seen[labels[row]] = seen.get(labels[row], -1) + 1
        (test if k % 10 < 3 else train).append(int(row))
    return train, test


def make_network(torch, model, months):
    nn = torch.nn

    class Convolutions(nn.Module):
        def __init__(self):
            super().__init__()
            layers, channels = [], 1
            for n in (32, 64, 128, 256, 512):
                layers += [nn.Conv1d(channels, n, 3, padding=1), nn.ReLU(), nn.MaxPool1d(1)]
                channels = n
            self.layers = nn.Sequential(*layers, nn.Flatten())

        def forward(self, x):
            return self.layers(x[:, None, :])

    class Last(nn.Module):
        def __init__(self, cell):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            return self.cell(x if x.dim() == 3 else x[:, None, :])[0][:, -1]

    def head(n):
        return [nn.Linear(n, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid()]

    layers = {
        "rnn": lambda: [Last(nn.RNN(months, 128, batch_first=True))] + head(128),
        "cnn": lambda: [Convolutions()] + head(512 * months),
        "lstm": lambda: [Last(nn.LSTM(months, 128, batch_first=True))] + head(128),
        "hybrid": lambda: [Convolutions(), Last(nn.LSTM(512 * months, 64, batch_first=True)),
                           nn.Linear(64, 1), nn.Sigmoid()],
    }[model]()
    # Keras' first weights: Glorot uniform, orthogonal where states meet weights, zero biases.
    net = nn.Sequential(*layers)
    for name, p in net.named_parameters():
        if "weight_hh" in name:
            for block in p.data.split(p.shape[1]):
                nn.init.orthogonal_(block)
        elif p.dim() > 1:
            nn.init.xavier_uniform_(p.data)
        else:
            nn.init.zeros_(p.data)
    return net


def train_torch(torch, np, model, x, y, train, test, seed):
    torch.manual_seed(seed)

    def part(rows):
        xs, ys = x[rows], y[rows]
        if model != "rnn":
            return xs, ys
        windows = np.stack([xs[i:i + WINDOW] for i in range(len(rows) - WINDOW + 1)])
        return windows, ys[WINDOW - 1:]

    (a, b), (c, d) = [tuple(torch.tensor(t) for t in part(rows)) for rows in (train, test)]
    net = make_network(torch, model, x.shape[1])
    optimizer = torch.optim.Adam(net.parameters())
    loss_of = torch.nn.BCELoss()
    epochs, batch = TRAINING[model]
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(a))
        for i in range(0, len(a), batch):
            rows = order[i:i + batch]
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(a[rows])[:, 0], b[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        return seconds, float(loss_of(net(c)[:, 0], d))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--data", default="")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", default=",".join(TRAINING))
    parser.add_argument("--flush_subnormals", action="store_true", help="both take tiny numbers for zeros")
    arguments = parser.parse_args()
    for limit in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # PyTorch's products at full width
        os.environ.pop(limit, None)
    try:
        import numpy as np
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed here; on Debian: apt-get install python3-torch")
    torch.set_num_threads(1)
    torch.set_flush_denormal(arguments.flush_subnormals)
    program = os.path.join(arguments.build, "examples", "electricity_theft")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.data or os.path.join(folder, "meters.csv")
        if not arguments.data:
            subprocess.run([program, f"--write_data={path}"], check=True)
        cells, labels = read(path)
        train, test = split(np, labels)
        for name, rows in (("train", train), ("test", test)):
            np.save(os.path.join(folder, name + ".npy"), np.array(rows, dtype=np.int64))
        x, y = np.array(cells, dtype=np.float32), np.array(labels, dtype=np.float32)
        base = [program, f"--data={path}", f"--train_rows={folder}/train.npy", f"--test_rows={folder}/test.npy",
                "--json"] + (["--flush_subnormals"] if arguments.flush_subnormals else [])
        print(f"{len(train)} customers to train on, {len(test)} to test; PyTorch {torch.__version__}, one thread; "
              f"medians of {arguments.seeds} seeds")
        print(f"{'model':8} {'gradus s':>9} {'pytorch s':>10} {'times faster':>13} {'gradus loss':>12} {'pytorch loss':>13}")
        for model in arguments.models.split(","):
            ours, theirs = [], []
            for seed in range(arguments.seeds):
                # A first, short run fills the object cache.
                if seed == 0:
                    subprocess.run(base + [f"--model={model}", "--epochs=1"], check=True, capture_output=True)
                ran = subprocess.run(base + [f"--model={model}", f"--seed={seed}"], check=True, capture_output=True,
                                     text=True)
                result = json.loads(ran.stdout.splitlines()[-1])
                ours.append((result["seconds"], result["test_loss"]))
                theirs.append(train_torch(torch, np, model, x, y, train, test, seed))
            a, b = [[statistics.median(v[i] for v in side) for i in (0, 1)] for side in (ours, theirs)]
            print(f"{model:8} {a[0]:9.3f} {b[0]:10.3f} {b[0] / a[0]:13.1f} {a[1]:12.3f} {b[1]:13.3f}", flush=True)


if __name__ == "__main__":
    main()
