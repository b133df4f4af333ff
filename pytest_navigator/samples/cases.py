"""What went into a comparison and what the source gave for it, read from the files of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.records import Case, Signature


def read_input(folder: Path, case: Case, signature: Signature) -> dict[str, np.ndarray]:
    """Return what goes into a case, by name; rows are stored without their batch axis."""
    return load_npz(folder / case.input, signature.inputs, batch_dim=_stored_without(case, signature))


def read_output(folder: Path, case: Case, signature: Signature) -> dict[str, np.ndarray]:
    """Return what the source gave for a case, by name."""
    return load_npz(folder / case.output, signature.outputs, batch_dim=_stored_without(case, signature))


def _stored_without(case: Case, signature: Signature) -> int | None:
    return signature.batch_dim if case.kind == "row" else None
