"""Imports a library, in a process of its own that it may abort: `python imports.py SECONDS NAME`.

Prints one line of JSON: what the library says of itself, or the error that it raised. Makes no object of TensorRT:
without a driver some of them end the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = dict[str, Any]


def main() -> None:
    """Print the answer; anything that the library prints goes to stderr."""
    signal.alarm(int(float(sys.argv[1])) + 1)  # should nobody be left who would end this process
    answer = os.dup(1)
    os.dup2(2, 1)
    os.write(answer, json.dumps(_asked(sys.argv[2])).encode())
    os._exit(0)  # TensorRT's lean runtime ends the process in its exit handlers


def _asked(name: str) -> Answer:
    try:
        return QUESTIONS[name]()
    except Exception as error:  # Torch-TensorRT raises Exception itself where its libraries are missing
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        return {"error": f"{type(error).__name__}: {first}"}


def _builder(name: str) -> Answer:
    """Tell a flavour of TensorRT that builds engines from a lean one, which only runs them."""
    module = import_module(name)
    return {"version": module.__version__, "builds": hasattr(module, "Builder")}


def _onnxruntime_tensorrt() -> Answer:
    # It lists the provider whether or not it could be loaded.
    runtime = import_module("onnxruntime")
    with suppress(Exception):  # loads the libraries of its own wheel, which are on no path
        import_module("tensorrt")
    listed = "TensorrtExecutionProvider" in runtime.get_available_providers()
    return {"version": runtime.__version__, "listed": listed, "lacking": _lacking("libnvinfer.so.10")}


def _tf_trt() -> Answer:
    # What is compiled in comes first: without it, asking for what is loaded aborts the process.
    version = import_module("tensorflow").__version__
    library = import_module("tensorflow.compiler.tf2tensorrt._pywrap_py_utils")
    if not library.is_tensorrt_enabled():
        return {"version": version, "enabled": False}
    linked = library.get_linked_tensorrt_version()
    return {"version": version, "enabled": True, "lacking": _lacking(f"libnvinfer.so.{linked[0]}")}


def _lacking(library: str) -> str:
    """Return the loader's error; "" if the library is there."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return ""


QUESTIONS: dict[str, Callable[[], Answer]] = {
    "tensorrt": partial(_builder, "tensorrt"),
    "tensorrt-rtx": partial(_builder, "tensorrt_rtx"),
    "onnxruntime-tensorrt": _onnxruntime_tensorrt,
    "torch-tensorrt": lambda: {"version": import_module("torch_tensorrt").__version__},
    "tf-trt": _tf_trt,
}

if __name__ == "__main__":
    main()
