"""What of Triton's runs a format in a runner, and how it is set so that it runs as it was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.backends.onnx.ort_session import unsafe
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.triton.configs import (
    ONNXModelConfig,
    PythonModelConfig,
    PyTorchModelConfig,
    TensorRTModelConfig,
)
from pytest_navigator.deploy.triton.onnx_file import of_signature
from pytest_navigator.deploy.triton.values import (
    ONNXOptimization,
    TensorRTAccelerator,
    TensorRTOptimization,
    TensorRTOptPrecision,
)
from pytest_navigator.devices.requirements import module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pytest_navigator.core.plain import JSON, Tree
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.deploy.triton.deployed import Deployed
    from pytest_navigator.deploy.triton.model_config import ModelConfig
    from pytest_navigator.deploy.triton.onnx_file import Tensors

# Types that Triton's backends have: what it has a name for is more.
LIBTORCH = frozenset({"bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"})
ONNXRUNTIME = LIBTORCH | {"uint16", "uint32", "uint64", *TEXT_TYPES.values()}
TENSORRT = frozenset({"bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32"})

# The settings of a session of ONNX Runtime that its backend has, by its name.
SESSION = {"intra_op_num_threads": "intra_op_thread_count", "inter_op_num_threads": "inter_op_thread_count"}
LEVELS = {"ORT_DISABLE_ALL": 2, "ORT_ENABLE_BASIC": -1, "ORT_ENABLE_EXTENDED": 1}
PRECISIONS = {"trt_int8_enable": TensorRTOptPrecision.INT8, "trt_fp16_enable": TensorRTOptPrecision.FP16}
"""Flag of the TensorRT provider -> the mode of Triton's backend, which has one at a time: the first that is set."""
NO_MODE = {"trt_bf16_enable": "bfloat16", "trt_fp8_enable": "float8"}

NUMBERED = re.compile(r".+__(\d+)")  # Names that libtorch's backend takes for positions


@dataclass(frozen=True)
class Backend:
    """What of Triton's runs it.

    Attributes:
        config: the class of the configuration.
        tensors: as it has them.
        fields: of the configuration, beside those that every backend has.
        notices: what whoever deploys it has to know.
    """

    config: type[ModelConfig]
    tensors: Tensors
    fields: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def backend(deployed: Deployed) -> Backend:
    """Return what runs it: Triton's own backend, or a Python model where there is none or it cannot."""
    own = OWN.get(deployed.written_as)
    why = own.refuses(deployed) if own else f"Triton has no backend for {deployed.chosen.variant.format}"
    if own and not why:
        return own.sets(Backend(own.config, deployed.tensors), deployed)
    notice = f"{deployed.chosen.variant.key} is served as a Python model: {why}; {needs(deployed.chosen.runner)}"
    return Backend(PythonModelConfig, of_signature(deployed.signature), {}, (notice,))


def needs(runner: RunnerRecord) -> str:
    """Return what the server's Python must have: a stock Triton has none of it, and the model would fail at load."""
    packages = dict.fromkeys(module.replace("_", "-") for name in runner.requires if (module := module_of(name)))
    return f"the server's Python needs: pip install {' '.join(['numpy', *packages])}"


def refused(tensors: Iterable[TensorSpec], types: Collection[str], unbatched: str) -> str:
    """Return which tensor a backend of Triton's does not take, and why; "" if it takes them all.

    Args:
        types: that the backend has.
        unbatched: why requests are not joined, "" if they are.
    """
    for spec in tensors:
        if unbatched and not spec.shape:
            return f"{spec.name!r} has no axis, which Triton's backends cannot pass on without a batch axis"
        if spec.dtype not in types:
            return f"{spec.name!r} is {spec.dtype}, which Triton's backend for this format does not take"
    return ""


def _not_in_onnxruntime(deployed: Deployed) -> str:
    if name := deployed.tensors.unsaid:
        return f"the file does not say how many axes {name!r} has, and Triton's backend compares them"
    return refused(deployed.tensors.all, ONNXRUNTIME, deployed.unbatched)


def _not_in_tensorrt(deployed: Deployed) -> str:
    return refused(deployed.tensors.all, TENSORRT, deployed.unbatched)


def _onnxruntime(found: Backend, deployed: Deployed) -> Backend:
    settings, runner = deployed.settings, deployed.chosen.runner
    parameters: dict[str, Any] = {}
    if runner.device == "cpu":
        parameters = {theirs: settings.get(ours, 0) for ours, theirs in SESSION.items()}
    if settings.get("execution_mode") == "ORT_PARALLEL":
        parameters["execution_mode"] = 1
    accelerator = TensorRTAccelerator(_precision(settings)) if runner.runtime == "tensorrt" else None
    level = LEVELS.get(str(settings.get("graph_optimization_level")))
    if runner.device == "cpu" and unsafe(deployed.chosen.variant.parameters):
        level = level or LEVELS["ORT_ENABLE_EXTENDED"]  # the backend leaves out no single optimization
    faster = ONNXOptimization(accelerator, graph_level=level) if accelerator or level else None
    lost = _other_precision(settings) if accelerator else ()
    notices = (*_not_told(deployed), *lost)
    return replace(found, fields={"parameters": parameters, "optimization": faster}, notices=notices)


def _precision(settings: Mapping[str, JSON]) -> TensorRTOptPrecision:
    """Return what the provider was allowed to compute in when it was measured: its flags; without any, float32."""
    return next((mode for flag, mode in PRECISIONS.items() if _is_set(settings, flag)), TensorRTOptPrecision.FP32)


def _is_set(settings: Mapping[str, JSON], flag: str) -> bool:
    return str(settings.get(flag, "")).lower() in ("1", "true")


def _other_precision(settings: Mapping[str, JSON]) -> tuple[str, ...]:
    """Return a notice of what the provider was allowed to compute in, and is not in Triton."""
    served = _precision(settings)
    allowed = {**{flag: mode.value for flag, mode in PRECISIONS.items() if mode != served}, **NO_MODE}
    lost = [name for flag, name in allowed.items() if _is_set(settings, flag)]
    if not lost:
        return ()
    why = "Triton's backend has one precision_mode, of FP32, FP16 and INT8"
    return (f"measured with TensorRT allowed to compute in {', '.join(lost)}, served in {served.upper()}: {why}",)


def _not_told(deployed: Deployed) -> tuple[str, ...]:
    """Return a notice of the session's options that the backend has no name for."""
    given = (deployed.chosen.variant.parameters.get("custom_args") or {}).get("session_options") or {}
    known = {*SESSION, "execution_mode", "graph_optimization_level"}
    lost = [name for name in given if name not in known]
    return (f"measured with session_options that Triton's backend does not have: {', '.join(lost)}",) if lost else ()


def _not_in_libtorch(deployed: Deployed) -> str:
    variant, signature = deployed.chosen.variant, deployed.signature
    if variant.parameters.get("autocast"):
        return "it runs under torch.autocast, which Triton's backend does not enter"
    if why := refused(deployed.tensors.all, LIBTORCH, deployed.unbatched):
        return why
    if deployed.made.interface != "flat":
        if not _plain_arguments(signature.input_tree):
            return "it takes more than tensors, as Triton's PyTorch backend gives them"
        if not _plain_outputs(signature.output_tree):
            return "it gives neither a tensor nor a tuple of tensors, as Triton's PyTorch backend takes them"
    if _misnumbered(signature.outputs):
        return "Triton's PyTorch backend takes the numbers in the outputs' names for positions, which they are not"
    return ""


def _plain_arguments(tree: Tree) -> bool:
    return all("leaf" in node for node in (*tree["args"], *(node for _, node in tree["kwargs"])))


def _plain_outputs(tree: Tree) -> bool:
    return "leaf" in tree or ("tuple" in tree and all("leaf" in node for node in tree["tuple"]))


def _misnumbered(specs: tuple[TensorSpec, ...]) -> bool:
    found = [NUMBERED.fullmatch(spec.name) for spec in specs]
    return all(found) and [int(match[1]) for match in found if match] != list(range(len(specs)))


def _libtorch(found: Backend, deployed: Deployed) -> Backend:
    threads, inference = (
        deployed.settings.get("threads"),
        deployed.chosen.variant.parameters.get("inference_mode", True),
    )
    parameters: dict[str, Any] = {} if inference else {"INFERENCE_MODE": False}
    if deployed.chosen.runner.device == "cpu" and type(threads) is int:
        parameters["INTRA_OP_THREAD_COUNT"] = threads
    return replace(found, fields={"parameters": parameters})


def _engine(found: Backend, deployed: Deployed) -> Backend:
    graphs = bool(deployed.settings.get("cuda_graph")) or deployed.chosen.runner.name.endswith("CUDAGraph")
    return replace(found, fields={"optimization": TensorRTOptimization(cuda_graphs=True)} if graphs else {})


class Own(NamedTuple):
    """A backend of Triton's.

    Attributes:
        refuses: why it cannot run a format as it is, "" if it can.
        sets: how it is set so that it runs as it was measured.
        config: the class of its configuration.
    """

    refuses: Callable[[Deployed], str]
    sets: Callable[[Backend, Deployed], Backend]
    config: type[ModelConfig]


OWN = {
    "onnx": Own(_not_in_onnxruntime, _onnxruntime, ONNXModelConfig),
    "torchscript": Own(_not_in_libtorch, _libtorch, PyTorchModelConfig),
    "trt": Own(_not_in_tensorrt, _engine, TensorRTModelConfig),
}
"""Format whose files they are -> its backend."""
