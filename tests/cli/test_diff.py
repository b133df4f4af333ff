"""`pytest-navigator diff`: what one package has otherwise than another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.core.plain import save
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.judged_gates import baseline_rows
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.sides import side_of
from tests.package.commands import command
from tests.package.recorded import SIGNATURE, correctness, outcomes, profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MADE = {"environment": {"gpu": None, "python_packages": {"torch": "2.12.0", "numpy": "2.0"}}}
LATER = {"environment": {"gpu": {"name": "H200"}, "python_packages": {"torch": "2.13.0", "numpy": "2.0"}}}


@pytest.fixture
def packages(workspace: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """Two packages that differ in a little of everything."""
    folder = workspace()
    before = pack(folder, tmp_path / "before.nav", **MADE)
    changed = {
        "export.torchscript-script": Outcome("export", Status.PASSED, "torchscript-script", digest="d" * 64),
        "correctness.torchscript-trace.TorchScriptCPU": correctness(
            "torchscript-trace", "TorchScriptCPU", 1.0, Status.FAILED, message="output__0: max abs 1"
        ),
        "correctness.onnx.OnnxCPU": correctness("onnx", "OnnxCPU", 0.3, Status.PASSED),
        "profile.torch.TorchCPU.batch1": profile("torch", "TorchCPU", "batch1", 1.5, 660.0),
        "profile.torchscript-trace.TorchScriptCPU.batch1": profile(
            "torchscript-trace", "TorchScriptCPU", "batch1", 2.1, 480.0
        ),
    }
    source = outcomes()[0]
    changed["source"] = replace(source, data={**source.data, "fingerprint": "0" * 64})
    for number, outcome in enumerate(outcomes()):
        save(folder / ".steps" / f"{outcome.id}.{number}.json", changed.get(outcome.id, outcome))
    (folder / "onnx" / "model.onnx").write_bytes(bytes(650))
    save(folder / "signature.json", replace(SIGNATURE, outputs=(replace(SIGNATURE.outputs[0], dtype="float16"),)))
    return before, pack(folder, tmp_path / "after.nav", **LATER)


def test_every_difference_is_a_line(packages: tuple[Path, Path]) -> None:
    found = command("diff", *packages)

    assert found.code == 1
    assert found.out.splitlines() == [
        f"model: fingerprint: {'f' * 64} -> {'0' * 64}",
        "signature: output output__0: float32[-1, 7] -> float16[-1, 7]",
        "coverage: torchscript-script: xfailed -> passed (better)",
        "latency: torch-cpu batch1: 1 ms -> 1.5 ms (+50 %; not judged: figures of two runs)",
        "coverage: torchscript-trace-cpu: passed -> failed (output__0: max abs 1)",
        "coverage: onnx-cpu: failed -> passed (better)",
        "size: onnx: 1300 B -> 650 B (-50 %; better)",
        "environment: python_packages.torch: 2.12.0 -> 2.13.0",
        "environment: gpu.name: - -> H200",
    ]


def test_a_package_does_not_differ_from_itself(packages: tuple[Path, Path]) -> None:
    same = command("diff", packages[0], packages[0])

    assert (same.code, same.out) == (0, "no difference\n")
    assert json.loads(command("diff", packages[0], packages[0], "--json").out) == []


def test_the_differences_as_json(packages: tuple[Path, Path]) -> None:
    found = command("diff", *packages, "--json")

    assert found.code == 1
    size = {"topic": "size", "subject": "onnx", "before": 1300, "after": 650, "verdict": "better", "reason": ""}
    assert size in json.loads(found.out)


def test_a_topic_is_left_out_and_the_latency_threshold_is_chosen(packages: tuple[Path, Path]) -> None:
    topics = ("model", "signature", "coverage", "size", "environment")
    others = [f"--ignore={topic}" for topic in topics]

    assert command("diff", *packages, *others, "--latency=0.5").out == "no difference\n"
    exact = command("diff", *packages, *others, "--latency=0").out.splitlines()
    assert exact[1].startswith("latency: torchscript-trace-cpu batch1: 2 ms -> 2.1 ms (+5 %; not judged")


@pytest.mark.parametrize(
    "arguments", [["--latency=-1"], ["--latency=nan"], ["--latency=x"], ["--ignore=sizes"], ["--max-growth=10"]]
)
def test_a_wrong_option_is_an_error(packages: tuple[Path, Path], arguments: list[str]) -> None:
    assert command("diff", *packages, *arguments).code == 2


@pytest.fixture
def computing(workspace: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write a package of one model with other recorded outputs, and other inputs of one of the samples."""

    folder = workspace()

    def write(name: str, outputs: np.ndarray, inputs: float = 0.0) -> Path:
        np.savez(folder / "model_output" / "batches" / "0.npz", output__0=outputs)
        np.savez(folder / "model_input" / "batches" / "0.npz", input__0=np.full((3, 5), inputs, np.float32))
        return pack(folder, tmp_path / f"{name}.nav", **MADE)

    return write


ONES = np.ones((3, 7), np.float32)


def test_one_set_of_weights_that_computes_something_else_is_another_model(computing: Callable[..., Path]) -> None:
    before, after = computing("before", ONES), computing("after", ONES * 1.5)

    found = command("diff", before, after)

    assert (found.code, found.out) == (1, "model: outputs (output__0 max abs 0.5)\n")
    (plain,) = json.loads(command("diff", before, after, "--json").out)
    assert (plain["subject"], plain["before"], plain["after"]) == ("outputs", None, {"output__0": 0.5})
    assert command("diff", before, after, "--ignore=model").code == 0


@pytest.mark.parametrize("other", [ONES[:2], ONES.astype(np.float64)], ids=["shape", "type"])
def test_outputs_of_another_shape_or_type_have_no_distance(computing: Callable[..., Path], other: np.ndarray) -> None:
    found = command("diff", computing("before", ONES), computing("after", other))

    assert (found.code, found.out) == (1, "model: outputs (output__0 of another shape or type)\n")


def test_the_last_bits_of_outputs_are_no_difference(computing: Callable[..., Path]) -> None:
    found = command("diff", computing("before", ONES), computing("after", ONES * np.float32(1 + 1e-6)))

    assert (found.code, found.out) == (0, "no difference\n")


def test_outputs_on_other_samples_are_not_compared(computing: Callable[..., Path]) -> None:
    assert command("diff", computing("before", ONES), computing("after", ONES * 2, inputs=1.0)).code == 0


@pytest.fixture
def timed(workspace: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write a package of the same model with one other latency."""

    folder = workspace()

    def write(name: str, p50: float, **more: object) -> Path:
        for number, outcome in enumerate(outcomes()):
            if outcome.id == "profile.torch.TorchCPU.batch1":
                found = profile("torch", "TorchCPU", "batch1", p50, 1000 / p50)
                outcome = replace(found, data={"result": {**found.data["result"], **more}})
            save(folder / ".steps" / f"{outcome.id}.{number}.json", outcome)
        return pack(folder, tmp_path / f"{name}.nav", **MADE)

    return write


DISTURBED = ({"stability": "unstable"}, {"stability": "short"}, {"contention": 0.9})


@pytest.mark.parametrize("more", DISTURBED, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_a_disturbed_latency_says_so(timed: Callable[..., Path], more: dict[str, object], turned: bool) -> None:
    quiet, noisy = timed("quiet", 1.0), timed("noisy", 1235.12, **more)

    found = command("diff", *((noisy, quiet) if turned else (quiet, noisy)))

    change = "1235 ms -> 1 ms" if turned else "1 ms -> 1235 ms"
    assert found.out.startswith(f"latency: torch-cpu batch1: {change} (")
    assert ("not judged: disturbed: " in found.out) == (more != {"stability": "short"})
    assert "not judged: " in found.out
    assert found.code == 0


def test_latencies_of_two_runs_are_shown_and_never_judged(timed: Callable[..., Path]) -> None:
    slow, fast = timed("slow", 2.0), timed("fast", 1.0)

    for pair in ((fast, slow), (slow, fast)):
        found = command("diff", *pair)
        assert (found.code, "not judged" in found.out) == (0, True)


def test_that_no_speed_was_judged_is_said_of_artifacts_that_differ(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    folder = workspace()
    before = pack(folder, tmp_path / "before.nav", **MADE)
    for number, outcome in enumerate(outcomes()):
        other = replace(outcome, digest="d" * 64) if outcome.id == "export.torchscript-trace" else outcome
        save(folder / ".steps" / f"{outcome.id}.{number}.json", other)
    after = pack(folder, tmp_path / "after.nav", **MADE)

    found = command("diff", before, after)

    said = "speed: torchscript-trace-cpu (not judged: both artifacts have to run for it: pytest --nav-baseline)\n"
    assert (found.code, found.out) == (0, said)
    assert command("diff", before, after, "--ignore=speed").out == "no difference\n"
    with open_package(before) as old, open_package(after) as new:
        assert [row.topic for row in baseline_rows(side_of(old), side_of(new), None)] == ["speed"]  # as `judge` says it


def test_an_artifact_may_grow_by_what_is_allowed(packages: tuple[Path, Path]) -> None:
    after, before = packages
    others = [f"--ignore={topic}" for topic in ("model", "signature", "coverage", "environment")]

    assert "not judged: no limit" in command("diff", before, after, *others).out
    assert command("diff", before, after, *others, "--max-growth=100%").code == 0
    grown = command("diff", before, after, *others, "--max-growth=99%")
    assert (grown.code, grown.out.splitlines()[-1]) == (1, "size: onnx: 650 B -> 1300 B (+100 %; 99 % are allowed)")
