"""What an ONNX file calls its inputs and outputs, and which of their sizes it leaves open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import DeploymentError
from pytest_navigator.runners.outputs import given_names, outputs_asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import Signature, TensorSpec


@dataclass(frozen=True)
class Tensors:
    """The tensors of a model as a server has them.

    Attributes:
        inputs, outputs: with the names of the file.
        names: name of an input in the file -> in the signature.
        unsaid: name of one whose axes neither the file says nor its graph, "" if there is none.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    names: Mapping[str, str]
    unsaid: str = ""

    @property
    def all(self) -> tuple[TensorSpec, ...]:
        """Inputs and outputs."""
        return (*self.inputs, *self.outputs)


def of_signature(signature: Signature) -> Tensors:
    """Return the tensors of a model whose file has the names of the signature."""
    return Tensors(signature.inputs, signature.outputs, {spec.name: spec.name for spec in signature.inputs})


def of_file(content: bytes, signature: Signature) -> Tensors:
    """Return the tensors of an ONNX file: an exporter leaves out inputs that are not used, converters rename.

    Where onnx is not installed, those of the signature.

    Raises:
        DeploymentError: it is no ONNX file.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        return of_signature(signature)
    try:
        graph = _with_shapes(onnx.load_model_from_string(content)).graph
    except Exception as error:  # protobuf's own
        raise DeploymentError(f"the package's ONNX file cannot be read: {type(error).__name__}: {error}") from error
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in weights}
    outputs = {value.name: value for value in graph.output}
    names = given_names(signature, list(inputs))
    known = {spec.name: spec for spec in signature.inputs}
    if not set(names.values()) <= known.keys():
        return of_signature(signature)
    called = dict(zip(*outputs_asked(signature, list(outputs)), strict=True))
    given = {spec.name: spec for spec in signature.outputs}
    return Tensors(
        tuple(_sized(own, known[here], inputs[own]) for own, here in names.items()),
        tuple(_sized(own, given[here], outputs[own]) for own, here in called.items() if here in given),
        names,
        next((value.name for value in (*inputs.values(), *outputs.values()) if not _has_shape(value)), ""),
    )


def _with_shapes(model: Any) -> Any:
    """Return a model with the shapes of outputs that follow from its graph, as a runtime finds them."""
    import onnx

    return (
        model if all(map(_has_shape, model.graph.output)) else onnx.shape_inference.infer_shapes(model, data_prop=True)
    )


def _has_shape(value: Any) -> bool:
    return bool(value.type.tensor_type.HasField("shape"))


def _sized(name: str, spec: TensorSpec, value: Any) -> TensorSpec:
    """Return a tensor with the sizes that the file fixes: the server compares them."""
    sizes: Sequence[Any] = value.type.tensor_type.shape.dim
    if len(sizes) != len(spec.shape):
        return replace(spec, name=name)
    fixed = [size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else -1 for size in sizes]
    shape = tuple(own if own != -1 else there for own, there in zip(spec.shape, fixed, strict=True))
    return replace(spec, name=name, shape=shape)
