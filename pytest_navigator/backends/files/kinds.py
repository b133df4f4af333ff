"""Which format a model file is: by its content, then by its suffix; no framework is asked."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.savedmodel import SAVED_MODEL
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.content import Content

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.formats.base import Format

PACKAGE = "nav"  # Stands for a package among the names of formats

CUT_OFF = "is a ZIP archive that was cut off (TorchScript, an ExportedProgram or a package): copy it again"
LOAD_IT = "write a function that loads the model and give --nav-model=module:function"

# How files start that look like models and are none -> what to do with them.
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the model itself: run git lfs pull"),
    (b"\x89HDF\r\n", f"is an HDF5 file (Keras weights or an old Keras model): {LOAD_IT}"),
    (b"PK\x03\x04", CUT_OFF),
    (b"\x80", f"is a pickle (an old torch.save): {LOAD_IT}, or save it with torch.jit.save or torch.export.save"),
)


def format_of(path: Path, named: str | None = None) -> str:
    """Return the name of a file's or folder's format.

    Args:
        named: what the user says that it is; it decides only where the content does not.

    Raises:
        ConfigError: it is missing, empty, incomplete, no model, or another format than its name or the user says.
    """
    _check_there(path)
    found = _by_content(path)
    if found and named and found != named:
        raise ConfigError(f"{path} is {title(found)} by its content, not {title(named)}: --nav-model-format={found}")
    by_suffix = _by_suffix(path)
    if found and by_suffix and found not in by_suffix and not named:
        raise ConfigError(
            f"{path} is called like {title(by_suffix[0])}, but its content is {title(found)}: rename it, or say "
            f"--nav-model-format={found}"
        )
    if found:
        return found
    return _without_content(path, named, by_suffix)


def title(name: str) -> str:
    """Return what people call a file of a format."""
    return _titles().get(name, f"a file of the format {name!r}")


def _titles() -> dict[str, str]:
    """Return what people call the files of each format, and a package."""
    return {**{form.name: form.file_title for form in _forms()}, PACKAGE: "a package"}


def _forms() -> list[Format]:
    """Return the formats whose files people give."""
    registry = known()
    forms = (registry.formats[name] for name in registry.formats if name in registry.frameworks)
    return [form for form in forms if form.file_title]


def _by_suffix(path: Path) -> tuple[str, ...]:
    """Return the formats that files of such a name have."""
    suffix = path.suffix.lower()
    return (PACKAGE,) if suffix == ".nav" else tuple(form.name for form in _forms() if suffix in form.suffixes)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise ConfigError(f"there is no file {path}")
    if path.is_file() and not path.stat().st_size:
        raise ConfigError(f"{path} is empty")


def _by_content(path: Path) -> str:
    """Return the format that the content tells, "" if it tells none.

    Raises:
        ConfigError: it tells something that is no model.
    """
    content = Content(path)
    for start, what in FOREIGN:
        if content.head.startswith(start):
            raise ConfigError(f"{path} {what}")
    if content.archive:
        _check_whole(path)
    if "status.yaml" in content.names:
        return PACKAGE
    found = next((form.name for form in _forms() if form.is_in(content)), "")
    if not found and content.archive:
        _check_foreign_archive(content)
    return found


def _check_whole(path: Path) -> None:
    """Refuse an archive that does not begin at 0.

    A package ends with a sample, a ZIP as well: of a package that was cut off, that one is found.
    """
    with zipfile.ZipFile(path) as archive:
        if min((info.header_offset for info in archive.infolist()), default=0):
            raise ConfigError(f"{path} {CUT_OFF}")


def _check_foreign_archive(content: Content) -> None:
    """Say of what looks like a model and is none what to do with it."""
    if "data.pkl" in content.inner:
        raise ConfigError(
            f"{content.path} was written by torch.save: it holds weights or a pickled module, not a program. "
            f"{LOAD_IT}, or save it with torch.jit.save or torch.export.save"
        )
    if "bundle.yaml" in content.names:
        raise ConfigError(
            f"{content.path} is a bundle of the modules of a pipeline: pytest-navigator extract {content.path} MODULE "
            "gets the package of one, which can be checked again"
        )
    if {"metadata.json", "config.json"} <= content.names:
        raise ConfigError(
            f"{content.path} is a Keras archive: {LOAD_IT}, or write a SavedModel with model.export(folder)"
        )


def _without_content(path: Path, named: str | None, by_suffix: tuple[str, ...]) -> str:
    titles = _titles()
    if named and named not in titles:
        return named
    said = named or (by_suffix[0] if by_suffix else "")
    if path.is_dir():
        raise ConfigError(
            f"{path} is a folder without {SAVED_MODEL[0]}, and without an IR of OpenVINO: no other folders are models"
        )
    if path.suffix.lower() == ".bin" and (form := path.with_suffix(".xml")).is_file():
        raise ConfigError(f"{path} has no more than the weights of an IR of OpenVINO: name {form}")
    if said:
        raise ConfigError(f"{path} is not {title(said)}: its content is something else, it starts with {_start(path)}")
    raise ConfigError(
        f"{path} is no model that is known here: it starts with {_start(path)}. Known are {', '.join(titles.values())}"
    )


def _start(path: Path) -> str:
    with path.open("rb") as file:
        return repr(file.read(12))[1:]
