"""The calls of PyTorch in scripts: source text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.torch.arrays import from_numpy, to_numpy
from pytest_navigator.core.script_parts import RunnerCode
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import converted, has_objects, imports_of, model_call, paths

if TYPE_CHECKING:
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.script_parts import Subject

SEEDING = "torch.manual_seed({seed})"

PART = '''
def part(value, name: str, index: int):
    """Return a field of an object, which TorchScript returns as a dict or as a tuple."""
    if isinstance(value, dict):
        return value[name]
    return value[index] if isinstance(value, tuple | list) else getattr(value, name)
'''


def calling(parameters: Parameters, device: str, *, inference_mode: bool | None = None) -> str:
    """Return the contexts of a call, as `frameworks.torch.calling` enters them."""
    inference = parameters.get("inference_mode", True) if inference_mode is None else inference_mode
    contexts = "torch.inference_mode()" if inference else "torch.no_grad()"
    if not parameters.get("autocast"):
        return contexts
    dtype = parameters.get("autocast_dtype")
    return f"{contexts}, torch.autocast({device.partition(':')[0]!r}{f', dtype=torch.{dtype}' if dtype else ''})"


def device_of(subject: Subject) -> str:
    """Return the device that a model is exported on."""
    return str(subject.variant.parameters.get("device") or subject.device)


def moved(subject: Subject, device: str) -> str:
    """Return the statement that moves the live model to a device, "" if it is there."""
    there = subject.device.partition(":")[0] == device.partition(":")[0]
    return "" if there else f"model = model.to({device!r})\n"


def runner_code(
    subject: Subject,
    load: str,
    device: str,
    *,
    flat: bool = False,
    mark_dynamic: bool = False,
) -> RunnerCode:
    """Return the code of a runner of torch.

    Args:
        load: statements that give `model`.
        flat: whether it takes the tensors by position and returns a tuple of tensors.
        mark_dynamic: whether to tell the compiler which axes are dynamic.
    """
    signature = subject.signature
    prepare = f"x = {{name: from_numpy(array, {device!r}) for name, array in feed.items()}}"
    if mark_dynamic:
        marks = (
            f"torch._dynamo.maybe_mark_dynamic(x[{s.name!r}], {axis})" for s in signature.inputs for axis in s.axes
        )
        prepare = "\n".join([prepare, *marks])
    found = paths(signature.output_tree, "y", PART_FIELD)
    named = converted({spec.name: found[spec.name] for spec in signature.outputs}, "to_numpy")
    arguments = "*x.values()" if flat else model_call(signature)
    sync = "\ntorch.cuda.synchronize()" if device == "cuda" else ""
    return RunnerCode(
        load=f"{statements('torch', subject.settings)}{load}",
        prepare=prepare,
        call=f"y = model({arguments}){sync}",
        outputs="dict(zip(OUTPUTS, map(to_numpy, y)))" if flat else named,
        context=calling(subject.variant.parameters, device),
        imports=("import torch", *imports_of(signature.input_tree)),
        output_helpers=PART if has_objects(signature.output_tree) and not flat else "",
        functions=(from_numpy,),
        output_functions=(to_numpy,),
        seeding=SEEDING.format(seed=subject.seed),
    )


PART_FIELD = "part({0}, {1!r}, {2})"
