"""ONNX in scripts: torch's two exporters, and ONNX Runtime (pure)."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from pytest_navigator.records import TEXT_TYPES
from pytest_navigator.reproduce import torch
from pytest_navigator.reproduce.code import imports_of
from pytest_navigator.reproduce.code import keywords
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.code import own_names
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.parts import RunnerCode
from pytest_navigator.reproduce.scripts import is_foreign
from pytest_navigator.runners.ort_values import array_of
from pytest_navigator.runners.ort_values import ort_value
from pytest_navigator.runners.outputs import has_own_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.reproduce.parts import Subject

CHECK = '''
DYNAMIC = [
{dynamic}]


def check(path: str) -> None:
    """See that the file has the opset, and that the axes that change in the loader are dynamic; then load it."""
    model = onnx.load(path, load_external_data=False)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != {opset}:
        raise ValueError(f"opset {opset} was asked for, the {engine} engine delivered {{opset}}")
    values = {{value.name: value for value in (*model.graph.input, *model.graph.output)}}
    for kind, name, axis, text in DYNAMIC:
        dims = values[name].type.tensor_type.shape.dim if name in values else []
        if dims and dims[axis].HasField("dim_value"):
            size = dims[axis].dim_value
            raise ValueError(
                f"{{text}} of {{kind}} {{name!r}} was fixed to {{size}} by the exporter: the model takes no other size"
            )
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
'''

CHECKED = "check(args.output)"

LOADS = MakingCode(
    'onnxruntime.InferenceSession(args.output, providers=["CPUExecutionProvider"])', imports=("import onnxruntime",)
)
"""See that what was made loads."""

BINDING = """x = model.io_binding()
for name, value in feed.items():
    x.bind_ortvalue_input(name, ort_value(value, {device!r}))
for output in model.get_outputs():
    x.bind_output(output.name, {device!r})"""

NAMES = "[output.name for output in model.get_outputs()]"
INPUTS_HERE = "[value.name for value in model.get_inputs()]"

AS_TEXT = "(value.astype(str) if value.dtype == object else value for value in y)"
"""Outputs of `run`, which gives text as Python objects."""

FALLBACK = """if model.get_providers()[0] != {provider!r}:
    sys.exit(f"ONNX Runtime fell back from {provider} to {{model.get_providers()[0]}}")"""


def export_code(subject: Subject, engine: str, options: Mapping[str, JSON]) -> MakingCode:
    """Return the export by one engine, "dynamo", "trace" or "script".

    Args:
        subject: with the dynamic axes that are asked for in its signature.
        options: of `torch.onnx.export`.
    """
    signature, device = subject.signature, torch.device_of(subject)
    body = f"{torch.moved(subject, device)}{torch.example_tensors(subject, device)}"
    made = _dynamo(subject, options) if engine == "dynamo" else _trace(subject, engine, options)
    return MakingCode(
        body="\n".join([body, "with torch.no_grad():", indent(made, "    "), CHECKED]),
        imports=("import onnx", "import onnxruntime", "import torch", *imports_of(signature.input_tree)),
        helpers=f"{torch.flat_module(signature).strip()}\n\n\n{_check(signature, engine, options).strip()}",
        seeding=torch.SEEDING.format(seed=subject.seed),
    )


def conversion_code(subject: Subject, load: str, options: Mapping[str, JSON], engine: str) -> MakingCode:
    """Return the export of a file of torch's, "dynamo" of `program`, else of `model`: "file" is a ScriptModule.

    Args:
        load: statements that give `model` or `program` from `args.artifact`.
    """
    live = engine != "dynamo"
    tensors = torch.example_tensors(subject, torch.device_of(subject)) if live else ""
    made = _trace(subject, engine, options) if live else _dynamo_call(options)
    helpers = torch.flat_module(subject.signature) if live else ""
    check = _check(subject.signature, "trace" if live else "dynamo", options)
    return MakingCode(
        body="\n".join([load, *filter(None, [tensors]), "with torch.no_grad():", indent(made, "    "), CHECKED]),
        imports=("import onnx", "import onnxruntime", "import torch", *imports_of(subject.signature.input_tree)),
        helpers="\n\n\n".join(part.strip() for part in (helpers, check) if part),
    )


METHODS = ("register_", "add_", "set_")
"""How the names of SessionOptions' methods start."""


ENUMERATIONS = {
    "graph_optimization_level": "GraphOptimizationLevel",
    "execution_mode": "ExecutionMode",
    "execution_order": "ExecutionOrder",
}
"""SessionOptions' attributes that take a member of an enumeration of onnxruntime."""


def _option(name: str, value: JSON) -> str:
    """Return the statement of one session option; what is a method of SessionOptions is called."""
    if name.startswith(METHODS):
        arguments = value if isinstance(value, list) else [value]
        return f"options.{name}({', '.join(map(literal, arguments))})"
    if name in ENUMERATIONS:
        return f"options.{name} = onnxruntime.{ENUMERATIONS[name]}.{value}"
    return f"options.{name} = {literal(value)}"


def runner_code(
    subject: Subject, chosen: tuple[str, ...], device: str, session_options: Mapping[str, JSON]
) -> RunnerCode:
    """Return the code of `onnxruntime.InferenceSession` with these providers, and the CPU behind them."""
    signature, lines = subject.signature, []
    if device == "cuda":
        lines.append("onnxruntime.preload_dlls()")
    if session_options:
        lines.append("options = onnxruntime.SessionOptions()")
        lines += [_option(name, value) for name, value in session_options.items()]
    providers = list(dict.fromkeys((*chosen, "CPUExecutionProvider")))
    options = ", options" if session_options else ""
    lines.append(f"model = onnxruntime.InferenceSession(args.artifact{options}, providers={providers!r})")
    if device == "cuda":
        lines.append(FALLBACK.format(provider=chosen[0]))
    load = "\n".join(lines)
    if device == "cpu" and not any(map(is_foreign, (*signature.inputs, *signature.outputs))):
        text = any(spec.dtype in TEXT_TYPES.values() for spec in signature.outputs)
        outputs = f"dict(zip({_outputs(signature)}, {AS_TEXT if text else 'y'}))"
        return RunnerCode(
            load,
            own_names(signature, INPUTS_HERE),
            "y = model.run(None, feed)",
            outputs,
            imports=("import onnxruntime",),
        )
    return _bound(load, device, signature)


def _outputs(signature: Signature) -> str:
    return "OUTPUTS" if has_own_names(signature) else NAMES


def _bound(load: str, device: str, signature: Signature) -> RunnerCode:
    """Return the code for values that are on a device, or of types that `run` cannot take."""
    return RunnerCode(
        load=load,
        prepare="\n".join(filter(None, [own_names(signature, INPUTS_HERE), BINDING.format(device=device)])),
        call="model.run_with_iobinding(x)\nx.synchronize_outputs()",
        outputs=f"dict(zip({_outputs(signature)}, map(array_of, x.get_outputs())))",
        imports=("import sys", "import onnxruntime"),
        functions=(ort_value,),
        output_functions=(array_of,),
    )


def _dynamo(subject: Subject, options: Mapping[str, JSON]) -> str:
    program = torch.program(subject.signature, {}, derived=bool(subject.data.get("derived_sizes")))
    return f"{program}\n{_dynamo_call(options)}"


def _dynamo_call(options: Mapping[str, JSON]) -> str:
    call = f"made = torch.onnx.export(\n    program, (), None, dynamo=True{_lines(options)}\n)\n"
    return f"{call}made.save(args.output, external_data=True)"


def _trace(subject: Subject, engine: str, options: Mapping[str, JSON]) -> str:
    signature = subject.signature
    axes = {spec.name: spec.axes for spec in (*signature.inputs, *signature.outputs)}
    lines = ["model = torch.jit.script(model)"] if engine == "script" else []
    lines.append("flat = Flat(model)\nflat.training = False")
    if engine in ("script", "file") or subject.model.startswith("torch.jit."):
        lines.append("flat = torch.jit.trace(flat, tensors, check_trace=False)")
    arguments = f"flat, tensors, args.output, dynamo=False{_lines({'dynamic_axes': axes, **options})}"
    lines.append(f"torch.onnx.export(\n    {arguments}\n)")
    return "\n".join(lines)


def _lines(options: Mapping[str, JSON]) -> str:
    """Return keyword arguments, a line each."""
    return "".join(keywords({name: value}).replace(", ", ",\n    ", 1) for name, value in options.items())


def _check(signature: Signature, engine: str, options: Mapping[str, JSON]) -> str:
    rows = [
        (kind, spec.name, axis, "the batch axis" if axis == signature.batch_dim else f"axis {axis}")
        for kind, specs in (("input", signature.inputs), ("output", signature.outputs))
        for spec in specs
        for axis in spec.axes
    ]
    dynamic = "".join(f"    {row!r},\n" for row in rows)
    return CHECK.format(dynamic=dynamic, opset=options["opset_version"], engine=engine)
