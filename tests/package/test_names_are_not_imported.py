"""Names in a package are looked up in what is imported and in our own tables: none of them runs anything."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.core.loaded import loaded
from pytest_navigator.errors import PackageError
from pytest_navigator.samples.npz import dtype_of
from pytest_navigator.samples.structure import record_class, unflatten
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable

FEED = {"x": np.ones((2, 5), "float32"), "bias": np.zeros((2, 7), "float32")}


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of Python in the working directory, as an unpacked .nav leaves it; to import it writes a file."""
    code = "from pathlib import Path\nPath('ran').touch()\n"
    (tmp_path / "trapped").mkdir()
    (tmp_path / "trapped" / "__init__.py").write_text(code)
    (tmp_path / "trapped" / "inner.py").write_text(
        f"{code}from typing import NamedTuple\nclass Pair(NamedTuple):\n    a: int"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "ran"


def copied(pair: Path, folder: Path) -> Path:
    return Path(shutil.copy(pair, folder / "pair.nav"))


ARRAYS = ("sum", "parts__0", "parts__1")
OBJECT = {"object": {"type": "trapped.inner:Pair", "fields": [[name, {"leaf": name}] for name in ARRAYS]}}
PATH = "trapped.inner:Pair"


@pytest.mark.parametrize(
    "change",
    [
        put("signature", "output_tree", value=OBJECT),
        put("suite", "runners", "OnnxCPU", "requires", value=["trapped.inner"]),
        put("suite", "runners", "OnnxCPU", "path", value=PATH),
        put("suite", "runners", "OnnxCPU", "format", value="trapped"),
    ],
    ids=["structure", "requirement", "runner", "format"],
)
def test_what_a_package_names_does_not_run(
    pair: Path, tmp_path: Path, trap: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    with nav.load(tampered(copied(pair, tmp_path), change)) as package:
        for format in ("onnx", "torchscript-trace"):
            with package.get_runner(format) as runner:
                assert runner(*FEED.values()) is not None
    assert not trap.exists()
    assert not {"trapped", "trapped.inner"} & set(sys.modules)


def test_a_runner_that_is_not_imported_is_refused_without_a_look(pair: Path, tmp_path: Path, trap: Path) -> None:
    def change(status: dict[str, Any]) -> None:
        suite = status["pytest_navigator"]["suite"]
        requires = ["trapped.inner", "trapped"]
        suite["runners"]["Trapped"] = {
            **suite["runners"]["OnnxCPU"],
            "name": "Trapped",
            "path": PATH,
            "requires": requires,
        }
        onnx = next(variant for variant in suite["variants"] if variant["key"] == "onnx")
        onnx["runners"] = ["Trapped"]

    problem = r"the runner Trapped is not one of pytest-navigator's: import trapped"
    with nav.load(tampered(copied(pair, tmp_path), change)) as package, pytest.raises(PackageError, match=problem):
        package.get_runner("onnx")
    assert not trap.exists()


@pytest.mark.parametrize("path", ["os:path.join", "lazy:found", "os", "", "nothing:Here", "builtins:dict.fromkeys.x"])
def test_only_what_is_stored_in_a_module_is_found(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(type(sys)):  # type: ignore[misc]
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))

    assert loaded(path) is None or path == "os:path.join"
    assert record_class(path) is None


@pytest.mark.parametrize("kind", ["ast:Name", "ctypes:Structure", "subprocess:Popen", "pathlib:Path"])
def test_nothing_but_a_record_is_made(kind: str) -> None:
    import ast
    import ctypes  # noqa: F401
    import subprocess  # noqa: F401

    assert ast
    tree = {"object": {"type": kind, "fields": [["id", {"leaf": "x"}]]}}
    assert unflatten(tree, {"x": 1}) == {"id": 1}


@pytest.mark.parametrize(
    "name", ["O", "object", "f4,f4", "V9999999999", "U999999999", "(1000000000,)f4", "__file__", "finfo", "f4," * 9999]
)
def test_a_type_is_one_of_numbers_or_text(name: str) -> None:
    with pytest.raises(TypeError, match=r"is no type of numbers or text|not understood"):
        dtype_of(name)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "int4", "bool", "str", "bytes", "complex64", "datetime64[ns]"])
def test_the_types_of_tensors_are_known(name: str) -> None:
    assert dtype_of(name).name.startswith(name)
