"""Run pytest over the suite of one given model, and open the package that it leaves."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_navigator._compat import PlantedModule
from pytest_navigator.api.given import content
from pytest_navigator.api.turns import TURN
from pytest_navigator.api.turns import elsewhere
from pytest_navigator.api.turns import here
from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import PackageError
from pytest_navigator.errors import SourceError
from pytest_navigator.reporting.tracebacks import debugging
from pytest_navigator.reporting.tracebacks import users_frames
from pytest_navigator.run import CALLER
from pytest_navigator.run import UNASKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.api.given import Given
    from pytest_navigator.package.descriptor import Package

PLUGINS = ("no:cacheprovider", "no:benchmark", "no:randomly")
"""What would leave folders behind, print tables of its own or change the order; `-p` of pytest."""

INI = "[pytest]\nfilterwarnings =\n    ignore::pytest.PytestAssertRewriteWarning\n"
"""Instead of the caller's: nothing that is configured for a project's tests holds for this run."""

RESULTS = "pytest-navigator: the results up to here are in {workdir}; a package of them: {command}"
"""Of an exception that goes through, which leaves the caller without a package."""


def check(
    subject: Given,
    workdir: str | Path,
    *,
    override_workdir: bool,
    keep_workdir: bool = True,
    disable_git_info: bool = False,
    debug: bool = False,
) -> Package:
    """Run every step for a model and return the package; calls of other threads wait until this one is over.

    Args:
        workdir: of the run; the steps keep their files in it.
        override_workdir: replace what an earlier run has left there. A folder with anything else in it is never
            replaced.
        keep_workdir: False: remove it when the package is written; the current directory is only emptied.
        disable_git_info: record no git commit.
        debug: let exceptions through as they are: the first one ends the run.

    Raises:
        ConfigError: an argument is wrong, or `workdir` cannot be used. Nothing has run then.
        SourceError: the model or its loader does not keep its contract: nothing could be made from it.
        PackageError: the results cannot be written.
        KeyboardInterrupt: the run was interrupted; its partial results are in `workdir`.
        BaseException: with `debug` (or `NAV_DEBUG=1`), what the model, its loader, an exporter or `verify_func` raised;
            the results up to there are in `workdir`.
    """
    workdir = here() / workdir
    with TURN:
        if not override_workdir and workdir.is_dir() and any(workdir.iterdir()):
            raise ConfigError(f"the folder {workdir} is not empty: give another workdir, or override_workdir=True")
        with _environment(debug=debug):
            package = _checked(subject, workdir, ["--nav-no-git"] * disable_git_info)
        if not keep_workdir:
            _remove(workdir)
        return package


def _checked(subject: Given, workdir: Path, options: list[str]) -> Package:
    """Run pytest and return the package, whose file is in a temporary folder that goes with it."""
    folder = tempfile.TemporaryDirectory(prefix="pytest_navigator-")
    name = re.sub(r"[^\w.-]", "_", subject.config.name or "model")
    target = Path(folder.name, f"{name}.nav")
    own = [f"--nav-workspace={workdir}", f"--nav-package={target}"]
    try:
        error = _run(subject, Path(folder.name, "suite", name), [*own, *options])
        if error is not None:
            error.add_note(RESULTS.format(workdir=workdir, command=_pack_command(workdir, target.name)))
            raise error.with_traceback(users_frames(error))
        package = _opened(target, workdir)
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(package, folder.cleanup)
    return package


def _remove(folder: Path) -> None:
    """Remove a workspace. Who works in the folder, or has a link to it, keeps it, empty."""
    if not (folder.is_symlink() or folder.samefile(here())):
        shutil.rmtree(folder)
        return
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _pack_command(workdir: Path, package: str) -> str:
    return shlex.join(["pytest-navigator", "pack", str(workdir), "-o", package])


def _run(subject: Given, suite: Path, options: list[str]) -> BaseException | None:
    """Run pytest; `suite` is the file that it collects. Returns what goes through to who debugs."""
    folder = suite.parent
    folder.mkdir()
    suite.touch()
    ini = folder.with_suffix(".ini")
    ini.write_text(INI, encoding="utf-8")
    plugins = [part for name in ("navigator", *PLUGINS) for part in ("-p", name)]
    own = ["-c", str(ini), f"--rootdir={folder}", "-v", "--no-header", "-rN", str(suite)]
    errors = io.StringIO()
    raised = _Raised()
    with redirect_stderr(errors), elsewhere(folder) as caller:
        seen = [raised] * debugging()
        status = pytest.main([*plugins, *own, *options], plugins=[_Caller(caller, suite, subject), *seen])
    if status == pytest.ExitCode.USAGE_ERROR:
        raise ConfigError(errors.getvalue().strip().removeprefix("ERROR: "))
    sys.stderr.write(errors.getvalue())
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    return raised.error


class _Caller:
    """Brings the suite, and lets everything but the names of its tests be where the caller is.

    The suite is no file that pytest imports: a module of its name may be the caller's own, or an earlier call's.
    """

    def __init__(self, folder: Path, suite: Path, subject: Given) -> None:
        self.folder = folder
        self.suite = suite
        self.subject = subject

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[CALLER] = self.folder
        config.stash[UNASKED] = self.subject.unasked
        os.chdir(self.folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Go back there: pytest has just returned to where it started."""
        os.chdir(self.folder)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Let go of the caller's model: modules that pytest has loaded keep its configuration, and that its plugins."""
        del self.subject

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if file_path.resolve() != self.suite.resolve():
            return None
        return PlantedModule.planted_at(file_path, parent, content(self.subject))


class _Raised:
    """Keeps the first exception of the run, and ends the run with it."""

    error: BaseException | None = None

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object]) -> None:
        if call.excinfo is None or isinstance(call.excinfo.value, pytest.fail.Exception):
            return  # a verdict
        self.error = self.error or call.excinfo.value
        node.session.shouldfail = "an exception goes through to the caller (debug=True)"


def _opened(target: Path, workdir: Path) -> Package:
    """Return the package of a run that is over."""
    from pytest_navigator.package.loading import load
    from pytest_navigator.workspace import Workspace

    suites = Workspace(workdir).suites()
    source = suites[0].record("source") if suites else None
    if source is None or not source.passed:
        raise SourceError(source.message if source else f"nothing has run; see what pytest printed, and {workdir}")
    if not target.is_file():
        raise PackageError(f"no package was written; see what pytest printed, and {workdir}")
    return load(target)


@contextmanager
def _environment(*, debug: bool) -> Iterator[None]:
    """Keep options for the caller's own tests from this run; have exceptions come through for who debugs."""
    before = {name: os.environ.get(name) for name in ("PYTEST_ADDOPTS", "NAV_DEBUG")}
    os.environ.pop("PYTEST_ADDOPTS", None)
    if debug:
        os.environ["NAV_DEBUG"] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})
