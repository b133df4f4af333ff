"""ExecuTorch's runtime, and its files in it.

Scripts contain the source text of this, so nothing here may use anything but PyTorch and ExecuTorch.
"""

from __future__ import annotations

from typing import Any


def runtime() -> Any:
    """Return the runtime, with the kernels of quantized operators."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.runtime import Runtime

        return Runtime.get()


def load_method(path: str) -> Any:
    """Return the method `forward` of a file, which holds the program, too."""
    return runtime().load_program(path).load_method("forward")


def threads(count: int | None = None) -> int:
    """Return how many threads XNNPACK has; give it another number of them."""
    from executorch.extension.pybindings import portable_lib

    if count is not None:
        portable_lib._unsafe_reset_threadpool(count)
    return int(portable_lib._threadpool_get_thread_count())
