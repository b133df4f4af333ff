"""What a failure says to do follows from its cause, and can be done in this run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper as h

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

    Failed = Callable[[pytest.RunResult], dict[str, str]]
    Project = Callable[..., None]

COUNTING = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + self.calls
"""


def test_a_model_that_counts_its_calls_is_not_called_random(project: Project, nav: Nav, failed: Failed) -> None:
    project(COUNTING)
    message = failed(nav())["test_source"]
    assert "it draws no random numbers: it keeps something from one call to the next" in message
    assert "switch off" not in message


def test_what_a_nav_config_would_say_is_said_for_nav_config_yaml_where_that_is_used(
    pytester: pytest.Pytester, nav: Nav, failed: Failed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    values = [h.make_tensor_value_info(name, T.FLOAT, ["n", 2]) for name in ("x", "y")]
    graph = h.make_graph([h.make_node("Log", ["x"], ["y"])], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9), pytester.path / "log.onnx")
    pytester.makefile(".yaml", nav="value_ranges: {x: [-2, -1]}")
    message = failed(nav("--nav-model=log.onnx", "--nav-config=nav.yaml", formats=""))["test_source"]
    assert "NavConfig(comparisons=" in message
    assert "in a nav_config, which is read where there is no --nav-config" in message


def test_an_output_that_a_file_declares_wrongly_is_a_note(pytester: pytest.Pytester, nav: Nav) -> None:
    values = [h.make_tensor_value_info("x", T.FLOAT, ["n", 2]), h.make_tensor_value_info("y", T.FLOAT, ["n", 5])]
    node = h.make_node("Concat", ["x", "x"], ["y"], axis=1)
    graph = h.make_graph([node], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9), pytester.path / "model.onnx")
    result = nav("--nav-model=model.onnx", formats="")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: *output 'y' has the shape (n, 4), the file declares (n, 5)*"])


OPERATORS = """
import torch

@torch.library.custom_op("shop::clip", mutates_args=())
def clip(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x)

@clip.register_fake
def _(x):
    return torch.empty_like(x)
"""

CLIPPED = """
import shop_ops

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.ops.shop.clip(x)
"""


@pytest.mark.slow
def test_an_operator_of_the_projects_own_is_named_and_known_once_its_module_is(
    project: Project, pytester: pytest.Pytester, nav: Nav, failed: Failed
) -> None:
    pytester.makepyfile(shop_ops=OPERATORS)
    project(CLIPPED)
    formats = "torchscript-trace,torch-exportedprogram"
    for message in failed(nav(formats=formats, subprocess=True)).values():
        assert message.startswith("the operator 'shop::clip' is not registered in the process that runs the model; ")
        assert "--nav-child-imports=package.module" in message
    args = ("--nav-child-imports=shop_ops", "--nav-package=out.nav")
    assert nav(*args, formats=formats, subprocess=True).ret == 0
    wrong = failed(nav("--nav-child-imports=shop_opps", formats="torchscript-trace", subprocess=True))
    assert "child_imports: the child process cannot import 'shop_opps'" in wrong["test_export[torchscript-trace]"]
    load = "import pytest_navigator as nav\nwith nav.load('out.nav') as p, p.get_runner('torchscript', 'trace'): pass"
    result = pytester.run(sys.executable, "-c", load)
    assert result.ret == 1
    result.stderr.fnmatch_lines(["*the operator 'shop::clip' is not registered *: import the module that*"])
