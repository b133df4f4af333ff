"""A package behind Ray Serve: what is refused before, and a real cluster on this machine."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

import pytest_navigator as nav
from pytest_navigator.api.opening import Place, opened_runner
from pytest_navigator.errors import ConfigError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Arrays = Mapping[str, np.ndarray]

MOST = 8

SERVER = f"""
import sys
import ray
from ray import serve
import pytest_navigator as nav

ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[3])
serve.start(http_options={{"host": "127.0.0.1", "port": int(sys.argv[2])}})

def run(path, wait, **options):
    options |= {{"max_batch_size": {MOST}, "batch_wait_timeout_s": wait, "ray_actor_options": {{"num_cpus": 0.5}}}}
    application = nav.ray.deployment(sys.argv[1], format="onnx", name="pair", max_request_mb=1, **options)
    serve.run(application, name=path, route_prefix="/" + path)

run("pairs", 0.05)
run("few", 0.3, max_ongoing_requests=1, max_queued_requests=1)
print("ready", flush=True)
sys.stdin.read()
serve.shutdown()
ray.shutdown()
"""

ALONE = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
"""Ray writes no secret into the user's folder and tells nobody of it."""


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": "a pair"}, "name='a pair' is not possible"),
        ({"max_batch_size": 0}, "max_batch_size=0: a number from 1 on"),
        ({"batch_wait_timeout_s": -1}, "batch_wait_timeout_s=-1: a number from 0 on"),
        ({"batch_wait_timeout_s": float("inf")}, "batch_wait_timeout_s=inf: a number from 0 on"),
        ({"threads": 0}, "threads=0: a whole number from 1 on"),
        ({"strategy": nav.MinLatencyStrategy(), "strategies": []}, "are the same keyword"),
    ],
)
def test_a_value_that_cannot_be_is_refused(pair: Path, wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        nav.ray.deployment(pair, **{"format": "onnx", **wrong})


def test_the_live_model_is_refused_with_the_formats_that_have_files(pair: Path) -> None:
    with nav.load(pair) as package, pytest.raises(PackageError, match=r"which no package holds \(formats with files: "):
        nav.ray.deployment(package, format="torch")


def test_without_ray_the_extra_is_named(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ConfigError, match=r"ray, which is not installed \(pip install 'pytest-navigator\[ray\]'\)"):
        nav.ray.deployment(pair, format="onnx")


def test_a_replica_refuses_another_package_at_the_path(pair: Path, tmp_path: Path) -> None:
    place = Place(pair, "onnx", "OnnxCPU", "0" * 64, "call it again")

    said = r"was changed, it has another onnx now: call it again"
    with pytest.raises(PackageError, match=said), opened_runner(place, None, tmp_path):
        pass


def test_what_a_replica_imports_starts_no_processes() -> None:
    code = "import sys; from pytest_navigator.deploy import ray; from pytest_navigator.deploy.serve import app; "
    code += "print([name for name in sys.modules if name.endswith(('.serve.process', '.serve.dispatcher'))])"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "[]\n"


@pytest.fixture(scope="module")
def model(pair: Path) -> Iterator[str]:
    """The address of a model in a cluster of its own."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # the path of a socket is in it, which must be short
    command = [sys.executable, "-c", SERVER, str(pair), str(port), folder]
    with subprocess.Popen(
        command, env={**os.environ, **ALONE}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert "ready\n" in iter(server.stdout.readline, "")
        yield f"http://127.0.0.1:{port}/pairs/v2/models/pair"
        server.communicate()
    shutil.rmtree(folder)
    assert server.returncode == 0


def asked(address: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, named), timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def in_json(inputs: Arrays) -> bytes:
    entries = [
        {"name": name, "shape": array.shape, "datatype": "FP32", "data": array.ravel().tolist()}
        for name, array in inputs.items()
    ]
    return json.dumps({"inputs": entries}).encode()


def arrays(content: bytes) -> dict[str, np.ndarray]:
    outputs = json.loads(content)["outputs"]
    return {each["name"]: np.array(each["data"], np.float32).reshape(each["shape"]) for each in outputs}


def recorded(pair: Path, kind: str) -> Arrays:
    with zipfile.ZipFile(pair) as file:
        return dict(np.load(io.BytesIO(file.read(f"{kind}/batches/0.npz"))))


@pytest.mark.slow
def test_the_model_and_its_server_are_described(model: str) -> None:
    status, content, _ = asked(model)

    assert status == 200
    assert {each["name"]: each["shape"] for each in json.loads(content)["inputs"]} == {"x": [-1, 5], "bias": [-1, 7]}
    assert (
        asked(f"{model}/ready")[0] == asked(f"{model}/../../health/ready".replace("/models/pair/../..", ""))[0] == 200
    )


@pytest.mark.slow
def test_answers_in_json_and_in_binary_form_are_the_recorded_outputs(model: str, pair: Path) -> None:
    inputs, expected = recorded(pair, "model_input"), recorded(pair, "model_output")

    status, content, _ = asked(f"{model}/infer", in_json(inputs))
    assert status == 200, content
    for name, array in arrays(content).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)

    entries = [
        {"name": n, "shape": a.shape, "datatype": "FP32", "parameters": {"binary_data_size": a.nbytes}}
        for n, a in inputs.items()
    ]
    wanted = [{"name": "sum", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": entries, "outputs": wanted}).encode()
    body = head + b"".join(array.tobytes() for array in inputs.values())
    status, content, headers = asked(f"{model}/infer", body, Inference_Header_Content_Length=str(len(head)))
    assert status == 200, content
    found = np.frombuffer(content[int(headers["Inference-Header-Content-Length"]) :], np.float32)
    np.testing.assert_allclose(found.reshape(expected["sum"].shape), expected["sum"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_requests_at_the_same_time_are_joined_and_each_gets_its_own_outputs(model: str, pair: Path) -> None:
    before = json.loads(asked(f"{model}/stats")[1])["model_stats"][0]
    generator = np.random.default_rng(0)
    sizes = [1, 2, 3, MOST, MOST + 3] * 10  # what is larger than a batch is answered too
    requests = [
        {"x": generator.random((rows, 5), np.float32), "bias": generator.random((rows, 7), np.float32)}
        for rows in sizes
    ]

    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda inputs: asked(f"{model}/infer", in_json(inputs)), requests))

    with nav.load(pair) as package, package.get_runner("onnx") as runner:
        for inputs, (status, content, _) in zip(requests, answers, strict=True):
            assert status == 200, content
            found = arrays(content)
            for name, array in runner.infer(inputs).items():
                np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)
    after = json.loads(asked(f"{model}/stats")[1])["model_stats"][0]
    assert after["inference_count"] - before["inference_count"] == sum(sizes)
    assert after["execution_count"] - before["execution_count"] < len(sizes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status", "problem"),
    [
        ("/infer", b"{", 400, "the request is no JSON"),
        ("/infer", in_json({"x": np.ones((1, 5), "float32")}), 400, "input 'bias' is missing"),
        (
            "/infer",
            in_json({"x": np.ones((2, 5)), "bias": np.ones((1, 7))}),
            400,
            "input 'bias' has 1 in axis 0 (batch), 'x' has 2",
        ),
        ("/infer", b" " * 2**20 + b"{}", 413, "larger than 1 MiB (max_request_mb)"),
        ("s/infer", b"{}", 404, "there is no model 'pairs' here, but 'pair'"),
        ("/versions/2/infer", b"{}", 404, "'pair' has no version '2', but '1'"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(
    model: str, path: str, body: bytes, status: int, problem: str
) -> None:
    found, content, _ = asked(f"{model}{path}", body)

    assert (found, problem in json.loads(content)["error"]) == (status, True), content
    assert asked(f"{model}/ready")[0] == 200


@pytest.mark.slow
def test_of_more_requests_than_may_wait_each_is_told_so_at_once(model: str, pair: Path) -> None:
    few = model.replace("/pairs/", "/few/")
    body = in_json({"x": np.ones((1, 5)), "bias": np.ones((1, 7))})

    with ThreadPoolExecutor(8) as clients:
        found = Counter(clients.map(lambda _: asked(f"{few}/infer", body)[0], range(8)))

    assert found.keys() == {200, 503}


@pytest.mark.slow
def test_a_replica_that_ends_is_replaced(model: str) -> None:
    here = psutil.Process().children(recursive=True)
    (replica,) = [process for process in here if process.is_running() and "ServeReplica:pairs:" in process.name()]
    replica.kill()
    replica.wait(10)

    deadline = time.monotonic() + 60
    while asked(f"{model}/ready")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)

    body = in_json({"x": np.ones((1, 5)), "bias": np.ones((1, 7))})
    assert asked(f"{model}/infer", body)[0] == 200


@pytest.mark.slow
def test_the_code_of_the_page_is_an_application(pair: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8").partition("## Ray Serve")[2]
    code = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "out.nav").symlink_to(pair)

    said = "print(type(application).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code + said], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.stdout == "Application\n", done.stderr
