"""How a peer talks to benchmarks/compare: it says what it is once, then answers each line "SECONDS" with the median
of its calls over that long, in milliseconds."""

import json
import statistics
import sys
import time


def say(**answer):
    print(json.dumps(answer), flush=True)


def measure(call, seconds):
    """The median of samples of at least 50 microseconds, in milliseconds."""
    repeat, times, end = 1, [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        for _ in range(repeat):
            call()
        took = time.perf_counter() - start
        if took < 50e-6:
            repeat *= 2
            continue
        times.append(took / repeat)
    return statistics.median(times) * 1e3


def serve(call, **what):
    call()
    call()
    say(**what)
    for line in sys.stdin:
        say(median_ms=measure(call, float(line)))
