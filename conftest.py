"""Loaded before any test, those of the example projects too: what only our own tests need may be missing then."""

from __future__ import annotations

import compileall
import gc
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
    "torch.export._trace",
    "torch.fx.experimental.validator",
    "torch.onnx._internal.exporter._core",
    "torch.onnx._internal.exporter._torchlib.ops",
    "onnxscript.function_libs.torch_lib.ops",
    "sympy.tensor.tensor",
    "openvino",
    "hypothesis",
)

# OpenVINO and nncf do without it, and nobody is told that tests run: it forks a process for each message.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

# A run that a test starts is none of the workers that run the tests, and no step of the job that does.
WORKER = "PYTEST_XDIST_WORKER" in os.environ
for name in [name for name in os.environ if name.startswith(("PYTEST_XDIST_", "GITHUB_", "GITLAB_"))]:
    del os.environ[name]

# Threads of OpenMP that wait for each other sleep: spinning, they take the processors from the tests of other workers.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Import what stays, but in the process that only hands the tests to workers."""
    sys.dont_write_bytecode = False
    if not WORKER and sys.flags.dont_write_bytecode:
        _compile()
    if WORKER or getattr(config.option, "dist", "no") == "no":
        _import_what_stays()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays: the collector of garbage need not look at millions of objects again and again."""
    sys.dont_write_bytecode = sys.flags.dont_write_bytecode  # a test writes a file twice in a second
    gc.collect()
    gc.freeze()


def _import_what_stays() -> None:
    # A second in-process run would meet classes of ours twice, an old one and a new one.
    ours = [module.name for module in pkgutil.walk_packages(pytest_navigator.__path__, "pytest_navigator.")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own use of what it deprecates
        for name in STAYING:
            if importlib.util.find_spec(name.partition(".")[0]) is not None:
                _import(name)
    for name in ours:
        if not name.endswith(".__main__"):  # which is run by being imported
            _import(name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or importlib.util.find_spec(error.name) is not None:
            raise  # and not only what follows a library that is not installed


def _compile() -> None:
    """Compile our modules, and with pytest's own assertions all plugins: each process that a test starts would.

    That are 1.5 s of CPU each, where PYTHONDONTWRITEBYTECODE is set.
    """
    compileall.compile_dir(pytest_navigator.__path__[0], quiet=1)
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    plugins = [sys.executable, "-m", "pytest", "--noconftest", "--help"]
    subprocess.run(plugins, env=writing, capture_output=True, check=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a GPU, and the requirements that its mark names, with what is missing."""
    from pytest_navigator.devices.requirements import missing

    marker = item.get_closest_marker("gpu")
    if marker is not None and (why := missing(["cuda", *marker.args])):
        pytest.skip(why)
