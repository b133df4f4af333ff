"""What of a package Model Navigator 0.14 can read: the rest must be where its loader does not look (pure).

It knows no other formats, configurations and runners than its own, works out the folder of an artifact from the
parameters instead of reading it, and calls a program with the model's own structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import JSON, Signature, Variant
    from pytest_navigator.package.query.results import Results

RUNNERS = {
    "python": ("PythonRunner",),
    "torch": ("TorchCPU", "TorchCUDA", "TorchCompileCPU", "TorchCompileCUDA"),
    "tensorflow": ("TensorFlowCPU", "TensorFlowCUDA"),
    "jax": ("JAX",),
    "torchscript": ("TorchScriptCPU", "TorchScriptCUDA"),
    "torch-exportedprogram": ("TorchExportedProgramCPU", "TorchExportedProgramCUDA"),
    "torch-trt": ("TorchTensorRT",),
    "tf-savedmodel": ("TensorFlowSavedModelCPU", "TensorFlowSavedModelCUDA"),
    "tf-trt": ("TensorFlowTensorRT",),
    "onnx": ("OnnxCPU", "OnnxCUDA", "OnnxTensorRT"),
    "trt": ("TensorRT", "TensorRTCUDAGraph"),
}
"""Its formats, and the runners of each."""

FRAMEWORKS = {
    "torchscript": "torch",
    "torch-exportedprogram": "torch",
    "tf-savedmodel": "tensorflow",
    "python": "none",
}
"""A source that it has no framework of that name for -> the one that it has."""

COMMON = ("custom_args", "device")
AUTOCAST = ("autocast", "autocast_dtype", "inference_mode", *COMMON)
CONFIGS = {
    "torch": ("Torch", AUTOCAST),
    "torchscript": ("TorchScript", ("jit_type", "strict", *AUTOCAST)),
    "torch-exportedprogram": ("TorchExport", AUTOCAST),
    "onnx": ("Onnx", ("opset", "dynamic_axes", "graph_surgeon_optimization", "model_path", *COMMON)),
    "tf-savedmodel": ("TensorFlow", ("jit_compile", "enable_xla", *COMMON)),
    "trt": ("TensorRT", ("precision", "precision_mode", *COMMON)),
    "torch-trt": ("TorchTensorRT", ("precision", "precision_mode", *COMMON)),
    "tf-trt": ("TensorFlowTensorRT", ("precision", "precision_mode", *COMMON)),
}
"""A format -> the name and the fields of its custom configuration; it refuses others."""

FLAT = ("torch-exportedprogram", "torchscript")


def readable(results: Results, variant: Variant) -> bool:
    """Whether it can load and call an artifact."""
    return (
        variant.format in RUNNERS
        and variant.key == "-".join((variant.format, *_parts(results, variant)))
        and not (variant.format in FLAT and _flat(results, variant) and not _by_position(results.signature))
    )


def own_runners(variant: Variant) -> tuple[str, ...]:
    """Return the runners of an artifact that are its own too."""
    return tuple(name for name in variant.runners if name in RUNNERS.get(variant.format, ()))


def custom_configs(variants: Sequence[Variant]) -> dict[str, JSON]:
    """Return the parameters of each format; where its variants differ in one, the list of the values."""
    configs: dict[str, dict[str, list[JSON]]] = {}
    for variant in (variant for variant in variants if variant.format in CONFIGS):
        name, fields = CONFIGS[variant.format]
        config = configs.setdefault(name, {})
        for field, value in parameters(variant).items():
            if field in fields and value not in config.setdefault(field, []):
                config[field].append(value)
    return {
        name: {field: values[0] if len(values) == 1 else values for field, values in config.items()}
        for name, config in configs.items()
    }


def parameters(variant: Variant) -> dict[str, JSON]:
    """Return the parameters of an artifact, with types by the names that it reads."""
    dtype = variant.parameters.get("autocast_dtype")
    return {**variant.parameters, **({"autocast_dtype": f"torch.{dtype}"} if dtype else {})}


def _parts(results: Results, variant: Variant) -> list[str]:
    """Return what it appends to the format's name to get the folder: parameters of the whole chain, the root first."""
    chain = [results.variant(key) for key in reversed(results.chain(variant.key))]
    return [part for each in chain for part in _own_parts(each.format, each.parameters)]


def _own_parts(form: str, given: Mapping[str, JSON]) -> list[str]:
    if form == "tf-savedmodel":
        return [*(["jit"] if given.get("jit_compile") else []), *(["xla"] if given.get("enable_xla") else [])]
    name = {"torchscript": "jit_type"}.get(form, "precision" if form.endswith("trt") else "")
    return [str(given[name])] if given.get(name) else []


def _flat(results: Results, variant: Variant) -> bool:
    """Whether a program takes arrays by position and returns a tuple of them, whatever the model's structure is."""
    if variant.format == "torch-exportedprogram":
        return not variant.parameters.get("structured")
    made = results.made(variant.key)
    return bool(made and made.data.get("interface") == "flat")


def _by_position(signature: Signature | None) -> bool:
    """Whether the model itself takes arrays by position and returns several of them in a row."""
    if signature is None:
        return False
    takes, gives = signature.input_tree, signature.output_tree
    row = gives.get("tuple") or gives.get("list") or []
    return not takes["kwargs"] and all("leaf" in node for node in (*takes["args"], *row)) and bool(row)
