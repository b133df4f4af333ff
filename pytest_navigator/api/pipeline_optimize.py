"""`nav.optimize`: formats for the modules of a pipeline, checked on the calls that the pipeline makes, and with it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.pipeline_graphs import Making, check_options, options_of
from pytest_navigator.comparison.precisions import coarsest
from pytest_navigator.configuration.optimize_config import OptimizeConfig
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.pipelines import loading
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.end_to_end import problem_of, run_pipeline
from pytest_navigator.pipelines.fingerprint import changing, identity_of
from pytest_navigator.pipelines.graphs import graphs_of
from pytest_navigator.pipelines.loaded_graph import loaded_graph
from pytest_navigator.pipelines.loading import NOTHING_MADE
from pytest_navigator.pipelines.observing import observe
from pytest_navigator.pipelines.pace import paces
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.replaying import kept_between
from pytest_navigator.pipelines.result import PipelineResult
from pytest_navigator.pipelines.settling import Gain, by_gain, settle
from pytest_navigator.pipelines.sharing import in_common, outermost_first
from pytest_navigator.pipelines.store import default_store
from pytest_navigator.pipelines.swapped import idle, quietly, swapping
from pytest_navigator.reporting.steps import rule
from pytest_navigator.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pytest_navigator.api.pipeline_graphs import Made
    from pytest_navigator.pipelines.fingerprint import Identity
    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.pipelines.observing import Observed
    from pytest_navigator.pipelines.pace import Pace
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.store import Store

    Func = Callable[..., Any]


def optimize(
    func: Callable[..., Any], dataloader: object, config: OptimizeConfig | None = None, *, reuse: bool = True
) -> PipelineResult:
    """Make formats of the wrapped modules of a pipeline, choose, check the whole, and keep what is right and faster.

    The pipeline runs on each sample, several times. What `nav.load_optimized()` has swapped in is unloaded before, and
    its modules have their own `forward` when this returns: `nav.load_optimized()` swaps the new formats in.

    Args:
        func: the pipeline, or a function that runs it.
        dataloader: pairs of a batch size and a sample, see `pipeline_samples`; up to 100 are used.
        config: of every module; a module's own `optimize_config` goes before it. Its `verify_func` is given what the
            pipeline returned, for every sample: with the formats, and as it is. None: the defaults.
        reuse: whether formats that are known of the same weights, code, calls and settings are taken as they are.

    Returns:
        What became of each module; `print` shows it.

    Raises:
        ConfigError: no module is wrapped or called; an argument is wrong; nothing can be kept or compared.
        SourceError: the loader gives no pairs; the pipeline raises on its first sample.
        PackageError: the formats cannot be kept.
        KeyboardInterrupt: it was interrupted; the formats that were made are kept, and used by the next call.
    """
    config, modules, store = _checked(func, config), list(registered()), default_store()
    store.check()
    for each in modules:
        check_options(each, config)
    loading.unload()
    for each in modules:
        while each.replaced:
            each.restore()
    before = {each.name: identity_of(each.module) for each in modules}
    seen = observe(func, dataloader, modules, values=config.verify_func is not None)
    _check_comparable(seen, config)
    run = _Run(func, replace(seen, recorded=seen.eager), config, store)
    run.make(modules, before, Making(config, store, len(seen.samples), reuse))
    result = run.result(modules, run.settle(modules))
    print("\n".join(printable(line) for line in [rule("pipeline", "="), *result.summary()]))
    return result


def _checked(func: object, config: OptimizeConfig | None) -> OptimizeConfig:
    if not callable(func):
        raise ConfigError(f"nav.optimize({func!r}, ...): the pipeline, or a function that runs it, is needed")
    if config is None:
        return OptimizeConfig()
    if not isinstance(config, OptimizeConfig):
        raise ConfigError(f"nav.optimize(config={config!r}): a nav.OptimizeConfig is needed")
    config.check()
    return config


def _check_comparable(seen: Observed, config: OptimizeConfig) -> None:
    """Find out before anything is made whether a pipeline with formats could be told from one that is wrong."""
    if config.verify_func is not None:
        if problem := problem_of(seen.recorded, seen.eager, config.verify_func):
            raise ConfigError(f"{problem}, given what the pipeline returns as it is, twice: no format could pass")
        return
    say = "compare with a function of your own: nav.OptimizeConfig(verify_func=lambda found, expected: ...)"
    problem = next((each.problem for each in seen.recorded.returned if each.problem), "")
    if problem:
        raise ConfigError(f"what the pipeline returns cannot be compared ({problem}); {say}")
    if problem := problem_of(seen.recorded, seen.eager, atol=config.atol, rtol=config.rtol):
        kept = "".join(f"; {name}{kept}" for name, calls in seen.calls.items() if (kept := kept_between(calls)))
        kept = kept.replace(", for it keeps", " keeps")
        raise SourceError(f"the pipeline, as it is, gives something else when it runs again: {problem}{kept}; {say}")


@dataclass
class _Run:
    """One `nav.optimize`.

    Attributes:
        made: what came of each graph. fingerprints, changing: name of a module -> as the store has them.
        eager_ms, optimized_ms: of a call of the pipeline, the last time that it was measured; caveat: of both.
        doubts: name of a module -> what speaks against its format, and is not borne out.
        slower: names of the modules that go back to eager for speed alone.
    """

    func: Func
    seen: Observed
    config: OptimizeConfig
    store: Store
    made: list[Made] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    changing: dict[str, list[str]] = field(default_factory=dict)
    eager_ms: float | None = None
    optimized_ms: float | None = None
    slower: set[str] = field(default_factory=set)
    caveat: str = ""
    doubts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.eager_ms = 1000 * median(self.seen.eager.seconds)

    def make(self, modules: Sequence[Wrapped], before: dict[str, Identity], making: Making) -> None:
        """Make the formats of every graph of the modules that were called."""
        for each in modules:
            self.changing[each.name] = changing(before[each.name], identity_of(each.module))
            self.fingerprints[each.name] = before[each.name].fingerprint(self.changing[each.name])
        for each in outermost_first(modules):
            having = [one for one in modules if one.name in self.with_formats()]
            self._make(each, making, in_common(each, having))

    def _make(self, wrapped: Wrapped, making: Making, refused: str) -> None:
        calls, options = self.seen.calls.get(wrapped.name, []), options_of(wrapped, self.config)
        batching, names = options.get("batching"), options.get("input_names")
        own = self.fingerprints[wrapped.name], self.changing[wrapped.name]
        for graph in graphs_of(wrapped, calls, batching=batching, input_names=names):
            self.made.append(making.made(graph, *own, refused))

    def with_formats(self) -> list[str]:
        """Return the names of the modules for which a format was chosen, the one that gains most first."""
        recorded = {name: len(calls) for name, calls in self.seen.calls.items()}
        return by_gain(
            Gain(
                (name := each.graph.wrapped.name),
                each.verdict.eager_ms,
                each.verdict.chosen_ms,
                self.seen.counted.get(name, 0) * len(each.graph.calls) / recorded[name],
            )
            for each in self.made
            if each.verdict.format
        )

    def problem(self, names: Collection[str]) -> str:
        """Return why the pipeline is not right with the formats of these modules, "" if it is."""
        with self._loaded(names) as graphs, quietly(), swapping(graphs, strict=True) as swapped:
            found = run_pipeline(self.func, self.seen.samples, values=self.config.verify_func is not None)
        if found.error is not None and self.config.debug:
            raise found.error
        if not found.raised and (reason := next(filter(None, map(idle, swapped.values())), "")):
            return reason
        precision = coarsest(*(each.precision for each in self.made if each.graph.wrapped.name in names))
        config = self.config
        return problem_of(
            self.seen.eager,
            found,
            config.verify_func,
            atol=config.atol,
            rtol=config.rtol,
            precision=precision,
            formats=self._titles(names),
        )

    def _titles(self, names: Collection[str]) -> str:
        chosen = [each for each in self.made if each.graph.wrapped.name in names and each.verdict.format]
        return ", ".join(f"{each.graph.name} {each.verdict.format}/{each.verdict.runner}" for each in chosen)

    @contextmanager
    def _loaded(self, names: Collection[str]) -> Iterator[dict[Wrapped, dict[str, LoadedGraph]]]:
        """Load the chosen formats of these modules."""
        graphs: dict[Wrapped, dict[str, LoadedGraph]] = {}
        with ExitStack() as stack:
            for each in self.made:
                if each.graph.wrapped.name in names and each.verdict.format and each.package is not None:
                    runner = each.package.get_runner(each.verdict.format, runtime=each.verdict.runner)
                    loaded = loaded_graph(each.graph, stack.enter_context(runner))
                    graphs.setdefault(each.graph.wrapped, {})[each.graph.key] = loaded
            yield graphs

    def settle(self, modules: Sequence[Wrapped]) -> dict[str, str]:
        """Return the modules that go back to eager, and why: until it is right, and faster by each that stays."""
        found = settle(self.with_formats(), self.problem, lambda names: self._paces(modules, names))
        if found.paces:
            self.eager_ms, self.optimized_ms = (each.ms for each in found.paces)
        self.caveat, self.doubts = found.caveat, found.doubts
        self.slower |= found.slower
        return found.back

    def _paces(self, modules: Sequence[Wrapped], names: Collection[str]) -> tuple[Pace, Pace]:
        with self._loaded(names) as graphs, quietly():
            own = [each for each in modules if each.name in names]
            return paces(self.func, self.seen.samples, own, lambda: swapping(graphs, strict=True))

    def result(self, modules: Sequence[Wrapped], back: dict[str, str]) -> PipelineResult:
        """Keep what was chosen, and return all of it."""
        choices = [choice for each in modules for choice in self._kept(each, back.get(each.name, ""))]
        optimized = self.optimized_ms if any(each.format for each in choices) else None
        samples, notes = len(self.seen.samples), self.seen.notes
        return PipelineResult(tuple(choices), self.seen.counted, samples, self.eager_ms, optimized, notes, self.caveat)

    def _unseen(self, name: str) -> str:
        count = self.seen.counted.get(name, 0)
        if count:
            return f"none of its {count} calls was recorded: they are too large"
        return f"never called while the pipeline ran on {len(self.seen.samples)} samples"

    def _kept(self, wrapped: Wrapped, back: str) -> list[Choice]:
        own = [each for each in self.made if each.graph.wrapped is wrapped]
        fingerprint = self.fingerprints[wrapped.name]
        if not own:
            reason = NOTHING_MADE[wrapped.module] = self._unseen(wrapped.name)
            return [Choice(wrapped.name, wrapped.name, fingerprint, "", reason=reason)]
        slower, doubt = wrapped.name in self.slower, self.doubts.get(wrapped.name, "")
        choices = [
            each.choice(fingerprint, back, slower=slower, doubt=doubt)
            if each.verdict.format
            else each.choice(fingerprint)
            for each in own
        ]
        for each in own:
            if each.package is not None:
                each.package.close()
        return self.store.put(choices, {}, self.changing[wrapped.name])
