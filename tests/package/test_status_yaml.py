from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_navigator.configuration.profile_config import ProfilerConfig
from pytest_navigator.core.plain import structured
from pytest_navigator.core.records import Outcome, Signature
from pytest_navigator.core.steps import Status
from pytest_navigator.package.container.writer import dump
from pytest_navigator.package.layout import status
from tests.package.recorded import DIGEST, SIGNATURE, SOURCE, correctness, outcomes, results, verify

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results

KEYS = [
    "format_version",
    "model_navigator_version",
    "uuid",
    "environment",
    "config",
    "models_status",
    "input_metadata",
    "output_metadata",
    "dataloader_trt_profile",
    "dataloader_max_batch_size",
    "status",
    "result",
    "timestamp",
]
CONFIG_KEYS = [
    "framework",
    "target_formats",
    "target_device",
    "sample_count",
    "optimization_profile",
    "runner_names",
    "batch_dim",
    "seed",
    "_input_names",
    "_output_names",
    "from_source",
    "custom_configs",
    "model_precision",
    "verbose",
    "debug",
]
FIGURES = [
    "sample_id",
    "batch_size",
    *(f"{kind}_latency" for kind in ("avg", "std", "p50", "p90", "p95", "p99")),
    "throughput",
    "request_count",
    "avg_gpu_clock",
    "detailed_results",
]


def built(given: Results | None = None, **options: Any) -> dict[str, Any]:
    """What a reader gets: through YAML."""
    content: dict[str, Any] = yaml.safe_load(dump(status.build(given or results(), {}, **options)))
    return content


def test_the_schema_is_model_navigators_key_for_key() -> None:
    content = built()

    assert list(content) == [*KEYS, "pytest_navigator"]
    assert content["format_version"] == "0.3.2"
    assert content["model_navigator_version"] == "0.14.0"
    assert list(content["config"]) == CONFIG_KEYS
    assert content["config"]["custom_configs"]["TorchScript"] == {"jit_type": ["script", "trace"]}
    assert content["config"]["target_device"] == "cpu"


def test_a_model_has_its_configuration_and_commands() -> None:
    models = built()["models_status"]

    assert models["onnx"]["model_config"] == {
        "format": "onnx",
        "key": "onnx",
        "path": "onnx/model.onnx",
        "parent_path": None,
        "parent_key": None,
        "log_path": "onnx/format.log",
        "opset": 18,
    }
    assert list(models["onnx"]) == ["model_config", "runners_status", "status", "result"]
    assert models["trt-fp16"]["model_config"]["parent_path"] == "onnx/model.onnx"
    assert models["torch"]["model_config"]["path"] == "torch/----"
    assert {key: model["status"] for key, model in models.items()} == {
        "torch": {},
        "torchscript-script": {"ExportTorch2TorchScript": "FAIL"},
        "torchscript-trace": {"ExportTorch2TorchScript": "OK"},
        "onnx": {"ExportTorch2ONNX": "OK"},
        "trt-fp16": {"ConvertONNX2TRT": "SKIPPED"},
    }
    assert models["onnx"]["result"] == {"ExportTorch2ONNX": {"execution_time": 3.0}}


def test_a_runner_has_status_and_result_of_each_command() -> None:
    runners = built()["models_status"]["onnx"]["runners_status"]

    assert runners["OnnxCPU"]["status"] == {"Correctness": "FAIL", "Performance": "SKIPPED"}
    assert runners["OnnxCPU"]["result"]["Correctness"] == {
        "execution_time": 1.0,
        "per_output_tolerance": [{"output_name": "output__0", "atol": 0.2, "rtol": math.inf}],
    }
    assert runners["OnnxCUDA"]["status"] == {"Correctness": "SKIPPED"}


def test_every_batch_size_is_one_profiling_result_without_latencies_and_other_programs() -> None:
    content = built()
    runner = content["models_status"]["torchscript-trace"]["runners_status"]["TorchScriptCPU"]
    performance = runner["result"]["Performance"]

    assert performance["execution_time"] == 4.0
    assert [figures["batch_size"] for figures in performance["profiling_results"]] == [1, 3]
    assert list(performance["profiling_results"][0]) == FIGURES
    step = content["pytest_navigator"]["steps"]["profile.torchscript-trace.TorchScriptCPU.batch1"]
    assert step["data"]["result"]["stability"] == "stable"
    assert {"latencies", "others"}.isdisjoint(step["data"]["result"])


def test_one_failed_batch_size_fails_the_performance() -> None:
    steps = [*outcomes(), Outcome("profile", Status.FAILED, "torch", "TorchCPU", "batchmax", message="out of memory")]

    assert built(results(steps))["models_status"]["torch"]["runners_status"]["TorchCPU"]["status"] == {
        "Correctness": "OK",
        "Performance": "FAIL",
    }


def test_inputs_and_outputs_have_model_navigators_metadata() -> None:
    content = built()

    assert content["input_metadata"] == {
        "metadata": [{"name": "input__0", "shape": [-1, 5], "dtype": "float32"}],
        "pytree_metadata": {"metadata": "input__0", "tensor_type": "torch"},
        "is_legacy": False,
    }
    assert content["dataloader_trt_profile"] == {"input__0": {"min": [1, 5], "opt": [3, 5], "max": [3, 5]}}
    assert content["dataloader_max_batch_size"] == 3
    assert content["status"]["FetchOutputModelData"] == "OK"


def test_infinity_and_nan_survive() -> None:
    steps = [SOURCE, correctness("torch", "TorchCPU", math.nan)]
    tolerance = built(results(steps))["models_status"]["torch"]["runners_status"]["TorchCPU"]["result"]["Correctness"]

    assert math.isnan(tolerance["per_output_tolerance"][0]["atol"])
    assert tolerance["per_output_tolerance"][0]["rtol"] == math.inf


def test_records_can_be_read_back_from_our_key() -> None:
    ours = built()["pytest_navigator"]

    assert structured(ours["signature"], Signature) == SIGNATURE
    read = structured(ours["steps"]["correctness.onnx.OnnxCPU"], Outcome)
    assert read == next(outcome for outcome in outcomes() if outcome.id == read.id)


def test_what_the_schema_lacks_is_under_our_key() -> None:
    ours = built(files={"onnx/model.onnx": DIGEST}, git={"commit": "c0ffee"})["pytest_navigator"]

    assert ours["fingerprint"] == "f" * 64
    assert ours["files"] == {"onnx/model.onnx": DIGEST}
    assert ours["git"] == {"commit": "c0ffee"}
    assert ours["settings"]["seed"] == {"value": 0, "origin": "default"}
    assert ours["steps"]["convert.trt-fp16"]["requirement"] == "no CUDA device"
    assert ours["source"]["samples"]["kept"] == 10
    assert ours["complete"]


def test_a_failed_source_is_a_status_too() -> None:
    failed = Outcome("source", Status.FAILED, message="the loader is empty")
    content = built(replace(results([failed]), signature=None))

    assert set(content["status"].values()) == {"FAIL"}
    assert content["input_metadata"] is None
    assert content["dataloader_max_batch_size"] == 0


OTHER = "0" * 64


@pytest.mark.parametrize(
    ("verifications", "expected"),
    [
        ([], None),
        ([verify("onnx", "OnnxCPU")], "OK"),
        ([verify("onnx", "OnnxCPU"), verify("onnx", "OnnxCPU", status=Status.FAILED, name="b")], "FAIL"),
        ([verify("onnx", "OnnxCPU"), verify("onnx", "OnnxCPU", status=Status.SKIPPED, name="b")], "SKIPPED"),
        # The artifact is another one now.
        ([verify("onnx", "OnnxCPU", OTHER)], "SKIPPED"),
        ([verify("onnx", "OnnxCPU", OTHER, Status.FAILED)], "SKIPPED"),
        ([verify("onnx", "OnnxCPU"), verify("onnx", "OnnxCPU", OTHER, name="b")], "SKIPPED"),
        ([verify("onnx", "OnnxCPU", "")], "SKIPPED"),
        ([verify("onnx", "OnnxCUDA")], None),
    ],
)
def test_verified_means_that_every_test_passed_on_this_artifact(
    verifications: list[Outcome], expected: str | None
) -> None:
    content = built(results([*outcomes(), *verifications]))

    runner = content["models_status"]["onnx"]["runners_status"]["OnnxCPU"]
    assert runner["status"].get("VerifyModel") == expected
    assert ("onnx/OnnxCPU" in content["pytest_navigator"]["verified"]) is (expected == "OK")


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (ProfilerConfig(measurement_request_count=7, max_trials=2, batch_sizes=[1, 4]), (7, 10.0, 2, 2, 2, [1, 4])),
        (ProfilerConfig(measurement_mode="time_windows", stability_percentage=5.0), (None, 5.0, 3, 3, 10, None)),
    ],
    ids=["count", "time"],
)
def test_the_windows_of_a_profiler_config_are_those_that_were_used(profile: Any, expected: tuple[Any, ...]) -> None:
    settings = {"optimization_profile": {"value": asdict(profile), "origin": "nav_config"}}

    written = built(results(settings=settings))["config"]["optimization_profile"]

    names = ("window_size", "stability_percentage", "stabilization_windows", "min_trials", "max_trials", "batch_sizes")
    assert written == {
        "max_batch_size": None,
        **dict(zip(names, expected, strict=True)),
        "throughput_cutoff_threshold": None,
        "throughput_backoff_limit": None,
    }


@pytest.mark.parametrize(("digest", "verified"), [("f" * 64, True), (OTHER, False), ("", False)])
def test_the_live_model_is_verified_by_its_fingerprint(digest: str, verified: bool) -> None:
    content = built(results([*outcomes(), verify("torch", "TorchCPU", digest)]))

    assert (content["pytest_navigator"]["verified"] == ["torch/TorchCPU"]) is verified


def test_a_verification_keeps_test_digest_and_time() -> None:
    (record,) = built(results([*outcomes(), verify("onnx", "OnnxCPU")]))["pytest_navigator"]["verification"]

    assert record["nodeid"] == "test_quality.py::verify_a[onnx]"
    assert record["digest"] == DIGEST
    assert record["time"] == "2026-02-22T15:34:35"


def test_each_package_has_its_own_uuid_that_does_not_tell_the_machine() -> None:
    first, second = built()["uuid"], built()["uuid"]

    assert first != second
    assert first[14] == second[14] == "4"


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain_data)
@example({"\x85": "\u2028 \x85", "b": "no", "c": "1e3", "d": "2026-02-22"})
@settings(deadline=None)
def test_plain_data_survives_the_yaml(data: Any) -> None:
    assert yaml.safe_load(dump({"data": data})) == {"data": data}


def test_half_of_a_pair_of_surrogates_is_seen_as_an_escape() -> None:
    assert yaml.safe_load(dump({"name": "a\udcff"})) == {"name": r"a\udcff"}
