"""Sizes of 0 are sizes: an empty cache, no detections, a last batch without rows, a file that takes nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from blackbox import outcomes
from onnx import TensorProto as T
from onnx import helper as h

import pytest_navigator

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

Value = tuple[str, int, list[int | str]]

PASSED = {"PASSED", "SKIPPED"}


def write(
    path: Path, nodes: list[onnx.NodeProto], inputs: list[Value], outputs: list[Value], **weights: list[int]
) -> None:
    """Write a model of float32 and int64 values."""
    values = [[h.make_tensor_value_info(*value) for value in of] for of in (inputs, outputs)]
    kept = [onnx.numpy_helper.from_array(np.array(value, np.int64), name) for name, value in weights.items()]
    graph = h.make_graph(nodes, "graph", *values, kept)
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9), path)


def reduce_sum(path: Path) -> None:
    """Write a sum over the axes in an input that is always empty: over all of them."""
    node = h.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)
    write(path, [node], [("x", T.FLOAT, [3, 2]), ("axes", T.INT64, [0])], [("y", T.FLOAT, [1, 1])])


def cache(path: Path) -> None:
    """Write what adds to a cache of any length."""
    node = h.make_node("Concat", ["past", "x"], ["present"], axis=1)
    shapes = {"x": ["n", 1, 4], "past": ["n", "before", 4], "present": ["n", "after", 4]}
    values = {name: (name, T.FLOAT, shape) for name, shape in shapes.items()}
    write(path, [node], [values["x"], values["past"]], [values["present"]])


def nothing(path: Path) -> None:
    """Write what takes and gives nothing but empty arrays."""
    write(path, [h.make_node("Relu", ["x"], ["y"])], [("x", T.FLOAT, [0, 3])], [("y", T.FLOAT, [0, 3])])


def test_files_that_take_or_give_empty_arrays_pass_in_every_step(pytester: pytest.Pytester, nav: Nav) -> None:
    for name, make in (("reduce", reduce_sum), ("nothing", nothing)):
        make(pytester.path / f"{name}.onnx")
    models = [f"--nav-model={name}.onnx" for name in ("reduce", "nothing")]
    found = outcomes(
        nav("-v", *models, "--nav-package={model}.nav", "--nav-profile-seconds=0.1", formats="", profile=True)
    )
    for name in ("reduce", "nothing"):
        assert found[f"{name}.onnx::nav_model::test_correctness[onnx-cpu]"] == "PASSED"
        assert "PASSED" in {
            word for test, word in found.items() if test.startswith(f"{name}.onnx::nav_model::test_pro")
        }
    with pytest_navigator.load(pytester.path / "reduce.nav") as package, package.get_runner() as runner:
        x = np.ones((3, 2), np.float32)
        assert runner.infer({"x": x, "axes": np.zeros(0, np.int64)})["y"].tolist() == [[6]]


def test_the_smallest_size_of_an_axis_may_be_0(pytester: pytest.Pytester, nav: Nav) -> None:
    cache(pytester.path / "cache.onnx")
    pytester.makefile(".yaml", nav="max_shapes: {past: [4, 3, 4]}\nmin_shapes: {past: [1, 0, 4]}\n")
    found = outcomes(nav("-v", "--nav-model=cache.onnx", "--nav-config=nav.yaml", formats=""))
    assert set(found.values()) == {"PASSED"}
    [saved] = pytester.path.glob("navigator_workspace/*/model_input/batches/0.npz")
    assert np.load(saved)["past"].shape == (1, 0, 4)


CACHE = """
class Model(torch.nn.Module):
    def forward(self, x, past):
        present = torch.cat([past, x], 1)
        return {"present": present, "none": present[:, :0]}
"""


@pytest.mark.parametrize(
    "loader",
    [
        "[(torch.randn(n, 1, 4), torch.randn(n, k, 4)) for n, k in ((1, 0), (3, 2), (2, 0))]",
        "[(torch.randn(n, 1, 4), torch.randn(n, 0, 4)) for n in (1, 3)]",
        "[(torch.randn(n, 1, 4), torch.randn(n, 2, 4)) for n in (0, 3, 0)]",
        "[(torch.randn(0, 1, 4), torch.randn(0, 2, 4)) for _ in range(2)]",
    ],
    ids=["an empty cache among others", "an empty cache only", "a batch without rows", "no rows at all"],
)
def test_live_models_take_and_give_empty_arrays_in_every_format(project, nav: Nav, loader: str) -> None:
    project(CACHE, loader=loader)
    found = outcomes(nav("-v", formats="torchscript-trace,onnx,torch-exportedprogram"))
    assert set(found.values()) == {"PASSED"}, found


def test_a_dynamic_axis_that_was_always_empty_takes_other_sizes_in_the_exports(project, nav: Nav, pytester) -> None:
    project(CACHE, loader="[(torch.randn(n, 1, 4), torch.randn(n, 0, 4)) for n in (1, 3)]")
    text = (pytester.path / "conftest.py").read_text()
    axes = "{'x': {0: 'batch'}, 'past': {0: 'batch', 1: 'length'}}"
    pytester.makeconftest(
        f"{text}\nfrom pytest_navigator import NavConfig\nnav_config = NavConfig(dynamic_axes={axes})\n"
    )
    assert set(outcomes(nav("-v", "--nav-package=out.nav", formats="onnx")).values()) == {"PASSED"}
    with pytest_navigator.load(pytester.path / "out.nav") as package, package.get_runner("onnx") as runner:
        feed = {"x": np.ones((2, 1, 4), np.float32), "past": np.ones((2, 5, 4), np.float32)}
        assert runner.infer(feed)["present"].shape == (2, 6, 4)


def test_types_of_four_bits_are_drawn_fed_and_compared(pytester: pytest.Pytester, nav: Nav) -> None:
    node = h.make_node("Cast", ["x"], ["y"], to=T.FLOAT)
    values = [h.make_tensor_value_info("x", T.INT4, ["n", 3]), h.make_tensor_value_info("y", T.FLOAT, ["n", 3])]
    graph = h.make_graph([node], "graph", values[:1], values[1:])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 21)], ir_version=10), pytester.path / "cast.onnx")
    pytester.makefile(".yaml", nav="value_ranges: {x: [-8, 7]}\n")
    found = outcomes(
        nav(
            "-v",
            "--nav-model=cast.onnx",
            "--nav-config=nav.yaml",
            "--nav-profile-seconds=0.1",
            formats="",
            profile=True,
        )
    )
    assert set(found.values()) == {"PASSED"}
    [given] = pytester.path.glob("navigator_workspace/*/model_input/batches/2.npz")
    [got] = pytester.path.glob("navigator_workspace/*/model_output/batches/2.npz")
    np.testing.assert_array_equal(np.load(given)["x"].astype(np.float32), np.load(got)["y"])
