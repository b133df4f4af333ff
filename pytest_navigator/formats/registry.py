"""Which formats, runners and frameworks there are, the built-in ones first."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_navigator.core.records import RunnerRecord
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.isolation.importing import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.formats.base import Format
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner

_RUNS: list[Registry] = []
"""The registries of the runs of this process, the innermost last: a test may run pytest."""

T = TypeVar("T", bound="Format | Framework")


@dataclass(frozen=True)
class Registry:
    """The formats and frameworks of a run, by name."""

    formats: dict[str, Format]
    frameworks: dict[str, Framework]

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
        more = list(kinds)
        if not more:
            return self
        formats = {**self.formats, **_named("formats", [more])}
        _check(formats.values())
        return Registry(formats, self.frameworks)

    def runner(self, name: str) -> type[Runner]:
        """Return the runner class called `name`."""
        runners = {r.name: r for f in self.formats.values() for r in f.runners}
        if name not in runners:
            raise unknown("runner", name, runners)
        return runners[name]


def built(
    formats: Iterable[list[type[Format]]],
    runners: Iterable[list[type[Runner]]],
    frameworks: Iterable[list[type[Framework]]],
) -> Registry:
    """Return what everybody has named, each answer a list; what comes first is listed first.

    Raises:
        ConfigError: two of them cannot be told apart, or a runner runs a format that there is not.
    """
    known: dict[str, Format] = _named("formats", formats)
    for runner in (runner for answer in runners for runner in answer):
        if runner.format not in known:
            raise unknown(f"format of the runner {runner.__qualname__}", runner.format, known)
        form = known[runner.format]
        form.runners = (*form.runners, runner)  # of this object: the class may be another run's of this process too
    _check(known.values())
    return Registry(known, _named("frameworks", frameworks))


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


def runner_record(runner: type[Runner]) -> RunnerRecord:
    """Describe a runner as plain data, with the path that a child imports it from."""
    return RunnerRecord(
        runner.name, runner.runtime, runner.format, runner.device, runner.live, path_of(runner), runner.requires
    )


def _named(what: str, answers: Iterable[list[type[T]]]) -> dict[str, T]:
    """Return one object of each class, by name; ConfigError where two have the same."""
    found: dict[str, T] = {}
    for kind in (kind for answer in answers for kind in answer):
        if kind.name in found:
            raise _twice(what, f"called {kind.name!r}", type(found[kind.name]), kind)
        found[kind.name] = kind()
    return found


def _check(formats: Iterable[Format]) -> None:
    """Find runners and configurations that could not be told apart; the built-in ones come first."""
    known: dict[str, type] = {}
    for form in formats:
        marks: list[tuple[str, str, type]] = [("formats", f"configured by {form.config.__qualname__}", type(form))]
        for runner in form.runners:
            if runner.format != form.name:
                raise ConfigError(
                    f"{runner.__qualname__} is a runner of {form.name!r}, but its format is {runner.format!r}"
                )
            marks.append(("runners", f"called {runner.name!r}", runner))
            marks.append(("runners", f"of format {form.name!r} with runtime {runner.runtime!r}", runner))
        for what, mark, kind in marks:
            if mark in known:
                raise _twice(what, mark, known[mark], kind)
            known[mark] = kind


def _twice(what: str, mark: str, first: type, second: type) -> ConfigError:
    return ConfigError(f"two {what} are {mark}: {first.__qualname__} and {second.__qualname__}; change one")
