"""A JAX model from end to end: flax variables, two inputs, two dynamic axes, every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

for package in ("jax", "flax", "jax2onnx", "tensorflow"):
    pytest.importorskip(package)

if TYPE_CHECKING:
    from blackbox import Nav

MODEL = """
import jax
import jax.numpy as jnp
from flax import linen


class Tagger(linen.Module):
    @linen.compact
    def __call__(self, input_ids, mask):
        hidden = linen.Embed(30, 8)(input_ids) * mask[..., None]
        hidden = linen.LayerNorm()(linen.gelu(linen.Dense(8)(hidden)))
        return {"tags": linen.Dense(4)(hidden), "pooled": hidden.sum(1)}


def build():
    module = Tagger()
    ids = jnp.zeros((1, 3), jnp.int32)
    return module, module.init(jax.random.key(0), ids, jnp.ones((1, 3)))
"""

CONFTEST = """
import os

import numpy as np
import pytest
from flax import linen
from pytest_navigator import NavConfig, OnnxConfig, StableHLOConfig, TensorFlowSavedModelConfig

nav_config = NavConfig(
    name="tagger",
    formats=["stablehlo", "onnx", TensorFlowSavedModelConfig(enable_xla=(None, True))],
    profile_seconds=0.2,
    batch_sizes=[2],
)

@pytest.fixture(scope="session")
def nav_model():
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    from model import build
    return build()

@pytest.fixture(scope="session")
def nav_dataloader():
    shapes = [(1, 3), (4, 7), (2, 5)]
    return [{"input_ids": np.random.randint(0, 30, s), "mask": np.ones(s, "float32")} for s in shapes]

def verify_tags(nav_runner, nav_source_runner):
    import jax
    sample = {"input_ids": np.arange(12).reshape(3, 4), "mask": np.ones((3, 4), "float32")}
    found, expected = nav_runner(**sample), nav_source_runner(**sample)
    assert set(found) == {"tags", "pooled"} and isinstance(found["tags"], jax.Array)
    assert np.array_equal(found["tags"].argmax(-1), expected["tags"].argmax(-1))
"""


@pytest.mark.slow
def test_a_flax_model_runs_through_every_format(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(model=MODEL)
    pytester.makeconftest(CONFTEST)

    result = nav("--nav-package=out.nav", formats="", profile=True, subprocess=True)

    assert result.ret == 0
    package = status(pytester.path / "out.nav")
    steps = package["pytest_navigator"]["steps"]
    runners = ["jax.JAX", "stablehlo.StableHLOCPU", "onnx.OnnxCPU", "tf-savedmodel.TensorFlowSavedModelCPU"]
    assert {name for name, step in steps.items() if step["status"] == "passed" and step["step"] != "verify"} == {
        "source",
        *(f"export.{name}" for name in ("stablehlo", "onnx", "tf-savedmodel")),
        *(f"correctness.{runner}" for runner in runners),
        *(f"profile.{runner}.batch2" for runner in runners),
    }
    result.assert_outcomes(passed=1 + 3 + 4 + 4 + 3, skipped=4)
    result.stdout.fnmatch_lines(["tagger (jax)"])
    assert "ignores enable_xla=True" in steps["export.tf-savedmodel-xla"]["message"]
    assert steps["export.onnx"]["data"]["route"].startswith("jax2onnx, which is installed")
    assert package["config"]["framework"] == "jax"
    inputs = {spec["name"]: (spec["shape"], spec["dtype"]) for spec in package["input_metadata"]["metadata"]}
    assert inputs == {"input_ids": ([-1, -1], "int64"), "mask": ([-1, -1], "float32")}


def test_a_model_that_looks_at_values_leaves_no_red_item_that_nobody_asked_for(
    pytester: pytest.Pytester, nav: Nav
) -> None:
    pytester.makeconftest("""
        import jax.numpy as jnp, numpy as np, pytest

        @pytest.fixture(scope="session")
        def nav_model():
            return lambda x: jnp.abs(x) if x.sum() > 0 else jnp.asarray(x) - 1

        @pytest.fixture(scope="session")
        def nav_dataloader():
            return [np.ones((2, 3), "float32"), -np.ones((1, 3), "float32")]
    """)
    result = nav("-v", "--nav-runtimes=cpu,jit-cpu", "-k", "not onnx and not savedmodel", formats="", subprocess=True)
    found = words(result)
    assert found["test_source"] == found["test_correctness[jax-cpu]"] == "PASSED"
    assert found["test_correctness[jax-jit-cpu]"] == "SKIPPED"
    assert found["test_export[stablehlo]"] == "XFAIL"
    result.stdout.fnmatch_lines(["*the model branches on the values of an array*"])
    assert result.ret == 0
