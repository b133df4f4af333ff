from __future__ import annotations

import ast
import inspect
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator
from pytest_navigator.backends.tensorflow.tf2onnx_model import converted
from pytest_navigator.backends.tensorrt.onnx_precision import write_network
from pytest_navigator.comparison.measures import distance
from pytest_navigator.reproduce.code import NoScript
from pytest_navigator.reproduce.sources import sources

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 3
"""Of what is counted."""


@contextmanager
def counted(numbers: list[int]) -> Iterator[int]:
    import math

    yield bounded(math.prod(numbers))


def bounded(number: int) -> int:
    return min(number, LIMIT)  # type: ignore[no-any-return, unused-ignore]


def closure() -> object:
    def inner() -> None:
        """Stands in no module's top."""

    return inner


def test_a_function_comes_with_what_it_uses_and_nothing_else():
    found = sources([counted])
    names = [getattr(node, "name", "LIMIT") for node in ast.parse(found.text).body]
    assert names == ["LIMIT", "LIMIT", "counted", "bounded"]  # the second one is what is said of it
    assert '"""Of what is counted."""' in found.text


def test_what_a_function_imports_stands_at_the_head_of_the_script():
    found = sources([counted])
    assert found.imports == {
        "from collections.abc import Iterator",
        "from contextlib import contextmanager",
        "import math",
    }
    assert "import" not in found.text


def test_the_source_in_a_script_does_what_the_function_does():
    found, names = sources([counted]), {}
    exec("\n".join([*found.imports, found.text]), names)
    for numbers in ([1, 2], [2, 2]):
        with names["counted"](numbers) as got, counted(numbers) as wanted:
            assert got == wanted


def test_remarks_to_checkers_are_left_out():
    assert "type: ignore" in inspect.getsource(bounded)
    assert "type: ignore" not in sources([bounded]).text


def test_a_function_of_another_module_of_the_plugin_comes_too():
    text = sources([converted]).text
    assert text.index("def converted(") < text.index("def rename(")


def test_what_two_functions_use_comes_once():
    text = sources([write_network, converted]).text
    assert text.count("def nodes(") == 1
    compile(text, "script", "exec")


@pytest.mark.parametrize("function", [closure(), sources([]).add])
def test_what_is_no_function_of_a_module_gives_no_script(function: object):
    with pytest.raises(NoScript, match="cannot be written as source text"):
        sources([function])


PROMISE = "Scripts contain the source text of this"
FILES = [file for file in Path(pytest_navigator.__file__).parent.rglob("*.py") if PROMISE in file.read_text()[:1500]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_module_that_scripts_contain_uses_upstream_libraries_only(file: Path):
    parts = file.relative_to(Path(pytest_navigator.__file__).parent.parent).with_suffix("").parts
    module = import_module(".".join(parts))
    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    found = sources(own)
    assert len(own) > 1
    compile("\n".join([*sorted(found.imports), found.text]), "script", "exec")
    assert "pytest_navigator" not in found.text
    assert not [line for line in found.imports if "pytest_navigator" in line]


def test_a_script_has_the_names_that_a_module_has_for_checkers_only():
    found, names = sources([distance]), {}
    exec("\n".join([*found.imports, found.text]), names)
    assert "Array = NDArray[Any]" in found.text
    assert names["distance"](np.array([1, 2]), np.array([1, 4]))[0].tolist() == [0, 2]
