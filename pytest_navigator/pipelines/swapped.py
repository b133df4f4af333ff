"""What stands in the place of `forward`: each call goes to the format of its structure, or to the module itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.pipelines.registry import Forward, Wrapped


@dataclass(frozen=True)
class LoadedGraph:
    """A format that is loaded.

    Attributes:
        run: called like the module, gives its structure: a `PackageRunner`, or a `RunnerProxy` of a run.
        varied: where numbers are tensors, see `Graph.varied`.
    """

    run: Forward
    varied: tuple[str, ...] = ()


@dataclass(eq=False)
class Swapped:
    """The `forward` of a module whose graphs have formats.

    Attributes:
        graphs: digest of a structure -> what runs it.
        eager: why calls ran the module itself -> how many.
    """

    wrapped: Wrapped
    graphs: Mapping[str, LoadedGraph]
    eager: Counter[str] = field(default_factory=Counter)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one inference; a structure or shape that no format knows runs the module itself."""
        raise NotImplementedError
