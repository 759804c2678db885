#!/usr/bin/env python3
"""Training steps of Gradus and of PyTorch, interleaved in one run, one thread: medians and their ratio.

usage: benchmarks/compare_training.py [--build=build/release] [--rounds=7] [--only=cnn,lenet]

Needs PyTorch (Debian: python3-torch). Both train the same networks with Adam at batch 32. PyTorch runs its stock
Adam and, where it has it, the foreach Adam; the faster of the two is compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

# Whether the last layer is one sigmoid, and the shape of a sample, channels first.
WORKLOADS = {"tiny": (True, (16,)), "mlp": (False, (784,)), "cnn": (True, (1, 12)), "lenet": (False, (1, 28, 28)),
             "rnn": (True, (12, 12)), "lstm": (True, (12, 12))}
BATCH = 32


def gradus_step_us(binary, name):
    out = subprocess.run(
        [binary, f"--benchmark_filter=TrainStep/{name}$", "--benchmark_format=json",
         "--benchmark_min_time=0.3"],
        check=True, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1"))
    return json.loads(out.stdout)["benchmarks"][0]["real_time"]


def dense(torch, sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers += [torch.nn.Linear(sizes[i], sizes[i + 1]), torch.nn.ReLU()]
    return layers[:-1]


def last_step(torch, cell):
    class LastStep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            return self.cell(x)[0][:, -1]

    return LastStep()


def torch_layers(torch, name):
    nn, layers = torch.nn, []
    if name in ("rnn", "lstm"):
        cell = (nn.RNN if name == "rnn" else nn.LSTM)(12, 128, batch_first=True)
        return [last_step(torch, cell)] + dense(torch, [128, 64, 1])
    if name == "tiny":
        return dense(torch, [16, 32, 32, 1])
    if name == "mlp":
        return dense(torch, [784, 512, 512, 10])
    if name == "cnn":
        channels = 1
        for n in (32, 64, 128, 256, 512):
            layers += [nn.Conv1d(channels, n, 3, padding=1), nn.ReLU(), nn.MaxPool1d(1)]
            channels = n
        return layers + [nn.Flatten()] + dense(torch, [12 * channels, 64, 1])
    return [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten()] + dense(torch, [400, 120, 84, 10])


def torch_stepper(torch, name, foreach):
    torch.manual_seed(0)
    binary, shape = WORKLOADS[name]
    layers = torch_layers(torch, name)
    if binary:
        layers.append(torch.nn.Sigmoid())
    net = torch.nn.Sequential(*layers)
    loss_of = torch.nn.BCELoss() if binary else torch.nn.CrossEntropyLoss()
    x = torch.randn(BATCH, *shape)
    y = (torch.rand(BATCH, 1) > 0.5).float() if binary else torch.randint(0, 10, (BATCH,))
    optimizer = torch.optim.Adam(net.parameters(), foreach=foreach)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()

    return step


def torch_step_us(step, seconds=0.5):
    for _ in range(20):
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="workloads, with commas: " + ", ".join(WORKLOADS))
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed here; on Debian: apt-get install python3-torch")
    torch.set_num_threads(1)
    binary = os.path.join(arguments.build, "benchmarks", "training_step")
    print(f"PyTorch {torch.__version__}, one thread, batch {BATCH}, Adam; medians of {arguments.rounds} rounds")
    print(f"{'workload':10} {'gradus us':>10} {'pytorch us':>11} {'times faster':>13}")
    for name in arguments.only.split(",") if arguments.only else WORKLOADS:
        steppers = [torch_stepper(torch, name, foreach) for foreach in (False, True)]
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(gradus_step_us(binary, name))
            theirs.append(min(torch_step_us(step) for step in steppers))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name:10} {a:10.2f} {b:11.1f} {b / a:13.1f}")


if __name__ == "__main__":
    main()
