"""What every framework tells of what its outputs are computed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pytest_navigator.comparison.computed import Computed

if TYPE_CHECKING:
    from pathlib import Path

FP32, BF16, EXACT = Computed("fp32"), Computed("bf16"), Computed()


# PyTorch, operation by operation


@pytest.fixture(scope="module")
def watched():
    torch = pytest.importorskip("torch")
    from pytest_navigator.backends.torch.watch import watched as run

    low, weight = torch.ones(4, 4, dtype=torch.bfloat16), torch.ones(4, 4)

    def told(function, *, context=torch.inference_mode):
        with context():
            value, watch = run(lambda: function(torch.randn(3, 4), weight, low))
        return watch.of(value)

    return told


def into_a_part(x, weight, low):
    import torch

    whole = torch.zeros(3, 4)
    whole[:, :2] = (x.bfloat16() @ low).float()[:, :2]
    return whole


TORCH = {
    "float32": (lambda x, w, low: x @ w, FP32),
    "unused": (lambda x, w, low: (low * 2, x @ w)[1], FP32),
    "a shape": (lambda x, w, low: (x @ w) * low.shape[0], FP32),
    "a dead branch": (lambda x, w, low: (x.bfloat16() @ low, x @ w)[1], FP32),
    "an exact weight": (lambda x, w, low: x @ low.float(), FP32),
    "an exact bias": (lambda x, w, low: (x @ w) + low[0], FP32),
    "a mask": (lambda x, w, low: (x @ w) * ((x.bfloat16() @ low) > 0), FP32),
    "computed low": (lambda x, w, low: (x.bfloat16() @ low).float(), BF16),
    "through a view": (lambda x, w, low: (x.bfloat16() @ low).float().view(-1)[2:].reshape(2, 5), BF16),
    "in float32 after that": (lambda x, w, low: (x.bfloat16() @ low).float() @ w, BF16),
    "in place": (into_a_part, BF16),
    "rounded at the end": (lambda x, w, low: (x @ w).bfloat16(), Computed("fp32", "bf16")),
    "rounded and back": (lambda x, w, low: (x @ w).half().float(), Computed("fp32", "fp16")),
    "rounded on the way": (lambda x, w, low: (x @ w).half().float() @ w, Computed("fp16")),
    "float64 from float32": (lambda x, w, low: (x @ w).double() / 3, FP32),
    "float64": (lambda x, w, low: x.double() @ w.double(), Computed("fp64")),
    "only moved": (lambda x, w, low: low[:2].float(), EXACT),
    "which": (lambda x, w, low: (x.bfloat16() @ low).argmax(-1), EXACT),
    "as a whole number": (lambda x, w, low: (x.bfloat16() @ low).int().float(), BF16),
}


@pytest.mark.parametrize("context", ["inference_mode", "no_grad"])
@pytest.mark.parametrize("case", TORCH)
def test_torch_tells_what_flows_into_an_output(case, context, watched):
    import torch

    function, expected = TORCH[case]
    assert watched(function, context=getattr(torch, context)) == expected


def test_autocast_is_seen_where_the_model_itself_switches_it_on(watched):
    import torch

    def function(x, weight, low):
        with torch.autocast("cpu", torch.bfloat16):
            return (x @ weight).float()

    assert watched(function) == BF16


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_file_and_a_program_are_seen_into():
    torch = pytest.importorskip("torch")
    from pytest_navigator.backends.torch.watch import watched as run

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.high, self.low = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4).bfloat16()

        def forward(self, x):
            return self.high(x), self.low(x.to(torch.bfloat16)).float()

    x, model = torch.randn(2, 4), Two().eval()
    for module in (torch.jit.script(model), torch.export.export(model, (x,)).module()):
        for _ in range(3):  # the interpreter optimises what it has run twice
            value, watch = run(lambda module=module: module(x))
            assert [watch.of(tensor) for tensor in value] == [FP32, BF16]


# ONNX, by the graph of the file


def file_of(path: Path, nodes, outputs, functions=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, (4, 4), np.ones(16)),
        helper.make_tensor("half", TensorProto.FLOAT16, (4, 4), np.ones(16)),
        helper.make_tensor("times", TensorProto.INT64, (), [2]),
        helper.make_tensor("yes", TensorProto.BOOL, (), [True]),
    ]
    given = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    graph = helper.make_graph(nodes, "g", [x], given, weights)
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid("own", 1)] if functions else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, functions=list(functions)), path)
    return path


def low(x, out):
    """Return nodes that compute in float16 and end in float32."""
    names = [f"{out}_{i}" for i in range(2)]
    return [
        helper.make_node("Cast", [x], [names[0]], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", [names[0], "half"], [names[1]]),
        helper.make_node("Cast", [names[1]], [out], to=TensorProto.FLOAT),
    ]


def body(nodes, inputs, outputs):
    values = [[helper.make_tensor_value_info(n, kind, None) for n, kind in part.items()] for part in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *values)


FLOAT, BOOL, INT = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
BRANCHES = {
    "then_branch": body([helper.make_node("MatMul", ["x", "w"], ["t"])], {}, {"t": FLOAT}),
    "else_branch": body(low("x", "e"), {}, {"e": FLOAT}),
}
LOOP = body(
    [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["b"], ["a2"]), *low("a", "b2")],
    {"i": INT, "go": BOOL, "a": FLOAT, "b": FLOAT},
    {"on": BOOL, "a2": FLOAT, "b2": FLOAT},
)
ONNX = {
    "float32": ([helper.make_node("MatMul", ["x", "w"], ["y"])], FP32),
    "a dead branch": ([*low("x", "z"), helper.make_node("MatMul", ["x", "w"], ["y"])], FP32),
    "computed low": (low("x", "y"), Computed("fp16")),
    "an exact weight": (
        [helper.make_node("Cast", ["half"], ["c"], to=FLOAT), helper.make_node("MatMul", ["x", "c"], ["y"])],
        FP32,
    ),
    "a branch": ([helper.make_node("If", ["yes"], ["y"], **BRANCHES)], Computed("fp16")),
    "the second round of a loop": (
        [helper.make_node("Loop", ["times", "", "x", "x"], ["y", "rest"], body=LOOP)],
        Computed("fp16"),
    ),
    "quantized": (
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            helper.make_node("MatMul", ["d", "w"], ["y"]),
        ],
        FP32,
    ),
    "somebody's operator": ([helper.make_node("Own", ["x"], ["y"], domain="own")], FP32),
}


@pytest.mark.parametrize("case", ONNX)
def test_an_onnx_file_tells_what_flows_into_an_output(case, tmp_path):
    from pytest_navigator.backends.onnx.watch import watched as of_file

    nodes, expected = ONNX[case]
    own = case == "somebody's operator"
    inside = [helper.make_node("Relu", ["a"], ["c"]), helper.make_node("Exp", ["c"], ["b"])]
    function = helper.make_function("own", "Own", ["a"], ["b"], inside, [helper.make_opsetid("", 17)])
    path = file_of(tmp_path / "m.onnx", nodes, {"y": FLOAT}, [function] if own else [])
    assert of_file(path) == {"y": expected}


# JAX and TensorFlow, by their traced programs


def test_jax_tells_what_flows_into_an_output():
    jax = pytest.importorskip("jax")
    from pytest_navigator.backends.jax.watch import watched as of_program

    jnp, weight, half = jax.numpy, jax.numpy.ones((4, 4)), jax.numpy.ones((4, 4), jax.numpy.bfloat16)

    def lower(x):
        return (x.astype(jnp.bfloat16) @ half).astype(jnp.float32)

    def model(x, flag):
        assert flag is True
        lower(x)
        return {
            "high": jax.nn.gelu(x @ weight),
            "low": jax.jit(lower)(x),
            "rounded": (x @ weight).astype(jnp.bfloat16),
            "scanned": jax.lax.scan(lambda c, row: (c + row, lower(row)), x[0], x)[1],
            "carried": jax.lax.scan(lambda c, row: ((c[1], lower(c[0])), row), (x[0], x[0]), x)[0][0],
            "looped": jax.lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, lower(s[1])), (0, x))[1],
            "branched": jax.lax.cond(x[0, 0] > 0, lambda a: a @ weight, lower, x),
            "exact": x @ half.astype(jnp.float32),
        }

    found = of_program(model, (np.ones((3, 4), np.float32),), {"flag": True})
    low = dict.fromkeys(("low", "scanned", "carried", "looped", "branched"), BF16)
    assert found == {"high": FP32, "rounded": Computed("fp32", "bf16"), "exact": FP32, **low}


def test_tensorflow_tells_what_flows_into_an_output(tmp_path):
    tf = pytest.importorskip("tensorflow")
    from pytest_navigator.backends.tensorflow.watch import watched as of_graph

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.half = tf.Variable(tf.ones((4, 4))), tf.Variable(tf.ones((4, 4), tf.bfloat16))

        def lower(self, x):
            return tf.cast(tf.cast(x, tf.bfloat16) @ self.half, tf.float32)

        @tf.function(input_signature=[tf.TensorSpec((None, 4))])
        def __call__(self, x):
            self.lower(x)
            return {
                "high": x @ self.weight,
                "low": tf.function(self.lower)(x),
                "rounded": tf.cast(x @ self.weight, tf.bfloat16),
                "looped": tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, self.lower(a)), (0, x))[1],
                "branched": tf.cond(x[0, 0] > 0, lambda: x @ self.weight, lambda: self.lower(x)),
                "mapped": tf.map_fn(lambda row: self.lower(row[None])[0], x),
                "exact": x @ tf.cast(self.half, tf.float32),
            }

    model = Model()
    low = dict.fromkeys(("low", "looped", "branched", "mapped"), BF16)
    expected = {"high": FP32, "rounded": Computed("fp32", "bf16"), "exact": FP32, **low}
    assert of_graph(model.__call__.get_concrete_function()) == expected
    tf.saved_model.save(model, str(tmp_path), signatures=model.__call__)
    assert of_graph(tf.saved_model.load(str(tmp_path)).signatures["serving_default"]) == expected
