"""What an ONNX file must be here: one file, with the names and the dynamic axes of the signature."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import axis_name, fixed_axis
from pytest_navigator.formats.traces import without_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.records import Signature, TensorSpec

# Weights above this go to `model.onnx.data` beside the file: one protobuf message holds less than 2 GiB.
EXTERNAL_DATA_BYTES = 1_500_000_000


def opset_of(path: Path | str) -> int:
    """Return the opset of the standard operators."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def check_opset(path: str, opset: int, maker: str) -> None:
    """See that a file has the opset that was asked for.

    Raises:
        ValueError: it has another one.
    """
    if (delivered := opset_of(path)) != opset:
        raise ValueError(f"opset {opset} was asked for, {maker} delivered {delivered}")


def check_axes(path: str, axes: list[tuple[str, str, int, str]]) -> None:
    """See that the axes that change in the loader are dynamic in a file.

    Args:
        axes: "input" or "output", the name of that, the axis and what it is called.

    Raises:
        ValueError: one is fixed.
    """
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    values = {value.name: value for value in (*graph.input, *graph.output)}
    for kind, name, axis, what in axes:
        dims = values[name].type.tensor_type.shape.dim if name in values else ()
        if axis < len(dims) and dims[axis].HasField("dim_value"):
            raise ValueError(fixed_axis(what, kind, name, dims[axis].dim_value))


def dynamic_axes(signature: Signature) -> list[tuple[str, str, int, str]]:
    """Return the dynamic axes as `check_axes` takes them."""
    return [
        (kind, spec.name, axis, axis_name(axis, signature))
        for kind, specs in (("input", signature.inputs), ("output", signature.outputs))
        for spec in specs
        for axis in spec.axes
    ]


def store(made: Path, path: Path) -> None:
    """Write the model at `made`, wherever its weights are, to `path`: one file unless it is too large for one."""
    import onnx

    model = onnx.load(made)
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > EXTERNAL_DATA_BYTES
    data = path.with_name(f"{path.name}.data")
    data.unlink(missing_ok=True)
    onnx.save_model(model, path, save_as_external_data=large, location=data.name if large else None)


def relocate(made: Path, path: Path, locations: Mapping[str, str]) -> None:
    """Write a model whose weights are in files of their own to `path`.

    Args:
        locations: where it looks for them -> where they are beside `path`.
    """
    import onnx

    model = onnx.load(made, load_external_data=False)
    for tensor in _external(model):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = locations.get(PurePosixPath(entry.value).as_posix(), entry.value)
    onnx.save_model(model, path)


def _external(message: Any) -> Iterator[Any]:
    """Yield the tensors with external data, those of graphs inside of nodes too."""
    for field, value in message.ListFields():
        if field.name == "external_data":
            yield message
        elif field.message_type is not None:
            for part in value if hasattr(value, "__len__") else (value,):
                yield from _external(part)


def conform(path: Path, signature: Signature) -> None:
    """Give inputs and axes the signature's names, and take the folders of this machine out of stack traces.

    Raises:
        StepFailed: names are other ones, or a tensor has not as many axes.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    _restore_inputs(graph, signature)
    _check_names("outputs", [value.name for value in graph.output], [spec.name for spec in signature.outputs])
    symbols: dict[str, str] = {}
    for kind, specs, values in (("input", signature.inputs, graph.input), ("output", signature.outputs, graph.output)):
        for spec, value in zip(specs, values, strict=True):
            symbols |= _name_axes(kind, spec, value)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _rename(value, symbols)
    _hide_folders(model)
    onnx.save_model(model, path)


def _restore_inputs(graph: Any, signature: Signature) -> None:
    """Put inputs into the signature's order, with those that the exporter dropped because the model ignores them."""
    import onnx

    found = {value.name: value for value in graph.input}
    _check_names("inputs", sorted(set(found) - {spec.name for spec in signature.inputs}), [])
    for spec in signature.inputs:
        if spec.name not in found:
            found[spec.name] = onnx.helper.make_tensor_value_info(spec.name, _onnx_type(spec.dtype), _dims(spec))
    values = [onnx.ValueInfoProto.FromString(found[spec.name].SerializeToString()) for spec in signature.inputs]
    del graph.input[:]
    graph.input.extend(values)


def _dims(spec: TensorSpec) -> list[int | str]:
    return [spec.axes.get(axis, size) for axis, size in enumerate(spec.shape)]


def _onnx_type(dtype: str) -> int:
    import onnx

    from pytest_navigator.samples.npz import dtype_of

    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype_of(dtype)))


def _check_names(what: str, found: list[str], wanted: list[str]) -> None:
    if found != wanted:
        raise StepFailed(f"the ONNX file has the {what} {found}, the model has {wanted}")


def _name_axes(kind: str, spec: TensorSpec, value: Any) -> dict[str, str]:
    """Name the dynamic axes of one tensor and return {name in the file: symbol of the signature}."""
    shape = value.type.tensor_type.shape
    if len(shape.dim) != len(spec.shape):
        raise StepFailed(_other_axes(kind, spec, [dim.dim_value for dim in shape.dim]))
    names = {}
    for axis, symbol in spec.axes.items():
        dim = shape.dim[axis]
        if dim.dim_param:
            names[dim.dim_param] = symbol
        dim.dim_param = symbol
    return names


def _other_axes(kind: str, spec: TensorSpec, found: list[int]) -> str:
    """Return what to say of a tensor that has not as many axes in the file; `found` are its sizes there, 0: any."""
    if spec.dtype.startswith("complex") and len(found) == len(spec.shape) + 1 and found[-1] == 2:
        return (
            f"{kind} {spec.name!r} is {spec.dtype}, which hardly an operator of ONNX takes: the exporter made real "
            "numbers of it, with an axis of 2 more for the real and the imaginary part; let the model take and return "
            "real numbers: an axis of 2 of its own (torch.view_as_real makes it), or two tensors"
        )
    return f"{kind} {spec.name!r} has {len(found)} axes in the ONNX file, {len(spec.shape)} in the model"


def _rename(value: Any, symbols: dict[str, str]) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_param in symbols:
            dim.dim_param = symbols[dim.dim_param]


def _hide_folders(message: Any) -> None:
    """Exporters write stack traces into the metadata of nodes, values, functions, and of the graphs inside them."""
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            for entry in value:
                entry.value = without_folders(entry.value)
        elif field.name == "doc_string":
            message.doc_string = without_folders(value)
        elif field.message_type is not None:
            for part in value if hasattr(value, "__len__") else (value,):
                _hide_folders(part)
