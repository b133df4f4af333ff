"""What a package recorded of its model: what went in, what came out, and how near an answer must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.package.container.reader import open_package
from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A sample of the loader, or its first row.

    Attributes:
        kind: "batch" or "row".
        inputs, outputs: arrays by name, with their batch axis.
    """

    kind: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def samples(path: Path, folder: Path) -> list[Sample]:
    """Return what a package compared its formats by; it is extracted into a folder."""
    with open_package(path) as package:
        results = package.results
        cases = results.source_facts.cases
        package.extract([name for case in cases for name in (case.input, case.output)], folder)
    signature = results.signature
    found = []
    for case in cases:
        axis = signature.batch_dim if case.kind == "row" else None
        arrays = [
            load_npz(folder / name, specs, axis)
            for name, specs in ((case.input, signature.inputs), (case.output, signature.outputs))
        ]
        found.append(Sample(case.kind, *arrays))
    return found


def assert_answered(path: Path, key: str, runner: str, sample: Sample, answer: Mapping[str, np.ndarray]) -> None:
    """Compare an answer with what the package recorded, within the tolerance that it records for a format's runner.

    What is a number a row in the model is an axis of one there.
    """
    with open_package(path) as package:
        reports = package.results.correctness(key, runner).data["outputs"]
    assert {report["name"] for report in reports} == set(answer)
    for report in reports:
        expected, found = sample.outputs[report["name"]], answer[report["name"]]
        assert found.shape == (expected.shape if expected.ndim > 1 else (*expected.shape, 1))
        found = found.reshape(expected.shape)
        np.testing.assert_allclose(found, expected, atol=report["allowed_atol"], rtol=report["allowed_rtol"])
