"""What is known of the modules of a pipeline that ran once, as data: enough for any process to swap formats in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_navigator.errors import NotApplicable, SourceError
from pytest_navigator.pipelines.aliases import Alias  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.fingerprint import changing, identity_of
from pytest_navigator.pipelines.graphs import graphs_of
from pytest_navigator.pipelines.loaded_graph import Range, Span, loaded_graph  # cattrs reads annotations
from pytest_navigator.pipelines.observing import observe
from pytest_navigator.pipelines.replaying import problem_of
from pytest_navigator.pipelines.sharing import in_common, outermost_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pytest_navigator.pipelines.fingerprint import Identity
    from pytest_navigator.pipelines.graphs import Graph
    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.pipelines.observing import Observed
    from pytest_navigator.pipelines.registry import Forward, Wrapped

NEVER = (
    "the pipeline never calls the module {!r} ({} samples): leave it out, or give the dataloader a sample that needs it"
)


@dataclass(frozen=True)
class GraphRecord:
    """What the calls of a module are like whose most frequent structure has formats.

    Attributes:
        key: digest of that structure; varied: where numbers are tensors in it; sizes, aliases, numbers: of
            `LoadedGraph`.
        fingerprint, changing: of the module, as the store has them.
        calls: how many the module had, on the samples.
        others: structures beside this one, which run eagerly.
        notes: what was found out while the pipeline ran.
    """

    key: str
    varied: tuple[str, ...] = ()
    sizes: tuple[tuple[Range, ...], ...] = ()
    aliases: tuple[Alias, ...] = ()
    fingerprint: str = ""
    changing: tuple[str, ...] = ()
    calls: int = 0
    others: int = 0
    notes: tuple[str, ...] = ()
    numbers: tuple[Span, ...] = ()

    def loaded(self, run: Forward) -> dict[str, LoadedGraph]:
        """Return what stands in the place of the module where something runs its format."""
        return {self.key: loaded_graph(self, run)}

    def choice(self, module: str, **chosen: Any) -> Choice:
        """Return it as the store and bundles have it; `chosen`: the other fields of `Choice`."""
        return Choice(
            module,
            module,
            self.fingerprint,
            self.key,
            varied=self.varied,
            sizes=self.sizes,
            aliases=self.aliases,
            numbers=self.numbers,
            **chosen,
        )


@dataclass(frozen=True)
class RecordedModules:
    """Modules of a pipeline that ran once on its samples."""

    modules: Sequence[Wrapped]
    before: Mapping[str, Identity]
    seen: Observed

    def graph(self, module: Wrapped, input_names: Sequence[str] | None = None) -> Graph:
        """Return the calls of the most frequent structure of a module.

        Raises:
            SourceError: it was never called.
            NotApplicable: no format of it can stand in these calls: it runs as it is.
            ConfigError: `input_names` are not as many as the inputs.
        """
        calls = self.seen.calls.get(module.name, [])
        if not calls:
            raise SourceError(NEVER.format(module.name, len(self.seen.samples)))
        if problem := self.refused[module.name]:
            raise NotApplicable(f"{module.name} stays as it is: {problem}")
        return graphs_of(module, calls, input_names=input_names)[0]

    @cached_property
    def refused(self) -> dict[str, str]:
        """Name of each module that is called -> why no format of it can be made, "" if one can."""
        found: dict[str, str] = {}
        for each in outermost_first(self.modules):
            if calls := self.seen.calls.get(each.name):
                having = [one for one in self.modules if found.get(one.name) == ""]
                found[each.name] = in_common(each, having) or problem_of(graphs_of(each, calls)[0])
        return found

    def record(self, graph: Graph) -> GraphRecord:
        """Return what is kept of a module."""
        module, before = graph.wrapped, self.before[graph.wrapped.name]
        changed = changing(before, identity_of(module.module))
        return GraphRecord(
            graph.key,
            graph.varied,
            graph.sizes,
            graph.aliases,
            before.fingerprint(changed),
            tuple(changed),
            self.seen.counted.get(module.name, 0),
            len(graphs_of(module, self.seen.calls[module.name])) - 1,
            self.seen.notes,
            graph.numbers,
        )


def record(func: Callable[..., Any], dataloader: object, modules: Sequence[Wrapped]) -> RecordedModules:
    """Run a pipeline on its samples, and record its modules; see `observe` for what is raised."""
    before = {each.name: identity_of(each.module) for each in modules}
    return RecordedModules(modules, before, observe(func, dataloader, modules))
