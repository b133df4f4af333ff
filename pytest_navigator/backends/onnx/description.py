"""What an ONNX file says of itself. Runs in the child."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.errors import SourceError
from pytest_navigator.samples.npz import dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What stands for them in the symbol of a size that is an expression: "n + 1" and "n/1" are two sizes.
OPERATORS = {"+": "_plus_", " - ": "_minus_", "*": "_times_", "/": "_over_"}

# What ONNX has beside tensors.
KINDS = {
    "sequence_type": "a sequence",
    "map_type": "a map",
    "optional_type": "an optional value",
    "sparse_tensor_type": "a sparse tensor",
}

NOT_A_TENSOR = "is {kind}: only models of tensors can be checked"

# What writes classifiers in this way, and how not to.
ZIPMAP = (
    "; ZipMap makes it of the tensor {of!r}, for users of Python's dicts: write the file without it (skl2onnx: "
    'options={{"zipmap": False}}; onnxmltools: zipmap=False), or make {of!r} the output in its place'
)


def describe(path: Path, given: Mapping[str, TensorSpec]) -> Description:
    """Read inputs, outputs and what belongs to the file; the weights are not loaded.

    Args:
        given: what the user says of inputs and outputs; only for those whose shape the file does not say.

    Raises:
        SourceError: it cannot be read, takes or gives something else than tensors, or its external data is missing or
            outside of its folder.
    """
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise SourceError(f"{path.name} cannot be read as ONNX: {type(error).__name__}: {error}") from error
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    parts = {path.parent / location: location for location in _locations(model)}
    for part, location in parts.items():
        _check_part(path, part, location)
    _check_no_zipmap(graph)
    unsaid = [index for index, value in enumerate(graph.output) if not value.type.tensor_type.HasField("shape")]
    return Description(
        inputs=tuple(_spec("input", value, given) for value in graph.input if value.name not in weights),
        outputs=tuple(_spec("output", value, given) for value in graph.output),
        parts=tuple(parts.values()),
        precision=_precision(model),
        data=_facts(model) | ({"outputs_without_shape": unsaid} if unsaid else {}),
    )


def inferred_outputs(path: Path) -> tuple[TensorSpec | None, ...]:
    """Return the outputs of a file with the shapes that follow from its graph, None for one of unknown axes.

    Raises:
        SourceError: the graph contradicts itself.
    """
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise SourceError(f"{path.name}: the shapes in it cannot be followed: {error}") from error
    known = (value.type.tensor_type.HasField("shape") for value in graph.output)
    return tuple(_spec("output", value, {}) if said else None for value, said in zip(graph.output, known, strict=True))


def _check_no_zipmap(graph: Any) -> None:
    outputs = {value.name: value for value in graph.output}
    for node in graph.node:
        if node.op_type == "ZipMap" and node.output[0] in outputs:
            what = NOT_A_TENSOR.format(kind="a sequence of maps")
            raise SourceError(f"output {node.output[0]!r} {what}{ZIPMAP.format(of=node.input[0])}")


def _spec(kind: str, value: Any, given: Mapping[str, TensorSpec]) -> TensorSpec:
    what = value.type.WhichOneof("value")
    if what != "tensor_type":
        raise SourceError(f"{kind} {value.name!r} {NOT_A_TENSOR.format(kind=KINDS.get(what, what))}")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return _given(kind, value.name, given)
    sizes = {axis: _size(dim) for axis, dim in enumerate(tensor.shape.dim)}
    axes = {axis: size or _symbol(value.name, axis) for axis, size in sizes.items() if isinstance(size, str)}
    shape = tuple(-1 if isinstance(size, str) else size for size in sizes.values())
    return TensorSpec(value.name, shape, _dtype(tensor.elem_type), axes)


def _given(kind: str, name: str, given: Mapping[str, TensorSpec]) -> TensorSpec:
    """Return what the user says of a tensor without a shape; an output's is seen when it is run."""
    if name in given:
        return given[name]
    if kind == "output":
        return TensorSpec(name, (), "float32")
    raise SourceError(
        f"the file does not say how many axes input {name!r} has: say it with --nav-inputs={name}:-1,3,224,224:float32"
    )


def _size(dim: Any) -> int | str:
    """Return the size of an axis, 0 too, or its symbol; "" for one without a name. Some exporters write -1 for it."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return _named(dim.dim_param) if dim.HasField("dim_param") else ""


def _named(text: str) -> str:
    """Return the symbol of a size; "" for what is no name: Paddle's exporter writes "?" for every unknown one."""
    if not re.search("[A-Za-z]", text):
        return ""
    return re.sub(r" - |\W", lambda match: OPERATORS.get(match[0], "_"), text)


def _symbol(name: str, axis: int) -> str:
    return re.sub(r"\W", "_", f"{name}_{axis}")


def _dtype(kind: int) -> str:
    import numpy as np
    import onnx

    found = onnx.helper.tensor_dtype_to_np_dtype(kind)
    return "str" if found == np.dtype(object) else dtype_name(found)


def _tensors(message: Any) -> Iterator[Any]:
    """Yield every stored tensor, those of attributes and inner graphs too."""
    import onnx

    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if hasattr(value, "__len__") else (value,):
            if isinstance(part, onnx.TensorProto):
                yield part
            else:
                yield from _tensors(part)


def _locations(model: Any) -> list[str]:
    import onnx

    external = (t for t in _tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL)
    found = (entry.value for tensor in external for entry in tensor.external_data if entry.key == "location")
    return list(dict.fromkeys(found))


def _check_part(path: Path, part: Path, location: str) -> None:
    if not part.resolve().is_relative_to(path.parent.resolve()):
        raise SourceError(
            f"{path.name} has external data outside of its folder ({location}), which a package cannot hold and no "
            "runtime should read: save it again with its data beside it (onnx.save_model, save_as_external_data=True)"
        )
    if not part.is_file():
        raise SourceError(
            f"{path.name} needs the external data {location}, which is not there: copy it beside the file"
        )


def _precision(model: Any) -> str:
    names = {_dtype(tensor.data_type) for tensor in model.graph.initializer}
    return lowest(names)


def _facts(model: Any) -> dict[str, Any]:
    opsets = {entry.domain or "ai.onnx": int(entry.version) for entry in model.opset_import}
    producer = f"{model.producer_name} {model.producer_version}".strip()
    return {"opset": opsets.get("ai.onnx"), "opsets": opsets, "ir_version": int(model.ir_version), "producer": producer}
