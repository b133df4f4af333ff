"""`nav.load_optimized` and `nav.unload`: the stored formats of wrapped modules in the place of their `forward`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.api.loading import load
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.core.warned import warn
from pytest_navigator.errors import ConfigError, NavigatorError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.strategies import check
from pytest_navigator.pipelines import loading
from pytest_navigator.pipelines.loaded_graph import loaded_graph
from pytest_navigator.pipelines.loading import NOTHING, Loaded, LoadedModule
from pytest_navigator.pipelines.refusals import NO_MODULE
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.store import default_store

OTHER_FORWARD = ". A forward that was set on the module is a part of its code: set it before nav.optimize"

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.api.package import Package
    from pytest_navigator.package.query.strategies import Strategy
    from pytest_navigator.package.running.runner import PackageRunner
    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.store import Store
    from pytest_navigator.pipelines.swapped import Swapped


def load_optimized(strategies: Strategy | Sequence[Strategy] | None = None, device: object = None) -> Loaded:
    """Swap the formats that `nav.optimize` has chosen into the wrapped modules, until `nav.unload`.

    They are found by the module's weights and code: those of a module that was trained on, or edited, are never used.
    A call with a structure or size that was not recorded runs the module itself; it is counted in `Loaded.eager`, and
    each reason is warned of once (UserWarning).

    Args:
        strategies: which of the formats that passed the checks, also of a module that stays eager for speed alone;
            None: the one that was chosen, or the best of the device.
        device: "cpu", "cuda", or a torch.device: only runners of this device; None: of any.

    Returns:
        What runs in the place of each module, and why; `print` shows it.

    Raises:
        ConfigError: no module is wrapped; nothing is stored for any of them; an argument is wrong.
    """
    check(strategies)
    kind, store = kind_of(device), default_store()
    modules = list(registered())
    if not modules:
        raise ConfigError(NO_MODULE)
    loaders = [_Loader(each, store, strategies, kind) for each in modules]
    for loader in loaders:
        loader.find()
    if not any(loader.choices for loader in loaders):
        names = ", ".join(each.name for each in modules)
        raise ConfigError(f"nothing is stored in {store.root} for the weights and code of {names}: run nav.optimize")
    swapped = {loader.wrapped.name: found for loader in loaders if (found := loader.load())}
    return Loaded(tuple(told for loader in loaders for told in loader.told), swapped)


def unload() -> None:
    """Give all modules their own `forward` back, and free the formats; nothing happens where none is loaded."""
    loading.unload()


@dataclass
class _Loader:
    """Loads what is stored for one module.

    Attributes:
        choices: what is stored of it. told: what came of each.
    """

    wrapped: Wrapped
    store: Store
    strategies: Strategy | Sequence[Strategy] | None
    device: str | None
    choices: list[Choice] = field(default_factory=list)
    told: list[LoadedModule] = field(default_factory=list)

    def find(self) -> None:
        """Look up what is stored."""
        self.choices = self.store.choices_for(self.wrapped)

    def load(self) -> Swapped | None:
        """Swap in what can be loaded; None: nothing."""
        name = self.wrapped.name
        loading.unload(name)
        if not self.choices:
            known = loading.NOTHING_MADE.get(self.wrapped.module)
            reason = known or NOTHING + (OTHER_FORWARD if self.wrapped.own is not None else "")
            self.told.append(LoadedModule(name, name, reason=reason))
            if known is None:
                warn(f"{name}: {reason}")
        with ExitStack() as stack:
            graphs = {each.key: graph for each in self.choices if (graph := self._graph(each, stack))}
            if not graphs:
                return None
            fingerprint = self.choices[0].fingerprint
            return loading.keep_loaded(self.wrapped, graphs, fingerprint, stack, self.store.changing(fingerprint))

    def _graph(self, choice: Choice, stack: ExitStack) -> LoadedGraph | None:
        graph = choice.graph
        asked = self.strategies is not None and choice.slower and choice.package
        if not choice.format and not asked:
            self.told.append(LoadedModule(self.wrapped.name, graph, reason=choice.reason))
            return None
        try:
            package = stack.enter_context(load(self.store.package(choice), target_device=self.device))
            runner = stack.enter_context(self._runner(package, choice))
        except (NavigatorError, ImportError, OSError, RuntimeError) as error:
            what = f"{choice.format} on {choice.runner}" if choice.format else "a format"
            reason = f"{what} cannot be loaded: {error_line(error)}"
            self.told.append(LoadedModule(self.wrapped.name, graph, reason=reason))
            warn(f"{graph}: {reason}")
            return None
        same = (runner.format, runner.runner_name) == (choice.format, choice.runner)
        reason = choice.reason if same else "the best of what was asked for"
        self.told.append(LoadedModule(self.wrapped.name, graph, runner.format, runner.runner_name, reason))
        return loaded_graph(choice, runner)

    def _runner(self, package: Package, choice: Choice) -> PackageRunner:
        if self.strategies is None and self._fits(package, choice):
            return package.get_runner(choice.format, runtime=choice.runner)
        verified_only = verdict.is_judged(package.results)
        return package.get_runner(strategies=self.strategies, include_source=False, verified_only=verified_only)

    def _fits(self, package: Package, choice: Choice) -> bool:
        record = package.results.suite.runners.get(choice.runner)
        return record is not None and self.device in (None, record.device)
