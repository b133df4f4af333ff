"""The folder of a run: who owns it, and what its steps keep in it."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import text_digest
from pytest_navigator.core.expected import FILE
from pytest_navigator.core.ours import (
    IGNORED,
    RELEASED,
    foreign,
    ignore,
    ignores,
    read_note,
    remove,
    replace_with,
    write_note,
)
from pytest_navigator.core.plain import load, save, write_atomically
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import FileLock, ReadWriteLock

    from pytest_navigator.core.facts import SourceFacts
    from pytest_navigator.core.records import Outcome, Signature, SuiteRecord
    from pytest_navigator.gates.sides import Baseline

MARKER = ".pytest_navigator.json"  # Tells that a folder is a workspace of ours, and so may be replaced
LOCK = ".pytest_navigator.lock"
# What became of the run's conversions of model files, beside the suites' folders.
CONVERT_RESULTS = "convert_results.yaml"
CONVERTED = "converted"  # There too: the models that `convert` has made, under names of their own
# What the processes of a run know together of GPUs and of libraries for them, and a lock for each GPU.
DEVICES = ".devices"
COMPILED = ".inductor"  # What formats that compile keep between artifacts: backends/torch/aotinductor_files
REMOTE = ".remote"  # What comes from URLs
UPLOADS = "packages"  # What goes to URLs, or could not get there
MACHINE = ".machine.db"  # Held for reading by every step of the run, for writing by a step that measures
LONGEST = 504  # Bytes of a path that SQLite opens: its buffer of 512 less the names of its journals
TOKEN = (
    f"{MARKER}.run"  # Which run the folder is of: a process that reads another one there shares no disk with that run
)
HOSTS = ".hosts"  # What the hosts of the run have found, until it is one
JOINED_WITHIN = 30.0  # How long another worker of this host may take to claim the folder, s
BASELINE = ".baseline.json"  # In a suite's folder: what the run is compared with
BASELINE_FILES = ".baseline"  # There too: what of it is run, as long as it is
EARLIER = ".earlier"  # In a suite's folder: what the run before left, until it is known to be still true
PIPELINE = "pipeline.json"  # What the folder of a pipeline has, in the place of a suite's
TIMELINE = ".timeline"  # What ran where and when, a file of each process
STEPS = ".steps"  # In a suite's folder: the outcomes of its steps, in this run
AHEAD = ".ahead"  # There too: logs of steps that run ahead of their items, and notes of what these leave
# What the source step or the end of a run writes, whatever the run before left.
WRITTEN_ANEW = ("model_input", "model_output", "signature.json", "status.yaml", "navigator.log", RELEASED)


class InUse(ConfigError):
    """Another run works in the folder."""


@dataclass
class Workspace:
    """One run's folder, shared by all processes of the run."""

    root: Path
    crashed: list[str] = field(default_factory=list)
    """Steps of the run before in which its process died; known once the folder is claimed."""

    def is_of(self, run: str) -> bool:
        """Whether this very folder is what a run works in, as seen from here."""
        try:
            return (self.root / TOKEN).read_text(encoding="utf-8") == run
        except (OSError, ValueError):
            return False

    def join(self, run: str, *, resume: bool = False) -> FileLock | None:
        """Make the folder a run's own, on a host where several processes of it may come at once.

        Returns:
            The lock, for the process that came first; None for the others.

        Raises:
            ConfigError: as `claim`.
        """
        until = time.monotonic() + JOINED_WITHIN
        while not self.is_of(run):
            try:
                return self.claim(run, resume=resume)
            except InUse:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        return None

    def claim(self, run: str = "", *, resume: bool = False) -> FileLock:
        """Make the folder this run's own; the lock is held until the run ends.

        Args:
            run: what tells the run from others.
            resume: set aside what an earlier run recorded, instead of deleting it.

        Raises:
            ConfigError: another run uses the folder, or it holds something that is not ours. Nothing was changed then.
        """
        self._check()
        lock = self._locked()
        with self.writing():
            self.crashed = self._forget_unfinished()
            if resume:
                self._set_aside()
            else:
                self._empty()
            purpose = "workspace of pytest-navigator; replaced by its next run"
            write_note(self.root / MARKER, pid=os.getpid(), purpose=purpose)
            ignore(self.root)
            shutil.rmtree(self.devices, ignore_errors=True)  # another driver may be loaded since the run before
            self.devices.mkdir()
            shutil.rmtree(self.remote, ignore_errors=True)
            write_atomically(self.root / TOKEN, run.encode())  # the last: whoever reads it finds the folder ready
        return lock

    @contextmanager
    def writing(self, folder: Path | None = None) -> Iterator[None]:
        """Tell of a disk that is full, or a limit of the process, where no step runs that could fail of it.

        Args:
            folder: made for what is written; left empty, the next run would take it for somebody's.

        Raises:
            ConfigError: with the file and the reason.
        """
        try:
            yield
        except OSError as error:
            if folder:
                with suppress(OSError):
                    folder.rmdir()
            what = error.filename or folder or self.root
            raise ConfigError(
                f"the workspace cannot be written: {what} ({error.strerror}); make room there (see also ulimit -f), or "
                "choose another folder with --nav-workspace=DIR"
            ) from None

    @property
    def devices(self) -> Path:
        """The folder of `pytest_navigator.devices`."""
        return self.root / DEVICES

    @property
    def remote(self) -> Path:
        """The folder of what comes from URLs; made by who fetches it."""
        return self.root / REMOTE

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder as the last run left it.

        Raises:
            ConfigError: it is not there, is no workspace, or a run uses it.
        """
        if not self.root.is_dir():
            raise ConfigError(f"there is no folder {self.root}: name the workspace of a run (pytest --nav-workspace)")
        if not (self.root / MARKER).is_file():
            raise ConfigError(f"{self.root} is no workspace of pytest-navigator: it has no {MARKER}")
        lock = self._locked()
        try:
            self.take_back_ahead()
            yield
        finally:
            lock.release()

    def suite(self, name: str, nodeid: str) -> SuiteFolder:
        """Return the folder of one suite: readable, and unique to its node id."""
        digest = text_digest(nodeid)[:6]
        return SuiteFolder(self.root / f"{slug(name)}-{digest}", self.root)

    def suites(self) -> list[SuiteFolder]:
        """Return the folders of the suites that were collected, in the order of their names."""
        return [SuiteFolder(p.parent, self.root) for p in sorted(self.root.glob("*/suite.json"))]

    def take_back_ahead(self) -> None:
        """Remove what processes that have died left of steps which they ran ahead of their items."""
        for suite in self.suites():
            suite.take_back_all_ahead()

    @contextmanager
    def machine(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the machine: alone for a step that measures, together with others for the rest.

        Whoever holds it shared must not ask for it alone: prerequisites first, then the lock. Costs 0.2 ms.
        """
        with self._machine.write_lock() if exclusive else self._machine.read_lock():
            yield

    @cached_property
    def _machine(self) -> ReadWriteLock:
        from filelock import ReadWriteLock

        return ReadWriteLock(self.root / MACHINE)

    def _check(self) -> None:
        """Make the folder if it is missing; refuse one that cannot be a workspace, or that has somebody's files."""
        if (length := len(os.fsencode(self.root / MACHINE))) > LONGEST:
            raise ConfigError(
                f"the path of the workspace is too long: a lock in it would have {length} bytes, and SQLite opens at "
                f"most {LONGEST}; choose another folder with --nav-workspace=DIR ({self.root})"
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            others = foreign(self.root, self._owns)
        except OSError as error:
            raise ConfigError(
                f"the workspace {self.root} cannot be used ({error.strerror}); choose another folder with "
                "--nav-workspace=DIR"
            ) from None
        if others:
            names = ", ".join(others[:3]) + (" and more" if len(others) > 3 else "")
            raise ConfigError(
                f"the workspace {self.root} holds something that pytest-navigator did not write ({names}); nothing was "
                f"deleted. Choose another folder with --nav-workspace=DIR, or empty this one yourself"
            )

    def _owns(self, path: Path) -> bool:
        """Whether something in the folder is ours; without the marker, nothing but a lock is."""
        if path.name == LOCK or not (self.root / MARKER).is_file():
            return path.name == LOCK
        ours = tuple(name.lstrip(".") for name in (MARKER, MACHINE, IGNORED))
        if path.name == IGNORED:
            return ignores(path)
        # A process that was killed while it wrote leaves the name with a dot more before it, and letters behind.
        known = (CONVERT_RESULTS, CONVERTED, DEVICES, COMPILED, REMOTE, UPLOADS, FILE, HOSTS, TIMELINE)
        if path.name in known or path.name.lstrip(".").startswith(ours):
            return True
        return (path / STEPS).is_dir() or any(any(path.glob(f"*{name}*")) for name in ("suite.json", PIPELINE))

    def _forget_unfinished(self) -> list[str]:
        """Take the notes of steps in which an earlier run died: a resumed run runs them again."""
        found = [(suite, step) for suite in self.suites() for step in suite.unfinished()]
        for suite, step in found:
            suite.finish(step)
        return [f"{suite.path.name}: {step}" for suite, step in found]

    def _set_aside(self) -> None:
        self.take_back_ahead()
        for suite in self.suites():
            suite.set_aside()
        for path in self.root.glob(f"*/{PIPELINE}"):
            remove(path.parent)  # A whole pipeline is run again: it takes its modules from this run
        (self.root / CONVERT_RESULTS).unlink(missing_ok=True)

    def _locked(self) -> FileLock:
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InUse(
                f"the workspace {self.root} is in use by another run; wait for it, or choose another folder with "
                "--nav-workspace=DIR"
            ) from None
        return lock

    def _empty(self) -> None:
        for path in self.root.iterdir():
            if path.name in (LOCK, MARKER):  # whoever is killed in here leaves a folder that is still ours
                continue
            remove(path)


@dataclass(frozen=True)
class SuiteFolder:
    """What one suite keeps: the future package's files, and the outcomes of its steps."""

    path: Path
    root: Path

    @property
    def earlier(self) -> SuiteFolder:
        """What an earlier run left, in the same form; no package, summary or later step knows of it."""
        return SuiteFolder(self.path / EARLIER, self.root)

    def set_aside(self) -> None:
        """Move what an earlier run left to `earlier`, where it replaces what an even earlier one did."""
        for path in sorted(self.path.iterdir()):
            if path.name in WRITTEN_ANEW:
                remove(path)
            elif not path.name.startswith(".") and path.name != "suite.json":
                replace_with(self.earlier.path / path.name, path)
        for path in (self.path / STEPS).glob("*.json"):
            replace_with(self.earlier.path / STEPS / path.name, path)

    def record(self, step: str) -> Outcome | None:
        """Return the outcome of a step, None if it has not run."""
        path = self._step(step)
        return _outcome(path) if path.exists() else None

    def write(self, outcome: Outcome, suffix: str = "") -> Outcome:
        """Record an outcome and return it as it is recorded; `suffix` tells several of one step apart."""

        from pytest_navigator.core.received import received

        outcome = received(outcome)
        save(self._step(outcome.id + suffix), outcome)
        return outcome

    def mark_reported(self, outcome: Outcome) -> None:
        """Note that somebody has told of a failure."""
        self.write(outcome.noted(reported=True))

    def write_verification(self, outcome: Outcome) -> Outcome:
        """Record what one `verify_` test found; its node id tells it from the others of the runner."""
        return self.write(outcome, "." + text_digest(outcome.notes.nodeid)[:12])

    def forget(self, step: str) -> None:
        """Drop an outcome, before the step is run again."""
        self._step(step).unlink(missing_ok=True)

    def outcomes(self) -> list[Outcome]:
        """Return every recorded outcome."""
        return [_outcome(p) for p in sorted((self.path / STEPS).glob("*.json"))]

    def lock(self, step: str) -> FileLock:
        """Return the lock around test and run of one step."""
        from filelock import FileLock

        folder = self.path / STEPS
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{slug(step)}.lock")

    def start(self, crashed: Outcome) -> None:
        """Note what a step's outcome is if the process dies in it."""
        save(self._started(crashed.id), crashed)

    def finish(self, step: str) -> None:
        """Take the note of `start` back."""
        self._started(step).unlink(missing_ok=True)

    def unfinished(self) -> list[str]:
        """Return the ids of the steps that started and never finished."""
        return sorted(p.name.removesuffix(".started") for p in (self.path / STEPS).glob("*.started"))

    def noted(self, step: str) -> Outcome:
        """Return the note of `start`."""
        return _outcome(self._started(step))

    def bury(self, step: str) -> Outcome:
        """Record the failure of a step whose process died in it, and so could not write it itself."""
        outcome = self.write(self.record(step) or self._scripted(self.noted(step)))
        self.finish(step)
        return outcome

    def take_back_ahead(self, note: Path) -> None:
        """Remove what a step has left that ran ahead and that nobody asked for, and the note of that."""
        with suppress(ValueError):  # damaged: whoever writes it is killed in between at most
            for trace in (read_note(note) or {}).get("traces", ()):
                for path in self.path.glob(trace):
                    remove(path)
        note.unlink(missing_ok=True)

    def take_back_all_ahead(self) -> None:
        """Do that for each such step; none may be running."""
        folder = self.path / AHEAD
        for note in folder.glob("*.json"):
            self.take_back_ahead(note)
        shutil.rmtree(folder, ignore_errors=True)

    def _scripted(self, noted: Outcome) -> Outcome:
        from pytest_navigator.reproduce.names import with_script

        runner = self.suite.runners.get(noted.runner) if noted.runner else None
        return with_script(noted, self.path, live=runner is not None and runner.live)

    @property
    def source(self) -> SourceFacts:
        """What the source step found out, which must have passed."""
        from pytest_navigator.core.facts import SourceFacts, facts_of

        record = self.record("source")
        assert record is not None
        return facts_of(record, SourceFacts)

    @property
    def signature(self) -> Signature:
        """What the source step found out about inputs and outputs."""
        from pytest_navigator.core.records import Signature

        return load(self.path / "signature.json", Signature)

    @property
    def baseline(self) -> Baseline | None:
        """What this run is compared with; None: nothing."""
        from pytest_navigator.gates.sides import Baseline

        path = self.path / BASELINE
        return load(path, Baseline) if path.exists() else None

    def compare_with(self, baseline: Baseline | None) -> None:
        """Note what this run is compared with, in the place of what an earlier one was."""
        if baseline is None:
            (self.path / BASELINE).unlink(missing_ok=True)
        else:
            save(self.path / BASELINE, baseline)

    def known_signature(self) -> Signature | None:
        """Return the same, None as long as the source step has not passed."""
        return self.signature if (self.path / "signature.json").exists() else None

    @property
    def suite(self) -> SuiteRecord:
        """The suite as it was collected."""
        from pytest_navigator.core.records import SuiteRecord

        return load(self.path / "suite.json", SuiteRecord)

    def log(self, key: str) -> Path:
        """Return the log of a variant; the source step's is that of the source's own folder."""
        path = self.path / key / "format.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _step(self, step: str) -> Path:
        return self.path / STEPS / f"{slug(step)}.json"

    def _started(self, step: str) -> Path:
        return self.path / STEPS / f"{slug(step)}.started"


def _outcome(path: Path) -> Outcome:
    # Collecting tests makes these folders, and reads no record.
    from pytest_navigator.core.records import Outcome

    return load(path, Outcome)


def slug(text: str) -> str:
    """Return `text` as a file name; what had to be changed is told apart by a digest."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "model"
    return safe if safe == text else f"{safe}-{text_digest(text)[:6]}"
