"""`nav.profile` of a function, and `nav.Timer`: figures of the pipeline and of its modules, in a table and a file."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
import torch
import yaml

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, NavigatorError
from pytest_navigator.pipelines import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"window_size": 3, "seconds": 0.3}


def slept(text: str, seconds: float = 0.002) -> str:
    time.sleep(seconds)
    return text


@pytest.fixture
def pipeline() -> Iterator[torch.nn.Module]:
    """A pipeline of two modules, of which one is called twice."""
    registry.forget()
    module = torch.nn.Module()
    module.encoder, module.head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)
    module.forward = lambda x: module.head(module.encoder(module.encoder(x)))
    for name in ("encoder", "head"):
        registry.register(registry.Wrapped(name, getattr(module, name)))
    yield module
    registry.forget()


def test_the_document_s_example_prints_a_table_and_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    found = nav.profile(slept, [(1, ["This is example input"]), (2, ("a text", {"seconds": 0.004}))], **QUICK)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["sample", "batch", "p50", "ms", "p90", "ms", "p99", "ms", "infer/s", "speed-up"]
    assert [line.split()[:3] for line in lines[1:3]] == [["eager", "0", "1"], ["eager", "1", "2"]]
    assert lines[-1] == "written to profile.yaml"
    report = yaml.safe_load((tmp_path / "profile.yaml").read_text())
    assert report == found.to_dict()
    assert report["samples_data"] == {0: {"batch_size": 1}, 1: {"batch_size": 2}}
    eager = report["models"]["eager"]["runners"]["eager"]
    assert eager["status"] == "OK"
    assert 2 <= eager["detailed"][0]["p50_latency"] < eager["detailed"][1]["p50_latency"]
    assert eager["detailed"][1]["throughput"] == pytest.approx(2000 / eager["detailed"][1]["p50_latency"])


def test_each_module_has_its_share_and_is_left_as_it_was(pipeline: torch.nn.Module, tmp_path: Path) -> None:
    found = nav.profile(pipeline.forward, [(3, torch.ones(3, 4))], report=tmp_path / "r.yaml", **QUICK)

    (eager,) = found.ways
    assert eager.modules == {"encoder": "eager", "head": "eager"}
    assert set(eager.shares) == {"encoder", "head"}
    assert 0 < sum(eager.shares.values()) <= 1
    assert re.search(r"share of the time, eager: encoder \d+%, head \d+%", str(found))
    assert not any("forward" in vars(m) for m in (pipeline.encoder, pipeline.head))


@pytest.mark.parametrize(
    ("func", "loader", "options", "problem"),
    [
        (3, [(1, "a")], {}, r"nav.profile\(3\): a package is needed, or a function"),
        (slept, [], {}, "the dataloader is empty"),
        (slept, ["a"], {}, "sample 0 of the dataloader is a str"),
        (slept, [(1, 3)], {"seconds": 0.1, "device": "tpu"}, "tpu"),
        (slept, [(1, ("a", -1.0))], QUICK, "the function raised ValueError: .*non-negative"),
        (slept, [(1, "a")], {"window_size": 0}, "window_size is 0"),
        (slept, [(1, "a")], {"seconds": -1}, r"seconds=-1\): it must be"),
        (slept, [(1, "a")], {"target_formats": "onnx"}, "nothing is stored for the modules of this function"),
    ],
)
def test_bad_input_is_told_and_no_report_is_written(
    func: object, loader: object, options: dict[str, object], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(NavigatorError, match=problem):
        nav.profile(func, loader, report=tmp_path / "r.yaml", **options)
    assert not (tmp_path / "r.yaml").exists()


def test_a_file_that_is_no_report_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("a: 1\n")

    with pytest.raises(ConfigError, match="is no report of"):
        nav.profile(slept, [(1, "a")], report=tmp_path / "mine.yaml")

    assert (tmp_path / "mine.yaml").read_text() == "a: 1\n"
    for _ in range(2):  # a report is
        nav.profile(slept, [(1, "a")], report=tmp_path / "report.yaml", **QUICK)


def test_a_timer_times_blocks_and_the_calls_of_modules_in_them(pipeline: torch.nn.Module, tmp_path: Path) -> None:
    timer, x = nav.Timer("eager", info={"commit": "abc"}), torch.ones(1, 4)
    for _ in range(3):
        with timer:
            pipeline.forward(x)
    pipeline.forward(x)
    with pytest.raises(RuntimeError), timer:
        pipeline.forward(torch.ones(1, 5))

    assert (len(timer.times), len(timer.modules["encoder"]), len(timer.modules["head"])) == (3, 6, 3)
    assert sum(timer.modules["encoder"]) + sum(timer.modules["head"]) <= sum(timer.times)
    assert [line.split()[:2] for line in str(timer).splitlines()[1:]] == [
        ["eager", "3"],
        ["encoder", "6"],
        ["head", "3"],
    ]
    timer.to_file(tmp_path / "timer.yaml")
    written = yaml.safe_load((tmp_path / "timer.yaml").read_text())
    assert written == {"name": "eager", "info": {"commit": "abc"}, "times": timer.times, "modules": timer.modules}


def test_timers_are_compared_and_reset(pipeline: torch.nn.Module) -> None:
    slow, fast = nav.Timer("slow", times=[4.0, 6.0]), nav.Timer("fast", times=[2.0])

    assert fast.speed_up(slow) == 2.5
    fast.reset()
    with pytest.raises(ConfigError, match="the timer 'fast' has measured nothing"):
        fast.speed_up(slow)


def test_a_timer_may_be_of_some_modules_only(pipeline: torch.nn.Module) -> None:
    timer = nav.Timer("part")
    timer.register_module("head")
    with timer:
        pipeline.forward(torch.ones(1, 4))
        with pytest.raises(ConfigError, match="is in use"), timer:
            pass

    assert list(timer.modules) == ["head"]


def test_what_is_swapped_in_or_out_while_a_timer_runs_stays_so(pipeline: torch.nn.Module) -> None:
    (head,) = [each for each in registry.registered() if each.name == "head"]
    x, timer = torch.ones(1, 4), nav.Timer("swaps")

    class Format(registry.StandIn):
        calls = 0

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self._original(x)

    with timer:  # as load_optimized does
        head.replace(loaded := Format(head))
    pipeline.forward(x)
    assert (pipeline.head.forward, loaded.calls) == (loaded, 1)

    with timer:
        pipeline.forward(x)
        head.take_out(loaded)  # as unload does
        pipeline.forward(x)
    assert (loaded.calls, len(timer.modules["head"])) == (2, 2)
    assert "forward" not in vars(pipeline.head)


def test_a_module_that_is_compiled_in_place_is_measured_and_not_timed(pipeline: torch.nn.Module) -> None:
    torch.compiler.reset()
    pipeline.head.compile(backend="eager")

    func = torch.no_grad()(pipeline.forward)
    (way,) = nav.profile(func, [(1, torch.ones(1, 4))], report=None, **QUICK).ways

    assert way.samples[0].request_count
    assert list(way.times) == ["encoder"]
