"""Models that compute something else once they are exported: the failure says which module does, and on what line."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

MODEL = """import torch
from torch import nn
from torch.nn import functional as F

def away():
    return torch.jit.is_tracing() or torch.jit.is_scripting() or torch.compiler.is_compiling()

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, 8)

    def forward(self, x, mask, scale: float = 1.0):
        return x + self.up(self.norm(x)) * mask * scale, mask

class Odd(nn.Module):
    def __init__(self, fault: str):
        super().__init__()
        self.fault = fault
        self.block = Block()

    def forward(self, x, mask):
        if self.fault == "joined":
            x = x * 1.3 if away() else x  # before it is joined
            x = torch.cat([x, x], 1)[:, :8]  # where it is joined
        y = self.block(x, mask, scale=2.0)[0]
        if self.fault == "scale" and away():
            y = y * 1.01  # the scaled line
        if self.fault == "eps":
            y = F.layer_norm(y, [8], eps=1e-1 if away() else 1e-5)  # the normed line
        if self.fault == "cast" and away():
            y = y.to(torch.bfloat16).to(torch.float32)  # the cast line
        if self.fault == "abs":
            y = y * 2  # before it is off
            if away():
                y = y.abs()  # the wrong line
            y = y / 2  # behind it
        return y

class Branch(nn.Module):
    def forward(self, x):
        if bool(x.mean() > 0):
            return x * 2
        return x

class Model(nn.Module):
    def __init__(self, fault: str = ""):
        super().__init__()
        self.fault = fault
        self.first = nn.Linear(8, 8)
        self.odd = Odd(fault)
        self.last = nn.ModuleList([nn.GELU(), Block()])
        self.act = nn.GELU()
        self.branch = Branch() if fault == "branch" else nn.Identity()

    def forward(self, x):
        return {"y": self.run(x), "none": None}

    def run(self, x):
        mask = torch.ones_like(x)
        x = self.act(self.first(self.branch(x)))
        x = self.act(self.odd(x, mask))
        if self.fault == "root" and away():
            x = x + 0.1  # the root's line
        return self.last[1](self.last[0](x), mask)[0]

class Plain(Model):
    def forward(self, x):
        return self.run(x)
"""

LOADER = "[torch.full((2, 8), v) + torch.randn(2, 8) * 0.1 for v in (3.0, -3.0)]"


def line_of(comment: str) -> int:
    return next(i for i, line in enumerate(MODEL.splitlines(), start=1) if comment in line)


def definition(name: str) -> int:
    """Where the forward of a class begins."""
    lines = MODEL.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(f"class {name}("))
    return begin + next(i for i, line in enumerate(lines[begin:]) if "def forward" in line) + 1


@pytest.fixture
def lines(
    pytester: pytest.Pytester, project: Callable[..., None], nav: Nav, failed: Callable[..., dict[str, str]]
) -> Callable[..., dict[str, str]]:
    """Run the model with a fault: the cell that failed -> what is said to differ first."""

    def run(fault: str, formats: str, *arguments: str, model: str = "Model", more: str = "") -> dict[str, str]:
        pytester.makepyfile(model=MODEL)
        project(f"from model import {model}\n{more}", made=f"{model}({fault!r}).eval()", loader=LOADER)
        found = failed(nav(*arguments, formats=formats))
        cells = {re.sub(r".*test_correctness\[(.*)\]", r"\1", name): text for name, text in found.items()}
        return {cell: text.partition("first divergence: ")[2] for cell, text in cells.items()}

    return run


EXPORTED_SCRIPT = "torch-exportedprogram/diagnose/torch-exportedprogram-cpu.py"
FILES = "torchscript-trace,torch-exportedprogram"


@pytest.mark.parametrize(
    ("fault", "traced", "exported"),
    [
        ("scale", ("odd Odd", definition("Odd")), ("odd mul", line_of("scaled line"))),
        ("eps", ("odd Odd", definition("Odd")), ("odd layer_norm", line_of("normed line"))),
        ("cast", ("odd Odd", definition("Odd")), ("odd to", line_of("cast line"))),
        ("root", ("Model", definition("Model")), ("add_1", line_of("self.run(x), "))),
    ],
)
def test_the_module_that_is_exported_otherwise_is_named_with_the_users_line(
    lines: Callable[..., dict[str, str]], fault: str, traced: tuple[str, int], exported: tuple[str, int]
) -> None:
    found = lines(fault, FILES)

    assert found["torchscript-trace-cpu"].startswith("{} at model.py:{}: ".format(*traced))
    assert found["torch-exportedprogram-cpu"].startswith("{} at model.py:{}: ".format(*exported))


@pytest.mark.parametrize(("fault", "place"), [("scale", "odd Odd"), ("root", "Plain")])
def test_a_module_that_is_scripted_otherwise_is_named(
    lines: Callable[..., dict[str, str]], fault: str, place: str
) -> None:
    found = lines(fault, "torchscript-script", model="Plain")

    assert found["torchscript-script-cpu"].startswith(f"{place} at model.py:{definition(place.split()[-1])}: ")


BACKEND = """
from torch._dynamo import register_backend

@register_backend(name="rounding")
def rounding(graph, example):
    for node in graph.graph.nodes:
        if "gelu" in str(node.target):
            node.kwargs = {**node.kwargs, "approximate": "tanh"}
    graph.recompile()
    return graph.forward

"""
CONFIG = """
from pytest_navigator import NavConfig, TorchConfig
nav_config = NavConfig(formats=[TorchConfig(custom_args={{"backend": {!r}}})])
"""


@pytest.mark.parametrize(
    ("fault", "more", "place", "reason"),
    [
        ("scale", CONFIG.format("aot_eager"), f"odd Odd at model.py:{definition('Odd')}: ", "TorchDynamo traces it so"),
        (
            "",
            BACKEND + CONFIG.format("rounding"),
            f"act GELU at model.py:{line_of('self.act(self.first')}: ",
            "rounding makes it so",
        ),
    ],
    ids=["traced", "compiled"],
)
def test_the_module_that_torch_compile_makes_another_one_is_named_with_the_part_that_does_so(
    lines: Callable[..., dict[str, str]], fault: str, more: str, place: str, reason: str
) -> None:
    found = lines(fault, "torch", "--nav-runtimes=compile-cpu", "--nav-atol=output__0=1e-6", model="Plain", more=more)

    assert found["torch-compile-cpu"].startswith(place)
    assert reason in found["torch-compile-cpu"]


def test_the_script_that_is_left_computes_the_place_again(
    pytester: pytest.Pytester, lines: Callable[..., dict[str, str]]
) -> None:
    lines("scale", FILES, model="Plain")

    (suite,) = pytester.path.glob("navigator_workspace/*-*")
    for script in ("torchscript-trace/diagnose/torchscript-trace-cpu.py", EXPORTED_SCRIPT):
        run = subprocess.run([sys.executable, script], cwd=suite, capture_output=True, text=True, check=True)
        found = re.search(r"largest difference: (\S+) at \[\d, \d\]: ", run.stdout)
        assert found is not None
        assert run.stdout.count("\n") == 2
        assert 0.01 < float(found[1]) < 1


def test_an_onnx_file_that_is_what_a_wrong_program_is_names_the_module(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("scale", "onnx")

    assert found["onnx-cpu"].startswith(f"odd mul at model.py:{line_of('scaled line')}: ")
    assert "torch.export traces it so" in found["onnx-cpu"]


@pytest.mark.parametrize("cell", ["torch-exportedprogram", "onnx"])
@pytest.mark.parametrize(
    ("fault", "stretch"),
    [
        ("abs", [("mul model.py", "before it is off"), ("abs ", "the wrong line"), ("div ", "behind it")]),
        ("joined", [("mul model.py", "before it is joined"), ("cat+slice ", "where it is joined")]),
    ],
)
def test_where_only_the_edges_of_modules_are_known_all_operations_between_them_are_named(
    lines: Callable[..., dict[str, str]], cell: str, fault: str, stretch: list[tuple[str, str]]
) -> None:
    found = lines(fault, cell, model="Plain")

    told = ", ".join(f"{operators}:{line_of(comment)}" for operators, comment in stretch)
    assert found[f"{cell}-cpu"].startswith(f"odd ({told}): ")


def test_a_branch_that_tracing_has_baked_is_named(lines: Callable[..., dict[str, str]]) -> None:
    found = lines("branch", "torchscript-trace")

    assert found["torchscript-trace-cpu"].startswith(f"branch Branch at model.py:{definition('Branch')}: ")


def test_where_no_module_is_wrong_none_is_blamed(
    pytester: pytest.Pytester, lines: Callable[..., dict[str, str]]
) -> None:
    found = lines("", FILES, "--nav-atol=y=0", "--nav-rtol=y=0")

    assert found == {}
