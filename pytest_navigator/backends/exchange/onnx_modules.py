"""Values of ONNX files of torch's exporter by TorchScript, whose nodes have no more than the paths of their modules.

The right values are what the modules of the live model gave, caught by hooks: one for each call of a module that one
value leaves in the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.cutting import produced, reads
from pytest_navigator.backends.onnx.node_places import scope
from pytest_navigator.formats.stack_lines import common_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.backends.torch.diagnosis.calls import ModuleCall
    from pytest_navigator.formats.stack_lines import Place

# Operators that move numbers about, or make none of them: a segment is told by the others, up to so many.
MOVING = re.compile(r"Constant|Identity|Shape|Cast|(Un)?[Ss]queeze|Reshape|Transpose|Slice|Concat|Gather|Expand|Split")
MOST_TOLD = 4


def given_by(calls: Sequence[ModuleCall]) -> dict[str, np.ndarray]:
    """Return what each call of a module gave that gave one tensor, by the module's path as the exporter writes it.

    A further call of a module has a number behind its name.
    """
    from pytest_navigator.backends.torch.arrays import to_numpy

    return {
        f"{call.path}_{call.turn}" if call.turn else call.path: to_numpy(call.outputs[0])
        for call in calls
        if call.path and len(call.outputs) == 1
    }


def values_of_modules(model: Model, calls: Collection[str]) -> dict[str, str]:
    """Return the values that are what a module returned -> which call of which module.

    Of modules inside of each other that return the same value, it is the inner one's.
    """
    nodes = produced(model)
    scopes = {name: scope(node.name) for name, node in nodes.items()}
    readers: dict[str, set[str]] = {each.name: {""} for each in model.graph.output}
    for node in model.graph.node:
        for name in reads(node):
            readers.setdefault(name, set()).add(scope(node.name))
    found: dict[str, str] = {}
    for call in sorted(calls, key=len):
        leaving = [
            name
            for name, own in scopes.items()
            if _inside(own, call) and any(not _inside(reader, call) for reader in readers.get(name, ()))
        ]
        if len(leaving) == 1:
            found[leaving[0]] = call
    return found


def places_of(model: Model, values: Mapping[str, str], lines: Mapping[str, str]) -> dict[str, Place]:
    """Return where values are computed from the others: the path that their nodes share, the operators, the line.

    Args:
        values: as `values_of_modules` gives them.
        lines: of the code of modules, by path.
    """
    nodes, found = produced(model), {}
    for value, call in values.items():
        between = [node for node in _between(nodes, value, values) if not MOVING.match(node.op_type)]
        module = common_path([scope(node.name) for node in between] or [call])
        operators = list(dict.fromkeys(node.op_type for node in between))
        told = operators[:MOST_TOLD] + ["..."] * (len(operators) > MOST_TOLD)
        found[value] = (module, "+".join(told), lines.get(module) or lines.get(call, ""))
    return found


def _between(nodes: Mapping[str, Any], value: str, known: Collection[str]) -> list[Any]:
    """Return the nodes that compute a value from known ones, in their order."""
    found: set[str] = set()
    pending = [value]
    while pending:
        name = pending.pop()
        if name in nodes and name not in found:
            found.add(name)
            pending += [each for each in reads(nodes[name]) if each not in known]
    return [node for name, node in nodes.items() if name in found]


def _inside(path: str, module: str) -> bool:
    return path == module or path.startswith(f"{module}.")
