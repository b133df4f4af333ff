"""Generate with the decoder of a package: no torch, no transformers, only the ONNX file and its cache."""

import sys

import numpy as np

import pytest_navigator as nav

STEPS = 8


def generate(package: nav.Package, prompt: list[int]) -> list[int]:
    heads, width = 2, 8
    feed = {"input_ids": np.array([prompt]), "attention_mask": np.ones((1, len(prompt)), np.int64)}
    names = [f"past_key_values__{layer}__{part}" for layer in range(2) for part in ("key", "value")]
    feed |= {name: np.zeros((1, heads, 0, width), np.float32) for name in names}  # nothing is known yet
    tokens = []
    with package.get_runner(format="onnx", runtime="OnnxCPU") as runner:
        for _ in range(STEPS):
            found = runner.infer(feed)
            tokens.append(int(found["logits"][0, -1].argmax()))
            seen = feed["attention_mask"]
            feed = {"input_ids": np.array([tokens[-1:]]), "attention_mask": np.ones((1, seen.shape[1] + 1), np.int64)}
            feed |= {name: found[f"output__{name}"] for name in names}
    return tokens


if __name__ == "__main__":
    with nav.load(sys.argv[1]) as package:
        print("tokens:", *generate(package, [int(token) for token in sys.argv[2:]]))
