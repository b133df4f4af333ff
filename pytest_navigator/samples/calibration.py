"""The samples that a model is quantized on: read one at a time, none of them without a finite number."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np


class HasBatches(Protocol):
    """What a conversion has of the loader: `formats.base.LoaderData`."""

    @property
    def batches(self) -> Iterable[Mapping[str, np.ndarray]]:
        """The user's own batches, each read when it is asked for."""


class CalibrationBatches:
    """Samples to calibrate on, by input name: read anew in each walk over them, so that no more than one is held."""

    def __init__(self, batches: Iterable[Mapping[str, np.ndarray]], most: int | None = None) -> None:
        self._batches, self._most = batches, most
        self._count = sum(1 for _ in self)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield each sample, a dict of its own."""
        yield from map(dict, islice(iter(self._batches), self._most))

    def __len__(self) -> int:
        """Return how many samples there are."""
        return self._count


def calibration_batches(data: HasBatches, quantization: Mapping[str, Any]) -> CalibrationBatches:
    """Return the samples to calibrate on, which have been looked at.

    Args:
        data: what the conversion has of the loader.
        quantization: of the variant's parameters, as `QuantizationConfig.parameters` gives them.

    Raises:
        StepFailed: there are none, or one has a number that is not finite.
    """
    found = CalibrationBatches(data.batches, quantization.get("samples"))
    if not len(found):
        raise StepFailed(
            "there is no sample to calibrate on: let nav_dataloader give at least one, or quantize without calibration"
        )
    for index, batch in enumerate(found):
        for name, array in batch.items():
            _check_finite(index, name, array)
    return found


def _check_finite(index: int, name: str, array: np.ndarray) -> None:
    import numpy as np

    if array.dtype.kind in "biuOUSTmM":
        return
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    place = tuple(int(axis[0]) for axis in np.nonzero(bad)) if array.ndim else ()
    where = f"{name}{list(place)}" if place else name
    raise StepFailed(
        f"sample {index} has {int(bad.sum())} values of {array.size} that are not finite, {where} = {array[place]}: no "
        "range can be found of that; leave the sample out of nav_dataloader, or write finite numbers into it "
        "(a mask: -10000.0 in place of -inf)"
    )
