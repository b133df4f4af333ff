"""A live JAX model as exporters want it: parameters and arrays in, a tuple of arrays out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from pytest_navigator.formats.exporting import exporter
from pytest_navigator.reproduce.code import identifiers
from pytest_navigator.runners.outputs import by_name
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    import jax

    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.frameworks.jax import JaxSource
    from pytest_navigator.records import Signature


FOLDERS = "jax_hlo_source_file_canonicalization_regex"
"""JAX's option for what is removed from the names of files in the programs that it writes."""


@contextmanager
def jax_exporter(what: str) -> Iterator[list[str]]:
    """Run an exporter of JAX as `exporter` does; the programs tell files without the folders of this machine."""
    import jax

    before = getattr(jax.config, FOLDERS)
    jax.config.update(FOLDERS, ".*/")
    try:
        with exporter(what) as lines:
            yield lines
    finally:
        jax.config.update(FOLDERS, before)


def flat_function(source: Source, signature: Signature) -> Callable[..., tuple[jax.Array, ...]]:
    """Return a function of the parameters (by place) and the inputs (by position) that returns a tuple of arrays."""
    import jax

    names = [spec.name for spec in signature.inputs]

    def flat(parameters: dict[str, Any], *inputs: Any) -> tuple[jax.Array, ...]:
        call = unflatten_call(signature.input_tree, dict(zip(names, inputs, strict=True)))
        found = by_name(signature, cast("JaxSource", source).function(parameters)(*call.args, **call.kwargs))
        return tuple(jax.numpy.asarray(value) for value in found.values())

    return flat


def closed_function(source: Source, signature: Signature) -> Callable[..., tuple[jax.Array, ...]]:
    """Return the same function with the model's own parameters in it, as constants."""
    flat, parameters = flat_function(source, signature), cast("JaxSource", source).arrays

    def closed(*inputs: Any) -> tuple[jax.Array, ...]:
        return flat(parameters, *inputs)

    return closed


def abstract_inputs(signature: Signature) -> list[jax.ShapeDtypeStruct]:
    """Return shapes and types of the inputs, with a symbol for every dynamic axis.

    64-bit types are 32-bit ones unless jax_enable_x64 is set, as everywhere in JAX.
    """
    import jax
    from jax import export

    names = axis_names(signature)
    sizes = dict(zip(names, export.symbolic_shape(", ".join(names.values())), strict=True)) if names else {}
    return [
        jax.ShapeDtypeStruct(
            tuple(sizes[spec.axes[axis]] if axis in spec.axes else size for axis, size in enumerate(spec.shape)),
            narrowed(spec.dtype),
        )
        for spec in signature.inputs
    ]


def axis_names(signature: Signature) -> dict[str, str]:
    """Return the name that JAX knows each symbol of a dynamic axis by."""
    symbols = list(dict.fromkeys(symbol for spec in signature.inputs for symbol in spec.axes.values()))
    return dict(zip(symbols, identifiers(symbols), strict=True))


def narrowed(dtype: str) -> Any:
    """Return the type that JAX computes in where an array of this type comes in."""
    import jax

    from pytest_navigator.samples.npz import dtype_of

    return jax.dtypes.canonicalize_dtype(dtype_of(dtype))
