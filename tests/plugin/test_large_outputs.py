"""Large outputs, which stay below the limit together with the samples, and large models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav

MIB = 2**20
OUTPUT = 3 * 100_000 * 4  # bytes that the model gives for one batch
BIG = """
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

@dataclass
class Big(Dense):
    def __call__(self, x):
        if tracemalloc.is_tracing():
            with open(Path(__file__).with_name("memory.txt"), "a") as file:
                print(tracemalloc.get_traced_memory()[0], file=file)
        return super().__call__(x)

@pytest.fixture(scope="session")
def nav_model():
    tracemalloc.start()
    yield Big(np.ones((100_000, 5), "float32"), np.ones(100_000, "float32"))
    tracemalloc.stop()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.full((3, 5), i, "float32") for i in range(30)]
"""


@pytest.fixture
def big(dense: Fake) -> pytest.Pytester:
    pytester = dense()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + BIG)
    return pytester


def source(pytester: pytest.Pytester) -> dict[str, Any]:
    (path,) = pytester.path.glob("navigator_workspace/*/.steps/source.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_outputs_count_as_samples_do_and_what_does_not_fit_is_left_out(big: pytest.Pytester, nav: Nav) -> None:
    result = nav("--nav-in-process", f"--nav-max-sample-bytes={5 * OUTPUT}", formats="fake")

    result.assert_outcomes(passed=4)
    record = source(big)
    kept = record["data"]["samples"]
    assert (kept["read"], kept["kept"], kept["left_out"]) == (30, 4, 26)
    assert kept["bytes"] == 4 * (OUTPUT + 3 * 5 * 4) <= 5 * OUTPUT
    assert "26 more would not fit into --nav-max-sample-bytes" in record["message"]
    (folder,) = big.path.glob("navigator_workspace/*/model_output")
    samples = {case["sample"] for case in record["data"]["cases"]}
    assert sorted(int(path.stem) for path in (folder / "batches").iterdir()) == sorted(samples)
    assert [path.stem for path in sorted((folder / "correctness").iterdir())] == ["0", "1", "2", "3"]
    assert samples != set(range(4)), "the choice is a random one, not the first"


def test_one_samples_outputs_are_in_memory_at_a_time(big: pytest.Pytester, nav: Nav) -> None:
    nav("--nav-in-process", "-k", "source", formats="fake").assert_outcomes(passed=1)

    sizes = [int(line) for line in (big.path / "memory.txt").read_text().split()]
    assert len(sizes) == 30 + 30 + 1
    assert max(sizes) - min(sizes) < 5 * OUTPUT


def test_the_weights_beside_a_large_onnx_model_are_a_part_of_it(
    project: Callable[..., None], nav: Nav, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_navigator.backends.onnx.file.EXTERNAL_DATA_BYTES", 0)
    project(made="torch.nn.Linear(300, 300).eval()", loader="[torch.randn(3, 300)]")

    result = nav("--nav-in-process", formats="onnx")

    result.assert_outcomes(passed=4)
    (record,) = pytester.path.glob("navigator_workspace/*/.steps/export.onnx.json")
    made = json.loads(record.read_text())
    model, weights = record.parents[1] / "onnx/model.onnx", record.parents[1] / "onnx/model.onnx.data"
    assert made["data"]["bytes"] == model.stat().st_size + weights.stat().st_size > 300 * 300 * 4
    assert made["digest"] == digest_of(model)
    weights.write_bytes(b"")
    assert made["digest"] != digest_of(model)
