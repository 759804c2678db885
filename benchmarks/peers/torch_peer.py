#!/usr/bin/python3
"""PyTorch's side of benchmarks/compare: the workloads of gradus-bench, channels first.

usage: torch_peer.py WORKLOAD MODE BATCH THREADS                 (see protocol.py)
       torch_peer.py WORKLOAD infer BATCH THREADS export FILE    writes FILE.onnx, FILE.x.npy, FILE.y.npy

Networks are run in all ways: plain Adam or foreach (over lists of tensors), as they are or script (TorchScript; frozen
for inference). Each is tried for a moment, and the fastest one answers. Operations (softmax:RxC and others) are run by
the function of that name.
"""

import itertools
import math
import sys
import time

import torch
from torch import nn

import protocol

MONTHS = 34
SLOW_MS = 200  # from here on fewer ways are tried


class LastStep(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        return self.cell(x)[0][:, -1]


class AsSteps(nn.Module):
    """[B, C, L] as one step, [B, 1, C * L]."""

    def forward(self, x):
        return x.flatten(1).unsqueeze(1)


class Block(nn.Module):
    """Of ResNet-18."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(),
            nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters))
        same = stride == 1 and inputs == filters
        self.skip = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


class Transformer(nn.Module):
    def __init__(self, width=256, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(c // self.heads), -1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm2(x))))


def dense(*sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return layers[:-1]


def convolutions():
    layers, channels = [], 1
    for n in (32, 64, 128, 256, 512):
        layers += [nn.Conv1d(channels, n, 3, padding=1), nn.ReLU(), nn.MaxPool1d(1)]
        channels = n
    return layers


def resnet18(training):
    layers = [nn.Conv2d(3, 64, 3 if training else 7, 1 if training else 2, 1 if training else 3, bias=False),
              nn.BatchNorm2d(64), nn.ReLU()]
    if not training:
        layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = 64
    for filters in (64, 128, 256, 512):
        for i in range(2):
            layers.append(Block(inputs, filters, 2 if filters > 64 and i == 0 else 1))
            inputs = filters
    return layers + [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10 if training else 1000)]


def cnn(length):
    return (1, length), convolutions() + [nn.Flatten()] + dense(512 * length, 64, 1) + [nn.Sigmoid()]


def recurrent(cell, steps):
    return (steps, MONTHS), [LastStep(cell(MONTHS, 128, batch_first=True))] + dense(128, 64, 1) + [nn.Sigmoid()]


def network(name, training):
    """The shape of a sample, layers, loss."""
    binary, classes = nn.BCELoss(), nn.CrossEntropyLoss()
    if name == "rnn":
        return *recurrent(nn.RNN, 12), binary
    if name in ("lstm1", "lstm100"):
        return *recurrent(nn.LSTM, int(name[4:])), binary
    if name in ("cnn34", "cnn1035"):
        return *cnn(int(name[3:])), binary
    if name == "hybrid":
        layers = convolutions() + [AsSteps(), LastStep(nn.LSTM(512 * MONTHS, 64, batch_first=True)), nn.Linear(64, 1)]
        return (1, MONTHS), layers + [nn.Sigmoid()], binary
    if name == "mlp":
        return (784,), dense(784, 512, 512, 10), classes
    if name == "tiny":
        return (16,), dense(16, 32, 32, 1) + [nn.Sigmoid()], binary
    if name == "lenet":
        layers = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                  nn.MaxPool2d(2), nn.Flatten()]
        return (1, 28, 28), layers + dense(400, 120, 84, 10), classes
    if name == "resnet18":
        return (3, 32, 32) if training else (3, 224, 224), resnet18(training), classes
    if name == "transformer":
        return (128, 256), [Transformer()], nn.MSELoss()
    sys.exit(f"torch_peer: no network {name}")


def operation(name):
    """A call of an operation, as gradus-bench names it."""
    kind, sizes, *switches = name.split(":")
    n = [int(s) for s in sizes.split("x")]
    if kind == "matmul":
        a = torch.randn(n[2], n[0]).T if "ta" in switches else torch.randn(n[0], n[2])
        b = torch.randn(n[1], n[2]).T if "tb" in switches else torch.randn(n[2], n[1])
        return lambda: torch.matmul(a, b)
    if kind == "conv":
        axes, stride = len(n) - 4, next((int(s[1:]) for s in switches if s[0] == "s"), 1)
        x = torch.randn(n[0], n[axes + 1], *n[1:axes + 1])
        w = torch.randn(n[axes + 2], n[axes + 1], *[n[-1]] * axes)
        function = nn.functional.conv1d if axes == 1 else nn.functional.conv2d
        padding = 0 if "valid" in switches else n[-1] // 2
        return lambda: function(x, w, None, stride, padding)
    x = torch.rand(*n) + 0.001
    if kind == "softmax":
        return lambda: torch.softmax(x, -1)
    if kind == "layernorm":
        gamma, beta = torch.rand(n[1]), torch.rand(n[1])
        return lambda: nn.functional.layer_norm(x, (n[1],), gamma, beta)
    if kind == "adam":
        p = nn.Parameter(torch.zeros(*n))
        p.grad = x
        return torch.optim.Adam([p]).step
    function = getattr(torch, kind)
    return lambda: function(x)


def training_step(net, loss_of, x, batch, variants):
    y = torch.zeros_like(net(x))
    if isinstance(loss_of, nn.CrossEntropyLoss):
        y = torch.arange(batch) % y.shape[1]
    elif isinstance(loss_of, nn.BCELoss):
        y[1::2] = 1
    optimizer = torch.optim.Adam(net.parameters(), foreach="foreach" in variants)
    if "script" in variants:
        net = torch.jit.trace(net, x)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()

    return step


def inference(net, x, variants):
    net.eval()
    if "script" in variants:
        net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))

    def call():
        with torch.inference_mode():
            return net(x)

    return call


def fastest(name, mode, batch):
    """The fastest way to call a network, and what it is."""
    best = None
    for adam, scripted in itertools.product(("", "foreach") if mode == "train" else ("",), ("", "script")):
        variants = [v for v in (adam, scripted) if v]
        if best and best[0] > SLOW_MS and scripted:
            continue
        torch.manual_seed(0)
        shape, layers, loss_of = network(name, mode == "train")
        net, x = nn.Sequential(*layers), torch.randn(batch, *shape)
        try:
            call = training_step(net, loss_of, x, batch, variants) if mode == "train" else inference(net, x, variants)
            for _ in range(2 if best and best[0] > SLOW_MS else 4):  # TorchScript compiles in its first calls
                start = time.perf_counter()
                call()
                ms = (time.perf_counter() - start) * 1e3
        except RuntimeError:  # not every network can be traced and frozen
            if not variants:
                raise
            continue
        if ms < SLOW_MS:
            ms = protocol.measure(call, 0.1)
        if best is None or ms < best[0]:
            best = (ms, call, ", ".join(variants))
    return best[1:]


def main():
    name, mode, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    what = f"PyTorch {torch.__version__}"
    if ":" in name:
        return protocol.serve(operation(name), peer=what, how="")
    if sys.argv[5:6] == ["export"]:
        import numpy as np
        shape, layers, _ = network(name, mode == "train")
        net, x, file = nn.Sequential(*layers).eval(), torch.randn(batch, *shape), sys.argv[6]
        torch.onnx.export(net, x, file + ".onnx", opset_version=17, do_constant_folding=True)
        np.save(file + ".x.npy", x.numpy())
        with torch.no_grad():
            np.save(file + ".y.npy", net(x).numpy())
        return protocol.say(peer=what)
    call, how = fastest(name, mode, batch)
    return protocol.serve(call, peer=what, how=how)


if __name__ == "__main__":
    main()
