"""The calls of ONNX Runtime in scripts: source text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.ort_session import UNSAFE_IN_HALF, bound, session_options, unsafe
from pytest_navigator.backends.onnx.ort_values import array_of
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.core.script_parts import MakingCode, RunnerCode
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.scripts import is_foreign
from pytest_navigator.runners.outputs import has_own_names, own_names

if TYPE_CHECKING:
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject

CPU = 'providers=["CPUExecutionProvider"]'

# See that what was made loads.
LOADS = MakingCode(f"onnxruntime.InferenceSession(args.output, {CPU})", imports=("import onnxruntime",))
LOADS_HALF = MakingCode(
    f"onnxruntime.InferenceSession(args.output, {CPU}, disabled_optimizers={UNSAFE_IN_HALF})",
    imports=("import onnxruntime",),
)

BINDING = "x = bound(model, feed, [output.name for output in model.get_outputs()], {device!r})"

NAMES = "[output.name for output in model.get_outputs()]"
INPUTS_HERE = "[value.name for value in model.get_inputs()]"

# Outputs of `run`, which gives text as Python objects.
AS_TEXT = "(value.astype(str) if value.dtype == object else value for value in y)"

FALLBACK = """if model.get_providers()[0] != {provider!r}:
    sys.exit(f"ONNX Runtime fell back from {provider} to {{model.get_providers()[0]}}")"""


def runner_code(subject: Subject, chosen: tuple[str, ...], device: str, options: Parameters) -> RunnerCode:
    """Return the code of `onnxruntime.InferenceSession` with these providers, and the CPU behind them."""
    signature, lines = subject.signature, []
    if device == "cuda":
        lines.append("onnxruntime.preload_dlls()")
    given = f", session_options({literal(dict(options))})" if options else ""
    providers = list(dict.fromkeys((*chosen, "CPUExecutionProvider")))
    without = f", disabled_optimizers={found}" if (found := unsafe(subject.variant.parameters)) else ""
    lines.append(f"model = onnxruntime.InferenceSession(args.artifact{given}, providers={providers!r}{without})")
    if device == "cuda":
        lines.append(FALLBACK.format(provider=chosen[0]))
    on_device = device != "cpu" or any(map(is_foreign, (*signature.inputs, *signature.outputs)))
    code = (_bound if on_device else _run)("\n".join(lines), device, signature)
    return replace(code, functions=(*code.functions, session_options)) if options else code


def _run(load: str, device: str, signature: Signature) -> RunnerCode:
    """Return the code for what `run` takes and gives."""
    text = any(spec.dtype in TEXT_TYPES.values() for spec in signature.outputs)
    return RunnerCode(
        load=load,
        prepare=own_names(signature, INPUTS_HERE),
        call="y = model.run(None, feed)",
        outputs=f"dict(zip({_outputs(signature)}, {AS_TEXT if text else 'y'}))",
        imports=("import onnxruntime",),
    )


def _bound(load: str, device: str, signature: Signature) -> RunnerCode:
    """Return the code for values that are on a device, or of types that `run` cannot take."""
    return RunnerCode(
        load=load,
        prepare="\n".join(filter(None, [own_names(signature, INPUTS_HERE), BINDING.format(device=device)])),
        call="model.run_with_iobinding(x)\nx.synchronize_outputs()",
        outputs=f"dict(zip({_outputs(signature)}, map(array_of, x.get_outputs())))",
        imports=("import sys", "import onnxruntime"),
        functions=(bound,),
        output_functions=(array_of,),
    )


def _outputs(signature: Signature) -> str:
    return "OUTPUTS" if has_own_names(signature) else NAMES
