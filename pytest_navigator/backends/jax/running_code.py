"""The calls of JAX in scripts: source text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.jax.model import arrays, filled, parts
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import (
    call_arguments,
    converted,
    identifiers,
    imports_of,
    keywords,
    model_call,
    paths,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject

MODEL = (parts, arrays, filled)  # What a script needs for a live model

FLAT = '''
def flat_function(model):
    """Return the model as a function of its parameters and of the inputs by position, and the parameters."""
    tree, build = parts(model)

    def flat(parameters, {parameters}):
        output = build(filled(tree, parameters))({arguments})
        return tuple(map(jax.numpy.asarray, ({outputs},)))

    return flat, arrays(tree)
'''


def live_code(subject: Subject, device: str) -> RunnerCode:
    """Return the call of the live model, as the user wrote it."""
    signature = subject.signature
    tree = "tree"
    if subject.device.partition(":")[0] != device:
        tree = f"filled(tree, jax.device_put(arrays(tree), {_device(device)}))"
    return RunnerCode(
        load=f"{statements('jax', subject.settings)}tree, build = parts(model)\nmodel = build({tree})",
        prepare=_prepare(device),
        call=f"y = jax.block_until_ready(model({model_call(signature)}))",
        outputs=converted(paths(signature.output_tree, "y"), "np.asarray"),
        imports=("import jax", *imports_of(signature.input_tree)),
        functions=MODEL,
    )


def jit_code(subject: Subject, device: str, options: Parameters) -> RunnerCode:
    """Return the call of the compiled model."""
    load = (
        "flat, parameters = flat_function(model)\n"
        f"model = functools.partial(jax.jit(flat{keywords(options)}), jax.device_put(parameters, {_device(device)}))"
    )
    code = by_position(subject, load, device)
    imports = (*code.imports, "import functools", *imports_of(subject.signature.input_tree))
    return replace(code, imports=imports, helpers=flat_code(subject.signature), functions=MODEL)


def by_position(subject: Subject, load: str, device: str, *functions: Callable[..., object]) -> RunnerCode:
    """Return the call of a function that takes the inputs by position and returns a tuple of arrays.

    Args:
        load: statements that give it as `model`. functions: what they use.
    """
    return RunnerCode(
        load=f"{statements('jax', subject.settings)}{load}",
        prepare=_prepare(device),
        call="y = jax.block_until_ready(model(*x.values()))",
        outputs="dict(zip(OUTPUTS, map(np.asarray, y)))",
        imports=("import jax",),
        functions=functions,
    )


def flat_code(signature: Signature) -> str:
    """Return the function `flat_function`, which gives what `formats.jax_flat.flat_function` does."""
    names = [spec.name for spec in signature.inputs]
    local = dict(zip(names, identifiers(["parameters", *names])[1:], strict=True))
    found = paths(signature.output_tree, "output")
    return FLAT.format(
        parameters=", ".join(local.values()),
        arguments=call_arguments(signature.input_tree, local.__getitem__),
        outputs=", ".join(found[spec.name] for spec in signature.outputs),
    ).strip()


def _prepare(device: str) -> str:
    return f"x = {{name: jax.device_put(array, {_device(device)}) for name, array in feed.items()}}"


def _device(device: str) -> str:
    return f"jax.local_devices(backend={device!r})[0]"
