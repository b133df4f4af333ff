"""Settings in pytest's two tables of TOML: one has texts and lists, the other TOML's own types."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.configuration import options
from pytest_navigator.plugin.ini_file import parsed

if TYPE_CHECKING:
    from blackbox import Fake

TYPED = 'nav_formats = ["fake"]\nnav_profile = false\nnav_seed = 7\nnav_batch_sizes = [1, 8]\nnav_timeout = 60\n'
TYPED += 'nav_rtol = 1e-5\nnav_keep = "all"\nnav_workspace = "ws"\nnav_cache = "ca"\nnav_cache_steps = ["convert"]\n'

native = pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest 9 brought the table")
TABLES = [pytest.param("tool.pytest", marks=native), "tool.pytest.ini_options"]


def shown(project: pytest.Pytester, table: str, text: str) -> pytest.RunResult:
    project.makepyprojecttoml(f"[{table}]\naddopts = ['--nav']\n{text}")
    return project.runpytest(
        "-p", "no:randomly", "-p", "no:hypothesispytest", "--nav-show-config", "--co", "-W", "error"
    )


@pytest.mark.parametrize("table", TABLES)
def test_types_are_taken_in_both_tables(dense: Fake, table: str) -> None:
    result = shown(dense(), table, TYPED)
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*workspace: ws*", "batch_sizes *1, 8  (ini: nav_batch_sizes)"])
    result.stdout.fnmatch_lines(["seed *7  (ini: nav_seed)"])


@pytest.mark.parametrize("table", TABLES)
def test_a_tolerance_may_be_a_table_of_outputs(dense: Fake, table: str) -> None:
    result = shown(dense(), table, 'nav_atol = { y = 1e-4, fake = "1e-3" }\n')
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["atol *y*0.0001*fake*0.001*(ini: nav_atol)"])


@native
def test_a_file_of_pytests_own_is_read_too(dense: Fake) -> None:
    project = dense()
    project.makefile(".toml", pytest=f"[pytest]\naddopts = ['--nav']\n{TYPED}")
    project.runpytest("--nav-show-config", "--co").stdout.fnmatch_lines(["seed *7  (ini: nav_seed)"])


WRONG = [
    ("nav_seed", "1979-05-27"),
    ("nav_formats", "[true]"),
    ("nav_cache_steps", '["?"]'),
    ("nav_atol", "{ a = [1] }"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize("table", TABLES)
def test_a_wrong_value_is_one_line(dense: Fake, table: str, name: str, value: str) -> None:
    result = shown(dense(), table, f"{name} = {value}\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in (*result.outlines, *result.errlines) if line.startswith("ERROR")]
    assert len(said) == 1, result.stdout.str()
    assert f"pyproject.toml: {name}: " in said[0]
    assert "; write " in said[0] or " is not " in said[0], said[0]
    assert ("; write 1e-5" in said[0]) == (name == "nav_atol")
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@native
@pytest.mark.parametrize("name", ["nav_keep", "nav_cache", "nav_batch_sizes"])
def test_a_setting_refuses_what_it_cannot_be_and_says_what_can(dense: Fake, name: str) -> None:
    result = shown(dense(), "tool.pytest", f"{name} = [[7]]\n")
    lines = "\n".join([*result.outlines, *result.errlines])
    assert result.ret == pytest.ExitCode.USAGE_ERROR, lines
    assert f"pyproject.toml: {name}: " in lines
    assert " is a list, which this setting cannot be; write " in lines


@pytest.mark.parametrize(
    ("value", "parse", "meaning"),
    [
        (["onnx", "trt"], options.names, ("onnx", "trt")),
        ("onnx,trt", options.names, ("onnx", "trt")),
        ([1, "8"], options.sizes, (1, 8)),
        (4, options.sizes, (4,)),
        (7, options.whole, 7),
        (2, options.seconds, 2.0),
        ({"logits": 1e-4}, options.atol, {"logits": 1e-4}),
        (["1e-5", "logits=1e-4"], options.atol, {"": 1e-5, "logits": 1e-4}),
        (1e-5, options.rtol, {"": 1e-5}),
        (False, options.yes, False),
        ("no", options.yes, False),
        ("all", options.one_of("all", "none"), "all"),
    ],
)
def test_a_value_means_what_the_flag_says(value: object, parse: object, meaning: object) -> None:
    assert parsed(value, parse) == meaning


@pytest.mark.parametrize("value", [True, [7], {"a": 1}, None, 2.5])
def test_a_number_is_nothing_else(value: object) -> None:
    with pytest.raises(ArgumentTypeError, match="write a number like 7"):
        parsed(value, options.whole)
