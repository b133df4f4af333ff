"""A build is a process of its own: what ends it is told, and nothing else ends with it."""

from __future__ import annotations

import pytest

from pytest_navigator.backends.tensorrt.build import run
from pytest_navigator.errors import StepFailed

pytest.importorskip("polygraphy")


def test_a_build_that_is_killed_says_by_what(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StepFailed, match=r"the build of the engine was ended by SIGKILL: out of memory\?") as caught:
        run(["convert"], "tensorrt", tmp_path)
    assert caught.value.kind == "SIGKILL"


def test_a_build_without_the_library_says_so_and_installs_nothing(tmp_path, capfd):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(StepFailed, match="no engine was built: Module: 'tensorrt' is required"):
        run(["convert", "model.onnx", "--convert-to", "trt", "-o", "model.plan"], "tensorrt", tmp_path)
    assert "[!]" in capfd.readouterr().out


def test_what_polygraphy_prints_is_the_detail(tmp_path):
    with pytest.raises(StepFailed, match="no engine was built") as caught:
        run(["convert", "missing.onnx", "--convert-to", "trt", "-o", "model.plan"], "tensorrt_rtx", tmp_path)
    assert "missing.onnx" in caught.value.detail
