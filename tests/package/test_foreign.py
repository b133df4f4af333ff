from __future__ import annotations

from typing import Any

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import Variant
from pytest_navigator.package.layout import foreign, status
from tests.package.recorded import results


def written(**changes: Any) -> dict[str, Any]:
    """What Model Navigator would have written of the recorded run: the same schema, without our part."""
    content = status.build(results(), {})
    del content["pytest_navigator"]
    return {**content, **changes}


def test_what_model_navigator_recorded_is_read_as_outcomes() -> None:
    found = foreign.results(written(), "linear")

    assert found.suite.framework == "torch"
    assert found.suite.variants[0].key == "torch"
    assert found.variant("trt-fp16").parent == "onnx"
    assert found.variant("torch").file == ""
    assert {
        variant.key: outcome.status for variant in found.suite.variants if (outcome := found.made(variant.key))
    } == {
        "torchscript-script": Status.FAILED,
        "torchscript-trace": Status.PASSED,
        "onnx": Status.PASSED,
        "trt-fp16": Status.SKIPPED,
    }
    assert found.made("torchscript-script").message == (  # type: ignore[union-attr]
        "ExportTorch2TorchScript failed; Model Navigator says why in torchscript-script/format.log"
    )
    checked = found.correctness("onnx", "OnnxCPU")
    assert checked is not None
    assert checked.status is Status.FAILED
    profiled = found.profiles("torchscript-trace", "TorchScriptCPU")
    assert [(o.batch, o.data["result"]["p50_latency"]) for o in profiled] == [("batch1", 2.0), ("batch3", 3.0)]


def test_its_structure_becomes_a_call() -> None:
    tensor = {"shape": [-1, 2, -1], "dtype": "torch.bfloat16"}
    inputs = {
        "metadata": [{"name": name, **tensor} for name in ("a", "b", "c")],
        "pytree_metadata": {"metadata": ["a", {"deep": ["b", 3], "mask": "c"}], "tensor_type": "torch"},
    }
    signature = foreign.results(written(input_metadata=inputs), "linear").signature

    assert signature is not None
    assert signature.input_tree == {
        "args": [{"leaf": "a"}],
        "kwargs": [["deep", {"tuple": [{"leaf": "b"}, {"value": 3}]}], ["mask", {"leaf": "c"}]],
    }
    assert signature.output_tree == {"leaf": "output__0"}
    first = signature.inputs[0]
    assert (first.dtype, first.axes, first.batched) == ("bfloat16", {0: "batch", 2: "a_2"}, True)


def test_a_verified_runner_is_verified() -> None:
    content = written()
    runners = content["models_status"]["torchscript-trace"]["runners_status"]
    runners["TorchScriptCPU"]["status"]["VerifyModel"] = "OK"
    found = foreign.results(content, "linear")

    assert found.verified("torchscript-trace", "TorchScriptCPU")
    assert not found.verified("onnx", "OnnxCPU")


def test_what_its_loader_cannot_read_is_where_it_does_not_look() -> None:
    others = (
        Variant("onnx-opset17", "onnx", None, "model.onnx", {"opset": 17}, ("OnnxCPU",)),
        Variant("torch-exportedprogram", "torch-exportedprogram", None, "model.pt2", {}, ("TorchExportedProgramCPU",)),
        Variant("fake", "fake", None, "model.fake", {"level": 1}, ("FakeCPU",)),
        Variant("jax", "jax", None, "", {}, ("JAX", "JAXJit")),
    )
    made = [Outcome("export", Status.PASSED, variant.key) for variant in others if variant.file]
    content = status.build(results(made, variants=others), {})

    assert list(content["models_status"]) == ["jax"]
    assert list(content["models_status"]["jax"]["runners_status"]) == ["JAX"]
    elsewhere = content["pytest_navigator"]["models_status"]
    assert list(elsewhere) == ["onnx-opset17", "torch-exportedprogram", "fake", "jax"]
    assert list(elsewhere["jax"]["runners_status"]) == ["JAXJit"]
    assert content["config"]["target_formats"] == ["jax"]
    assert content["config"]["runner_names"] == ["JAX"]
    assert content["config"]["custom_configs"] == {}
