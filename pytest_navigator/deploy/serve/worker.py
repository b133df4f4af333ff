"""The process that runs the model: it answers one batch after the other until its socket is closed."""

from __future__ import annotations

import signal
import struct
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.errors import InputError
from pytest_navigator.isolation.messages import decode, encode, error_fields

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from pytest_navigator.deploy.serve.options import Arrays, Infer, Open
    from pytest_navigator.isolation.messages import Message

SIZE = struct.Struct("<Q")  # stands before a message, and before each of its parts

# The server ends it by closing the socket, once it has answered: a terminal and a supervisor signal all processes.
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def packed(content: Message, arrays: Arrays | None = None) -> bytes:
    """Return a message in one piece."""
    parts = [piece for part in encode(content, arrays) for piece in (SIZE.pack(len(part)), part)]
    return b"".join([SIZE.pack(sum(map(len, parts))), *parts])


def unpacked(message: bytes) -> tuple[Message, Arrays | None]:
    """Return the content and the arrays of a message, which stands without its size here."""
    parts = _parts(message)
    return decode(lambda: next(parts))


def _parts(message: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(message):
        begin = start + SIZE.size
        start = begin + SIZE.unpack_from(message, start)[0]
        yield message[begin:start]


def main(connection: socket.socket, open_runner: Open, folder: Path) -> None:
    """Load the model, say so, and run what comes; the process ends with this function.

    Args:
        folder: where files are extracted; whoever started the process removes it.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # they were blocked until they are ignored
    with suppress(ConnectionError):  # the server is gone, and nobody wants the answer
        try:
            with open_runner(folder) as infer, connection.makefile("rb") as stream:
                connection.sendall(packed({"ready": True}))
                _serve(connection, stream, infer)
        except Exception as error:
            connection.sendall(packed({"error": error_fields(error)}))


def _serve(connection: socket.socket, stream: BinaryIO, infer: Infer) -> None:
    while size := stream.read(SIZE.size):
        _, inputs = unpacked(stream.read(SIZE.unpack(size)[0]))
        connection.sendall(_answer(infer, inputs or {}))


def _answer(infer: Infer, inputs: Arrays) -> bytes:
    started = perf_counter_ns()
    try:
        outputs = infer(inputs)
        nanoseconds = perf_counter_ns() - started
        return packed({"nanoseconds": nanoseconds}, {name: _plain(array) for name, array in outputs.items()})
    except InputError as error:
        return packed({"refused": str(error)})
    except Exception as error:
        return packed({"error": error_fields(error)})


def _plain(array: np.ndarray) -> np.ndarray:
    # Runtimes give text as objects, which are no bytes that another process could have.
    if array.dtype.kind != "O":
        return array
    elements = array.ravel().tolist()
    if not any(isinstance(each, bytes) for each in elements):
        return array.astype(str)
    encoded = [each if isinstance(each, bytes) else str(each).encode() for each in elements]
    return np.array(encoded, np.bytes_).reshape(array.shape)
