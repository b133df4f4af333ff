"""What a compiler has made of a live model, in `--nav-cache`: the next run's compiler finds it there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import plain_digest
from pytest_navigator.engine.cache.code import code_of
from pytest_navigator.engine.identity import common
from pytest_navigator.engine.workspace import COMPILED

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.engine.context import Context
    from pytest_navigator.runners.base import Runner

LOCKS = "locks"  # What of Inductor's folder is of one process


def recall(context: Context, runner: Runner) -> None:
    """Have a runner compile where what an earlier run has compiled for it is, if `--nav-cache` has that."""
    cache = context.host.cache
    if cache is None:
        return
    folder = _folder(context, runner)
    if not folder.exists():
        folder.mkdir(parents=True)
        entry = cache.read(folder.name)
        if entry is not None and not cache.take(entry, folder):
            shutil.rmtree(folder)  # what was damaged
            folder.mkdir()
    runner.compile_in(folder)


def remember(context: Context, runner: Runner) -> None:
    """Add to the cache what a runner has compiled and nobody had."""
    cache = context.host.cache
    if cache is None or not runner.compiled_anew():
        return
    folder = _folder(context, runner)
    inner = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    files = {name.as_posix(): path for name, path in inner.items() if name.parts[0] != LOCKS}
    cache.add(folder.name, {}, files)


def _folder(context: Context, runner: Runner) -> Path:
    return context.host.workspace.root / COMPILED / _name(context, runner)


def _name(context: Context, runner: Runner) -> str:
    """Return the name of the entry of what a compiler has made of a live model, whatever its weights are.

    All steps of a cell have one. What the model computes is in the keys that the compiler itself looks up in there.
    """
    structure, kinds = runner.made_of()
    content = {**common(context), "step": "compiled", "structure": structure, "model": code_of(kinds)}
    return f"compiled-{plain_digest(content)}"
