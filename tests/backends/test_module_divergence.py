"""Modules of TorchScript and of exported programs, compared one by one with live ones that are called in odd ways."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall, caught_calls, load_calls, save_calls
from pytest_navigator.backends.torch.diagnosis.modules import ScriptModules, compared
from pytest_navigator.backends.torch.diagnosis.nodes import CutEdges
from pytest_navigator.comparison.divergence import suspicious

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.formats.local_values import Local

# What torch says of its own TorchScript.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def factor() -> float:
    """What a model multiplies with: another number once it is traced or exported."""
    return 1.5 if torch.jit.is_tracing() or torch.compiler.is_exporting() else 1.0


class Late(nn.Module):
    """Uses its second argument first, and gives a tuple of which not all is used."""

    def forward(self, x: torch.Tensor, shift: torch.Tensor, *, scale: float = 1.0) -> tuple[torch.Tensor, ...]:
        moved = shift * 2
        return (x - moved) * scale, moved, x


class Twice(nn.Module):
    """Calls one module twice, wrong the second time only; and one inplace."""

    def __init__(self) -> None:
        super().__init__()
        self.late, self.act, self.turn = Late(), nn.ReLU(inplace=True), Turn()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _, _ = self.late(x, x + 1, scale=0.5)
        y = self.act(self.turn(y, None) + 1)
        y = self.turn(y, 2.0)
        return self.late(y, shift=x)[0]


class Turn(nn.Module):
    """Wrong where it is told a number."""

    def forward(self, x: torch.Tensor, by: float | None) -> torch.Tensor:
        return x if by is None else x * by * factor()


class Grouped(nn.Module):
    """Takes a dict and gives one."""

    def forward(self, parts: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if torch.jit.is_scripting():
            return {"sum": parts["a"] + parts["b"] + 1.0}
        return {"sum": parts["a"] + parts["b"]}


class Scripted(nn.Module):
    """Calls a module with a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = Grouped()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.grouped({"a": x, "b": x * 2})["sum"]


class Box:
    """An argument that no file holds."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = x


class Boxed(nn.Module):
    """Takes one."""

    def forward(self, box: Any) -> torch.Tensor:
        return box.x * 2


class Boxes(nn.Module):
    """Gives one."""

    def __init__(self) -> None:
        super().__init__()
        self.boxed = Boxed()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.boxed(Box(x))


def calls_of(model: nn.Module, x: torch.Tensor, path: Path) -> list[ModuleCall]:
    with torch.inference_mode(), caught_calls(model) as calls:
        model(x)
    save_calls(calls, path / "calls.pt")
    return load_calls(path / "calls.pt")


def blamed(found: list[Local]) -> list[str]:
    return [segment.value for segment in suspicious([each.segment for each in found], exact=True)]


X = torch.linspace(-1, 1, 12).reshape(3, 4)


def traced(model: nn.Module) -> Any:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(model, (X,), check_trace=False), file)
    file.seek(0)
    return torch.jit.load(file)


def test_a_module_that_is_called_twice_is_compared_call_by_call(tmp_path: Path) -> None:
    model = Twice().eval()
    calls = calls_of(model, X, tmp_path)

    found, skipped = compared(calls, ScriptModules(traced(model), "", calls, traced=True))

    # Of the first call of `turn`, which gives what it takes, the trace has an empty method.
    assert not skipped
    assert blamed(found) == ["turn (call 2)"]


def test_a_program_names_the_call_that_is_wrong(tmp_path: Path) -> None:
    model = Twice().eval()
    calls = calls_of(model, X, tmp_path)
    program = torch.export.export(model, (X,), strict=False).module()

    run = CutEdges(program, calls)
    with torch.no_grad():
        run.run(X)

    (segment,) = suspicious([each.segment for each in run.found], exact=True)
    assert (segment.module, segment.operator) == ("turn", "mul")


def test_a_scripted_module_is_called_with_a_dict(tmp_path: Path) -> None:
    model = Scripted().eval()
    calls = calls_of(model, X, tmp_path)

    found, skipped = compared(calls, ScriptModules(torch.jit.script(model), "", calls, traced=False))

    assert not skipped
    assert blamed(found) == ["grouped"]
    assert found[0].again[-1] == "outputs = module({'a': x[0], 'b': x[1]})"


def test_a_module_that_takes_an_object_is_left_out_and_it_is_said_why(tmp_path: Path) -> None:
    model = Boxes().eval()
    calls = calls_of(model, X, tmp_path)

    _, skipped = compared(calls, ScriptModules(traced(model), "", calls, traced=False))

    assert skipped["boxed"] == "it takes a Box"


def test_a_file_that_has_lost_its_modules_is_compared_as_a_whole(tmp_path: Path) -> None:
    model = Scripted().eval()
    calls = calls_of(model, X, tmp_path)

    found, skipped = compared(calls, ScriptModules(torch.jit.freeze(torch.jit.script(model)), "", calls, traced=False))

    assert skipped == {"grouped": "the file does not have it"}
    assert blamed(found) == ["Scripted"]


@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2)), nn.LayerNorm(4)])
def test_of_right_modules_none_is_blamed(model: nn.Module, tmp_path: Path) -> None:
    model = model.eval()
    calls = calls_of(model, X, tmp_path)
    run = CutEdges(torch.export.export(model, (X,)).module(), calls)
    with torch.no_grad():
        run.run(X)

    found, skipped = compared(calls, ScriptModules(traced(model), "", calls, traced=True))

    assert not skipped
    assert blamed(found) == blamed(run.found) == []
