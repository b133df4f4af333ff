"""`pytest-navigator merge`: the packages of several machines as one, and what must not become one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.core.plain import plain, save
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.devices import built_with as bound
from pytest_navigator.devices.built_with import BuiltWith, Library
from pytest_navigator.devices.records import Gpu
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.layout.recorded import recorded
from pytest_navigator.reporting.report import summary
from tests.package.commands import command
from tests.package.recorded import DIGEST, SIGNATURE, SOURCE, correctness, profile, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.package.query.results import Results

Part = "Callable[..., Path]"
EXPORT = Outcome("export", Status.PASSED, "onnx", digest=DIGEST, data={"opset": 18})
ON_CPU = [SOURCE, EXPORT, correctness("onnx", "OnnxCPU"), profile("onnx", "OnnxCPU", "batch1", 2.0, 500.0)]
PROVIDED = replace(SOURCE, data={**SOURCE.data, "artifacts": {"onnx": DIGEST}}, digest="a" * 64)
ON_GPU = [PROVIDED, correctness("onnx", "OnnxCUDA"), profile("onnx", "OnnxCUDA", "batch1", 0.5, 2000.0)]
"""From the package of the first one, whose onnx it did not make."""

CPU = {"cpu": {"name": "EPYC"}, "gpu": None}
GPU = {"cpu": {"name": "Xeon"}, "gpu": {"name": "H200"}}


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """Return a function that packs these outcomes; `change` is called with the suite's folder before."""
    monkeypatch.chdir(tmp_path)
    from recorded import _write_files, suite

    def build(
        name: str,
        steps: Sequence[Outcome],
        environment: dict[str, Any] = CPU,
        change: Callable[[Path], object] = lambda folder: None,
        signature: Any = SIGNATURE,
        **changes: object,
    ) -> Path:
        folder = tmp_path / f"{name}-workspace" / "linear-0a1b2c"
        save(folder / "suite.json", suite(steps, **changes))
        save(folder / "signature.json", signature)
        for number, outcome in enumerate(steps):
            save(folder / ".steps" / f"{number}.json", outcome)
        _write_files(folder)
        (folder / "onnx" / "format.log").write_text(f"on {name}\n")
        change(folder)
        return pack(folder, tmp_path / f"{name}.nav", environment=environment, git={"commit": name, "dirty": False})

    return build


def merged(path: Path) -> Results:
    with open_package(path) as package:
        package.verify()
        return recorded(package)


def machines(results: Results) -> dict[str, str]:
    return {outcome.id: outcome.data["machine"] for outcome in results.outcomes}


def array(folder: Path, name: str, **arrays: np.ndarray) -> None:
    np.savez(folder / f"{name}.npz", **arrays)


@pytest.mark.parametrize("names", [("cpu.nav", "gpu.nav"), ("gpu.nav", "cpu.nav")])
def test_two_machines_become_one_package(part: Part, tmp_path: Path, names: tuple[str, str]) -> None:
    part("cpu", ON_CPU)
    part("gpu", ON_GPU, GPU, provided=("onnx",))

    ran = command("merge", *names, "-o", "all.nav")

    assert (ran.code, ran.err) == (0, "")
    results = merged(tmp_path / "all.nav")
    assert machines(results) == {
        "source": "cpu",
        "export.onnx": "cpu",
        "correctness.onnx.OnnxCPU": "cpu",
        "profile.onnx.OnnxCPU.batch1": "cpu",
        "correctness.onnx.OnnxCUDA": "gpu",
        "profile.onnx.OnnxCUDA.batch1": "gpu",
    }
    assert results.suite.provided == results.missing == ()
    assert {name: record["environment"] for name, record in results.machines.items()} == {"cpu": CPU, "gpu": GPU}
    assert results.machines["gpu"]["git"]["commit"] == "gpu"
    assert [outcome.id for outcome in results.others] == ["source"]
    assert ran.out.splitlines() == [*summary(results), "package: all.nav"]
    assert "machine: gpu (H200): 2 steps, and 0" not in ran.out


def test_each_machine_keeps_its_logs(part: Part, tmp_path: Path) -> None:
    command("merge", part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",)), "-o", "all.nav")

    with open_package(tmp_path / "all.nav") as package:
        assert package.read("onnx/format.log") == b"on cpu\n"
        assert package.read("machines/gpu/onnx/format.log") == b"on gpu\n"
        assert {f"machines/{name}/navigator.log" for name in ("cpu", "gpu")} <= package.files().keys()
        assert "machines/gpu/torchscript-trace/format.log" not in package.files()  # the same there


def test_a_merged_package_is_merged_again(part: Part, tmp_path: Path) -> None:
    more = [SOURCE, Outcome("export", Status.PASSED, "torchscript-trace", digest="e" * 64)]
    command("merge", part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",)), "-o", "all.nav")

    assert command("merge", "all.nav", part("more", more), "-o", "three.nav").code == 0

    results = merged(tmp_path / "three.nav")
    assert list(results.machines) == ["cpu", "gpu", "more"]
    assert machines(results)["export.torchscript-trace"] == "more"
    assert [outcome.data["machine"] for outcome in results.others] == ["more", "gpu"]


def test_machines_of_one_name_are_told_apart(part: Part, tmp_path: Path) -> None:
    first = part("out", ON_CPU)
    first.rename(tmp_path / "first.nav")
    (tmp_path / "second").mkdir()
    part("out2", ON_GPU, GPU, provided=("onnx",)).rename(tmp_path / "second" / "first.nav")

    command("merge", "first.nav", "second/first.nav", "-o", "all.nav")

    assert set(machines(merged(tmp_path / "all.nav")).values()) == {"first", "first-2"}


def test_the_same_packages_merge_to_the_same_bytes(part: Part, tmp_path: Path) -> None:
    packages = part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",))
    for name in ("first", "second"):
        command("merge", *packages, "-o", f"{name}.nav")

    assert (tmp_path / "first.nav").read_bytes() == (tmp_path / "second.nav").read_bytes()


def test_what_one_machine_skipped_is_the_outcome_of_the_other(part: Part, tmp_path: Path) -> None:
    skipped = Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCUDA", requirement="no CUDA device")

    assert (
        command("merge", part("cpu", [*ON_CPU, skipped]), part("gpu", [*ON_CPU, ON_GPU[1]]), "-o", "all.nav").code == 0
    )

    assert machines(merged(tmp_path / "all.nav"))["correctness.onnx.OnnxCUDA"] == "gpu"


def test_a_step_with_two_outcomes_is_a_conflict_and_nothing_is_written(part: Part, tmp_path: Path) -> None:
    failed = correctness("onnx", "OnnxCPU", 0.2, Status.FAILED, message="output__0: max abs 0.2")
    packages = part("cpu", ON_CPU), part("arm", [*ON_CPU[:2], failed, ON_CPU[3]])

    ran = command("merge", *packages, "-o", "all.nav")

    line = "conflict: correctness.onnx.OnnxCPU: failed on arm (output__0: max abs 0.2), passed on cpu"
    assert (ran.code, ran.out.splitlines()[0]) == (1, line)
    assert not (tmp_path / "all.nav").exists()

    kept = command("merge", *packages, "-o", "all.nav", "--keep-conflicts")
    assert kept.code == 1
    assert line in kept.out.splitlines()
    results = merged(tmp_path / "all.nav")
    assert machines(results)["correctness.onnx.OnnxCPU"] == "arm"
    assert {(o.id, o.status) for o in results.others if o.step == "correctness"} == {
        ("correctness.onnx.OnnxCPU", Status.PASSED)
    }


def another(folder: Path) -> None:
    (folder / "onnx" / "model.onnx").write_bytes(b"another")
    (folder / "onnx" / "model.onnx.data").write_bytes(b"its weights")


MADE_ELSE = replace(EXPORT, digest="b" * 64)
CHECKED_ELSE = replace(ON_CPU[2], digest="b" * 64)
WRONG_ELSE = replace(correctness("onnx", "OnnxCUDA", 0.2, Status.FAILED), digest="b" * 64)


@pytest.mark.parametrize(
    ("first", "second"),
    [(ON_CPU[:2], [SOURCE, MADE_ELSE]), (ON_CPU, [SOURCE, MADE_ELSE, WRONG_ELSE])],
    ids=["none was checked", "one is wrong elsewhere"],
)
def test_two_files_of_one_format_are_a_conflict(
    part: Part, tmp_path: Path, first: Sequence[Outcome], second: Sequence[Outcome]
) -> None:
    packages = part("cpu", first), part("other", second, change=another)

    ran = command("merge", *packages, "-o", "all.nav", "--keep-conflicts")

    assert "conflict: onnx: cpu and other made different files" in ran.out
    assert ran.code == 1
    with open_package(tmp_path / "all.nav") as package:
        assert package.files()["onnx/model.onnx"] == DIGEST
        assert "onnx/model.onnx.data" not in package.files()
    assert machines(merged(tmp_path / "all.nav"))["export.onnx"] == "cpu"


@pytest.mark.parametrize(
    ("first", "second", "taken", "why"),
    [
        (ON_CPU, [SOURCE, MADE_ELSE, CHECKED_ELSE], "cpu", "both were checked and are right"),
        (ON_CPU[:2], [SOURCE, MADE_ELSE, CHECKED_ELSE], "other", "cpu did not check its own"),
    ],
)
def test_of_two_files_one_that_was_checked_is_taken(
    part: Part, tmp_path: Path, first: Sequence[Outcome], second: Sequence[Outcome], taken: str, why: str
) -> None:
    packages = part("cpu", first), part("other", second, change=another)

    ran = command("merge", *packages, "-o", "all.nav")

    left = "other" if taken == "cpu" else "cpu"
    assert ran.code == 0
    note = f"note: onnx: {taken} and {left} made different files: {taken}'s is taken, {why}"
    assert note in ran.out.splitlines()
    with open_package(tmp_path / "all.nav") as package:
        assert (package.read("onnx/model.onnx") == b"another") == (taken == "other")
    assert {
        machines(merged(tmp_path / "all.nav"))[f"{s}.onnx{r}"] for s, r in (("export", ""), ("correctness", ".OnnxCPU"))
    } == {taken}


def test_what_was_compared_with_the_file_that_is_not_taken_is_missing(part: Part, tmp_path: Path) -> None:
    elsewhere = replace(correctness("onnx", "OnnxCUDA"), digest="b" * 64)
    packages = part("cpu", ON_CPU), part("other", [SOURCE, MADE_ELSE, elsewhere], change=another)

    assert command("merge", *packages, "-o", "all.nav").code == 0

    results = merged(tmp_path / "all.nav")
    assert results.correctness("onnx", "OnnxCUDA") is None
    assert ("correctness.onnx.OnnxCUDA", "other") in {(o.id, o.data["machine"]) for o in results.others}


def test_a_verification_that_came_with_the_package_is_its_own_again(part: Part, tmp_path: Path) -> None:
    own = verify("onnx", "OnnxCPU")
    carried = replace(own, data={**own.data, "carried": "cpu.nav"})

    command(
        "merge", part("cpu", [*ON_CPU, own]), part("gpu", [*ON_GPU, carried], GPU, provided=("onnx",)), "-o", "all.nav"
    )

    results = merged(tmp_path / "all.nav")
    assert results.verified("onnx", "OnnxCPU")
    assert ["carried" in o.data for o in results.outcomes if o.step == "verify"] == [False]


OTHER_FINGERPRINT = replace(SOURCE, data={**SOURCE.data, "fingerprint": "0" * 64})
OTHER_SIGNATURE = replace(SIGNATURE, inputs=(replace(SIGNATURE.inputs[0], shape=(-1, 6)),))
ONES = np.ones((3, 7), np.float32)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"steps": [OTHER_FINGERPRINT]}, r"the model has other parameters (fingerprint ffffffffffff and 000000000000)"),
        (
            {"signature": OTHER_SIGNATURE},
            "the signature differs: input__0 float32[-1, 5], output__0 float32[-1, 7] and",
        ),
        ({"settings": {"atol": {"value": 1.0, "origin": "flag"}}}, "atol was None and 1.0"),
        ({"steps": [replace(SOURCE, status=Status.FAILED)]}, "the source step of linear did not pass"),
        (
            {"change": lambda f: array(f / "model_input" / "batches", "0", input__0=np.zeros((3, 5), np.float32))},
            "the samples differ: model_input/batches/0.npz",
        ),
        (
            {"change": lambda f: array(f / "model_input" / "batches", "1", input__0=np.zeros((3, 5), np.float32))},
            "the samples differ: only one of them has model_input/batches/1.npz",
        ),
        (
            {"change": lambda f: array(f / "model_output" / "batches", "0", output__0=ONES)},
            "the recorded outputs differ: output__0: max abs 19",
        ),
        ({"change": lambda f: (f / "model_output" / "batches" / "0.npz").write_text("x")}, "is no file of arrays"),
    ],
    ids=["fingerprint", "signature", "tolerance", "source", "sample", "sample count", "output", "damaged"],
)
def test_packages_of_different_models_are_refused(
    part: Part, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    defaults = {"sample_count": {"value": 100, "origin": "default"}}
    settings = {"keep": {"value": "all", "origin": "default"}, **defaults}
    part("cpu", ON_CPU, settings=settings)
    part("other", **{"steps": ON_CPU, "settings": settings, **changes})

    ran = command("merge", "cpu.nav", "other.nav", "-o", "all.nav")

    assert ran.code == 2
    assert problem in ran.err
    assert not (tmp_path / "all.nav").exists()


def test_outputs_that_differ_in_their_last_bits_are_the_same(part: Part) -> None:
    def rounded(folder: Path) -> None:
        with np.load(folder / "model_output" / "batches" / "0.npz") as before:
            array(folder / "model_output" / "batches", "0", output__0=np.nextafter(before["output__0"], np.float32(99)))

    assert command("merge", part("cpu", ON_CPU), part("arm", ON_CPU, change=rounded), "-o", "all.nav").code == 0


def test_packages_without_samples_need_the_same_observation(part: Part, tmp_path: Path) -> None:
    none = {"save_data": "none"}
    for name, observed in (("first", "x"), ("second", "x"), ("third", "y")):
        steps = [replace(SOURCE, data={**SOURCE.data, "observed": observed}), *ON_CPU[1:]]
        part(name, steps)
        folder = tmp_path / f"{name}-workspace" / "linear-0a1b2c"
        pack(folder, tmp_path / f"{name}.nav", environment=CPU, **none)

    assert command("merge", "first.nav", "second.nav", "-o", "all.nav").code == 0
    refused = command("merge", "first.nav", "third.nav", "-o", "none.nav")
    assert "first.nav holds no samples (--nav-save-data=none): nothing tells" in refused.err


def test_speed_ups_compare_figures_of_one_machine(part: Part, tmp_path: Path) -> None:
    live = [correctness("torch", "TorchCPU"), profile("torch", "TorchCPU", "batch1", 4.0, 250.0)]
    script = [Outcome("export", Status.PASSED, "torchscript-trace", digest="e" * 64)]
    script += [correctness("torchscript-trace", "TorchScriptCPU")]
    script += [profile("torchscript-trace", "TorchScriptCPU", "batch1", 2.0, 500.0)]

    command("merge", part("cpu", [*ON_CPU, *live]), part("fast", [SOURCE, *script]), "-o", "all.nav")

    rows = {line.split()[0]: line.split()[-2] for line in summary(merged(tmp_path / "all.nav")) if "CPU" in line}
    assert (rows["onnx"], rows["torchscript-trace"]) == ("2.00x", "-")


def test_one_package_is_not_merged_and_nothing_is_replaced(part: Part, tmp_path: Path) -> None:
    packages = part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",))
    assert "name at least two" in command("merge", "cpu.nav", "-o", "all.nav").err

    before = (tmp_path / "cpu.nav").read_bytes()
    assert "cpu.nav exists; nothing was written" in command("merge", *packages, "-o", "cpu.nav").err
    assert (tmp_path / "cpu.nav").read_bytes() == before
    assert command("merge", *packages, "-o", "cpu.nav", "--force").code == 0
    assert set(merged(tmp_path / "cpu.nav").machines) == {"cpu", "gpu"}


def test_a_damaged_package_is_not_merged(part: Part, tmp_path: Path) -> None:
    packages = part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",))
    content = bytearray(packages[0].read_bytes())
    content[content.index(b"an onnx model")] ^= 1
    packages[0].write_bytes(content)

    assert "onnx/model.onnx is damaged" in command("merge", *packages, "-o", "all.nav").err
    assert not (tmp_path / "all.nav").exists()


KILLED = """
import os, signal, sys
from pytest_navigator.cli import main
from pytest_navigator.package.zip import archive
archive.os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
main(["merge", *sys.argv[1:]])
"""


def test_a_kill_in_the_middle_of_a_merge_leaves_the_old_package(part: Part, tmp_path: Path) -> None:
    packages = part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",))
    before = (tmp_path / "cpu.nav").read_bytes()

    done = subprocess.run(
        [sys.executable, "-c", KILLED, *packages, "-o", "cpu.nav", "--force"], check=False, timeout=60
    )

    assert done.returncode == -9
    assert (tmp_path / "cpu.nav").read_bytes() == before


def test_two_processes_may_merge_to_one_path(part: Part, tmp_path: Path) -> None:
    packages = part("cpu", ON_CPU), part("gpu", ON_GPU, GPU, provided=("onnx",))
    arguments = [sys.executable, "-m", "pytest_navigator", "merge", *packages, "-o", "all.nav"]

    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1].decode() for process in running]

    # Who comes second replaces nothing.
    assert sorted(process.returncode for process in running) == [0, 2]
    assert ["exists" in error for error in sorted(errors)] == [False, True]
    assert set(merged(tmp_path / "all.nav").machines) == {"cpu", "gpu"}
    assert not list(tmp_path.glob(".all.nav*"))


def engine(part: Part, name: str, gpu: str, capability: str, content: bytes) -> Path:
    """Pack a model whose onnx stands for an engine that this machine has built."""
    built = BuiltWith(gpu, capability, "570.1", "12.8", Library("ONNX Runtime", "1.0"), (capability,))
    digest = hashlib.sha256(content).hexdigest()
    steps = [
        SOURCE,
        replace(EXPORT, digest=digest, data={"built_with": plain(built)}),
        replace(ON_CPU[2], digest=digest),
    ]

    def write(folder: Path) -> None:
        (folder / "onnx" / "model.onnx").write_bytes(content)

    return part(name, steps, {"cpu": {"name": "EPYC"}, "gpu": {"name": gpu}}, change=write)


@pytest.mark.parametrize(("here", "expected"), [("9.0", b"hopper"), ("8.0", b"ampere")])
def test_engines_of_two_gpus_are_both_kept_and_each_machine_gets_its_own(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, expected: bytes
) -> None:
    packages = (
        engine(part, "h200", "NVIDIA H200", "9.0", b"hopper"),
        engine(part, "a100", "NVIDIA A100", "8.0", b"ampere"),
    )

    ran = command("merge", *packages, "-o", "all.nav")

    assert (ran.code, ran.err) == (0, "")
    with open_package(tmp_path / "all.nav") as package:
        package.verify()
        assert package.read("onnx/model.onnx") == b"hopper"
        assert package.read("machines/a100/onnx/model.onnx") == b"ampere"
    monkeypatch.setattr(OnnxFormat, "bound", True)
    monkeypatch.setattr(OnnxFormat, "built_by", lambda self, parameters: Library("ONNX Runtime", "1.0"))
    monkeypatch.setattr(bound, "own_gpu", lambda: Gpu("this one", 1, here))
    with nav.load(tmp_path / "all.nav") as loaded:
        assert loaded.get_path("onnx").read_bytes() == expected


def test_a_gpu_of_which_there_is_no_engine_is_told_what_there_is(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = (
        engine(part, "h200", "NVIDIA H200", "9.0", b"hopper"),
        engine(part, "a100", "NVIDIA A100", "8.0", b"ampere"),
    )
    command("merge", *packages, "-o", "all.nav")
    monkeypatch.setattr(OnnxFormat, "bound", True)
    monkeypatch.setattr(OnnxFormat, "built_by", lambda self, parameters: Library("ONNX Runtime", "1.0"))
    monkeypatch.setattr(bound, "own_gpu", lambda: None)

    with nav.load(tmp_path / "all.nav") as loaded, pytest.raises(PackageError) as caught:
        loaded.get_runner("onnx", runtime="cpu")

    text = "onnx cannot run on OnnxCPU here: built with NVIDIA H200 (sm_90), ONNX Runtime 1.0; found no CUDA device"
    assert str(caught.value) == text
