"""Which formats, runners and frameworks there are: asked of every plugin, the built-in one first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import TypeVar

from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import unknown
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


def registry_of(config: pytest.Config) -> Registry:
    """Ask the plugins; what comes first (the built-in ones) is listed first."""
    formats: dict[str, Format] = _named(reversed(config.hook.pytest_nav_formats()))
    frameworks: dict[str, Framework] = _named(reversed(config.hook.pytest_nav_frameworks()))
    return Registry(formats, frameworks)


def runner_record(runner: type[Runner]) -> RunnerRecord:
    """Describe a runner as plain data, with the path that a child imports it from."""
    path = f"{runner.__module__}:{runner.__qualname__}"
    return RunnerRecord(runner.name, runner.runtime, runner.format, runner.device, runner.live, path, runner.requires)


def _named(answers: Iterable[list[type[T]]]) -> dict[str, T]:
    return {c.name: c() for answer in answers for c in answer}
