"""Loaded before any test."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

# An in-process pytester run puts sys.modules back, and numpy (from 2.4 on) and torch refuse to be loaded a second time
# in one process: what is imported here first stays.
import numpy  # noqa: F401
import onnx  # noqa: F401
import onnxruntime  # noqa: F401
import torch  # noqa: F401

import pytest_navigator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch's own use of what it deprecates
    heavy = ("onnxscript", "torch._dynamo", "torch._inductor.compile_fx", "torch.export", "torch.onnx._internal")
    for name in (*heavy, "hypothesis"):  # pytest-randomly imports the last one, 2 s each time
        importlib.import_module(name)

# For the same reason: a second in-process run would meet classes of ours twice, an old one and a new one.
for module in pkgutil.walk_packages(pytest_navigator.__path__, "pytest_navigator."):
    importlib.import_module(module.name)

pytest_plugins = ["pytester"]
