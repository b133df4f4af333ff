"""What went into a comparison and what the source gave for it, read from the files of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.records import Case, Signature


class Batches:
    """The user's own batches, each read when it is asked for, and again in each walk over them."""

    def __init__(self, paths: Sequence[Path], signature: Signature) -> None:
        self._paths, self._signature = paths, signature

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield each batch by the names of the inputs."""
        return (load_npz(path, self._signature.inputs) for path in self._paths)


def read_input(folder: Path, case: Case, signature: Signature) -> dict[str, np.ndarray]:
    """Return what goes into a case, by name; rows are stored without their batch axis."""
    return load_npz(folder / case.input, signature.inputs, batch_dim=_stored_without(case, signature))


def read_output(folder: Path, case: Case, signature: Signature) -> dict[str, np.ndarray]:
    """Return what the source gave for a case, by name."""
    return load_npz(folder / case.output, signature.outputs, batch_dim=_stored_without(case, signature))


def _stored_without(case: Case, signature: Signature) -> int | None:
    return signature.batch_dim if case.kind == "row" else None
