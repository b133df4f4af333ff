"""Where in the user's model a node of an ONNX file comes from, as far as its exporter has written it down."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.formats.stack_lines import WRAPPER, line_of, module_path

if TYPE_CHECKING:
    from pytest_navigator.formats.stack_lines import Place

KEY = "pkg.torch.onnx."


def place(node: Any) -> Place:
    """Return the module path, the operator and the user's line of a node; "" for what the file does not say.

    torch's dynamo exporter writes them into the metadata; the one by TorchScript has scopes in the names of the nodes
    ("/model/layers.2/mlp/up/MatMul").
    """
    found = {entry.key: entry.value for entry in node.metadata_props}
    scopes, classes = (_listed(found.get(f"{KEY}{name}", "")) for name in ("name_scopes", "class_hierarchy"))
    if not scopes:
        return scope(node.name), node.op_type, ""
    module = module_path(scopes[-2] if len(scopes) > 1 else "", wrapped=bool(classes) and WRAPPER in classes[0])
    operator = re.sub(r"^aten\.(\w+)\.\w+$", r"\1", classes[-1]) if classes else node.op_type
    return module, operator, line_of(found.get(f"{KEY}stack_trace", ""))


def _listed(text: str) -> list[str]:
    try:
        found = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError):
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def scope(name: str) -> str:
    """Return the path of a module in the name of a node: exporters repeat the path of what is inside a container."""
    if not name.startswith("/"):
        return ""
    found: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        found = [part] if found and part.startswith(f"{found[-1]}.") else [*found, part]
    return module_path(".".join(found), wrapped=True)
