"""Which modules go into a bundle, and how much of each: Model Navigator's selections."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.package.container.copying import write_copy
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.query.choice import Wanted
from pytest_navigator.package.query.strategies import check
from pytest_navigator.package.query.verdict import chosen, is_judged
from pytest_navigator.pipelines.refusals import NO_MODULE
from pytest_navigator.pipelines.registry import registered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.package.query.strategies import Strategy
    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.store import Store


@dataclass(frozen=True)
class BundleModuleSelection:
    """What goes into a bundle."""


@dataclass(frozen=True)
class BestRunnersSelection(BundleModuleSelection):
    """Of each wrapped module the format that was chosen alone, without the others and without the samples.

    Args:
        runner_selection_strategy: chooses the format anew, by the figures of the packages, also of a module that stays
            eager for speed alone; of several, the first that has an answer counts. None: as it was chosen.

    Raises:
        ConfigError: `runner_selection_strategy` is something else.
    """

    runner_selection_strategy: Strategy | Sequence[Strategy] | None = None

    def __post_init__(self) -> None:
        check(self.runner_selection_strategy)


@dataclass(frozen=True)
class RegisteredModulesSelection(BundleModuleSelection):
    """The wrapped modules, with all their formats and samples."""


@dataclass(frozen=True)
class ModulesByNameSelection(BundleModuleSelection):
    """Some of the wrapped modules, with all their formats and samples."""

    module_names: Sequence[str] = ()


@dataclass(frozen=True)
class AllModulesSelection(BundleModuleSelection):
    """Whatever is in the store, of all pipelines and of modules that were retrained since."""


@dataclass
class Selected:
    """What goes into a bundle: choices, the packages of those that have one, what calls change in the modules."""

    choices: list[Choice] = field(default_factory=list)
    packages: dict[Choice, Path] = field(default_factory=dict)
    changing: dict[str, list[str]] = field(default_factory=dict)


def selected(selection: BundleModuleSelection, store: Store, patterns: Patterns) -> Selected:
    """Return what a selection means now.

    Raises:
        ConfigError: no module is wrapped, or one of that name, or it was not optimized; or nothing is left.
    """
    found = Selected()
    known = store.fingerprints() if isinstance(selection, AllModulesSelection) else _wrapped(selection, store, patterns)
    for fingerprint in known:
        choices = [choice for choice in store.choices(fingerprint) if patterns.take(choice.module)]
        found.choices += choices
        found.packages |= {choice: store.package(choice) for choice in choices if choice.package}
        found.changing[fingerprint] = store.changing(fingerprint)
    if not found.choices:
        raise ConfigError(f"nothing goes into the bundle: {store.root} has no module of these names")
    return found


def only_best(found: Selected, strategy: Strategy | Sequence[Strategy] | None, folder: Path) -> Selected:
    """Return the same with packages that have nothing but the model that runs; they are written into a folder.

    Raises:
        PackageError: one is damaged.
        StrategyError: the strategy has no answer for one.
    """
    best = Selected(changing=found.changing)
    for number, choice in enumerate(found.choices):
        new, path = replace(choice, package=""), found.packages.get(choice)
        if path is not None and (choice.format or (strategy is not None and choice.slower)):
            new, best_path = _reduced(choice, path, strategy, folder / f"{number}.nav")
            best.packages[new] = best_path
        best.choices.append(new)
    return best


@dataclass(frozen=True)
class Patterns:
    """Which modules count, by patterns of their names ("vae.*").

    Attributes:
        include: one of them has to fit; None: every name does.
        exclude: none of them may.
    """

    include: Collection[str] | None = None
    exclude: Collection[str] = ()

    def take(self, name: str) -> bool:
        """Whether a module counts."""
        wanted = self.include is None or any(fnmatchcase(name, each) for each in self.include)
        return wanted and not any(fnmatchcase(name, each) for each in self.exclude)


def _wrapped(selection: BundleModuleSelection, store: Store, patterns: Patterns) -> Iterator[str]:
    """Yield the fingerprints of the wrapped modules that are meant."""
    modules = {each.name: each for each in registered()}
    names = selection.module_names if isinstance(selection, ModulesByNameSelection) else list(modules)
    if not modules:
        raise ConfigError(NO_MODULE)
    for name in names:
        if name not in modules:
            raise unknown("module", name, modules)
        if patterns.take(name):
            choices = store.choices_of(modules[name].module)
            if not choices:
                raise ConfigError(
                    f"the module {name!r} is not optimized: {store.root} has nothing of these weights and this code; "
                    "nav.optimize comes first, or leave it out with exclude_patterns"
                )
            yield choices[0].fingerprint


def _reduced(
    choice: Choice, path: Path, strategy: Strategy | Sequence[Strategy] | None, target: Path
) -> tuple[Choice, Path]:
    with open_package(path) as package:
        new = replace(choice, package="")
        if strategy is not None:
            judged = is_judged(package.results)
            figure = chosen(package.results, Wanted(), strategy, include_source=False, verified_only=judged)
            new = replace(new, format=figure.key, runner=figure.runner, chosen_ms=figure.p50_latency, slower=False)
        keys = {v.key for v in package.results.suite.variants if new.format in (v.key, v.format)}
        write_copy(package, package.results, target, override=False, save_data=False, keep=keys)
    return new, target
