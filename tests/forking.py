"""Processes of Python that start in no time: forks of one that has imported what they need, and has done nothing else.

Most of what a whole run of the tests took was the start of processes: a run of pytest imports PyTorch and ONNX, and so
does each of its children, 3 s of CPU. While `Forked` stands for `subprocess.Popen`, what this process starts is forked
instead, and so is what those start in turn. A fork is a process of its own as any other is: it has the command line,
folder, environment, descriptors, session and parent that it was asked for, and an interpreter's `sys.path`, `__main__`
and end. What cannot be had so (`_request` says what) is a real one, and so are those of the tests whose subject is how
a process starts, and what it imports: `tests/conftest.py` names them.
"""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import fcntl
import gc
import importlib
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36

COMMON = (
    *("numpy", "ml_dtypes", "yaml", "cattrs", "filelock", "packaging.requirements", "packaging.specifiers", "psutil"),
    *("pytest", "pluggy", "pygments.lexers.python", "pygments.formatters.terminal", "execnet", "uuid", "sqlite3"),
    *("onnx", "onnxruntime"),
)
TORCH = (
    *COMMON,
    *("onnxscript", "torch", "torch._dynamo", "torch._inductor.compile_fx", "torch.onnx._internal.exporter._core"),
)
TENSORFLOW = (*COMMON, "jax", "jax.export", "tensorflow", "keras", "tf2onnx", "jax2onnx")
"""What is imported before the forks, where it is installed; none of it starts a thread that matters.

PyTorch and TensorFlow in one process can end it: each has a server of its own, and a test is of one or the other.
"""

WORKER = "pytest_navigator.isolation.worker"

READ_AT_START = re.compile(
    r"PYTHON(?!PATH$|UTF8$)|LC_|LANG|LD_|MALLOC_|OMP_|MKL_|KMP_|OPENBLAS|TORCH(?!INDUCTOR_)|ONNX|ORT_"
    r"|JAX_|KERAS_|XLA_FLAGS|TF_(?!CPP_MIN_LOG_LEVEL|FORCE_GPU_)"  # but not what an import of JAX and our runs set
)
"""The variables that an interpreter, or a library, looks at once."""

FIRST_FREE = 256
"""Up to here, the descriptors of a fork have the numbers that are asked for: none of the server's is in their way."""


class Forked(subprocess.Popen[Any]):
    """`subprocess.Popen`, by a fork where that does the same."""

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, *others: Any) -> None:
        pass_fds, cwd, env, _, _, shell, *pipes = others[:12]
        plain = (
            not (executable or preexec_fn or shell) and close_fds and all(one in (None, -1) for one in others[13:17])
        )
        own_session, group = others[17:19]
        plain = plain and group == -1 and max(pass_fds, default=0) < FIRST_FREE
        request = _request(args, cwd, env) if plain else None
        pid = None
        if request is not None:
            standard = [pipe if pipe != -1 else number for number, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
            request |= {"session": own_session, "numbers": [0, 1, 2, *pass_fds]}
            pid = _fork(request, [*standard, *pass_fds])
        if pid is None:
            super()._execute_child(args, executable, preexec_fn, close_fds, *others)
            return
        self.pid = pid
        self._child_created = True
        self._close_pipe_fds(*pipes)


def _request(args: Any, cwd: Any, env: Any) -> dict[str, Any] | None:
    """Return what a fork has to become, None if only a real process can."""
    command = [args] if isinstance(args, (str, bytes, os.PathLike)) else [os.fsdecode(one) for one in args]
    if command[0] != sys.executable or (cwd is not None and not Path(os.fsdecode(cwd)).is_dir()):
        return None
    options, rest = _options(command[1:])
    if rest is None:
        return None
    environment = {os.fsdecode(k): os.fsdecode(v) for k, v in (os.environ if env is None else env).items()}
    changed = {name for name, _ in environment.items() ^ _environment().items()}
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    if any(map(READ_AT_START.match, changed)) or any(Path(path, "sitecustomize.py").exists() for path in paths if path):
        return None
    cwd = os.getcwd() if cwd is None else os.path.abspath(os.fsdecode(cwd))
    return {"command": command, "options": options, "rest": rest, "cwd": cwd, "environment": environment}


def _options(words: list[str]) -> tuple[list[str], list[str] | None]:
    """Return the options of the interpreter, and the rest, None if there is one that a fork cannot have."""
    options = []
    while words and words[0] in ("-P", "-u", "-X", "-W"):
        if words[0] == "-X" and words[1] not in ("faulthandler", "utf8"):
            return [], None
        size = 2 if words[0] in ("-X", "-W") else 1
        options += words[:size]
        words = words[size:]
    if words and words[0].startswith(("-m", "-c")) and len(words[0]) > 2:
        words = [words[0][:2], words[0][2:], *words[1:]]
    runs = words and (
        words[0] in ("-m", "-c", "-") or (not words[0].startswith("-") and Path(words[0]).suffix == ".py")
    )
    return options, words if runs else None


@cache
def _environment() -> dict[str, str]:
    """Return the environment in which the server was started, and is."""
    return dict(os.environ)


_asking = threading.Lock()
_connection: socket.socket | None = None
_modules: tuple[str, ...] = TORCH


def preload(modules: tuple[str, ...]) -> None:
    """Say what the processes of the next test need."""
    global _modules
    _modules = modules


def _fork(request: dict[str, Any], descriptors: list[int]) -> int | None:
    """Have the server fork; the fork of its fork is made a child of this process. None if the server has ended."""
    prctl = ctypes.CDLL(None).prctl
    with _asking:
        connection = _connection or _server(_modules)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            text = json.dumps({**request, "parent": os.getpid()}).encode()
            socket.send_fds(connection, [len(text).to_bytes(4, "big")], descriptors)
            connection.sendall(text)
            return int.from_bytes(connection.recv(4), "big") or None
        except ConnectionError:
            return None
        finally:
            prctl(PR_SET_CHILD_SUBREAPER, 0)


@cache
def _server(modules: tuple[str, ...]) -> socket.socket:
    ours, theirs = socket.socketpair()
    options = ["-P", "-u", "-X", "faulthandler", "-X", "utf8"]
    command = [sys.executable, *options, __file__, str(theirs.fileno()), *modules]
    environment = {name: value for name, value in _environment().items() if name != "PYTHONPATH"}
    with theirs:
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        server = REAL(command, pass_fds=[theirs.fileno()], env=environment, **quiet)
    atexit.register(_end, ours, server)
    return ours


REAL = subprocess.Popen


def _end(connection: socket.socket, server: subprocess.Popen[bytes]) -> None:
    connection.close()  # which ends the server, too
    server.wait()


def serve(connection: socket.socket, path: list[str]) -> None:
    """Fork once for each request, until the process that asks has ended."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(connection, 4, 64)
        if not head:
            return
        size, text = int.from_bytes(head, "big"), b""
        while len(text) < size:
            text += connection.recv(size - len(text))
        between = _forked()
        if between == 0:
            if _forked() == 0:
                _become(json.loads(text), descriptors, connection, path)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)


def _forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # since 3.12 of threads: those of OpenBLAS, which knows of forks
        return os.fork()


def _become(request: dict[str, Any], descriptors: list[int], connection: socket.socket, path: list[str]) -> None:
    """Be the process that was asked for."""
    if request["session"]:
        os.setsid()
    while os.getppid() != request["parent"]:
        time.sleep(0.0005)
    connection.sendall(os.getpid().to_bytes(4, "big"))
    connection.close()
    server = None if WORKER in request["rest"] else _further(descriptors, path)
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, number in zip(high, request["numbers"], strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    _streams("-u" in request["options"])
    _settle(request, path)
    code = 1
    try:
        code = _code(request["rest"])
    finally:
        _leave(code, server)


def _further(descriptors: list[int], path: list[str]) -> int:
    """Start the server of what this process starts: a fork that has done nothing else, either. Returns its id."""
    global _connection
    ours, theirs = socket.socketpair()
    pid = _forked()
    if pid == 0:
        ours.close()
        for descriptor in descriptors:
            os.close(descriptor)
        serve(_moved(theirs), path)
        os._exit(0)
    theirs.close()
    _connection = _moved(ours)
    subprocess.Popen = Forked  # type: ignore[misc]
    return pid


def _moved(connection: socket.socket) -> socket.socket:
    """Return the same connection out of the way of the descriptors that are asked for."""
    number = fcntl.fcntl(connection, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    connection.close()
    return socket.socket(fileno=number)


def _streams(unbuffered: bool) -> None:
    """Open the standard streams anew: what is a file, or a terminal, or none, is seen when they are opened."""
    _old.extend((sys.stdin, sys.stdout, sys.stderr))
    given = (0, "r", "surrogateescape"), (1, "w", "surrogateescape"), (2, "w", "backslashreplace")
    streams = [os.fdopen(fd, mode, encoding="utf-8", errors=errors, closefd=False) for fd, mode, errors in given]
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams
    sys.stderr.reconfigure(line_buffering=True)
    if unbuffered:
        sys.stdout.reconfigure(write_through=True)


_old: list[Any] = []


def _settle(request: dict[str, Any], path: list[str]) -> None:
    """Be in the state in which an interpreter of that command line starts to run its code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    options, rest = request["options"], request["rest"]
    if "faulthandler" not in options:
        faulthandler.disable()
    warned = [options[n + 1] for n, option in enumerate(options) if option == "-W"]
    sys.warnoptions += warned
    warnings._processoptions(warned)
    given = os.environ.get("PYTHONPATH", "")
    first = [] if "-P" in options else [_place(rest)]
    entries = [os.path.abspath(entry) for entry in (given.split(os.pathsep) if given else [])]
    sys.path[:] = list(dict.fromkeys([*first, *entries, *path]))
    sys.orig_argv = request["command"]
    sys.argv = rest[1:] if rest[0] == "-m" else rest
    if rest[0] == "-c":
        sys.argv = ["-c", *rest[2:]]
    tempfile.tempdir = None
    importlib.invalidate_caches()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    sys.modules["__main__"] = types.ModuleType("__main__")
    vars(sys.modules["__main__"])["__builtins__"] = sys.modules["builtins"]


def _place(rest: list[str]) -> str:
    """Return the first entry of `sys.path`."""
    if rest[0] == "-m":
        return os.getcwd()
    return "" if rest[0] in ("-c", "-") else os.path.dirname(os.path.realpath(rest[0]))


def _code(rest: list[str]) -> int:
    """Run what was asked for; returns how the process ends."""
    try:
        _run(rest)
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code & 0xFF
        if end.code is not None:
            print(end.code, file=sys.stderr)
        return int(end.code is not None)
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT
    except BaseException:
        kind, error, trace = sys.exc_info()
        for _ in range(2):  # what is above the code that was asked for
            trace = trace.tb_next if trace and trace.tb_next else trace
        sys.excepthook(kind, error.with_traceback(trace), trace)
        return 1
    return 0


def _run(rest: list[str]) -> None:
    main = vars(sys.modules["__main__"])
    if rest[0] == "-m":
        runpy._run_module_as_main(rest[1])
    elif rest[0] == "-c":
        exec(rest[1], main)
    elif rest[0] == "-":
        exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), main)
    else:
        main["__file__"] = rest[0]
        exec(compile(Path(rest[0]).read_bytes(), rest[0], "exec"), main)


def _leave(code: int, server: int | None) -> None:
    """End as an interpreter does, but for taking all apart: that of PyTorch takes up to a second."""
    with suppress(BaseException):
        threading._shutdown()
    with suppress(BaseException):
        atexit._run_exitfuncs()
    with suppress(BaseException):
        sys.stdout.flush()
    with suppress(BaseException):
        sys.stderr.flush()
    if server is not None and _connection is not None:
        _connection.close()
        with suppress(ChildProcessError):
            os.waitpid(server, 0)  # else it would be left to the first process of the machine
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def main() -> None:
    """Import, then fork for the process that has started this one."""
    number, *modules = sys.argv[1:]
    connection = _moved(socket.socket(fileno=int(number)))
    blocked = [os.open(os.devnull, os.O_RDONLY) for _ in range(3, FIRST_FREE)]
    path = list(sys.path)
    _environment()
    for name in modules:
        if find_spec(name.partition(".")[0]) is not None:
            with suppress(ImportError):  # of a version that has no such module, or needs one that is not installed
                importlib.import_module(name)
    for descriptor in blocked:
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those that ask; this process ends with them
    gc.freeze()
    serve(connection, path)


if __name__ == "__main__":
    main()
