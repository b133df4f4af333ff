"""Measure how the code hangs together: `python benchmarks/structure.py [--circle] [ROOT]`.

Reads the sources with `ast`, imports nothing. Every import counts: at the top of a module, inside a function, and under
TYPE_CHECKING. ROOT is a checkout (this one by default), so that two of them can be compared.
"""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

PACKAGE = "pytest_navigator"
LOADING = "api.loading"
FORMATS = (
    "torchscript",
    "torch-exportedprogram",
    "torch-trt",
    "onnx",
    "tf-savedmodel",
    "tf-trt",
    "stablehlo",
    "trt",
    "trt-rtx",
    "openvino",
)


@dataclass(frozen=True)
class Import:
    """One imported name: the module that it leads to, and whether it is needed when the importing module runs."""

    target: str
    line: int
    kind: str
    """"top", "local" or "tc"."""


@dataclass(frozen=True)
class House:
    """The modules of a checkout by dotted name."""

    root: Path

    @cached_property
    def sources(self) -> dict[str, str]:
        """Module -> text."""
        return {_dotted(path, self.root): path.read_text() for path in sorted((self.root / PACKAGE).rglob("*.py"))}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """Module -> syntax."""
        return {name: ast.parse(text) for name, text in self.sources.items()}

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        """Module -> what it imports of the package; a package's face stands for itself only."""
        return {
            name: [found for node, kind in _walk(tree) for found in self._targets(node, kind)]
            for name, tree in self.trees.items()
        }

    def _targets(self, node: ast.Import | ast.ImportFrom, kind: str) -> list[Import]:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [self._module(node.module or "", alias.name) for alias in node.names]
        return [Import(name, node.lineno, kind) for name in dict.fromkeys(names) if name in self.sources]

    def _module(self, module: str, name: str) -> str:
        return f"{module}.{name}" if f"{module}.{name}" in self.sources else module

    def edges(self, *kinds: str) -> dict[str, set[str]]:
        """Module -> the modules that it imports in these ways."""
        return {name: {i.target for i in found if i.kind in kinds} - {name} for name, found in self.imports.items()}


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _walk(node: ast.AST, kind: str = "top") -> list[tuple[ast.Import | ast.ImportFrom, str]]:
    """Return every import below a node, with its kind."""
    found: list[tuple[ast.Import | ast.ImportFrom, str]] = []
    for child in ast.iter_child_nodes(node):
        inner = kind
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            inner = "tc"
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and kind == "top":
            inner = "local"
        if isinstance(child, ast.Import | ast.ImportFrom):
            found.append((child, inner))
        found += _walk(child, inner)
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module, the largest first.

    Two depth-first passes: Kosaraju's algorithm, without recursion.
    """
    order: list[str] = []
    seen: set[str] = set()
    for start in edges:
        _finish(start, edges, seen, order)
    back: dict[str, set[str]] = {name: set() for name in edges}
    for name, targets in edges.items():
        for target in targets:
            back[target].add(name)
    found, seen = [], set()
    for start in reversed(order):
        component: list[str] = []
        _finish(start, back, seen, component)
        found.append(sorted(component))
    return sorted((component for component in found if len(component) > 1), key=len, reverse=True)


def _finish(start: str, edges: dict[str, set[str]], seen: set[str], order: list[str]) -> None:
    """Append to `order` what can be reached from `start` and is not `seen`, each when all behind it is done."""
    if start in seen:
        return
    seen.add(start)
    stack = [(start, iter(sorted(edges[start])))]
    while stack:
        name, targets = stack[-1]
        following = next((target for target in targets if target not in seen), None)
        if following is None:
            order.append(name)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(sorted(edges[following]))))


def reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """Return the modules that importing one brings along, itself and the packages that they lie in among them."""
    found: list[str] = []
    with_parents = {name: targets | ({name.rpartition(".")[0]} & edges.keys()) for name, targets in edges.items()}
    _finish(start, with_parents, set(), found)
    return set(found)


def upward(house: House, layers: list[str]) -> list[str]:
    """Return the imports that lead from a layer to one above it, as "module:line -> module".

    Args:
        layers: of pyproject.toml, the upper ones first; each the names of folders of one height. Others do not count.
    """
    height = {name: -i for i, layer in enumerate(layers) for name in re.split(r"\W+", layer)}
    return [
        f"{name}:{found.line} -> {found.target}"
        for name, imports in house.imports.items()
        for found in imports
        if _height(found.target, height) > _height(name, height)
    ]


def _height(module: str, heights: dict[str, int]) -> float:
    """Return the height of a module's folder; nan, which is above and below nothing, of one that has none."""
    return heights.get(f"{module}..".split(".")[1], float("nan"))


def functions(tree: ast.Module) -> list[int]:
    """Return the lengths in lines of all functions."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [(node.end_lineno or 0) - node.lineno + 1 for node in ast.walk(tree) if isinstance(node, kinds)]


def naming(house: House, format: str) -> list[str]:
    """Return the modules in which a string is the name of a format; "onnx" in prose, or as a library, is none."""
    return [
        name
        for name, tree in house.trees.items()
        if any(isinstance(node, ast.Constant) and node.value == format for node in ast.walk(tree))
    ]


def comments(text: str) -> int:
    """Return how many lines carry a comment for the reader (not for a tool)."""
    marks = ("# type:", "# noqa", "# pragma")
    return sum(" #" in f" {line}" and not any(mark in line for mark in marks) for line in text.splitlines())


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--circle", action="store_true", help="list the modules of the largest circle, and why")
    arguments = parser.parse_args()
    house = House(arguments.root)
    everything, running = house.edges("top", "local", "tc"), house.edges("top", "local")
    lengths = [length for tree in house.trees.values() for length in functions(tree)]
    lines = sum(text.count("\n") for text in house.sources.values())
    print(f"files {len(house.sources)}, lines {lines}")
    print(f"functions {len(lengths)}, median {median(lengths):g} lines, longest {max(lengths)}")
    print(f"comments per 100 lines: {sum(map(comments, house.sources.values())) * 100 / lines:.1f}")
    for title, edges in (("all imports", everything), ("at run time", running)):
        rings = circles(edges)
        print(f"circles ({title}): largest {len(rings[0]) if rings else 1}, {len(rings)} in all")
    contracts = tomllib.loads((arguments.root / "pyproject.toml").read_text())["tool"].get("importlinter", {})
    for contract in (c for c in contracts.get("contracts", []) if c["type"] == "layers"):
        found = upward(house, contract["layers"])
        print(f"upward imports between layers: {len(found)} {', '.join(found)}".rstrip())
    loading = f"{PACKAGE}.{LOADING}"
    if loading in house.sources:
        print(f"modules that nav.load imports: {len(reached(loading, house.edges('top')))}")
    print("modules that name a format:", ", ".join(f"{name} {len(naming(house, name))}" for name in FORMATS))
    if arguments.circle and (rings := circles(everything)):
        _print_circle(house, rings[0])


def _print_circle(house: House, circle: list[str]) -> None:
    for name in circle:
        for found in house.imports[name]:
            if found.target in circle:
                print(f"  {name}:{found.line} ({found.kind}) -> {found.target}")


if __name__ == "__main__":
    main()
