"""Loaded before any test, those of the example projects too: what only our own tests need may be missing then."""

from __future__ import annotations

import compileall
import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
import warnings

import pytest

import pytest_navigator

# An in-process pytester run puts sys.modules back, and numpy (from 2.4 on) and torch refuse to be loaded a second time
# in one process: what is imported here first stays. pytest-randomly imports hypothesis, 2 s each time.
STAYING = (
    "numpy",
    "onnx",
    "onnxruntime",
    "torch",
    "onnxscript",
    "torch._dynamo",
    "torch._dynamo.repro.after_dynamo",
    "torch._inductor.compile_fx",
    "torch.export",
    "torch.onnx._internal",
    "openvino",
    "hypothesis",
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch's own use of what it deprecates
    for name in STAYING:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)

# Where PYTHONDONTWRITEBYTECODE is set, each process that a test starts would compile all of it again, and once more
# what pytest gives its own assertions, all plugins: 1.5 s of CPU.
unwritten, sys.dont_write_bytecode = sys.dont_write_bytecode, False
if unwritten and "PYTEST_XDIST_WORKER" not in os.environ:
    compileall.compile_dir(pytest_navigator.__path__[0], quiet=1)
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    plugins = [sys.executable, "-m", "pytest", "--noconftest", "--help"]
    subprocess.run(plugins, env=writing, capture_output=True, check=True)

# A run that a test starts is none of the workers that run the tests.
for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
    del os.environ[name]

# As above: a second in-process run would meet classes of ours twice, an old one and a new one.
for module in pkgutil.walk_packages(pytest_navigator.__path__, "pytest_navigator."):
    if not module.name.endswith(".__main__"):  # which is run by being imported
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name is None or importlib.util.find_spec(error.name) is not None:
                raise  # and not only what follows a framework that is not installed
sys.dont_write_bytecode = unwritten  # a test writes a file twice in a second

pytest_plugins = ["pytester"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a GPU, and the requirements that its mark names, with what is missing."""
    from pytest_navigator.devices.requirements import missing

    marker = item.get_closest_marker("gpu")
    if marker is not None and (why := missing(["cuda", *marker.args])):
        pytest.skip(why)
