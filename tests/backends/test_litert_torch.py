"""LiteRT from PyTorch: what is left out by module path, what comes back, what is refused; in one process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.other_pythons import of_litert

pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

CASES = Path(__file__).with_name("litert_torch_cases.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is said of each case."""
    folder = tmp_path_factory.mktemp("cases")
    python = of_litert(tmp_path_factory.mktemp("python") / "venv")
    environment = {**os.environ, "PYTHONPATH": str(CASES.parents[2])}
    command = [str(python), str(CASES), str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_an_output_that_is_an_input_comes_back_as_what_was_given(found: dict[str, Any]) -> None:
    assert (found["mlp"]["quantized"]["quantized"], found["mlp"]["quantized"]["total"]) == (2, 2)
    assert (found["mlp"]["same"], found["mlp"]["off"]) == pytest.approx((0, 0), abs=0.02)
    assert found["mlp"]["dtype"] == "float32"


@pytest.mark.parametrize("layer", ["first", "last"])
def test_fused_layers_and_those_that_write_outputs_are_left_out_by_module_path(
    found: dict[str, Any], layer: str
) -> None:
    quantized = found[f"without the {layer} layer"]["quantized"]
    assert (quantized["quantized"], quantized["total"]) == (1, 2)


def test_an_exclusion_of_no_layer_has_the_nearest_name(found: dict[str, Any]) -> None:
    assert "did you mean 'first'?" in found["without no layer"]["error"]


def test_an_operator_that_litert_torch_has_not_is_named_with_its_module_and_line(found: dict[str, Any]) -> None:
    said = "no operator of LiteRT for aten._linalg_svd.default (in inner.0, at litert_torch_cases.py:"
    assert said in found["unsupported"]["error"]
    assert "torch.linalg.svdvals" in found["unsupported"]["error"]
