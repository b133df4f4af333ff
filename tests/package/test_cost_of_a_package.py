"""What a small package could cost is known before it does: nothing is unpacked or made that is too much."""

from __future__ import annotations

import io
import shutil
import tracemalloc
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_navigator.configuration.yaml_file import read_mapping
from pytest_navigator.core import bounded_yaml
from pytest_navigator.core.secrets import hidden
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.samples.npz import read_npz
from tests.package.commands import command
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS = "format_version: 0.3.2\n"


def nested(merge: str, levels: int = 12, width: int = 10) -> str:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: {i}" for i in range(width)) + "}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} {merge.format(', '.join([f'*a{level - 1}'] * width))}")
    return "\n".join(lines)


COSTLY = {
    "merge keys": (nested("{{<<: [{0}]}}"), r"it has more than 10\d{4} values"),
    "merge keys in a chain": (nested("{{<<: [{0}], x: 1}}", 40, 3), r"it has more than 10\d{4} values"),
    "aliases": (nested("[{0}]"), r"it has more than 10\d{4} values"),
    "hexadecimal": (f"x: 0x{'f' * 10**6}", "is 1000002 characters long"),
    "digits": (f"x: {'9' * 10**6}", "is 1000000 characters long"),
    "fraction": (f"x: 1.{'9' * 10**6}", "is 1000002 characters long"),
    "key": (f"0b{'1' * 900}: 1", "is 902 characters long"),
    "deep": (f"x: {'[' * 10**5}", "nested more than 200 levels deep"),
    "deep in blocks": (f"x:\n {'- ' * 10**4}", "nested more than 200 levels deep"),
    "many": (f"x: [{'1,' * 10**6}1]", "it has more than 1"),
    "documents": ("---\n" * 10**5, "more than one document"),
    "anchors": (f"x: [{', '.join(f'&a{i} 1' for i in range(20_000))}]", "more than 10000 anchors"),
    "directives": ("".join(f"%TAG !{i}! x\n" for i in range(10**5)) + "---\nx: 1", "lines start with %"),
    "keys of one hash": (f"x: {{{', '.join(f'{(2**61 - 1) * i}: 1' for i in range(1, 10**4))}}}", "a key, is 19 char"),
    "repeated text": (f"x: &x {'a' * 10**6}\ny: [{', '.join(['*x'] * 9)}]", "repeat more than 1048576 characters"),
    "itself": ("x: &x [*x]", "holds itself"),
    "itself by a merge": ("x: &x {<<: *x}", "holds itself"),
    "set": ("x: !!set {a, b}", "could not determine a constructor"),
    "bytes": ("x: !!binary aGk=", "could not determine a constructor"),
}


@pytest.mark.parametrize(("text", "problem"), COSTLY.values(), ids=COSTLY)
def test_yaml_that_costs_much_is_refused_where_it_is_read(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "nav.yaml").write_text(text)
    with zipfile.ZipFile(tmp_path / "out.nav", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("status.yaml", text if text.startswith(("---", "%")) else f"{STATUS}{text}")

    tracemalloc.start()
    with pytest.raises(ConfigError, match=problem):
        read_mapping(tmp_path / "nav.yaml")
    with pytest.raises(PackageError, match=problem):
        open_package(tmp_path / "out.nav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20


def test_a_number_to_the_base_60_and_a_date_are_texts() -> None:
    text = f"a: {'1:' * 10**5}1\nb: 12:30\nc: 2026-01-01\nd: 1:30.5\ne: 9999-99-99"
    found = bounded_yaml.load(text, 100)

    assert {name: value for name, value in found.items() if name != "a"} == {
        "b": "12:30",
        "c": "2026-01-01",
        "d": "1:30.5",
        "e": "9999-99-99",
    }


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
@settings(max_examples=100, deadline=None)
def test_plain_data_is_read_as_it_was_written(value: object) -> None:
    from pytest_navigator.package.container.writer import dump

    assert bounded_yaml.load(dump({"x": value}), 1000) == {"x": value}


def test_a_compressed_status_is_no_larger_than_its_package_lets_expect(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.nav", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("status.yaml", f"{STATUS}x: {'a' * 20 * 2**20}")

    with pytest.raises(PackageError, match=r"its status\.yaml is too large to be one"):
        open_package(tmp_path / "out.nav")


def npy(shape: str, dtype: str = "<f4", data: bytes = bytes(16)) -> bytes:
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [("(10**9, 10**9)", "<f4"), ("(1000000000000,)", "<f4"), ("(9999999999999,)", "<U0"), ("(-4, -4)", "<f4"),
     ("(4,)", "|O"), ("(4,)", "<U999999999"), ("(1, 2, 3)", "<f8"), ("('x',)", "<f4"), ("(4,)", "nothing")],
)  # fmt: skip
def test_an_array_that_says_more_than_its_bytes_is_refused(shape: str, dtype: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy(shape, dtype))

    tracemalloc.start()
    with pytest.raises(ValueError, match=r"."):
        read_npz(file, file.tell())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_signs_before_a_size_are_no_matter_for_the_memory() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy(f"({'-' * 9000}1,)"))

    with pytest.raises(ValueError, match=r"[Hh]eader"):
        read_npz(file, file.tell())


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_packages_are_not_compressed_by_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "out.nav", "w", method) as file:
        file.writestr("status.yaml", STATUS)
    arrays = io.BytesIO()
    with zipfile.ZipFile(arrays, "w", method) as file:
        file.writestr("x.npy", npy("(4,)"))

    with pytest.raises(PackageError, match=rf"'status\.yaml' is compressed by method {method}, which no package uses"):
        open_package(tmp_path / "out.nav")
    with pytest.raises(ValueError, match=rf"x\.npy is compressed by method {method}"):
        read_npz(arrays, arrays.tell())


def long_name(status: dict[str, Any]) -> None:
    """One runner with a name of a million characters beside 200 rows, and a name of the suite that turns every line."""
    own, name = status["pytest_navigator"], "R" * 10**6
    own["suite"]["name"] = "\u202e" * 10**6
    own["suite"]["runners"][name] = {**own["suite"]["runners"]["TorchCPU"], "name": name}
    for key, runner in (("wide", name), *((f"v{i}", "TorchCPU") for i in range(200))):
        new = {"key": key, "format": "onnx", "parent": None, "file": "", "parameters": {}, "runners": [runner]}
        own["suite"]["variants"].append(new)
        step = {"step": "correctness", "status": "passed", "key": key, "runner": runner}
        own["steps"][f"correctness.{key}.{runner}"] = step


def test_one_long_name_makes_no_gigabyte_of_a_summary(workspace: Callable[..., Path], tmp_path: Path) -> None:
    package = tampered(pack(workspace(), tmp_path / "a.nav", environment={}), long_name)

    ran = command("show", package)
    assert (ran.code, ran.err) == (0, "")
    assert "v199" in ran.out
    assert "characters left out" in ran.out
    assert len(ran.out) < 2**21


def test_the_first_of_many_wrong_values_is_named_and_the_others_cost_nothing(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    package = pack(workspace(), tmp_path / "a.nav", environment={})
    evil = tampered(package, put("others", value=[{} for _ in range(20_000)]))

    tracemalloc.start()
    ran = command("show", evil)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ran.code == 2
    assert "$.pytest_navigator.others[0].step: required field missing" in ran.err
    assert peak < 60 * 2**20


def test_keys_as_long_as_a_package_are_not_written_once_for_each_value_below_them(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    """That would be some 100 GB of text here."""

    def change(status: dict[str, Any]) -> None:
        own, long = status["pytest_navigator"], "k" * 10**6
        inner = [*({"value": 1} for _ in range(15_000)), {"leaf": "output__0"}, {"wrong": 1}]
        own["signature"]["output_tree"] = {"dict": [[long, {"list": inner}]]}
        step = own["steps"].pop("profile.onnx.OnnxCPU.batch1")
        step |= {"batch": long, "data": {"cases": [{"input": "model_input/x"} for _ in range(15_000)]}}
        own["steps"][f"profile.onnx.OnnxCPU.{long}"] = step

    ran = command("show", tampered(pack(workspace(), tmp_path / "a.nav", environment={}), change))
    assert ran.code == 2
    assert "[15001]: it is no node of a structure" in ran.err


def test_a_word_that_could_begin_a_token_many_times_is_read_once() -> None:
    text = "eyJaaaaaaaa-" * 50_000

    assert hidden(f"{text} eyJhbGciOiJI.eyJzdWIiOiIx.c2ln") == f"{text} ***"


def replaced(package: Path, target: Path, name: str, content: bytes, method: int) -> Path:
    """Copy a package without digests, with another content of one file."""
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(target, "w") as new:
        for each in old.namelist():
            status = each == "status.yaml"
            text = old.read(each)
            if status:
                import yaml

                status_of = yaml.safe_load(text)
                status_of["pytest_navigator"]["files"] = {}
                text = yaml.safe_dump(status_of).encode()
            new.writestr(each, content if each == name else text, method if each == name else zipfile.ZIP_STORED)
    return target


@pytest.mark.parametrize("inner", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_merge_unpacks_no_bomb(workspace: Callable[..., Path], tmp_path: Path, inner: int) -> None:
    name = "model_input/batches/0.npz"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", inner) as archive, archive.open("input__0.npy", "w") as file:
        np.lib.format.write_array(file, np.zeros(50 * 2**20, np.uint8))
    whole = pack(workspace(), tmp_path / "a.nav", environment={})
    method = zipfile.ZIP_STORED if inner == zipfile.ZIP_DEFLATED else zipfile.ZIP_DEFLATED
    evil = replaced(whole, tmp_path / "b.nav", name, bomb.getvalue(), method)

    tracemalloc.start()
    ran = command("merge", whole, evil, "-o", tmp_path / "c.nav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ran.code == 2
    assert f"b.nav: {name} is no file of arrays (it unpacks to" in ran.err
    assert peak < 40 * 2**20


def test_the_reader_keeps_its_limits_for_a_package_of_its_own_making(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    package = pack(workspace(), tmp_path / "a.nav", environment={})
    other = Path(shutil.copy(package, tmp_path / "b.nav"))

    assert command("merge", package, other, "-o", tmp_path / "c.nav").code == 0
