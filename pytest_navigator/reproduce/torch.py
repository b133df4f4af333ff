"""PyTorch in scripts: tensors, the flat module that exporters get, and the calls of its runners (pure)."""

from __future__ import annotations

from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING

from pytest_navigator.formats.torch_exports import example_tensors
from pytest_navigator.frameworks.torch_arrays import from_numpy
from pytest_navigator.frameworks.torch_arrays import to_numpy
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import call_arguments
from pytest_navigator.reproduce.code import call_of
from pytest_navigator.reproduce.code import converted
from pytest_navigator.reproduce.code import has_objects
from pytest_navigator.reproduce.code import identifiers
from pytest_navigator.reproduce.code import imports_of
from pytest_navigator.reproduce.code import keywords
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.code import model_call
from pytest_navigator.reproduce.code import paths
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.parts import RunnerCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import TensorSpec
    from pytest_navigator.reproduce.parts import Subject

SEEDING = "torch.manual_seed({seed})"

FLAT = '''
class Flat(torch.nn.Module):
    """The model with its inputs by position and its outputs as a tuple of tensors."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = False

    def forward(self, {parameters}):
        output = self.model({arguments})
        return ({outputs},)
'''

NUMBER = '''
def tensor(value, dtype: torch.dtype) -> torch.Tensor:
    """Return a number in the output as a tensor."""
    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=dtype)
'''

PART = '''
def part(value, name: str, index: int):
    """Return a field of an object, which TorchScript returns as a dict or as a tuple."""
    if isinstance(value, dict):
        return value[name]
    return value[index] if isinstance(value, tuple | list) else getattr(value, name)
'''


def flat_module(signature: Signature) -> str:
    """Return the class `Flat`, as `formats.flat.flat_module` makes it."""
    names = [spec.name for spec in signature.inputs]
    local = dict(zip(names, identifiers(names), strict=True))
    found = paths(signature.output_tree, "output")
    text = FLAT.format(
        parameters=", ".join(local.values()),
        arguments=call_arguments(signature.input_tree, local.__getitem__),
        outputs=", ".join(_tensor(found[spec.name], spec) for spec in signature.outputs),
    )
    return text if all(spec.shape for spec in signature.outputs) else f"{NUMBER.strip()}\n\n\n{text.strip()}"


def program(signature: Signature, options: Mapping[str, JSON], *, derived: bool) -> str:
    """Return the assignment of `program`: `torch.export` of the flat module, with the signature's dynamic axes."""
    symbols = list(dict.fromkeys(symbol for spec in signature.inputs for symbol in spec.axes.values()))
    names = dict(zip(symbols, identifiers(symbols), strict=True))
    size = "torch.export.Dim.AUTO" if derived else "sizes[{!r}]"
    shapes = (
        f"    {{{', '.join(f'{axis}: {size.format(names[symbol])}' for axis, symbol in spec.axes.items())}}},\n"
        for spec in signature.inputs
    )
    sizes = f"sizes = {{name: torch.export.Dim(name) for name in {literal(list(names.values()))}}}\n"
    return (
        f"{sizes if symbols and not derived else ''}dynamic_shapes = (\n{''.join(shapes)})\n"
        f"program = torch.export.export(Flat(model).eval(), tensors, dynamic_shapes=dynamic_shapes"
        f"{keywords({'strict': False, **options})})"
    )


def calling(parameters: Mapping[str, JSON], device: str, *, inference_mode: bool | None = None) -> str:
    """Return the contexts of a call, as `frameworks.torch.calling` enters them."""
    inference = parameters.get("inference_mode", True) if inference_mode is None else inference_mode
    contexts = "torch.inference_mode()" if inference else "torch.no_grad()"
    if not parameters.get("autocast"):
        return contexts
    dtype = parameters.get("autocast_dtype")
    return f"{contexts}, torch.autocast({device.partition(':')[0]!r}{f', dtype=torch.{dtype}' if dtype else ''})"


def making(subject: Subject, made: str, *functions: Callable[..., object], load: str | None = None) -> MakingCode:
    """Return an export or a conversion by torch itself.

    Args:
        made: statements that export `model`, in the modes of the variant.
        functions: what they use, beside `Flat` and `tensors`.
        load: statements that give `model` from a file; None: it is the live one.
    """
    device, signature = device_of(subject), subject.signature
    context, given = calling(subject.variant.parameters, device, inference_mode=False), "tensors" in made
    axes = {spec.name: list(spec.axes) for spec in signature.inputs}
    tensors = f"tensors = {call_of(partial(example_tensors, axes=axes, device=device), 'batch')}" if given else ""
    before = [moved(subject, device) if load is None else load, tensors]
    return MakingCode(
        body="\n".join([*filter(None, map(str.strip, before)), f"with {context}:\n{indent(made, '    ')}"]),
        imports=("import torch", *imports_of(signature.input_tree)),
        helpers=flat_module(signature) if "Flat(" in made else "",
        seeding=SEEDING.format(seed=subject.seed),
        functions=(*functions, *([example_tensors] if given else [])),
    )


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


def _tensor(text: str, spec: TensorSpec) -> str:
    return text if spec.shape else f"tensor({text}, torch.{spec.dtype})"
