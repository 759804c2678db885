"""The example that reads digits: what it reaches on synthetic ones, what it says of wrong files and flags, and, where
the files of MNIST are, what one epoch of LeNet reaches on the test images.

usage: mnist.py PROGRAM synthetic
       mnist.py PROGRAM FOLDER      skipped (77) where the four files are not in FOLDER
"""

import gzip
import os
import re
import struct
import subprocess
import sys
import tempfile

SKIPPED = 77
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def run(program, *flags):
    return subprocess.run([program, *flags], capture_output=True, text=True, check=False)


def accuracy(program, *flags):
    ran = run(program, *flags)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    reached = float(re.search(r"on the test images: .*accuracy ([0-9.]+)", ran.stdout).group(1))
    print(*flags, reached)
    return reached


def idx(shape, data):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(data)


def write_files(folder, compressed, **changed):
    """Four good files of a few blank images, but for those that `changed` gives by number: file_1=..."""
    files = [idx([4, 28, 28], [0] * (4 * 784)), idx([4], [1, 2, 3, 4]), idx([2, 28, 28], [9] * (2 * 784)), idx([2], [5, 6])]
    for i, name in enumerate(NAMES):
        content = changed.get(f"file_{i}", files[i])
        with open(os.path.join(folder, name + (".gz" if compressed else "")), "wb") as file:
            file.write(gzip.compress(content) if compressed else content)


def check_synthetic(program):
    assert accuracy(program, "--model=mlp") >= 0.96
    assert accuracy(program, "--model=lenet") >= 0.98
    flags = ["--samples=500", "--epochs=1"]
    assert run(program, "--model=lenet", *flags).stdout.splitlines()[-1] == run(
        program, "--model=lenet", "--threads=2", *flags).stdout.splitlines()[-1]
    held_back = run(program, *flags, "--validation=0.2")
    assert held_back.returncode == 0 and "val_accuracy" in held_back.stdout, held_back
    assert "test images" not in held_back.stdout


def check_files(program):
    wrong = {
        "truncated": {"file_0": idx([4, 28, 28], [0] * 100)},
        "expected images": {"file_2": idx([2, 27, 28], [0] * (2 * 27 * 28))},
        "expected 4 labels": {"file_1": idx([3], [1, 2, 3])},
        "label 10 of image 1": {"file_3": idx([2], [5, 10])},
    }
    for compressed in False, True:
        with tempfile.TemporaryDirectory() as folder:
            flags = [f"--data={folder}", "--epochs=1"]
            missing = run(program, *flags)
            assert missing.returncode == 1 and NAMES[0] in missing.stderr, missing
            write_files(folder, compressed)
            good = run(program, *flags)
            assert good.returncode == 0, good
            assert "4 images to train, 2 to test" in good.stdout, good.stdout
            for message, changed in wrong.items():
                write_files(folder, compressed, **changed)
                ran = run(program, *flags)
                assert ran.returncode == 1 and message in ran.stderr, ran
                number = int(next(iter(changed))[-1])
                assert NAMES[number] in ran.stderr, ran.stderr


def check_flags(program):
    for flags in ["--model=resnet"], ["--epochs=0"], ["--samples=x"], ["--validation=1.5"], ["--no_such_flag"]:
        ran = run(program, *flags)
        assert ran.returncode == 2 and ran.stderr, ran


def main():
    program, data = sys.argv[1:]
    if data == "synthetic":
        check_synthetic(program)
        check_files(program)
        check_flags(program)
        return 0
    for name in NAMES:
        if not any(os.path.exists(os.path.join(data, name + end)) for end in ("", ".gz")):
            print("SKIPPED: there is no", name, "in", data)
            return SKIPPED
    return 0 if accuracy(program, f"--data={data}", "--model=lenet", "--epochs=1") >= 0.96 else 1


if __name__ == "__main__":
    sys.exit(main())
