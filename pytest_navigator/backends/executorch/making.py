"""How ExecuTorch's files are made, and what of them is delegated. Runs in the child."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.executorch.lowering import lower, quantize, read_program
from pytest_navigator.core.facts import DelegatedNodes, MakingFacts, QuantizedNodes, as_data
from pytest_navigator.core.plain import plain
from pytest_navigator.errors import StepFailed, unknown_text
from pytest_navigator.formats.exclusions import excluded
from pytest_navigator.samples.calibration import calibration_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData

Shapes = list[list[int]]

# Layers that torchao's quantizer gives int8 weights.
COMPUTING = re.compile(r"aten\.(linear|conv\d?d?|convolution|conv_transpose\d?d?|addmm|mm|bmm|matmul)\b")
ROUNDED = "quantized_decomposed.dequantize"

# What computes nothing of the model: a delegate gives its outputs as a tuple, sizes are numbers, int8 is rounded to.
PLAIN = re.compile(r"getitem|sym_size|aten_sym_size|alloc|(?:de)?quantize_|quantized_decomposed_")

MOST_NAMED = 4


def make(parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    """Write the file; returns what is worth recording.

    Raises:
        StepFailed: an option is unknown, an operator has no kernel, too little is delegated, nothing can be
            quantized, or what stays in floating point is not there.
    """
    check_options(variant.parameters["custom_args"])
    program = read_program(str(parent))
    shapes = shapes_of(data, signature, variant.parameters["max_batch_size"])
    module, quantized, names = None, None, []
    if variant.parameters["precision"] == "int8":
        asked = variant.parameters["quantization"]
        samples = calibration_batches(data, asked)
        names = left_out(program, variant)
        module = quantizing(variant, names)(program, samples)
        quantized = counted(module, variant, len(samples))
    try:
        lowered, planned = lowering(variant, shapes)(program, str(path), module=module)
    except Exception as error:
        if text := unsupported(str(error), program, variant):
            raise StepFailed(text, kind=type(error).__name__) from error
        raise
    check_kernels(planned, variant)
    delegated = delegation(lowered, variant)
    check_share(delegated, variant)
    largest = largest_batch(shapes, signature)
    limit = f"memory is planned for batches of up to {largest}" if largest else ""
    note = "; ".join(filter(None, (delegated.text, limit)))
    facts = MakingFacts(quantized=quantized, delegated=delegated, max_batch_size=largest, note=note)
    recorded: dict[str, JSON] = plain(as_data(facts))  # type: ignore[assignment]
    return {**recorded, "shapes": plain(shapes), "left_out": plain(names)}


def check_options(options: Mapping[str, JSON]) -> None:
    """Check that ExecuTorch's compiler has the options.

    Raises:
        StepFailed: it has not; with the nearest one.
    """
    from executorch.exir import EdgeCompileConfig

    valid = [each.name for each in fields(EdgeCompileConfig)]
    if lacking := [name for name in options if name not in valid]:
        raise StepFailed(unknown_text("field of EdgeCompileConfig in ExecuTorchConfig.custom_args:", lacking[0], valid))


def lowering(variant: Variant, shapes: Shapes) -> partial[Any]:
    """Return what writes the file of a program."""
    parameters = variant.parameters
    return partial(lower, shapes=shapes, backend=parameters["backend"], options=parameters["custom_args"])


def quantizing(variant: Variant, names: list[str]) -> partial[Any]:
    """Return what quantizes a program."""
    asked = variant.parameters["quantization"]
    words = ("symmetric", "per_channel", "calibration_method")
    return partial(quantize, left_out=names, **{word: asked[word] for word in words if asked[word] is not None})


def shapes_of(data: LoaderData, signature: Signature, most: int | None) -> Shapes:
    """Return the largest shape of each input: of the samples, and on the batch axis of what is to be run, too."""
    found = {name: list(array.shape) for name, array in data.example.items()}
    others: Iterator[Mapping[str, Any]] = ({n: a.shape for n, a in batch.items()} for batch in data.batches)
    profile = {name: shapes["max"] for name, shapes in data.record.profile.items()}
    for shapes in (*others, profile):
        for name in found.keys() & shapes.keys():
            found[name] = [max(pair) for pair in zip(found[name], shapes[name], strict=True)]
    size, axis = most or max(data.record.asked_batch or 1, data.record.max_batch_size or 1), signature.batch_dim
    for spec in signature.inputs:
        if spec.batched and axis is not None and spec.shape[axis] == -1:
            found[spec.name][axis] = size
    return [found[spec.name] for spec in signature.inputs]


def largest_batch(shapes: Shapes, signature: Signature) -> int | None:
    """Return the largest batch of shapes; None without a batch."""
    axis = signature.batch_dim
    pairs = zip(signature.inputs, shapes, strict=True)
    return next((shape[axis] for spec, shape in pairs if spec.batched and axis is not None), None)


def path_of(node: Any, variant: Variant) -> str:
    """Return the path of the module that a node comes from, "" for the model itself."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = re.sub(r"^L\['self'\]\.?", "", stack[-1][0]) if stack else ""
    # Our own exports have the model in a module around it.
    return path if variant.parameters["structured"] else re.sub(r"^model(\.|$)", "", path)


def left_out(program: Any, variant: Variant) -> list[str]:
    """Return the names of the nodes that stay in floating point.

    Raises:
        StepFailed: a pattern means none.
    """
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    patterns = variant.parameters["quantization"]["exclude"]
    return excluded(patterns, [(node.name, path_of(node, variant)) for node in nodes])


def counted(module: Any, variant: Variant, samples: int) -> QuantizedNodes:
    """Return how many layers compute in int8.

    Raises:
        StepFailed: none does.
    """
    asked = variant.parameters["quantization"]
    layers = [node for node in module.graph.nodes if node.op == "call_function" and COMPUTING.match(str(node.target))]
    done = sum(all(str(each.target).startswith(ROUNDED) for each in node.all_input_nodes[:2]) for node in layers)
    if not layers:
        raise StepFailed("there is nothing to quantize: the model has no convolution and no product with weights")
    if not done:
        why = f": exclude={list(asked['exclude'])} leaves all of them out" if asked["exclude"] else ""
        raise StepFailed(f"torchao quantized none of the {len(layers)} layers{why}")
    method = asked["calibration_method"] or "histogram"
    weights = "one scale a weight" if asked["per_channel"] is False else "a scale for each channel"
    ranges = "symmetric" if asked["symmetric"] else "asymmetric"
    scheme = f"int8 weights ({weights}), int8 activations ({ranges}, {method}), XNNPACKQuantizer"
    return QuantizedNodes(done, len(layers), tuple(asked["exclude"]), scheme=scheme, samples=samples)


def delegation(lowered: Any, variant: Variant) -> DelegatedNodes:
    """Return how many of the nodes that compute are delegated."""
    from executorch.devtools.backend_debug import get_delegation_info

    info = get_delegation_info(lowered.graph_module)
    kinds = {name: each for name, each in info.delegation_by_operator.items() if not PLAIN.match(name)}
    places: dict[str, str] = {}
    for node in lowered.graph.nodes:
        places.setdefault(re.sub(r"_\d+$", "", node.name), path_of(node, variant))
    left = Counter({name: each.non_delegated for name, each in kinds.items() if each.non_delegated})
    done = sum(each.delegated for each in kinds.values())
    return DelegatedNodes(
        variant.parameters["backend"] or "",
        done,
        done + left.total(),
        info.num_delegated_subgraphs,
        dict(left.most_common()),
        {name: places.get(name, "") for name in left},
    )


def check_share(found: DelegatedNodes, variant: Variant) -> None:
    """Check that enough is delegated.

    Raises:
        StepFailed: it is less than was asked for, or nothing.
    """
    least = variant.parameters["min_delegated"]
    if variant.parameters["backend"] is None:
        return
    if least is None and found.total and not found.delegated:
        raise StepFailed(
            f"nothing is delegated: {found.text}, and the portable kernels are up to some hundred times slower; "
            "ExecuTorchConfig(min_delegated=0) lets that pass"
        )
    if least is not None and found.share < least:
        raise StepFailed(f"{found.text}: {found.share:.2f}, below min_delegated={least}")


def check_kernels(planned: Any, variant: Variant) -> None:
    """Check that the runtime has a kernel for each operator that is not delegated.

    Raises:
        StepFailed: with operator, node and module path.
    """
    import torch

    from pytest_navigator.backends.executorch.model import runtime

    known = set(runtime().operator_registry.operator_names)
    for node in planned.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and node.target.name() not in known:
            raise StepFailed(
                f"ExecuTorch's runtime has no kernel for {node.target.name()} ({_place(node, variant)}), and "
                f"{variant.parameters['backend'] or 'no backend'} does not take it"
            )


def unsupported(text: str, program: Any, variant: Variant) -> str:
    """Return which operator ExecuTorch cannot lower, and where it is; "" if that is not what an error says."""
    found = re.search(r"\b(aten|\w+(?=::))(?:::|\.)(\w+)", text)
    if not found:
        return ""
    # The program has the operator itself, or what is taken apart into it: linalg_inv for linalg_inv_ex.
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    near = [(len(name), node) for node in nodes if (name := _operator(node)) and found[2].startswith(name)]
    place = f" ({_place(max(near, key=itemgetter(0))[1], variant)})" if near else ""
    return f"ExecuTorch cannot lower {found[1]}::{found[2]}{place}: {text.strip().splitlines()[0]}"


def _operator(node: Any) -> str:
    """Return the name of an operator: "cumsum" of aten.cumsum.default."""
    return [*str(node.target).split("."), ""][1]


def _place(node: Any, variant: Variant) -> str:
    path = path_of(node, variant)
    return f"node {node.name} in {path}" if path else f"node {node.name} of the model itself"
