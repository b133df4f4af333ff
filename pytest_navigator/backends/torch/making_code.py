"""What PyTorch exports in scripts: source text of the flat module that exporters get, and of what they do with it."""

from __future__ import annotations

from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING

from pytest_navigator.backends.torch.exports import example_tensors
from pytest_navigator.backends.torch.running_code import SEEDING, calling, device_of, moved
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.reproduce.code import call_arguments, call_of, identifiers, imports_of, keywords, literal, paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.core.script_parts import Subject

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


def program(signature: Signature, options: Parameters, *, derived: bool) -> str:
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


def _tensor(text: str, spec: TensorSpec) -> str:
    return text if spec.shape else f"tensor({text}, torch.{spec.dtype})"
