"""Which formats, runners and frameworks there are: asked of every plugin, the built-in one first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import TypeVar

from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import unknown
from pytest_navigator.isolation.importing import path_of
from pytest_navigator.records import RunnerRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.base import FormatConfig
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner

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

    def runner(self, name: str) -> type[Runner]:
        """Return the runner class called `name`."""
        runners = {r.name: r for f in self.formats.values() for r in f.runners}
        if name not in runners:
            raise unknown("runner", name, runners)
        return runners[name]


def builtin() -> Registry:
    """Return what comes with this project, for use outside of a run."""
    from pytest_navigator import plugin

    formats, frameworks = plugin.pytest_nav_formats(), plugin.pytest_nav_frameworks()
    return Registry(_named("formats", [formats]), _named("frameworks", [frameworks]))


def registry_of(config: pytest.Config) -> Registry:
    """Ask the plugins; what comes first (the built-in ones) is listed first.

    Raises:
        ConfigError: two of them cannot be told apart, or a runner runs a format that there is not.
    """
    formats: dict[str, Format] = _named("formats", reversed(config.hook.pytest_nav_formats()))
    for runner in (runner for answer in reversed(config.hook.pytest_nav_runners()) for runner in answer):
        if runner.format not in formats:
            raise unknown(f"format of the runner {runner.__qualname__}", runner.format, formats)
        form = formats[runner.format]
        # Of this instance: the class may be another run's of this process too.
        vars(form)["runners"] = (*form.runners, runner)
    _check(formats.values())
    frameworks: dict[str, Framework] = _named("frameworks", reversed(config.hook.pytest_nav_frameworks()))
    return Registry(formats, frameworks)


def runner_record(runner: type[Runner]) -> RunnerRecord:
    """Describe a runner as plain data, with the path that a child imports it from."""
    return RunnerRecord(
        runner.name, runner.runtime, runner.format, runner.device, runner.live, path_of(runner), runner.requires
    )


def _named(what: str, answers: Iterable[list[type[T]]]) -> dict[str, T]:
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
