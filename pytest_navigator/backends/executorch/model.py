"""ExecuTorch's runtime, and its files in it.

Scripts contain the source text of this, so nothing here may use anything but PyTorch and ExecuTorch.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what libraries say of themselves and of the processor on stderr, unless they fail.

    ExecuTorch has no option for that: its lines come from C++, those of torchao from its import.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    # Of the lines from C++ some come by Python's stream, which need not be the second descriptor.
    with (
        warnings.catch_warnings(),
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        redirect_stderr(said),
    ):
        warnings.simplefilter("ignore")
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read().encode())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            logging.disable(disabled)


def runtime() -> Any:
    """Return the runtime, with the kernels of quantized operators."""
    with quiet():
        from executorch.runtime import Runtime

        return Runtime.get()


def load_method(path: str) -> Any:
    """Return the method `forward` of a file, which holds the program, too."""
    loaded = runtime()
    with quiet():
        return loaded.load_program(path).load_method("forward")
