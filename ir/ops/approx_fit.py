#!/usr/bin/env python3
"""Minimax fits behind the coefficients of approx_*.cpp; prints them and their errors. Needs mpmath.

usage: approx_fit.py [exp] [exp2] [sin] [atan] [log2] [erf]     (all without arguments; a minute)

Remez exchange for max |w(x) (f(x) - sum c_i x^i)|. Coefficients are rounded to the target
format from the lowest degree up, with the rest fitted again after each where that still helps.
"""
import sys

import mpmath
from mpmath import cos, erf, erfc, exp, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt

mp.prec = 260
LN2 = log(mpf(2))
TINY = mpf(10) ** -8


def remez(f, w, a, b, powers, iterations=12):
    """(largest weighted error, coefficients) of the minimax fit by the given powers on [a, b]."""
    n = len(powers)
    scale = max(abs(a), abs(b))

    def chebyshev(count):
        return [(a + b) / 2 - (b - a) / 2 * cos(pi * mpf(i) / count) for i in range(count + 1)]

    points, grid = chebyshev(n), chebyshev(40 * (n + 1))
    f_grid, w_grid = [f(x) for x in grid], [w(x) for x in grid]
    for _ in range(iterations):
        system, right = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for i, x in enumerate(points):
            for j, p in enumerate(powers):
                system[i, j] = (x / scale) ** p * w(x)
            system[i, n] = mpf((-1) ** i)
            right[i] = f(x) * w(x)
        solution = lu_solve(system, right)
        c = [solution[j] / scale**p for j, p in enumerate(powers)]
        error = [
            wi * (fi - sum(cj * x**p for cj, p in zip(c, powers)))
            for x, fi, wi in zip(grid, f_grid, w_grid)
        ]
        extrema = []  # the largest error of each run of one sign
        for i, e in enumerate(error):
            if extrema and (error[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > n + 1:
            extrema.pop(0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1)
        worst = max(abs(e) for e in error)
        if len(extrema) < n + 1 or worst < abs(solution[n]) * mpf("1.0005"):
            break
        points = [grid[i] for i in extrema]
    return worst, c


def round_to(v, bits):
    fraction, exponent = mpmath.frexp(v)
    return mpmath.ldexp(mpmath.nint(mpmath.ldexp(fraction, bits)), exponent - bits)


def evaluate(polynomial, x):
    return sum(c * x**power for power, c in polynomial.items())


def fit(name, f, w, a, b, degree, bits):
    a, b = mpf(a), mpf(b)
    free = list(range(degree + 1))
    worst, c = first, _ = remez(f, w, a, b, free)
    rounded = {}
    while free:
        rounded[free.pop(0)] = round_to(c[0], bits)
        if not free:
            break
        rest = c[1:]
        try:
            again, c = remez(lambda x: f(x) - evaluate(rounded, x), w, a, b, free, 6)
        except ZeroDivisionError:  # powers without the lowest ones are no Haar system across 0
            again = mpf("inf")
        if again > 1.5 * worst or again > 3 * first:
            c = rest
        else:
            worst = again
    points = [a + (b - a) * mpf(i) / 2000 for i in range(2001)]
    worst = max(abs(w(x) * (f(x) - evaluate(rounded, x))) for x in points)
    print(f"// {name}: degree {degree}, {mpmath.nstr(first, 3)}, rounded {mpmath.nstr(worst, 3)}")
    digits = 9 if bits == 24 else 17
    texts = [mpmath.nstr(rounded[p], digits, max_fixed=0) for p in range(degree, -1, -1)]
    print("{" + ", ".join(texts) + "}")


def exp_tail(x, start):
    """sum over n >= start of x^(n - start) / n!"""
    total, term, n = mpf(0), 1 / mpmath.factorial(start), start
    while abs(term) > mpf(2) ** -240:
        total += term
        n += 1
        term *= x / n
    return total


def atanh_tail(z, start):
    """sum over n >= start of z^(n - start) / (2 n + 1)"""
    return mpmath.fsum(z**n / (2 * (n + start) + 1) for n in range(80))


def main(wanted):
    def want(name):
        return not wanted or name in wanted

    if want("exp"):
        h = LN2 / 2 * mpf("1.0001")
        for degree, bits in ((5, 24), (10, 53)):
            fit("(e^r - 1 - r) / r^2, relative to e^r - 1", lambda r: exp_tail(r, 2),
                lambda r: abs(r) + TINY, -h, h, degree, bits)
        # Results below 1 have twice the relative precision, and more to lose.
        fit("(e^r - 1 - r) / r^2, in ulps of e^r", lambda r: exp_tail(r, 2),
            lambda r: (abs(r) + TINY) ** 2 * (4 / exp(r) if r < 0 else 1), -h, h, 4, 24)
        fit("(e^r - 1 - r) / r^2, relative to e^r", lambda r: exp_tail(r, 2),
            lambda r: (abs(r) + TINY) ** 2, -h, h, 9, 53)
    if want("exp2"):
        h = mpf("0.5001")
        for degree, bits in ((5, 24), (6, 53), (11, 53)):
            fit("(2^r - 1) / r", lambda r: exp_tail(r * LN2, 1) * LN2,
                lambda r: abs(r) + TINY, -h, h, degree, bits)
    if want("sin"):
        top = (pi / 2 * mpf("1.001")) ** 2

        def sine(z):
            return (sin(sqrt(z)) / sqrt(z) - 1) / z if z > mpf(10) ** -20 else -mpf(1) / 6

        for degree, bits in ((3, 24), (7, 53)):
            fit("(sin(r) / r - 1) / z, z = r^2", sine,
                lambda z: (z + TINY) / (sin(sqrt(z)) / sqrt(z) if z else 1), 0, top, degree, bits)
    if want("atan"):
        top = (mpmath.tan(pi / 8) * mpf("1.0001")) ** 2

        def arctangent(z):
            return (mpmath.atan(sqrt(z)) / sqrt(z) - 1) / z if z > mpf(10) ** -20 else -mpf(1) / 3

        for degree, bits in ((3, 24), (10, 53)):
            fit("(atan(t) / t - 1) / z, z = t^2", arctangent, lambda z: z + TINY, 0, top, degree,
                bits)
    if want("log2"):
        top = ((sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1) * mpf("1.001")) ** 2
        fit("2 atanh(s) / (s ln 2), z = s^2", lambda z: atanh_tail(z, 0) * 2 / LN2,
            lambda z: mpf(1), 0, top, 5, 53)
        fit("(atanh(s) / s - 1 - z / 3) / z^2", lambda z: atanh_tail(z, 2),
            lambda z: z * z + TINY, 0, top, 6, 53)
    if want("erf"):

        def small(z):
            return erf(sqrt(z)) / sqrt(z) - 1 if z > mpf(10) ** -30 else 2 / sqrt(pi) - 1

        for degree, bits in ((6, 24), (11, 53)):
            fit("erf(x) / x - 1, z = x^2", small, lambda z: mpf(1), 0, 1, degree, bits)
        for bottom, top, degree, bits in (("1", "3.95", 6, 24), ("0.999", "5.93", 17, 53)):
            fit("log2(erfc(x)), relative to erf(x)", lambda x: log(erfc(x)) / LN2,
                lambda x: erfc(x) / erf(x), bottom, top, degree, bits)
        fit("exp(x^2) erfc(x), relative to erf(x)", lambda x: exp(x * x) * erfc(x),
            lambda x: exp(-x * x) / erf(x), 1, "3.95", 8, 24)


if __name__ == "__main__":
    main(sys.argv[1:])
