#!/usr/bin/python3
"""ONNX Runtime's side of benchmarks/compare, by its C interface.

usage: ort_peer.py LIBRARY FILE THREADS      FILE as torch_peer.py exports it (see protocol.py)

The result is compared with the one that PyTorch gave before anything is measured.
"""

import ctypes
import sys

import numpy as np

import protocol

# Places in the structure OrtApi, which only ever grows at its end.
GET_ERROR_MESSAGE, CREATE_ENV, CREATE_SESSION, RUN, CREATE_SESSION_OPTIONS = 2, 3, 7, 9, 10
SET_GRAPH_OPTIMIZATION_LEVEL, SET_INTRA_OP_NUM_THREADS, SET_INTER_OP_NUM_THREADS = 23, 24, 25
SESSION_GET_INPUT_NAME, SESSION_GET_OUTPUT_NAME, CREATE_TENSOR_WITH_DATA = 36, 37, 49
CREATE_CPU_MEMORY_INFO, GET_ALLOCATOR_WITH_DEFAULT_OPTIONS = 69, 78
API_VERSION, FLOAT, WARNING, ALL_OPTIMIZATIONS = 17, 1, 2, 99


class Api:
    def __init__(self, library):
        lib = ctypes.CDLL(library)
        lib.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p * 2)
        base = lib.OrtGetApiBase().contents
        get_api = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(base[0])
        self.version = ctypes.CFUNCTYPE(ctypes.c_char_p)(base[1])().decode()
        self.table = ctypes.cast(get_api(API_VERSION), ctypes.POINTER(ctypes.c_void_p))
        self.message = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(self.table[GET_ERROR_MESSAGE])

    def function(self, place, *types):
        return ctypes.CFUNCTYPE(ctypes.c_void_p, *types)(self.table[place])

    def call(self, place, *arguments):
        """Arguments are ctypes objects; void pointers and pointers to them."""
        status = self.function(place, *[type(a) for a in arguments])(*arguments)
        if status:
            sys.exit(f"ONNX Runtime: {self.message(status).decode()}")

    def make(self, place, *arguments):
        made = ctypes.c_void_p()
        self.call(place, *arguments, ctypes.pointer(made))
        return made


def tensor(api, memory, array):
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    return api.make(CREATE_TENSOR_WITH_DATA, memory, ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes),
                    ctypes.cast(shape, ctypes.c_void_p), ctypes.c_size_t(array.ndim), ctypes.c_int(FLOAT))


def main():
    library, file, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    api = Api(library)
    environment = api.make(CREATE_ENV, ctypes.c_int(WARNING), ctypes.c_char_p(b"compare"))
    options = api.make(CREATE_SESSION_OPTIONS)
    api.call(SET_INTRA_OP_NUM_THREADS, options, ctypes.c_int(threads))
    api.call(SET_INTER_OP_NUM_THREADS, options, ctypes.c_int(1))
    api.call(SET_GRAPH_OPTIMIZATION_LEVEL, options, ctypes.c_int(ALL_OPTIMIZATIONS))
    session = api.make(CREATE_SESSION, environment, ctypes.c_char_p((file + ".onnx").encode()), options)
    allocator = api.make(GET_ALLOCATOR_WITH_DEFAULT_OPTIONS)
    first = ctypes.c_size_t(0)
    names = [api.make(place, session, first, allocator) for place in (SESSION_GET_INPUT_NAME, SESSION_GET_OUTPUT_NAME)]
    memory = api.make(CREATE_CPU_MEMORY_INFO, ctypes.c_int(1), ctypes.c_int(0))
    x, wanted = np.load(file + ".x.npy"), np.load(file + ".y.npy")
    y = np.zeros_like(wanted)
    values = [tensor(api, memory, a) for a in (x, y)]
    one = ctypes.c_size_t(1)
    pointers = [(ctypes.c_void_p * 1)(p) for p in (names[0], values[0], names[1], values[1])]
    input_name, input_value, output_name, output_value = [ctypes.cast(p, ctypes.c_void_p) for p in pointers]
    arguments = (session, ctypes.c_void_p(), input_name, input_value, one, output_name, one, output_value)
    run = api.function(RUN, *[type(a) for a in arguments])

    def call():
        status = run(*arguments)
        if status:
            sys.exit(f"ONNX Runtime: {api.message(status).decode()}")

    call()
    if not np.allclose(y, wanted, rtol=1e-3, atol=1e-4):
        sys.exit(f"ONNX Runtime: result differs from PyTorch's by {np.abs(y - wanted).max()}")
    protocol.serve(call, peer=f"ONNX Runtime {api.version}")


if __name__ == "__main__":
    main()
