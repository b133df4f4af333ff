"""Check one given model, here and now, and open the package that this leaves."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
import weakref
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.api.session import Session
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.core.tracebacks import users_frames
from pytest_navigator.errors import ConfigError, PackageError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.api.given import Given
    from pytest_navigator.api.package import Package

# Of an exception that goes through, which leaves the caller without a package.
RESULTS = "pytest-navigator: the results up to here are in {workdir}; a package of them: {command}"


def check(
    subject: Given,
    workdir: str | Path,
    *,
    override_workdir: bool,
    keep_workdir: bool = True,
    disable_git_info: bool = False,
    debug: bool = False,
) -> Package:
    """Run every step for a model and return the package.

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
    workdir = Path.cwd() / workdir
    if not override_workdir and workdir.is_dir() and any(workdir.iterdir()):
        raise ConfigError(f"the folder {workdir} is not empty: give another workdir, or override_workdir=True")
    package = _checked(subject, workdir, no_git=disable_git_info, debug=debug)
    if not keep_workdir:
        _remove(workdir)
    return package


def _checked(subject: Given, workdir: Path, *, no_git: bool, debug: bool) -> Package:
    # The caller gets an object, not a path: the file has to go when the object does.
    name = re.sub(r"[^\w.-]", "_", subject.config.name or "model")
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="pytest_navigator-")
        stack.callback(folder.cleanup)
        target = Path(folder.name, f"{name}.nav")
        options = RunOptions(str(target), workdir, no_git=no_git)
        session = Session.planned(subject, name, options, debug=debug)
        with _told_where(workdir, target):
            session.run()
        package = _opened(session, target)
        if not package.results.variant(package.results.suite.framework).file:
            package.keep_source(subject.model)
        stack.pop_all()  # from here on the folder goes with the package
    weakref.finalize(package, folder.cleanup)
    return package


@contextmanager
def _told_where(workdir: Path, target: Path) -> Iterator[None]:
    """Add to what comes from the user's code where the results are; errors of ours say what to do themselves."""
    try:
        yield
    except (ConfigError, PackageError):
        raise
    except BaseException as error:
        command = shlex.join(["pytest-navigator", "pack", str(workdir), "-o", target.name])
        error.add_note(RESULTS.format(workdir=workdir, command=command))
        # The frames above lead from their call to their code through ours, which says nothing of the error.
        error.__traceback__ = users_frames(error)
        raise


def _remove(folder: Path) -> None:
    """Remove a workspace. Who works in the folder, or has a link to it, keeps it, empty."""
    if not (folder.is_symlink() or folder.samefile(Path.cwd())):
        shutil.rmtree(folder)
        return
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _opened(session: Session, target: Path) -> Package:
    from pytest_navigator.api.loading import load

    source = session.suite.folder.record("source")
    if source is None or not source.passed:
        raise SourceError(source.message if source else f"nothing has run; see {session.host.workspace.root}")
    if not target.is_file():
        raise PackageError(f"no package was written; see what was printed, and {session.host.workspace.root}")
    return load(target)
