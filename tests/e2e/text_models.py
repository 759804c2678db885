"""The example that continues a text: a text with a rule, which both models must learn to the letter, and what the
program says of wrong files and flags.

usage: text_models.py PROGRAM
"""

import gzip
import os
import subprocess
import sys
import tempfile

# What follows on a digit depends on what was before it: the direction has to be remembered.
ROUND = "0123456789876543210"
FLAGS = ["--window=24", "--width=32", "--epochs=12", "--batch_size=16", "--learning_rate=0.01"]


def run(program, *flags):
    return subprocess.run([program, *flags], capture_output=True, text=True, check=False)


def continued(program, *flags):
    ran = run(program, *flags)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.split("--- ")[1].rstrip("\n").split("|")


def check_model(program, name, text, folder):
    flags = [f"--text={text}", f"--model={name}", *FLAGS]
    weights = os.path.join(folder, "weights.safetensors")
    expected = (ROUND * 9)[4:]
    # A prompt shorter than the window, and more characters than it holds.
    prompt, answer = continued(program, *flags, "--temperature=0", "--prompt=0123", "--sample=70", f"--save={weights}")
    print(name, prompt, answer)
    assert prompt == "0123" and answer == expected[:70], answer
    # Trained weights say the same again, and so does chance with the same seed.
    flags.append(f"--load={weights}")
    assert continued(program, *flags, "--temperature=0", "--prompt=0123", "--sample=70")[1] == answer
    hot = [continued(program, *flags, "--temperature=5", f"--seed={seed}", "--sample=50")[1] for seed in (1, 1, 2)]
    assert hot[0] == hot[1] and hot[0] != hot[2], hot


def check_errors(program, text, folder):
    short = os.path.join(folder, "short.txt")
    with open(short, "w", encoding="ascii") as file:
        file.write("abc")
    for message, flags in {
            "no_such.txt": ["--text=no_such.txt"],
            "less than a window": [f"--text={short}"],
            "not in the text": [f"--text={text}", "--prompt=x"],
            "attention_1": [f"--text={text}", "--model=transformer", "--heads=64", *FLAGS],
    }.items():
        ran = run(program, *flags)
        assert ran.returncode == 1 and message in ran.stderr, ran
    for flags in ["--model=markov"], ["--temperature=-1"], ["--window=0"]:
        ran = run(program, *flags)
        assert ran.returncode == 2 and ran.stderr, ran


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "round.txt.gz")
        with gzip.open(text, "wt", encoding="ascii") as file:
            file.write(ROUND * 700)
        for name in "lstm", "transformer":
            check_model(program, name, text, folder)
        check_errors(program, text, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
