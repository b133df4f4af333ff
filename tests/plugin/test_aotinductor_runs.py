"""A program that AOTInductor has compiled runs without the model, on such a processor as it was compiled for."""

from __future__ import annotations

import shutil
import sys
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blackbox import status, words

import pytest_navigator as nav_api
from pytest_navigator.backends.files.kinds import format_of
from pytest_navigator.errors import NavigatorError
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")

LACKING = ("steps", "convert.aotinductor", "data", "built_with", "processor", "features")


FOREIGN = """
import torch

class Model(torch.nn.Module):
    def forward(self, x, *, more):
        return {"y": x * more["scale"] + more["shift"], "z": x.sum(-1)}

x, more = torch.ones(4, 5), {"scale": torch.ones(5), "shift": torch.ones(5)}
rows = {"x": {0: torch.export.Dim("rows")}, "more": {"scale": None, "shift": None}}
program = torch.export.export(Model(), (x,), {"more": more}, dynamic_shapes=rows)
torch._inductor.aoti_compile_and_package(program, package_path="foreign.pt2")
"""
SIZES = (("x", 2), ("scale", 1), ("shift", 1))
INPUTS = "x:-1,5:float32 scale:5:float32 shift:5:float32"


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_without_a_compiler_it_is_skipped_and_says_so(linear: pytest.Pytester, nav: Nav, no_compiler: None) -> None:
    result = nav("-v", "-rs", formats="aotinductor", subprocess=True)

    assert words(result)["test_convert[aotinductor]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["*AOTInductor need a C++ compiler (g++)*"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpp.simdlem": 256}, "Inductor has no option 'cpp.simdlem'; did you mean 'cpp.simdlen'?"),
        ({"aot_inductor.output_path": "x"}, "AOTInductorConfig.custom_args={'aot_inductor.output_path': ...} is not"),
    ],
)
def test_an_option_that_inductor_lacks_or_that_is_not_the_users_is_refused(
    linear: pytest.Pytester, nav: Nav, options: dict[str, object], message: str
) -> None:
    config = linear.path / "conftest.py"
    config.write_text(
        f"{config.read_text()}\nfrom pytest_navigator import AOTInductorConfig, NavConfig\n"
        f"nav_config = NavConfig(formats=[AOTInductorConfig(custom_args={options})])\n"
    )

    assert message in (found := nav(formats="", subprocess=True)).stdout.str() + found.stderr.str()


@pytest.mark.slow
def test_it_runs_here_says_what_it_is_bound_to_and_nothing_of_it_runs_elsewhere(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = nav("-v", "--nav-package=out.nav", profile=True, formats="aotinductor", subprocess=True)
    package = linear.path / "out.nav"
    found, bound = words(result), status(package)["pytest_navigator"]["steps"]["convert.aotinductor"]["data"]

    assert found["test_correctness[aotinductor-cpu]"] == "PASSED"
    assert bound["built_with"]["library"]["name"] == "PyTorch"
    assert not bound["built_with"]["on_gpu"]

    x = np.ones((3, 5), np.float32)
    with nav_api.load(package) as opened, opened.get_runner("aotinductor") as runner:
        expected = np.asarray(runner(x))
    assert expected.shape == (3, 7)

    # The file alone is a source, and is not taken for an exported program.
    with zipfile.ZipFile(package) as archive:
        (linear.path / "alone.pt2").write_bytes(archive.read("aotinductor/model.pt2"))
        (linear.path / "program.pt2").write_bytes(archive.read("torch-exportedprogram/model.pt2"))
    assert format_of(linear.path / "alone.pt2") == "aotinductor"
    assert format_of(linear.path / "program.pt2") == "torch-exportedprogram"
    alone = nav("-v", "--nav-model=alone.pt2", formats="", subprocess=True)
    assert words(alone)["test_correctness[aotinductor-cpu]"] == "PASSED"

    other = tampered(package, put(*LACKING, value=["avx2", "sse9"]))
    with nav_api.load(other) as opened:
        with pytest.raises(NavigatorError, match=r"built for x86-64 with sse9 on Linux with PyTorch .*; found x86-64"):
            opened.get_runner("aotinductor")
        assert opened.get_runner(include_source=False).format != "aotinductor"


@pytest.mark.slow
def test_a_package_of_somebody_else_is_a_source_whatever_structure_its_inputs_have(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    assert pytester.run(sys.executable, "-W", "ignore", "-c", FOREIGN).ret == 0
    source = ("-v", "--nav-model=foreign.pt2")

    found = nav(*source, f"--nav-inputs={INPUTS}", "--nav-package=out.nav", formats="", subprocess=True)
    assert words(found)["test_correctness[aotinductor-cpu]"] == "PASSED"
    with nav_api.load(pytester.path / "out.nav") as opened, opened.get_runner("aotinductor") as runner:
        outputs = runner.infer({name: np.full((2, 5)[-size:], 2, np.float32) for name, size in SIZES})
    assert {name: float(array.flat[0]) for name, array in outputs.items()} == {"y": 6, "z": 10}

    less = nav(*source, f"--nav-inputs={INPUTS.rpartition(' ')[0]}", formats="", subprocess=True)
    less.stdout.fnmatch_lines(["*the package takes 3 tensors, not 2*"])
