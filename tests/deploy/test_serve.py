"""The server around a model that can go wrong: who is answered what, and what is left when it stops."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from pytest_navigator.deploy.serve import example
from tests.deploy import protocol_client as client
from tests.deploy.fragile_server import SIGNATURE
from tests.deploy.serving import FRAGILE, PATIENCE, ROOT, Server, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

INFER = "/v2/models/double/infer"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of two workers, which joins up to eight rows."""
    options = ("--workers=2", "--batch_delay_ms=2.0", "--max_batch_size=8", "--max_request_mb=1")
    with serving(*FRAGILE, *options) as found:
        yield found


@pytest.fixture
def small() -> Iterator[Server]:
    """One of one worker, with room for two requests that wait."""
    with serving(*FRAGILE, "--queue_size=2") as found:
        yield found


def asked(server: Server, *values: float, **how: Any) -> tuple[int, Any]:
    """Return status and outputs, or the error, of a row of values."""
    body, headers = client.request({"x": np.array([values], np.float32)}, **how)
    status, answer, found = server.request("POST", INFER, body, headers)
    return status, client.response(answer, found)["y"].tolist() if status == 200 else json.loads(answer)["error"]


def test_fifty_clients_at_once_get_each_their_own_answers(server: Server) -> None:
    before = server.metric("navigator_batch_rows_count")

    def client_of(number: int) -> list[bool]:
        right = []
        for turn in range(8):
            rows, width = 1 + (number + turn) % 3, 2 + number % 2
            x = (np.arange(rows * width, dtype=np.float32) + 1000 * (100 * number + turn + 1)).reshape(rows, width)
            more = {"id": f"{number}-{turn}", "parameters": {"binary_data_output": turn % 3 == 0}}
            answer = server.infer("double", {"x": x}, binary=bool(turn % 2), **more)
            right.append(np.array_equal(answer["y"], x * 2))
        return right

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(client_of, range(50)))

    assert answers == [[True] * 8] * 50
    assert server.metric("navigator_batch_rows_count") - before < 400  # they were joined
    assert server.metric('navigator_batch_rows_bucket{le="8.0"}') == server.metric("navigator_batch_rows_count")


@pytest.mark.parametrize(
    ("bad", "status", "said"),
    [
        (13, 500, "the model raised: ValueError: 13 is bad luck"),
        (99, 400, "99 is refused"),
        (666, 500, "the process that runs the model was killed by SIGSEGV; it is replaced"),
    ],
)
def test_what_goes_wrong_with_one_request_is_its_own_answer_alone(
    server: Server, bad: float, status: int, said: str
) -> None:
    values = [1.0, 2.0, bad, 3.0, 4.0, 5.0]

    with ThreadPoolExecutor(len(values)) as pool:
        answers = list(pool.map(lambda value: asked(server, value), values))

    assert answers == [(status, said) if value == bad else (200, [[2 * value]]) for value in values]


def test_a_worker_that_ended_is_replaced(server: Server) -> None:
    before = server.metric("navigator_workers_replaced_total")

    assert asked(server, 666)[0] == 500

    until(lambda: server.metric("navigator_workers") == 2)
    assert server.metric("navigator_workers_replaced_total") == before + 1
    assert asked(server, 1) == (200, [[2]])


def test_a_worker_that_is_killed_while_it_waits_is_replaced(small: Server) -> None:
    (worker,) = small.workers()

    worker.kill()

    until(lambda: small.metric("navigator_workers_replaced_total") == 1)
    assert asked(small, 1) == (200, [[2]])


ROW = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}
BAD: dict[str, tuple[str, str, Any, int, str]] = {
    "another shape": ("POST", INFER, {"inputs": [{**ROW, "shape": [1]}]}, 400, "input 'x' has the shape [1]"),
    "another name": ("POST", INFER, {"inputs": [{**ROW, "name": "z"}]}, 400, "unknown input 'z'"),
    "another type": ("POST", INFER, {"inputs": [{**ROW, "datatype": "INT8"}]}, 400, "is INT8, FP32 is needed"),
    "no JSON": ("POST", INFER, b"{", 400, "the request is no JSON"),
    "no body": ("POST", INFER, b"", 400, "the request is no JSON"),
    "another model": ("POST", "/v2/models/triple/infer", {}, 404, "there is no model 'triple' here, but 'double'"),
    "another version": ("POST", "/v2/models/double/versions/2/infer", {}, 404, "'double' has no version '2', but '1'"),
    "another model's metadata": ("GET", "/v2/models/triple", None, 404, "there is no model 'triple'"),
    "another path": ("GET", "/v1/models", None, 404, "GET /v1/models: Not Found"),
    "another method": ("GET", INFER, None, 405, "Method Not Allowed"),
}


@pytest.mark.parametrize(("method", "path", "content", "status", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_answered_is_refused_with_its_reason(
    server: Server, method: str, path: str, content: Any, status: int, said: str
) -> None:
    body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()

    found, answer, headers = server.request(method, path, body)

    assert (found, headers["content-type"]) == (status, "application/json")
    assert said in json.loads(answer)["error"]


def test_a_compressed_body_is_refused(server: Server) -> None:
    status, answer, _ = server.request("POST", INFER, b"\x1f\x8b", {"Content-Encoding": "gzip"})

    assert status == 415
    assert "compressed (gzip)" in json.loads(answer)["error"]


def test_a_body_that_does_not_say_its_size_is_limited_too(server: Server) -> None:
    body: Any = (b" " * 2**18 for _ in range(5))

    status, answer, _ = server.request("POST", INFER, body)

    assert (status, b"larger than 1 MiB" in answer) == (413, True)


@pytest.mark.parametrize("size", [2**20 + 1, 2**24])
def test_a_client_that_sends_too_much_hears_why_once_it_has_sent_it(server: Server, size: int) -> None:
    status, answer, headers = server.request("POST", INFER, bytes(size))

    assert (status, headers["connection"]) == (413, "close")
    assert "larger than 1 MiB (--max-request-mb)" in json.loads(answer)["error"]


def test_the_server_says_what_it_is_and_that_it_is_ready(server: Server) -> None:
    metadata = {
        "name": "double",
        "versions": ["1"],
        "platform": "none/Double",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}],
    }

    assert server.get("/v2")["name"] == "pytest-navigator"
    assert "binary_tensor_data" in server.get("/v2")["extensions"]
    assert server.get("/v2/health/live") == {"live": True}
    assert server.get("/v2/health/ready") == {"ready": True}
    for place in ("/v2/models/double", "/v2/models/double/versions/1"):
        assert server.get(place) == metadata
        assert server.get(f"{place}/ready") == {"name": "double", "ready": True}


def test_statistics_and_metrics_count_every_answer(small: Server) -> None:
    assert [asked(small, value)[0] for value in (1, 2, 13, 404)] == [200, 200, 500, 500]

    (model,) = small.get("/v2/models/double/stats")["model_stats"]
    assert (model["inference_count"], model["execution_count"]) == (3, 3)
    assert [model["inference_stats"][name]["count"] for name in ("success", "fail", "queue")] == [2, 2, 3]
    assert small.metric('navigator_requests_total{status="200"}') == 2
    assert small.metric('navigator_requests_total{status="500"}') == 2
    assert small.metric("navigator_request_seconds_count") == 4
    assert small.metric("navigator_inference_seconds_count") == 3
    assert small.metric("navigator_queue_length") == 0


def test_a_full_queue_answers_at_once_and_a_client_that_leaves_makes_room(small: Server) -> None:
    body, _ = client.request({"x": np.array([[-3]], np.float32)})
    clients = []
    for waiting in (0, 1, 2):
        clients.append(connected(small, body))
        until(lambda: small.metric("navigator_queue_length") == waiting)  # noqa: B023
    assert asked(small, 1) == (503, "the queue is full: 2 requests wait; try again later")

    for each in clients[1:]:
        each.close()

    until(lambda: small.metric("navigator_queue_length") == 0)
    assert asked(small, 1) == (200, [[2]])
    assert clients[0].recv(12) == b"HTTP/1.1 200"
    clients[0].close()


def connected(server: Server, body: bytes, size: int | None = None) -> socket.socket:
    """Return a connection over which a body was sent, which says of itself that it is of another size."""
    host, _, port = server.host.partition(":")
    client = socket.create_connection((host, int(port)), timeout=PATIENCE)
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {size or len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    return client


def test_a_request_that_runs_for_a_client_that_left_makes_no_room_in_the_queue(small: Server) -> None:
    body, _ = client.request({"x": np.array([[-3]], np.float32)})
    connected(small, body).close()
    until(lambda: b'status="499"' in small.request("GET", "/metrics")[1])

    waiting = [connected(small, body) for _ in range(2)]
    until(lambda: small.metric("navigator_queue_length") == 2)

    assert asked(small, 1) == (503, "the queue is full: 2 requests wait; try again later")
    for each in waiting:
        each.close()


def test_clients_that_stop_in_the_middle_of_a_request_are_told_so_and_block_nobody_else() -> None:
    with serving(*FRAGILE, "--queue_size=3", "--body_timeout_s=1.0") as server:
        stopped = [connected(server, b"{", 100_000) for _ in range(2)]
        slow = connected(server, b"{", 100_000)
        until(lambda: server.metric("navigator_queue_length") == 3)
        assert asked(server, 1) == (503, "3 requests are being received; try again later")

        while not select.select([slow], [], [], 0.1)[0]:
            slow.sendall(b" ")

        for each in (*stopped, slow):
            with each, each.makefile("rb") as answer:
                assert b"HTTP/1.1 408" in (said := answer.read())
                assert b"the rest of the body did not come within 1 s" in said
        assert asked(server, 1) == (200, [[2]])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_asked_before_a_stop_is_answered(number: signal.Signals) -> None:
    with serving(*FRAGILE) as server, ThreadPoolExecutor(3) as pool:
        children = psutil.Process(server.process.pid).children(recursive=True)
        answers = [pool.submit(asked, server, -0.25) for _ in range(3)]
        until(lambda: server.metric("navigator_queue_length") == 2)

        for process in (*children, server.process):  # a terminal's Ctrl-C reaches all of them
            process.send_signal(number)

        assert [answer.result() for answer in answers] == [(200, [[-0.5]])] * 3
        assert server.process.wait(PATIENCE) == 0
        assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


def test_a_second_signal_waits_for_no_answer_and_says_so_to_those_who_asked() -> None:
    with serving(*FRAGILE) as server, ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(asked, server, -2) for _ in range(3)]
        until(lambda: server.metric("navigator_queue_length") == 2)

        server.process.send_signal(signal.SIGINT)
        until(lambda: not accepts(server))
        server.process.send_signal(signal.SIGINT)

        stopped = (503, "the server was stopped before this request was answered")
        assert [answer.result() for answer in answers] == [stopped] * 3
        assert server.process.wait(PATIENCE) == 0
        assert "Traceback" not in server.process.stdout.read()


def accepts(server: Server) -> bool:
    """Whether a server still takes connections."""
    host, _, port = server.host.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_a_killed_server_leaves_no_process(small: Server) -> None:
    children = psutil.Process(small.process.pid).children(recursive=True)
    assert children

    small.process.kill()

    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


def fails(*arguments: str) -> str:
    """Return what a server says that does not start."""
    command = [sys.executable, *FRAGILE, *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.returncode == 1
    assert "serving" not in ran.stdout
    return ran.stderr.splitlines()[-1]


def test_a_model_that_cannot_be_loaded_is_not_served() -> None:
    assert "PackageError: the model cannot be loaded" in fails("--unloadable", "--workers=2")


def test_a_port_in_use_is_said(server: Server) -> None:
    port = server.host.rpartition(":")[2]

    said = fails(f"--port={port}")

    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use; choose another one with --port" in said


@pytest.mark.parametrize(
    ("flag", "said"), [("--slow", ["loading\n"] * 2), ("--one-is-slow", ["loaded\n", "loading\n"])]
)
def test_a_stop_while_the_model_is_loaded_does_not_wait_for_it(flag: str, said: list[str]) -> None:
    command = [sys.executable, "-u", *FRAGILE, flag, "--workers=2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        assert sorted(process.stdout.readline() for _ in said) == said
        children = psutil.Process(process.pid).children()
        process.terminate()
        try:
            assert process.wait(PATIENCE / 3) == 0
        finally:
            process.kill()
        assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
        assert process.stdout.read() == ""


@pytest.mark.parametrize("columns", [3, 100], ids=["json", "binary"])
def test_the_line_of_curl_that_people_are_given_asks(server: Server, columns: int) -> None:
    address = f"http://{server.host}/v2/models/double"
    line = example.curl(address, example.zeros(SIGNATURE, {"x": (1, columns)}), SIGNATURE)

    ran = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, check=True)

    assert json.loads(ran.stdout)["outputs"][0]["data"] == [0] * columns


@pytest.mark.parametrize("option", ["workers", "queue_size", "max_request_mb", "max_batch_size"])
def test_numbers_that_serve_nothing_are_refused(option: str) -> None:
    assert f"--{option.replace('_', '-')}=0: a number from 1 on is needed" in fails(f"--{option}=0")


def test_files_of_workers_are_gone_after_a_stop(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(*FRAGILE) as server:
        assert os.listdir(tmp_path)
        assert server.stop() == 0

    assert os.listdir(tmp_path) == []
