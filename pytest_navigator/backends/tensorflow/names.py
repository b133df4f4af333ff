"""What SavedModels call their inputs and outputs."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_navigator.core.records import Signature


def argument_names(signature: Signature) -> list[str]:
    """Return the names of the inputs as a signature of TensorFlow has them: Python identifiers ("input_ids")."""
    found: list[str] = []
    for spec in signature.inputs:
        name = re.sub(r"\W", "_", spec.name, flags=re.ASCII)
        name = name if name[:1].isalpha() and not keyword.iskeyword(name) else f"x{name}"
        while name in found:
            name += "_"
        found.append(name)
    return found


def names_in_file(signature: Signature) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a SavedModel calls its inputs and outputs, each with its name in the signature.

    The structure of a model file's own signature has the file's names.
    """
    if signature.array_type == "numpy":
        trees = signature.input_tree["kwargs"], signature.output_tree["dict"]
        inputs, outputs = ({theirs: node["leaf"] for theirs, node in tree} for tree in trees)
        return inputs, outputs
    names = dict(zip(argument_names(signature), (spec.name for spec in signature.inputs), strict=True))
    return names, {spec.name: spec.name for spec in signature.outputs}
