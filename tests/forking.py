"""Processes of runs that start in no time: forks of one that has imported PyTorch and ONNX, and has done nothing else.

Each child of a run would import them again, 3 s of CPU. A fork is a process of its own as any other is: it has the
command line, folder, environment, descriptors, session and parent that it was asked for. What is tested of how a child
starts, and of what it imports, is tested with real ones.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PR_SET_CHILD_SUBREAPER = 36

PRELOADED = (
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "torch",
    "torch._dynamo",
    "torch._inductor.compile_fx",
    "torch.onnx._internal.exporter._core",
    "pytest_navigator.isolation.numerics",
)
"""What is imported before the forks, where it is installed; none of it starts a thread."""


class Forked(subprocess.Popen[bytes]):
    """`subprocess.Popen` of `python ... -m module arguments`, by a fork of the server."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.options = options
        super().__init__(command, **options)

    def _execute_child(self, args: list[str], *others: Any) -> None:
        """Have the server fork; the fork of its fork is made a child of this process."""
        request = {"argv": args[args.index("-m") + 1 :], "cwd": self.options["cwd"] or os.getcwd()}
        request |= {"environment": dict(self.options["env"]), "parent": os.getpid()}
        descriptors = [self.options["stdout"], *self.options["pass_fds"]]
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            self.pid = _ask({**request, "cwd": str(request["cwd"])}, descriptors)
        finally:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)
            self._close_pipe_fds(*others[9:15])
        self._child_created = True


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-u", "-X", "faulthandler", "-X", "utf8", __file__, str(theirs.fileno())]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with theirs:
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        server = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=paths, **quiet)
    atexit.register(_end, ours, server)
    return ours, server


def _end(connection: socket.socket, server: subprocess.Popen[bytes]) -> None:
    connection.close()  # which ends the server, too
    server.wait()


def _ask(request: dict[str, Any], descriptors: list[int]) -> int:
    server, _ = _server()
    text = json.dumps({**request, "passed": descriptors[1:]}).encode()
    socket.send_fds(server, [len(text).to_bytes(4, "big")], descriptors)
    server.sendall(text)
    pid = int.from_bytes(server.recv(4), "big")
    assert pid, "the process that is forked has ended"
    return pid


def serve(connection: socket.socket) -> None:
    """Fork once for each request, until the process that asks has ended."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(connection, 4, 8)
        if not head:
            return
        size, text = int.from_bytes(head, "big"), b""
        while len(text) < size:
            text += connection.recv(size - len(text))
        sys.stdout.flush()
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                _run(json.loads(text), descriptors, connection)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)


def _run(request: dict[str, Any], descriptors: list[int], connection: socket.socket) -> None:
    """Be the process that was asked for."""
    os.setsid()
    while os.getppid() != request["parent"]:
        time.sleep(0.0005)
    with connection:
        connection.sendall(os.getpid().to_bytes(4, "big"))
    output, *given = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    module, *arguments = request["argv"]
    places = dict(zip(map(str, request["passed"]), map(str, given), strict=True))
    sys.argv = [module, *(places.get(argument, argument) for argument in arguments)]
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in PRELOADED:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
