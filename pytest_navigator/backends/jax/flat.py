"""A live JAX model as exporters want it: parameters and arrays in, a tuple of arrays out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.jax.running_code import MODEL, flat_code
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import call_of, identifiers, imports_of
from pytest_navigator.runners.outputs import by_name
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from functools import partial

    import jax

    from pytest_navigator.backends.jax.exports import Inputs
    from pytest_navigator.backends.jax.source import JaxSource
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.frameworks.base import Source


# JAX's option for what is removed from the names of files in the programs that it writes.
FOLDERS = "jax_hlo_source_file_canonicalization_regex"


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


def flat_function(source: Source, signature: Signature) -> tuple[Callable[..., tuple[jax.Array, ...]], dict[str, Any]]:
    """Return the model as a function of its parameters and of the inputs by position, and the parameters."""
    import jax

    names = [spec.name for spec in signature.inputs]

    def flat(parameters: dict[str, Any], *inputs: Any) -> tuple[jax.Array, ...]:
        call = unflatten_call(signature.input_tree, dict(zip(names, inputs, strict=True)))
        found = by_name(signature, cast("JaxSource", source).function(parameters)(*call.args, **call.kwargs))
        return tuple(jax.numpy.asarray(value) for value in found.values())

    return flat, cast("JaxSource", source).arrays


def described(signature: Signature, names: Sequence[str]) -> Inputs:
    """Return the inputs as `jax_exports` takes them, by these names."""
    symbols = list(dict.fromkeys(symbol for spec in signature.inputs for symbol in spec.axes.values()))
    known = dict(zip(symbols, identifiers(symbols), strict=True))
    return {
        name: ([known[spec.axes[axis]] if axis in spec.axes else n for axis, n in enumerate(spec.shape)], spec.dtype)
        for name, spec in zip(names, signature.inputs, strict=True)
    }


def export_code(subject: Subject, writing: partial[Any], *functions: Callable[..., object]) -> MakingCode:
    """Return an export of the model.

    Args:
        writing: what writes a function of JAX with its parameters to a path, with all other arguments.
        functions: what comes after it uses.
    """
    body = f"{statements('jax', subject.settings)}flat, parameters = flat_function(model)\n"
    return MakingCode(
        body=body + call_of(writing, "flat", "parameters", "args.output"),
        imports=("import jax", *imports_of(subject.signature.input_tree)),
        helpers=flat_code(subject.signature),
        functions=(*MODEL, writing.func, *functions),
    )
