"""What a JAX model is exported to: a file of `jax.export`, ONNX by jax2onnx, a SavedModel by jax2tf.

The model is a function of its parameters by place and of the inputs by position that returns a tuple of arrays. The
inputs are told in their order, as `{"x": (["batch", 3], "float32")}`; a text in a shape names a dynamic axis.

Scripts contain the source text of this, so nothing here may use anything but numpy, JAX and what it exports to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.names import name_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

Inputs = dict[str, tuple[list[Any], str]]


def write_stablehlo(
    flat: Callable[..., Any], parameters: dict[str, Any], path: str, *, inputs: Inputs, options: dict[str, Any]
) -> Any:
    """Write the model with its parameters as constants; `options` are those of `jax.export.export`."""
    import functools

    import jax
    from jax import export

    exported = export.export(jax.jit(functools.partial(flat, parameters)), **options)(*abstract(inputs))
    with open(path, "wb") as file:
        file.write(exported.serialize())
    return exported


def read_stablehlo(path: str) -> Any:
    """Return what a file of `jax.export` holds."""
    from jax import export

    with open(path, "rb") as file:
        return export.deserialize(bytearray(file.read()))


def write_onnx(
    flat: Callable[..., Any],
    parameters: dict[str, Any],
    path: str,
    *,
    inputs: Inputs,
    outputs: list[str],
    options: dict[str, Any],
) -> None:
    """Write the model as ONNX; `options` are those of `jax2onnx.to_onnx`."""
    import functools

    import onnx
    from jax2onnx import to_onnx

    model = to_onnx(functools.partial(flat, parameters), abstract(inputs), **options)
    name_outputs(model, outputs)
    cast_inputs(model, {name: dtype for name, (_, dtype) in inputs.items()})
    onnx.save(model, path)


def write_savedmodel(
    flat: Callable[..., Any],
    parameters: dict[str, Any],
    path: str,
    *,
    inputs: Inputs,
    outputs: list[str],
    options: dict[str, Any],
    jit_compile: bool | None,
) -> None:
    """Write the model as a SavedModel, its parameters as variables; `options` are those of `jax2tf.convert`."""
    import numpy as np
    import tensorflow as tf
    from jax.experimental import jax2tf

    shapes = [None, *(f"({', '.join(map(str, shape))})" for shape, _ in inputs.values())]
    converted = jax2tf.convert(flat, polymorphic_shapes=shapes, **options)
    module = tf.Module()
    module.parameters = [tf.Variable(np.asarray(value), trainable=False) for value in parameters.values()]
    kinds = [narrowed(dtype) for _, dtype in inputs.values()]

    def run(*tensors: Any) -> dict[str, Any]:
        held = dict(zip(parameters, module.parameters, strict=True))
        found = converted(held, *(tf.cast(x, kind) for x, kind in zip(tensors, kinds, strict=True)))
        return dict(zip(outputs, found, strict=True))

    module.run = tf.function(run, autograph=False, jit_compile=jit_compile)
    specs = [
        tf.TensorSpec([None if isinstance(size, str) else size for size in shape], dtype, name)
        for name, (shape, dtype) in inputs.items()
    ]
    concrete = module.run.get_concrete_function(*specs)
    tf.saved_model.save(module, path, signatures={"serving_default": concrete})


def abstract(inputs: Inputs) -> list[Any]:
    """Return the inputs as JAX has them that only knows shapes and types."""
    import jax
    from jax import export

    names = list(dict.fromkeys(size for shape, _ in inputs.values() for size in shape if isinstance(size, str)))
    sizes = dict(zip(names, export.symbolic_shape(", ".join(names)), strict=True)) if names else {}
    return [
        jax.ShapeDtypeStruct(tuple(sizes.get(size, size) for size in shape), narrowed(dtype))
        for shape, dtype in inputs.values()
    ]


def narrowed(dtype: str) -> Any:
    """Return the type that JAX computes in: of 64 bits 32 unless jax_enable_x64 is set, as everywhere in JAX."""
    import jax

    return jax.dtypes.canonicalize_dtype(jax.numpy.dtype(dtype))


def cast_inputs(model: Any, types: dict[str, str]) -> None:
    """Let an ONNX model take the types of the samples where JAX makes 32-bit types of them."""
    import numpy as np
    import onnx

    values = {value.name: value for value in model.graph.input}
    for name, dtype in types.items():
        if name not in values or str(narrowed(dtype)) == dtype:
            continue
        kind, inner = values[name].type.tensor_type, f"{name}__narrowed"
        for node in model.graph.node:
            node.input[:] = [inner if each == name else each for each in node.input]
        model.graph.node.insert(0, onnx.helper.make_node("Cast", [name], [inner], to=kind.elem_type))
        kind.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
