"""Any Python function in scripts: numpy arrays go in and come out (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.reproduce.code import call_arguments
from pytest_navigator.reproduce.code import imports_of
from pytest_navigator.reproduce.code import paths
from pytest_navigator.reproduce.parts import RunnerCode

if TYPE_CHECKING:
    from pytest_navigator.reproduce.parts import Subject


def live_code(subject: Subject) -> RunnerCode:
    """Return the call of the function, on copies: it may write into its arguments."""
    signature = subject.signature
    found = paths(signature.output_tree, "y")
    outputs = "".join(f"    {spec.name!r}: np.array({found[spec.name]}),\n" for spec in signature.outputs)
    return RunnerCode(
        load="",
        prepare="x = {name: np.array(array) for name, array in feed.items()}",
        call=f"y = model({call_arguments(signature.input_tree, lambda name: f'x[{name!r}]')})",
        outputs=f"{{\n{outputs}}}",
        imports=tuple(imports_of(signature.input_tree)),
    )
