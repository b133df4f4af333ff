"""Loaded before any test."""

from __future__ import annotations

# An in-process pytester run puts sys.modules back, and numpy (from 2.4 on) and torch refuse to be loaded a second time
# in one process: what is imported here first stays.
import numpy  # noqa: F401
import onnx  # noqa: F401
import onnxruntime  # noqa: F401
import torch  # noqa: F401

pytest_plugins = ["pytester"]
