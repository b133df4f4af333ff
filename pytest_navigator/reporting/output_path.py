"""`output_path` of `--nav-config`: the first successful model is copied there, and nothing of the user's is replaced.

What is written is noted in a hidden file beside it. An existing file or folder is replaced if it is still what such a
note says, byte for byte; anything else stays as it is.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pytest_navigator.backends.onnx.file import relocate
from pytest_navigator.core.cloning import copy_file, copy_folder
from pytest_navigator.core.digests import digest_of, files_of
from pytest_navigator.core.ours import read_note, write_note
from pytest_navigator.errors import ConfigError, PackageError

NOTE = ".pytest_navigator.json"  # How the name of the note ends
DATA = ".data"  # How the name of a large ONNX model's weights ends, beside the model


def check(target: Path, workspace: Path) -> None:
    """Find an output path that cannot be before the run.

    Raises:
        ConfigError: with the reason.
    """
    reason = ""
    if target.resolve().is_relative_to(workspace.resolve()):
        reason = f"this is inside of the workspace {workspace}, which every run empties"
    elif not target.name or target.name.endswith(NOTE):
        reason = "this is no name for a model"
    elif foreign := [path for path in _parts(target) if not _replaceable(path, target)]:
        reason = f"{foreign[0].name} exists, and is not what an earlier run wrote; move it away"
    elif not next(parent for parent in target.absolute().parents if parent.exists()).is_dir():
        reason = "a folder above it is a file"
    if reason:
        raise ConfigError(f"output_path: {target}: {reason}, or choose another path")


def deliver(artifact: Path, target: Path) -> None:
    """Copy a model, a file or a folder, with the weights that a large ONNX model has in a file of their own.

    Raises:
        PackageError: something that no earlier run wrote is there now, or the disk refuses; nothing was replaced by
            half a model.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            made = copied(artifact, Path(folder), target.name)
            if foreign := [path for path in _parts(target) if not _replaceable(path, target)]:
                raise PackageError(f"output_path: {foreign[0]} is not what an earlier run wrote, and stays as it is")
            digests = {path.name: digest_of(path) for path in made}
            for path in _parts(target):
                # Weights of an earlier model that this one has not.
                if path.name not in digests:
                    path.unlink()
            for path in made:
                _replace(path, target.parent / path.name, Path(folder))
            write_note(_note(target), **{"written by": "pytest-navigator"}, sha256=digests)
    except OSError as error:
        raise PackageError(f"output_path: cannot write {target}: {error.strerror or error}") from error


def copied(artifact: Path, folder: Path, name: str) -> list[Path]:
    """Copy a model into a folder by another name, with its weights; returns what there is then."""
    model = folder / name
    if artifact.is_dir():
        copy_folder(artifact, model)
        return [model]
    parts = {part: f"{name}{DATA}{index or ''}" for index, part in enumerate(files_of(artifact)[1:])}
    if not parts:
        copy_file(artifact, model)
        return [model]
    for part, own in parts.items():
        copy_file(part, folder / own)
    relocate(artifact, model, {part.relative_to(artifact.parent).as_posix(): own for part, own in parts.items()})
    return [*(folder / own for own in parts.values()), model]


def _parts(target: Path) -> list[Path]:
    data = target.name + DATA
    beside = sorted(os.listdir(target.parent)) if target.parent.is_dir() else []
    numbered = [name for name in beside if name.startswith(data) and name[len(data) :].isdecimal()]
    return [path for path in map(target.with_name, (target.name, data, *numbered)) if os.path.lexists(path)]


def _replaceable(path: Path, target: Path) -> bool:
    """Whether something is still what an earlier run has written."""
    try:
        known = (read_note(_note(target)) or {}).get("sha256", {}).get(path.name)
    except (ValueError, AttributeError, TypeError):
        return False
    return known is not None and not path.is_symlink() and digest_of(path) == known


def _note(target: Path) -> Path:
    return target.with_name(f".{target.name}{NOTE}")


def _replace(made: Path, target: Path, folder: Path) -> None:
    # Where one of the two is a folder, the old one goes aside first: nothing is moved onto a folder.
    if target.is_dir() or (made.is_dir() and target.exists()):
        target.rename(folder / f"{target.name}.old")
    made.replace(target)
