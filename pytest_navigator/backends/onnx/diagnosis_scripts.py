"""The scripts that a diagnosis of an ONNX file leaves: what is blamed, computed again by ONNX Runtime alone (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = '''"""{title}

Run it from anywhere: the arrays, and the part of the model, are in the folder beside it.
"""

from pathlib import Path

import numpy as np
import onnxruntime

folder = Path(__file__).with_suffix("")
inputs, expected = dict(np.load(folder / "inputs.npz")), np.load(folder / "expected.npz")
'''

SEGMENT = """session = onnxruntime.InferenceSession(folder / "segment.onnx", providers={providers})
(found,) = session.run([{value!r}], inputs)
right = expected[{value!r}]
print(f"{{found.shape}}, right is {{right.shape}}")
if found.shape == right.shape:
    off = np.abs(found.astype(float) - right)
    at = tuple(map(int, np.unravel_index(off.argmax(), off.shape)))
    print(f"largest difference: {{off.max():.3g}} at {{list(at)}}: {{found[at]}}, right is {{right[at]}}")
"""

OPTIMIZER = """for level in ("ORT_DISABLE_ALL", {level!r}):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
{entries}    model = Path(__file__).parents[1] / {file!r}
    session = onnxruntime.InferenceSession(model, options, providers={providers})
    for name, found in zip(expected, session.run({outputs}, inputs)):
        print(f"{{level}}: {{name}}: largest difference: {{np.abs(found.astype(float) - expected[name]).max():.3g}}")
"""


def segment_script(title: str, value: str, providers: Sequence[str]) -> str:
    """Return what computes one value from right inputs again."""
    return HEAD.format(title=title) + SEGMENT.format(value=value, providers=list(providers))


def optimizer_script(
    title: str,
    file: str,
    outputs: Sequence[str],
    providers: Sequence[str],
    entries: Sequence[str] = (),
    level: str = "ORT_ENABLE_ALL",
) -> str:
    """Return what runs a file with and without the optimizer.

    Args:
        file: name of the artifact, in the folder above the script's.
        entries: statements that set further `options`.
    """
    lines = "".join(f"    {line}\n" for line in entries)
    return HEAD.format(title=title) + OPTIMIZER.format(
        file=file, outputs=list(outputs), providers=list(providers), entries=lines, level=level
    )
