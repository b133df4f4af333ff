"""What a pipeline is called with: `(batch_size, sample)` of a loader, as `nav.optimize` and `nav.profile` take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = '[(1, "a photo of an astronaut")]'
NEEDED = f"a pipeline's dataloader gives pairs of a batch size and a sample: {EXAMPLE}"


@dataclass(frozen=True)
class PipelineSample:
    """One call of a pipeline.

    Attributes:
        index: number of the sample in its loader, from 0.
        batch_size: as the loader says; None: it does not.
    """

    index: int
    batch_size: int | None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def run(self, func: Callable[..., Any]) -> Any:
        """Call the pipeline."""
        return func(*self.args, **self.kwargs)


def pipeline_samples(dataloader: object, *, named: str = "dataloader") -> Iterator[PipelineSample]:
    """Yield the calls that a loader stands for.

    A sample that is a tuple is the arguments, and a mapping at its end the keyword arguments, as Model Navigator has
    it; anything else is one argument.

    Args:
        dataloader: what can be iterated, or a function that returns such; what this has read is as good as pairs.
        named: what the user calls it.

    Raises:
        SourceError: it is none, or something in it is no pair of a batch size and a sample.
    """
    loader = dataloader() if callable(dataloader) and not isinstance(dataloader, Iterable) else dataloader
    if not isinstance(loader, Iterable) or isinstance(loader, str | bytes | Mapping):
        raise SourceError(f"{named}={loader!r}: {NEEDED}")
    for index, item in enumerate(loader):
        yield item if isinstance(item, PipelineSample) else _sample(index, item, named)


def _sample(index: int, item: object, named: str) -> PipelineSample:
    if not (isinstance(item, tuple | list) and len(item) == 2):
        raise SourceError(f"sample {index} of the {named} is {_kind(item)}: {NEEDED}")
    size, sample = item
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise SourceError(
            f"sample {index} of the {named} begins with {size!r}: the batch size is a whole number, at least 1; "
            f"{NEEDED}"
        )
    args, kwargs = _arguments(sample)
    return PipelineSample(index, size, args, kwargs)


def _kind(item: object) -> str:
    if isinstance(item, tuple | list):
        return f"a {type(item).__name__} of {len(item)}"
    return f"a {type(item).__name__} alone"


def _arguments(sample: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    if not isinstance(sample, tuple):
        return (sample,), {}
    if sample and isinstance(sample[-1], Mapping) and all(isinstance(key, str) for key in sample[-1]):
        return sample[:-1], sample[-1]
    return sample, {}
