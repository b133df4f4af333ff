"""The parent's end of the child: started early, kept warm, replaced when it ends."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.isolation.capture import tail
from pytest_navigator.isolation.messages import encode, error_from
from pytest_navigator.isolation.numerics import check_settings
from pytest_navigator.isolation.process import Process, describe_end
from pytest_navigator.isolation.starting import Start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.isolation.early import EarlyChild
    from pytest_navigator.isolation.interpreter import Interpreter
    from pytest_navigator.isolation.messages import Message

GRACE = 1.0  # How long in s an idle child gets for its own exit

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What a call gave.

    Attributes:
        result: plain data, of the type that the function says.
        arrays: by name, writable.
        peak_memory: high-water mark of the child during the call in MiB; None where the platform does not tell.
    """

    result: Any
    arrays: dict[str, np.ndarray]
    peak_memory: float | None


class Child:
    """A process that makes calls for this one, and whose crash, hang or lack of memory is one failed call.

    A fresh interpreter that never imports this process's `__main__`; one call at a time. It ends with this process, and
    on Linux with the *thread* that started it: start and call it from one that lives as long as the child is needed.

    Args:
        python_path: folders in front of this process's `sys.path`, which the child gets in any case.
        cwd: working directory of the child; None: this process's.
        environment: variables that the child has unless this process has others.
        settings: see `numerics.current_settings`. The attribute can be replaced at any time, each call applies it.
        forced: variables that the child has whatever this process's are.
        interpreter: another Python than this process's, with its own `sys.path`; behind it are the folders of the
            user's code, none of what is installed here.
        early: may have a process already, which the first start takes.

    Raises:
        ValueError: a setting does not exist.
    """

    def __init__(
        self,
        *,
        python_path: Sequence[str] | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        settings: dict[str, dict[str, JSON]] | None = None,
        forced: Mapping[str, str] | None = None,
        interpreter: Interpreter | None = None,
        early: EarlyChild | None = None,
    ) -> None:
        self.python_path = list(python_path or ())
        self.cwd = cwd
        self.environment = dict(environment or {})
        self.forced = dict(forced or {})
        self.interpreter = interpreter
        self._early = early
        self.settings = settings or {}
        check_settings(self.settings)
        self._imports: list[str] = []
        self._expected: list[str] = []
        self._busy = False
        self._broken: dict[str, str] = {}
        self._process: Process | None = None

    def expect(self, imports: Sequence[str]) -> None:
        """Have those modules imported by the next `start`, or after the call that another thread makes."""
        self._expected += imports

    def import_expected(self) -> None:
        """Have the child, which is idle, import what has been expected meanwhile."""
        if self._expected and self._process is not None:
            self.start()

    def kill(self) -> None:
        """End the child if it is in the middle of a call, of another thread; to that it is a crash."""
        if self._busy and (process := self._process) is not None:
            process.kill()

    def told_imports(self) -> list[tuple[float, float]]:
        """Return from when to when the child made imports, in s since the epoch; each of them once."""
        if self._process is None:
            return []
        found, self._process.imported = self._process.imported, []
        return found

    def start(self, imports: Sequence[str] = ()) -> None:
        """Start the child unless it lives, and have it import those modules that nobody asked for yet.

        Returns at once. A child that replaces this one imports all of them again, but none that raised an error, ended
        the child or hung: that is logged, and fails the `call` that needs such a module.
        """
        known = {*self._imports, *self._broken}
        new = [name for name in dict.fromkeys((*self._expected, *imports)) if name not in known]
        self._expected.clear()
        self._imports += new
        if self._process is None:
            self._process = self._begun()
            self._process.warm_up(self._imports)
        elif new:
            self._process.warm_up(new)

    def _begun(self) -> Process:
        start = Start(self.python_path, self.cwd, self.environment, self.forced, self.interpreter)
        return (self._early and self._early.take(start, self.settings)) or Process(start, self.settings)

    def call(
        self,
        function: str,
        kwargs: dict[str, JSON],
        *,
        arrays: Mapping[str, np.ndarray] | None = None,
        log: Path,
        timeout: float | None,
        needs: Sequence[str] = (),
    ) -> Reply:
        """Run a function in the child.

        Args:
            function: "package.module:qualname"; returns plain data, or a tuple of plain data and a dict of arrays.
            kwargs: plain data.
            arrays: the first positional argument of `function`; None: it has none.
            log: file to which stdout and stderr are appended.
            timeout: s, from when the child is ready; None: no limit.
            needs: modules that are imported before.

        Raises:
            ConfigError: one of `needs` cannot be imported.
            StepFailed, Unavailable, ConfigError, SourceError: as `function` raised them.
            StepFailed: it raised another error (kind: the error's type), the child ended (kind: "SIGSEGV", "exit 3"),
                did not answer in time (kind: "timeout") or cannot start.
            TypeError: an argument is not plain data.
        """
        __tracebackhide__ = True
        # The child works in another folder.
        log = log.absolute()
        request = {"function": function, "kwargs": kwargs, "log": str(log), "settings": self.settings}
        answer, outputs = self._answer(encode(request, arrays), needs, timeout, log)
        if "error" in answer:
            raise error_from(answer["error"])
        return Reply(answer["result"], outputs or {}, answer["peak_memory"])

    def close(self, grace: float = GRACE) -> None:
        """End the child, if there is one.

        Args:
            grace: s that it gets for its own exit.
        """
        if self._process is not None:
            self._process.end(grace)
            self._process = None

    def _answer(
        self, message: Iterable[bytes], needs: Sequence[str], timeout: float | None, log: Path
    ) -> tuple[Message, dict[str, np.ndarray] | None]:
        __tracebackhide__ = True
        written = log.stat().st_size if log.exists() else 0  # what earlier calls wrote is not this one's failure
        try:
            self.start(needs)
            process = self._ready()
            self._check(needs)
            self._busy = True
            return process.ask(message, timeout)
        except (EOFError, ConnectionError, TimeoutError) as error:
            raise self._failure(error, log, written) from None
        except ConfigError:
            raise
        except BaseException:  # Ctrl-C, an alarm: the child is in the middle of an answer that nobody will read
            self.close(grace=0)
            raise
        finally:
            self._busy = False

    def _ready(self) -> Process:
        """Start the child and wait for its imports; one that an import ends is replaced by one without that import.

        Raises:
            EOFError, ConnectionError, TimeoutError: it cannot even start.
        """
        self.start()
        assert self._process is not None
        process = self._process
        try:
            process.wait_until_ready()
        except (EOFError, ConnectionError, TimeoutError) as error:
            if not process.importing:
                raise
            failure = self._failure(error)
            self._leave_out(process.importing, f"{failure}\n{failure.detail}".strip())
            return self._ready()  # another child, that imports what is left
        for module, text in process.failed.items():
            self._leave_out(module, f"the child process cannot import {module!r}: {text}")
        process.failed.clear()
        return process

    def _leave_out(self, module: str, text: str) -> None:
        """Have no later child import a module; whatever needs it does that itself, and fails."""
        LOG.warning("%s", text)
        self._broken[module] = text
        self._imports.remove(module)

    def _check(self, needs: Sequence[str]) -> None:
        if broken := next((self._broken[name] for name in needs if name in self._broken), ""):
            raise ConfigError(f"child_imports: {broken.splitlines()[0]}")

    def _failure(self, error: Exception, log: Path | None = None, written: int = 0) -> StepFailed:
        # How the child ended is known only when it is over, and its output only before its file goes with it.
        assert self._process is not None
        process, self._process = self._process, None
        late = isinstance(error, TimeoutError)
        returncode = None if late else process.returncode()
        phase, killed = process.phase, process.oom_kills()
        detail = process.output() if phase or log is None else tail(log, since=written)
        process.end(0)
        if late:
            return StepFailed(str(error), detail, "timeout")
        kind, text = describe_end(returncode, killed)
        return StepFailed(f"{text} {phase}".strip(), detail, kind)
