"""`--nav-baseline`: which package each model is compared with, read before anything runs."""

from __future__ import annotations

import re
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.text import short_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.remote import Url
    from pytest_navigator.gates.sides import Baseline
    from pytest_navigator.plugin.run import CollectedSuite, Run

OPTION = "--nav-baseline"


def read_all(run: Run) -> dict[str, Baseline]:
    """Return what every suite is compared with, by its node.

    A model that is new has no baseline yet. Where none has any, the path is wrong: a green run would compare nothing.

    Raises:
        ConfigError: a baseline is none, two models have one, or no model has any.
    """
    suites = [suite for suite in run.suites.values() if suite.baseline is not None]
    _check_shared(suites)
    found = {suite.nodeid: _read(run, suite) for suite in suites}
    absences = [each.absence for each in found.values()]
    if absences and all(absences) and not (_candidates(run.options.baseline) or all(_writes(run, s) for s in suites)):
        raise ConfigError(f"{OPTION}={run.options.baseline}: {absences[0]}; nothing would be compared")
    return found


def removed(run: Run) -> list[str]:
    """Return a line of the models that have a baseline and are not in this run: no item is theirs, and none fails."""
    suites = [suite for suite in run.suites.values() if suite.baseline is not None]
    looked = {str(suite.baseline) for suite in suites if suite.baseline is not None}
    found = {
        place: name
        for place in _candidates(run.options.baseline)
        if str(place) not in looked and (name := _owner(run, place))
    }
    told = ", ".join(f"{name} ({short_path(place, run.start)})" for place, name in found.items())
    return [f"not judged: {told} of {OPTION}: no such model in this run"] if told and suites else []


def _owner(run: Run, path: Path | Url) -> str:
    """Return the name of the model of which a package is the baseline; "" for any other file that fits the pattern."""
    from pytest_navigator.engine.manifest import MODEL, package_path
    from pytest_navigator.package.baseline import BaselinePackage

    if not isinstance(path, Path):  # it is not fetched for that: its name tells
        start, _, end = (run.options.baseline or "").partition(MODEL)
        return path.text.removeprefix(start).removesuffix(end)
    try:
        side = BaselinePackage(path).read().side
    except PackageError:
        return ""
    name = side.suite.name if side else ""
    return name if Path(package_path(run.options.baseline, name)) == path else ""


def _check_shared(suites: Sequence[CollectedSuite]) -> None:
    from pytest_navigator.engine.manifest import MODEL

    seen: dict[str, str] = {}
    for suite in suites:
        assert suite.baseline is not None
        path = str(suite.baseline)
        if path in seen:
            raise ConfigError(
                f"{OPTION}={path}: two models would be compared with it: {seen[path]} and {suite.nodeid}. "
                f"Write {MODEL} in it: {MODEL}.nav"
            )
        seen[path] = suite.nodeid


def _read(run: Run, suite: CollectedSuite) -> Baseline:
    from pytest_navigator.gates.sides import Baseline

    assert suite.baseline is not None
    place, path = str(suite.baseline), suite.baseline.path
    try:
        suite.baseline.fetch()
        if path.exists():
            return suite.baseline.read()
        first = (
            "this run writes it" if _writes(run, suite) else _stray(place) or f"pytest --nav-package={place} writes it"
        )
        return Baseline(path.name, absence=f"{place}: no such file; {first}")
    except PackageError as error:
        raise ConfigError(f"{OPTION}: {error}") from None


def _stray(place: str) -> str:
    """Return that something in braces is no model's name, which somebody may have meant; "" without braces."""
    from pytest_navigator.engine.manifest import MODEL

    found = re.search(r"\{[^/{}]*\}", place)
    return f"{found[0]} stands for nothing, only {MODEL} does" if found else ""


def _writes(run: Run, suite: CollectedSuite) -> bool:
    """Whether this run writes the very file that it is compared with: the first one finds none."""
    from pytest_navigator.engine.manifest import package_path

    assert suite.baseline is not None
    package = package_path(run.options.package, suite.name)
    if "://" in str(suite.baseline):
        return package == str(suite.baseline)
    return bool(package) and (run.start / package).resolve() == suite.baseline.path.resolve()


def _candidates(pattern: str | None) -> Sequence[Path | Url]:
    """Return every file that fits the pattern: other models may have theirs where that of one is looked for."""
    from pytest_navigator.engine.manifest import MODEL

    if "://" in (pattern or ""):
        return _objects(pattern or "")
    parts = (pattern or "").split(MODEL)
    return [Path(found) for found in sorted(glob("*".join(map(escape, parts))))] if parts[1:] else []


def _objects(pattern: str) -> list[Url]:
    """Return the objects that fit a pattern whose last part alone has the model's name."""
    from pytest_navigator.core.remote import RemoteError, Url, names_in
    from pytest_navigator.engine.manifest import MODEL

    url = Url(pattern)
    start, found, end = url.name.partition(MODEL)
    if not found or MODEL in str(url.parent):
        return []
    try:
        names = names_in(url.parent)
    except RemoteError:  # who may read one object need not be allowed to list all
        return []
    partial = f".partial{end}"
    return [url.parent / n for n in names if n.startswith(start) and n.endswith(end) and not n.endswith(partial)]
