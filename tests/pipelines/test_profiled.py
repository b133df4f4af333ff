"""The report of `nav.profile`: its table, its notes, and its plain data."""

from __future__ import annotations

from dataclasses import replace

from pytest_navigator.core.records import ProfileResult
from pytest_navigator.pipelines.profiled import PipelineProfile, Way, speed_up, text

FAST = ProfileResult(
    batch_size=2,
    avg_latency=2.0,
    std_latency=0.0,
    p50_latency=2.0,
    p90_latency=2.0,
    p95_latency=2.0,
    p99_latency=2.5,
    throughput=1000.0,
    request_count=75,
    windows=3,
    contention=0.0,
    window_means=(2.0, 2.0, 2.0),
)
SLOW = replace(FAST, p50_latency=8.0, throughput=250.0)
EAGER = Way("eager", modules={"unet": "eager"}, samples={0: SLOW}, times={"unet": 6.0}, whole=8.0)
ONNX = Way("onnx", "OnnxCPU", {"unet": "onnx/OnnxCPU"}, {0: FAST})


def test_the_table_has_a_row_for_each_way_and_sample() -> None:
    assert text([EAGER, ONNX]) == [
        "              sample  batch  p50 ms  p90 ms  p99 ms  infer/s  speed-up",
        "eager         0       2      8       2       2.5     250",
        "onnx/OnnxCPU  0       2      2       2       2.5     1000     4.00x",
        "share of the time, eager: unet 75%",
    ]


def test_the_mix_is_spelt_out_with_its_shares() -> None:
    best = replace(ONNX, name="best", runner="", times={"unet": 1.0}, whole=2.0)

    lines = text([EAGER, best])

    assert "best: unet onnx/OnnxCPU" in lines
    assert lines[-1] == "share of the time, best: unet 50%"


def test_caveats_are_marked_and_told_once_and_failures_each() -> None:
    busy = replace(FAST, contention=0.5)
    failed = Way("trt", "TensorRT", problem="RuntimeError: no engine")

    lines = text([replace(EAGER, samples={0: SLOW, 1: busy}, times={}), replace(ONNX, samples={1: busy}), failed])

    assert [line.count("*") for line in lines[1:4]] == [0, 4, 4]
    assert lines[-2:] == [
        "trt/TensorRT: RuntimeError: no engine",
        "note: 2 rows have a caveat (* above), for example eager, sample 1: measured while others used 50 % of the "
        "processors",
    ]


def test_a_speed_up_is_of_samples_that_both_have() -> None:
    assert speed_up(ONNX, EAGER) == 4.0
    assert speed_up(replace(ONNX, samples={3: FAST}), EAGER) is None
    assert speed_up(ONNX, None) is None


def test_the_report_says_what_failed_and_why() -> None:
    report = PipelineProfile((EAGER, replace(ONNX, samples={}, problem="RuntimeError: no"))).to_dict()

    assert report["models"]["onnx"]["runners"]["OnnxCPU"] == {
        "status": "FAIL",
        "detailed": {},
        "message": "RuntimeError: no",
        "modules": {"unet": "onnx/OnnxCPU"},
        "share_of_time": {},
    }
    assert report["models"]["eager"]["runners"]["eager"]["share_of_time"] == {"unet": 0.75}
    assert report["samples_data"] == {0: {"batch_size": 2}}
