"""Building for the largest batch that was asked for, or for the first smaller one that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_navigator.backends.tensorrt import profiles
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.backends.tensorrt.profiles import Profile
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import LoaderRecord, Signature

T = TypeVar("T")


def largest(
    loader: LoaderRecord,
    parameters: Parameters,
    signature: Signature,
    build: Callable[[list[Profile]], T],
) -> tuple[list[Profile], T]:
    """Return the profiles that were built for, and what `build` returned for them.

    Args:
        parameters: `trt_profiles` and `conversion_fallback` of the variant.

    Raises:
        StepFailed: a profile does not fit the model or its samples, or no build worked: the last one's error.
    """
    sizes = profiles.batch_sizes(loader, fallback=parameters["conversion_fallback"])
    for size in sizes:
        shapes = profiles.completed(loader.profile, size, parameters["trt_profiles"], signature)
        try:
            return shapes, build(shapes)
        except StepFailed as error:
            if size == sizes[-1]:
                raise
            print(f"no engine for batches of up to {size}: {error}")
    raise AssertionError("no batch size was tried")
