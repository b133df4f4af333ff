"""Which formats, runners and frameworks there are, the built-in ones first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.formats.listed import Kinds, Listed, twice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.formats.base import Format
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner
    from pytest_navigator.runners.spec import RunnerSpec

_RUNS: list[Registry] = []  # The registries of the runs of this process, the innermost last: a test may run pytest


@dataclass(frozen=True)
class Registry:
    """The formats and frameworks of a run, by name; what is not asked for by name or by framework is not imported."""

    formats: Kinds[Format]
    frameworks: Kinds[Framework]

    def format(self, name: str) -> Format:
        """Return the format called `name`; ConfigError with the nearest name if there is none."""
        if name not in self.formats:
            raise unknown("format", name, self.formats)
        return self.formats[name]

    def framework(self, name: str) -> Framework:
        """Return the framework called `name`; ConfigError with the nearest name if there is none."""
        if name not in self.frameworks:
            raise unknown("framework", name, self.frameworks)
        return self.frameworks[name]

    def format_of(self, config: FormatConfig) -> Format:
        """Return the format that a configuration object configures."""
        found = next((f for f in self.formats.values() if f.config is type(config)), None)
        if found is None:
            valid = ", ".join(sorted(f.config.__name__ for f in self.formats.values()))
            raise ConfigError(f"{config!r} configures no format that is known here (configurations: {valid})")
        return found

    def extended(self, kinds: Iterable[type[Format]]) -> Registry:
        """Return the same with more formats; itself if there are none.

        Raises:
            ConfigError: two of them cannot be told apart.
        """
        more = [_format(kind) for kind in kinds]
        if not more:
            return self
        formats = self.formats.extended(more)
        _check(formats)
        return Registry(formats, self.frameworks)

    def runner(self, name: str, format: str) -> RunnerSpec | None:
        """Return the runner called `name`, None without one; where it is of `format`, no other format is imported."""
        own = self.formats[format].runner_specs if format in self.formats else ()
        return next((runner for runner in own if runner.name == name), None) or self.runners().get(name)

    def runners(self) -> dict[str, RunnerSpec]:
        """Return the runners of all formats, by name."""
        return {runner.name: runner for form in self.formats.values() for runner in form.runner_specs}


def built(
    formats: Iterable[list[type[Format] | Listed]],
    runners: Iterable[list[type[Runner]]],
    frameworks: Iterable[list[type[Framework] | Listed]],
) -> Registry:
    """Return what everybody has named, each answer a list; what comes first is listed first.

    Raises:
        ConfigError: two of them cannot be told apart, or a runner runs a format that there is not.
    """
    known: Kinds[Format] = Kinds("formats", (_format(kind) for answer in formats for kind in answer))
    more = [runner for answer in runners for runner in answer]
    for runner in more:
        if runner.format not in known:
            raise unknown(f"format of the runner {runner.__qualname__}", runner.format, known)
        form = known[runner.format]
        form.runners = (*form.runners, runner)  # of this object: the class may be another run's of this process too
    # The built-in ones are told apart by a test: to look at them here would be to import them all.
    if more or any(isinstance(one.kind, type) for one in known.listed.values()):
        _check(known)
    return Registry(known, Kinds("frameworks", (_framework(kind) for answer in frameworks for kind in answer)))


@contextmanager
def using(registry: Registry) -> Iterator[None]:
    """Let all of this process know what a run's plugins have added, as long as the run lasts."""
    _RUNS.append(registry)
    try:
        yield
    finally:
        _RUNS.remove(registry)


def current() -> Registry | None:
    """Return what the innermost run has; None outside of one."""
    return _RUNS[-1] if _RUNS else None


def _format(kind: type[Format] | Listed) -> Listed:
    return kind if isinstance(kind, Listed) else Listed(kind.name, kind, kind.frameworks, kind.default)


def _framework(kind: type[Framework] | Listed) -> Listed:
    return kind if isinstance(kind, Listed) else Listed(kind.name, kind, (kind.package, *kind.packages))


def _check(formats: Mapping[str, Format]) -> None:
    """Find runners and configurations that could not be told apart; the built-in ones come first."""
    known: dict[str, type[Format] | RunnerSpec] = {}
    for form in formats.values():
        marks: list[tuple[str, str, type[Format] | RunnerSpec]]
        marks = [("formats", f"configured by {form.config.__qualname__}", type(form))]
        for runner in form.runner_specs:
            if runner.format != form.name:
                raise ConfigError(f"{_class(runner)} is a runner of {form.name!r}, but its format is {runner.format!r}")
            marks.append(("runners", f"called {runner.name!r}", runner))
            marks.append(("runners", f"of format {form.name!r} with runtime {runner.runtime!r}", runner))
        for what, mark, kind in marks:
            if mark in known:
                raise twice(what, mark, _class(known[mark]), _class(kind))
            known[mark] = kind


def _class(kind: type[Format] | RunnerSpec) -> str:
    return (kind if isinstance(kind, type) else kind.load()).__qualname__
