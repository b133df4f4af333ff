"""Which files of a suite's folder go into its package, and why the others do not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import FOLDER
from pytest_navigator.core.ours import RELEASED
from pytest_navigator.core.plain import write_atomically
from pytest_navigator.package.query.disputed import disputed
from pytest_navigator.package.query.strategies import best
from pytest_navigator.package.zip.file_names import colliding, name_problem
from pytest_navigator.samples.polygraphy_json import INPUTS, OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.package.query.results import Results

RECORDS = ("suite.json", "signature.json")  # What they say is in status.yaml
KEEP = "keep="  # How the reason begins of a model that `--nav-keep` leaves out

DATA = ("model_input", "model_output")

# How the names start of what stays of a format whose model is left out.
SMALL = ("config.yaml", "format.log", "reproduce_")

KEPT: dict[str, Callable[[Results, Sequence[str]], set[str]]] = {
    "all": lambda results, required: {variant.key for variant in results.suite.variants},
    "best": lambda results, required: _with_parents(results, _best(results)),
    "required": lambda results, required: _with_parents(results, _named(results, required)),
    "none": lambda results, required: set(),
}


@dataclass(frozen=True)
class Selection:
    """The files of a package.

    Attributes:
        files: name in the package -> path, in the order of the package.
        left_out: name -> reason.
    """

    files: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def select(folder: Path, results: Results, *, keep: str, save_data: str, required: Sequence[str]) -> Selection:
    """Return what goes into the package. Hidden files and folders never do; they are not mentioned either.

    Args:
        keep: a key of `KEPT`; the models that "best" and "required" keep bring those that they are made from.
        required: names of formats, variants, cells ("onnx-cpu"), runners or runtimes.
    """
    kept = KEPT[keep](results, required)
    dropped = {v.key for v in results.suite.variants} - kept
    selection = Selection()
    for name, path in sorted(_files(folder, folder)):
        reason = _reason(name, path, folder, dropped, keep, save_data)
        if reason:
            selection.left_out[name] = reason
        elif reason is not None:
            selection.files[name] = path
    for name, reason in _released(folder).items():
        if name not in selection.files:
            selection.left_out.setdefault(name, reason)
    for first, *others in colliding(selection.files):
        for name in others:
            del selection.files[name]
            selection.left_out[name] = f"on many file systems the same file as {first}"
    return selection


def release(folder: Path, results: Results, selection: Selection) -> None:
    """Remove the models that `keep` leaves out from the workspace, which notes them; no others may need them.

    A model of which something failed, or something that was made from it, stays: its scripts show the failure.
    """
    failed = {o.key for o in results.outcomes if o.failed and o.key}
    needed = _with_parents(results, failed & {variant.key for variant in results.suite.variants})
    gone = {
        name: reason
        for name, reason in selection.left_out.items()
        if reason.startswith(KEEP) and name.partition("/")[0] not in needed and (folder / name).is_file()
    }
    if not gone:
        return
    # Before they go: who is killed in between finds a reason for each that is not there.
    write_atomically(folder / RELEASED, json.dumps(_released(folder) | gone).encode())
    for name in gone:
        _remove(folder / name, folder / name.partition("/")[0])


def _remove(path: Path, top: Path) -> None:
    """Remove a file, and the folders below `top` that are empty without it."""
    path.unlink()
    with suppress(OSError):
        for parent in path.parents:
            if parent == top:
                break
            parent.rmdir()


def _released(folder: Path) -> dict[str, str]:
    """Return the files that `release` has removed, with why."""
    path = folder / RELEASED
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}


def sample(name: str) -> bool:
    """Whether a file of a package holds what went into the model or came out of it."""
    return name.partition("/")[0] in DATA or name.endswith((INPUTS, OUTPUTS))


def artifact_names(files: Iterable[str], key: str) -> list[str]:
    """Return the names of a variant's files in a package, without its logs and scripts."""
    folder = f"{key}/"
    names = (name for name in files if name.startswith(folder))
    return [name for name in names if not name.removeprefix(folder).startswith(SMALL)]


def holds(files: Iterable[str], name: str) -> bool:
    """Whether a name is that of a file, or of a folder with files."""
    return any(file == name or file.startswith(f"{name}/") for file in files)


def _reason(name: str, path: Path, folder: Path, dropped: set[str], keep: str, save_data: str) -> str | None:
    """Return why a file is left out, "" if it is not, None if nobody misses it."""
    top, _, rest = name.partition("/")
    if name in RECORDS or rest.startswith(
        f"{FOLDER}/"
    ):  # arrays, a part of the model: what is said of them is recorded
        return None
    if problem := name_problem(name):
        return problem
    if not path.resolve().is_relative_to(folder.resolve()):
        return "a link out of the workspace"
    if not path.is_file():
        return "not a regular file"
    if sample(name) and save_data == "none":
        return "save_data=none"
    return f"{KEEP}{keep}" if top in dropped and not rest.startswith(SMALL) else ""


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    # A link to a folder counts as a file, so that it is not followed and not forgotten.
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, root)
        else:
            yield path.relative_to(root).as_posix(), path


def _named(results: Results, required: Sequence[str]) -> set[str]:
    return {variant.key for variant in results.suite.variants if _names(results, variant) & set(required)}


def _names(results: Results, variant: Variant) -> set[str]:
    """Return every name that may mean a variant: its key, its format, and those of its cells."""
    runners = [results.suite.runners[name] for name in variant.runners if name in results.suite.runners]
    cells = (name for r in runners for name in (f"{variant.key}-{r.runtime}", r.name, r.runtime))
    return {variant.key, variant.format, *cells}


def _best(results: Results) -> set[str]:
    """Return the keys of what the summary's strategies choose among files, and of what may be better."""
    open_ = {figure.key for figures in disputed(results, files_only=True).values() for figure in figures}
    return best(results, files_only=True).keys | open_


def _with_parents(results: Results, keys: set[str]) -> set[str]:
    return {ancestor for key in keys for ancestor in results.chain(key)}
