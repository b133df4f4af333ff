"""What is known of a runner before its class is imported."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.core.variants import RunnerRecord
from pytest_navigator.isolation.importing import imported, path_of

if TYPE_CHECKING:
    from pytest_navigator.runners.base import Runner


class RunnerSpec(NamedTuple):
    """A row of a format's table of runners; what each field says stands at `Runner`.

    Attributes:
        path: where the class is imported from, "package.module:Class". One class runs on several devices and runtimes:
            what this row says becomes the class attributes of a class of its own, called `name`.
    """

    name: str
    format: str
    runtime: str
    path: str
    requires: tuple[str, ...] = ()
    device: str = "cpu"
    imports: tuple[str, ...] = ()
    default: bool = True
    live: bool = False

    @classmethod
    def of(cls, kind: type[Runner] | RunnerSpec) -> RunnerSpec:
        """Return what a class says of itself, or the row that says it."""
        if isinstance(kind, RunnerSpec):
            return kind
        own = (kind.name, kind.format, kind.runtime, path_of(kind), kind.requires, kind.device)
        return cls(*own, kind.imports, kind.default, kind.live)

    def record(self) -> RunnerRecord:
        """Return what is written down of it."""
        return RunnerRecord(self.name, self.runtime, self.format, self.device, self.live, self.path, self.requires)

    def load(self) -> type[Runner]:
        """Import the class.

        Raises:
            ConfigError: it cannot be imported here.
        """
        return runner_class(self.record())


def table(
    form: str,
    module: str,
    *rows: tuple[str, str, str, tuple[str, ...]],
    live: bool = False,
    default: bool = True,
    imports: tuple[str, ...] = (),
) -> tuple[RunnerSpec, ...]:
    """Return the runners of a format whose classes stand in one module.

    Args:
        form: name of the format.
        rows: name, class, runtime and requirements of each, the preferred one first; what requires "cuda" runs there.
    """
    return tuple(
        RunnerSpec(
            name, form, runtime, f"{module}:{kind}", needs, "cuda" if "cuda" in needs else "cpu", imports, default, live
        )
        for name, kind, runtime, needs in rows
    )


def runner_class(known: RunnerRecord) -> type[Runner]:
    """Return the class of a runner, the same one each time.

    Raises:
        ConfigError: it cannot be imported here.
    """
    base: type[Runner] = imported(known.path)
    return base if vars(base).get("name") == known.name else _with_facts(base, known)


@cache
def _with_facts(base: type[Runner], known: RunnerRecord) -> type[Runner]:
    facts = {name: getattr(known, name) for name in ("name", "format", "runtime", "requires", "device", "live")}
    return type(known.name, (base,), {**facts, "__module__": base.__module__, "__doc__": base.__doc__})
