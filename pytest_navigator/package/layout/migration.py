"""A status.yaml of an earlier version of Model Navigator -> the current schema, 0.3.2 (pure).

Versions: 0.1.0 to 0.1.4 are of Model Navigator 0.3, 0.2.x of 0.4 to 0.6, 0.3.0 and 0.3.1 of 0.7 to 0.13.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_navigator.package.layout.schema import FORMAT_VERSION, OPTIMIZATION_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

    Status = dict[str, Any]
    """Of a form that is no more: it is changed in place, and the schema checks what comes of it."""

Version = tuple[int, int, int]

FRAMEWORKS = {"pytorch": "torch", "tensorflow2": "tensorflow"}

# Format and runtime of Model Navigator 0.3 -> the runner of today; trtexec has none, its figures are lost.
RUNNERS = {
    ("onnx", "CPUExecutionProvider"): "OnnxCPU",
    ("onnx", "CUDAExecutionProvider"): "OnnxCUDA",
    ("onnx", "TensorrtExecutionProvider"): "OnnxTensorRT",
    ("trt", "TensorrtExecutionProvider"): "TensorRT",
    ("tf-trt", "TensorFlowExecutionProvider"): "TensorFlowTensorRT",
    ("tf-savedmodel", "TensorFlowExecutionProvider"): "TensorFlowSavedModelCUDA",
    ("torch-trt", "PyTorchExecutionProvider"): "TorchTensorRT",
    ("torchscript", "PyTorchExecutionProvider"): "TorchScriptCUDA",
}

PARAMETERS = {
    "precision": "precision",
    "torch_jit": "jit_type",
    "enable_xla": "enable_xla",
    "jit_compile": "jit_compile",
}
CONFIG = ("target_formats", "sample_count", "batch_dim", "_input_names", "_output_names", "target_device", "seed")
# Field of 0.3's ProfilerConfig -> field of the OptimizationProfile.
PROFILER = {
    "batch_sizes": "batch_sizes",
    "measurement_request_count": "window_size",
    "stability_percentage": "stability_percentage",
    "max_trials": "max_trials",
    "throughput_cutoff_threshold": "throughput_cutoff_threshold",
}

LATENCIES = ("std_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency", "request_count")


def migrated(status: Status) -> Status:
    """Return a status in the current schema; the one that is given is left alone.

    Raises:
        ValueError: its version is newer than ours, or none.
        KeyError, TypeError: it is not what its version calls for.
    """
    version, current = _version(status["format_version"]), _version(FORMAT_VERSION)
    if version > current:
        raise ValueError(
            f"its format_version, {status['format_version']}, is newer than {FORMAT_VERSION}, the newest that this "
            "version of pytest-navigator reads: upgrade it"
        )
    if version == current:
        return status
    status = deepcopy(status)
    for last, step in STEPS:
        if version <= last:
            step(status)
    return {**status, "format_version": FORMAT_VERSION}


def _version(text: Any) -> Version:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", str(text))
    if not found:
        raise ValueError(f"its format_version, {text!r}, is none: it looks like {FORMAT_VERSION}")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def _figures(status: Status) -> None:
    # 0.1.0 had one latency, the average.
    for model in status["model_status"]:
        for runtime in model["runtime_results"]:
            for row in runtime.get("performance") or []:
                if "latency" in row:
                    row["avg_latency"] = row.pop("latency")
                    row |= dict.fromkeys(LATENCIES) | row


def _models(status: Status) -> None:
    # Up to 0.1.4 artifacts and their runtimes were lists, and the configuration was one of the export.
    status["models_status"] = {_key(model): _model(model) for model in status.pop("model_status") if model.get("path")}
    export = status.pop("export_config")
    profile = (
        {new: export["profiler_config"].get(old) for old, new in PROFILER.items()}
        if export.get("profiler_config")
        else {}
    )
    status["config"] = {
        "framework": FRAMEWORKS.get(export["framework"], export["framework"]),
        **{name: export[name] for name in CONFIG if name in export},
        "optimization_profile": OPTIMIZATION_PROFILE | {n: v for n, v in profile.items() if v is not None},
        "custom_configs": _custom_configs(export),
    }
    status["dataloader_trt_profile"] = status.pop("trt_profile", None) or _shapes(export.get("trt_dynamic_axes"))
    status["dataloader_max_batch_size"] = _largest_batch(status)
    status["timestamp"] = export.get("timestamp")


def _key(model: Status) -> str:
    return PurePosixPath(model["path"]).parent.name


def _model(model: Status) -> Status:
    config = {
        "format": model["format"],
        "key": _key(model),
        "path": model["path"],
        **dict.fromkeys(("parent_path", "parent_key", "log_path")),
        **{new: model[old] for old, new in PARAMETERS.items() if model.get(old) is not None},
    }
    runners = {}
    for result in model["runtime_results"]:
        name = RUNNERS.get((model["format"], result["runtime"]))
        if name:
            runners[name] = _runner(name, result)
    return {"model_config": config, "runners_status": runners, "status": {}, "result": {}}


def _runner(name: str, result: Status) -> Status:
    # A tolerance or a figure that is there says that its step passed: there were no statuses.
    tolerance, figures = result.get("tolerance") or [], result.get("performance") or []
    performance = "OK" if figures else "FAIL" if tolerance else "SKIPPED"
    return {
        "runner_name": name,
        "status": {
            "Correctness": "OK" if tolerance else "FAIL",
            "Performance": performance,
            "VerifyModel": "OK" if result.get("verified") and performance == "OK" else "SKIPPED",
        },
        "result": {
            **({"Correctness": {"per_output_tolerance": tolerance}} if tolerance else {}),
            **({"Performance": {"profiling_results": figures}} if figures else {}),
        },
    }


def _custom_configs(export: Status) -> Status:
    onnx = {name: export[name] for name in ("opset", "dynamic_axes") if name in export}
    return {"Onnx": onnx} if onnx else {}


def _shapes(axes: Any) -> Status:
    # 0.1.2 and before: input -> axis -> [smallest, usual, largest]; axes that are not named are not known.
    kinds = ("min", "opt", "max")
    return {
        name: {kind: [sizes[axis][place] for axis in sorted(sizes, key=int)] for place, kind in enumerate(kinds)}
        for name, sizes in (axes or {}).items()
    }


def _largest_batch(status: Status) -> int:
    rows = (
        row
        for model in status["models_status"].values()
        for runner in model["runners_status"].values()
        for row in runner["result"].get("Performance", {}).get("profiling_results", [])
    )
    return max((row["batch_size"] or 1 for row in rows), default=1)


def _optimization_profile(status: Status) -> None:
    # Up to 0.2.1 it was called profiler_config.
    profiler = status["config"].pop("profiler_config", None)
    if profiler:
        found = {new: profiler[old] for old, new in PROFILER.items() if old in profiler}
        status["config"]["optimization_profile"] = OPTIMIZATION_PROFILE | found


def _trt_profiles(status: Status) -> None:
    # Up to 0.2.2 there was one profile.
    for config in (status["config"].get("custom_configs") or {}).values():
        if "trt_profile" in config:
            profile = config.pop("trt_profile")
            config["trt_profiles"] = [profile] if profile is not None else None


def _structures(status: Status) -> None:
    # Up to 0.2.3 inputs and outputs were lists of tensors.
    names = status["config"].pop("forward_kw_names", None)
    for side, keywords in (("input_metadata", names), ("output_metadata", None)):
        tensors = status[side]
        if not isinstance(tensors, list):
            continue
        own = [tensor["name"] for tensor in tensors]
        tree: Any = dict(zip(keywords, own, strict=False)) if keywords else own[0] if len(own) == 1 else own
        status[side] = {
            "metadata": tensors,
            "pytree_metadata": {"metadata": tree, "tensor_type": "numpy"},
            "is_legacy": side == "output_metadata",
        }


def _torchscript(status: Status) -> None:
    # Up to 0.3.0 TorchScript's configuration was called Torch.
    configs = status["config"].get("custom_configs") or {}
    if "Torch" in configs:
        configs["TorchScript"] = configs.pop("Torch")


# The last version that a step is for, and the step.
STEPS: tuple[tuple[Version, Callable[[Status], None]], ...] = (
    ((0, 1, 1), _figures),
    ((0, 1, 4), _models),
    ((0, 2, 1), _optimization_profile),
    ((0, 2, 2), _trt_profiles),
    ((0, 2, 3), _structures),
    ((0, 3, 0), _torchscript),
)
