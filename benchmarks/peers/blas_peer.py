#!/usr/bin/python3
"""Libraries of matrix products beside gradus-bench's matmul workloads.

usage: blas_peer.py openblas|onednn matmul:MxNxK[:ta][:tb] THREADS      (see protocol.py)

The result is compared with NumPy's in double precision before anything is measured.
"""

import ctypes
import sys

import numpy as np

import protocol

ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112


def main():
    library, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    _, sizes, *switches = name.split(":")
    m, n, k = (int(s) for s in sizes.split("x"))
    ta, tb = "ta" in switches, "tb" in switches
    generator = np.random.default_rng(0)
    a = generator.standard_normal((k, m) if ta else (m, k), dtype=np.float32)
    b = generator.standard_normal((n, k) if tb else (k, n), dtype=np.float32)
    c = np.zeros((m, n), dtype=np.float32)
    data = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]
    if library == "openblas":
        lib = ctypes.CDLL("libopenblas.so.0")
        lib.openblas_set_num_threads(threads)
        lib.openblas_get_corename.restype = ctypes.c_char_p
        what = f"OpenBLAS ({lib.openblas_get_corename().decode()})"
        flags = [ctypes.c_int(f) for f in (ROW_MAJOR, TRANSPOSE if ta else NO_TRANSPOSE,
                                           TRANSPOSE if tb else NO_TRANSPOSE, m, n, k)]
        arguments = flags + [ctypes.c_float(1), data[0], ctypes.c_int(a.shape[1]), data[1],
                             ctypes.c_int(b.shape[1]), ctypes.c_float(0), data[2], ctypes.c_int(n)]
        function = lib.cblas_sgemm
    else:
        lib = ctypes.CDLL("libdnnl.so.2")

        class Version(ctypes.Structure):
            _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int)]

        lib.dnnl_version.restype = ctypes.POINTER(Version)
        v = lib.dnnl_version().contents
        what = f"oneDNN {v.major}.{v.minor}.{v.patch}"
        arguments = [ctypes.c_char(b"T" if ta else b"N"), ctypes.c_char(b"T" if tb else b"N")]
        arguments += [ctypes.c_int64(s) for s in (m, n, k)]
        arguments += [ctypes.c_float(1), data[0], ctypes.c_int64(a.shape[1]), data[1], ctypes.c_int64(b.shape[1]),
                      ctypes.c_float(0), data[2], ctypes.c_int64(n)]
        function = lib.dnnl_sgemm
    function.argtypes = [type(x) for x in arguments]
    function(*arguments)
    wanted = (a.T if ta else a).astype(np.float64) @ (b.T if tb else b).astype(np.float64)
    if not np.allclose(c, wanted, rtol=1e-3, atol=1e-3):
        sys.exit(f"{what}: wrong by {np.abs(c - wanted).max()}")
    protocol.serve(lambda: function(*arguments), peer=what)


if __name__ == "__main__":
    main()
