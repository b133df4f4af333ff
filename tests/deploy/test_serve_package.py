"""`pytest-navigator serve`: a package over HTTP, asked by plain requests, by curl and by Triton's own client."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.cli import main
from tests.deploy.asking import Client, ServerError
from tests.deploy.recorded_samples import assert_answered, samples
from tests.deploy.serving import Server, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

SERVE = ("-m", "pytest_navigator", "serve")
ONE_ROW = {"tokens": np.ones((1, 5, 4), np.float32)}


@pytest.fixture(scope="module")
def states(served: Path) -> Iterator[Server]:
    with serving(*SERVE, str(served / "states.nav"), "--port=0", "--format=onnx", "--workers=2") as server:
        yield server


@pytest.fixture(scope="module")
def triton(triton_python: Path, states: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    # It asks the address of gRPC for nothing.
    with Client(triton_python, tmp_path_factory.mktemp("arrays"), states.host, states.host) as client:
        yield client


def as_triton_has_it(answer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return outputs with an axis of one in the place of a number a row, which `assert_answered` expects."""
    return {name: array[:, None] if array.ndim == 1 else array for name, array in answer.items()}


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_answers_are_what_the_package_recorded(states: Server, served: Path, tmp_path: Path, binary: bool) -> None:
    for sample in samples(served / "states.nav", tmp_path):
        answer = as_triton_has_it(
            states.infer("states", sample.inputs, binary=binary, parameters={"binary_data_output": binary})
        )
        assert_answered(served / "states.nav", "onnx", "OnnxCPU", sample, answer)


def test_tritons_client_gets_what_the_package_recorded(triton: Client, served: Path, tmp_path: Path) -> None:
    before = triton.statistics("states")["inference_stats"]["success"]["count"]
    recorded = samples(served / "states.nav", tmp_path)

    answers = [*triton.infer_many("states", [sample.inputs for sample in recorded])]
    answers += [triton.infer("states", sample.inputs, version="1") for sample in recorded]

    for sample, answer in zip(recorded * 2, answers, strict=True):
        assert_answered(served / "states.nav", "onnx", "OnnxCPU", sample, as_triton_has_it(answer))
    assert triton.statistics("states")["inference_stats"]["success"]["count"] == before + len(answers)


def test_tritons_client_reads_the_metadata(triton: Client) -> None:
    found = triton.ask("metadata", model="states", version="")

    assert (found["name"], found["versions"], found["platform"]) == ("states", ["1"], "onnx/OnnxCPU")
    assert found["inputs"] == [{"name": "tokens", "datatype": "FP32", "shape": [-1, -1, 4]}]
    assert [output["shape"] for output in found["outputs"]] == [[-1, -1, 3], [-1]]


@pytest.mark.parametrize(
    ("model", "arrays", "version", "said"),
    [
        ("states", {"tokens": np.ones((1, 5, 3), np.float32)}, "", "the model takes (-1, -1, 4)"),
        ("states", {"tokens": np.ones((1, 5, 4))}, "", "is FP64, FP32 is needed"),
        ("states", {"token": np.ones(1)}, "", "unknown input 'token'; did you mean 'tokens'?"),
        ("state", ONE_ROW, "", "there is no model 'state' here, but 'states'"),
        ("states", ONE_ROW, "2", "'states' has no version '2'"),
    ],
)
def test_tritons_client_shows_what_is_wrong(
    triton: Client, model: str, arrays: dict[str, np.ndarray], version: str, said: str
) -> None:
    with pytest.raises(ServerError) as raised:
        triton.infer(model, arrays, version=version)

    assert said in str(raised.value)
    assert triton.infer("states", ONE_ROW)["states"].shape == (1, 5, 3)


def test_the_line_of_curl_that_it_prints_asks_it(states: Server) -> None:
    line = states.process.stdout.readline()
    ran = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, check=True)

    assert [(output["name"], output["shape"]) for output in json.loads(ran.stdout)["outputs"]] == [
        ("states", [1, 5, 3]),
        ("score", [1]),
    ]
    assert states.said[0].startswith("states: onnx on OnnxCPU, p50 ")
    assert states.said[0].endswith(" from the source\n")
    assert ", 2 workers, requests joined up to 4 rows; for example:" in states.said[1]


def test_a_model_without_a_batch_axis_is_asked_one_by_one(served: Path, tmp_path: Path) -> None:
    with serving(*SERVE, str(served / "points.nav"), "--port=0", "--name=p", "--max-batch-size=8") as server:
        assert "/v2/models/p, 1 worker, requests one by one; for example:" in server.said[-1]
        for sample in samples(served / "points.nav", tmp_path):
            for binary in (False, True):
                answer = server.infer("p", sample.inputs, binary=binary)
                np.testing.assert_allclose(answer["scaled"], sample.outputs["scaled"], rtol=1e-6)
                assert answer["largest"].shape == ()
                assert answer["largest"] == sample.outputs["largest"]


def test_text_is_served_as_json_as_binary_data_and_to_tritons_client(
    served: Path, triton_python: Path, tmp_path: Path
) -> None:
    given = {"first": np.array(["Zoë ", ""]), "last": np.array(["Å", "Lee"])}
    with serving(*SERVE, str(served / "names.nav"), "--port=0") as server:
        answers = [server.infer("names", given, binary=binary)["name"] for binary in (False, True)]
        with Client(triton_python, tmp_path, server.host, server.host) as client:
            answers.append(np.char.encode(client.infer("names", given)["name"], "utf-8"))

    assert [answer.tolist() for answer in answers] == [["Zoë Å".encode(), b"Lee"]] * 3


def test_a_format_of_another_library_is_served_after_its_worker_was_killed(served: Path) -> None:
    options = ("--format=torchscript-trace", "--runner=cpu", "--strategy=min-latency", "--queue-size=4")
    with serving(*SERVE, str(served / "states.nav"), "--port=0", *options) as server:
        before = server.infer("states", ONE_ROW)
        for worker in server.workers():
            worker.kill()
        until(lambda: server.metric("navigator_workers_replaced_total") == 1)
        after = server.infer("states", ONE_ROW)
        assert server.get("/v2/models/states")["platform"] == "torchscript-trace/TorchScriptCPU"

    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


REFUSED = {
    "the live model": (["--format=torch"], "torch is the live model, which no package holds (formats with files: "),
    "another format": (["--format=onyx"], "unknown format 'onyx'; did you mean 'onnx'?"),
    "another runner": (["--format=onnx", "--runner=cuda"], "unknown runtime 'cuda'"),
    "a budget that is too small": (["--strategy=max-throughput-within=1e-9"], "nothing to serve: "),
    "what nobody verified": (["--verified-only"], "nothing that has figures is verified"),
    "a name that is a path": (["--name=a/b"], "--name='a/b' is not possible for a folder and a part of an address"),
    "a name that leads elsewhere": (["--name=.."], "--name='..' is not possible for a folder and a part of an address"),
    "a delay without end": (["--batch-delay-ms=inf"], "--batch-delay-ms=inf: a number from 0 on is needed"),
    "a delay that is no number": (["--batch-delay-ms=nan"], "--batch-delay-ms=nan: a number from 0 on is needed"),
    "a port that is none": (["--port=99999"], "--port=99999: ports are numbers up to 65535"),
    "a host of elsewhere": (["--host=192.0.2.1", "--port=0"], "cannot listen on 192.0.2.1, port 0: "),
    "threads of another library": (
        ["--format=torchscript-trace", "--threads=1"],
        "threads and session_options are",
    ),
    "no threads": (["--threads=0"], "threads=0: a whole number from 1 on is needed"),
    "no workers": (["--workers=0"], "--workers=0: a number from 1 on is needed"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_served_is_refused(
    served: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["serve", str(served / "states.nav"), *options]) == 2

    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["fastest", "max-throughput-within=0", "min-latency=2"])
def test_a_strategy_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "out.nav", f"--strategy={option}"])

    assert ended.value.code == 2
    assert "argument --strategy: " in capsys.readouterr().err


def test_the_same_package_may_be_put_in_its_place(served: Path, tmp_path: Path) -> None:
    package = shutil.copy(served / "names.nav", tmp_path / "names.nav")
    with serving(*SERVE, str(package), "--port=0") as server:
        shutil.copy(package, tmp_path / "copy.nav").replace(package)
        for worker in server.workers():
            worker.kill()

        until(lambda: server.metric("navigator_workers_replaced_total") == 1)
        until(lambda: server.metric("navigator_workers") == 1)


def test_a_package_that_was_changed_is_not_loaded_by_a_new_worker(served: Path, tmp_path: Path) -> None:
    package = shutil.copy(served / "names.nav", tmp_path / "names.nav")
    with serving(*SERVE, str(package), "--port=0") as server:
        shutil.copy(served / "states.nav", package)
        for worker in server.workers():
            worker.kill()

        assert server.said_of("was changed, it has another onnx now: start the server again")
        assert server.request("GET", "/v2/health/ready")[0] == 503
