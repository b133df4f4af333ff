"""The values of status.yaml that become paths: none of them leads out of the package, or to a file that it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.package.query.selection import DATA, artifact_names, holds
from pytest_navigator.package.zip.file_names import name_problem
from pytest_navigator.package.zip.safety import TAMPERED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.package.layout.content import Content

EACH = "*"  # In a path: every value of a mapping or a list
NAMES = "@"  # In a path: every key of a mapping

# A path: how each part of it is written, and its name. It becomes a text where that is said: a name may be long, and
# many values below it.
Where = tuple[tuple[str, "JSON"], ...]

OWN = "pytest_navigator"
VARIANTS = (OWN, "suite", "variants", EACH)
FOREIGN = ("models_status", EACH, "model_config")
STEPS = ((OWN, "steps", EACH), (OWN, "others", EACH), (OWN, "verification", EACH))

INPUT, OUTPUT = DATA


def _file(value: str) -> str:
    return name_problem(value) if value else ""


def _folder(value: str) -> str:
    return "the name of something in a folder" if "/" in value else name_problem(value)


def _key(value: str) -> str:
    # A run keeps its own records in hidden folders beside those of the formats.
    return _folder(value) or ("a hidden name" if value.startswith(".") else "")


def _below(folder: str) -> Callable[[str], str]:
    return lambda value: name_problem(value) or ("" if value.startswith(f"{folder}/") else f"not below {folder}/")


# Where such a value is, and what says why it is not one.
PLACES: tuple[tuple[tuple[str, ...], Callable[[str], str]], ...] = (
    ((*VARIANTS, "key"), _key),
    ((*VARIANTS, "file"), _file),
    *(((*own, *FOREIGN, "key"), _key) for own in ((), (OWN,))),
    *(((*own, *FOREIGN, name), _file) for own in ((), (OWN,)) for name in ("path", "parent_path", "log_path")),
    ((OWN, "machines", NAMES), _folder),
    *(((*step, "data", "machine"), _folder) for step in STEPS),
    *(((*step, "data", name), _below(INPUT)) for step in STEPS for name in ("profiling_batch", "timed_batch")),
    *(((*step, "data", "cases", EACH, "input"), _below(INPUT)) for step in STEPS),
    *(((*step, "data", "cases", EACH, "output"), _below(OUTPUT)) for step in STEPS),
)


def astray(status: Mapping[str, JSON]) -> str:
    """Return the first value that leads elsewhere, with its path, "" if there is none.

    Args:
        status: content of status.yaml, in the current schema.
    """
    for place, reason_of in PLACES:
        for where, value in _values(status, place):
            if reason := _reason(value, reason_of):
                return f"{_text(where)}: {value!r} is {reason}; {TAMPERED}"
    return ""


def absent(status: Content, files: Collection[str]) -> str:
    """Return the first value that names a file which is not there, with its path, "" if there is none.

    Args:
        status: content of status.yaml, in the current schema.
        files: names of the files of the package.
    """
    found = next(_absent(status.get(OWN) or {}, files), "")
    return f"{found}; {TAMPERED}" if found else ""


def _values(value: JSON, place: tuple[str, ...], where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Yield what is at a place, as far as it is there, with its path."""
    if not place:
        yield where, value
        return
    first, rest = place[0], place[1:]
    if first == NAMES:
        yield from ((where, name) for name in (value if isinstance(value, dict) else ()))
    elif first == EACH:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, each in items:
            yield from _values(each, rest, (*where, ("[{!r}]", name)))
    elif isinstance(value, dict) and first in value:
        yield from _values(value[first], rest, (*where, (".{}", first)))


def _text(where: Where) -> str:
    return f"${''.join(form.format(name) for form, name in where)}"


def _reason(value: JSON, reason_of: Callable[[str], str]) -> str:
    if value is None:  # what has to be there is the business of the records
        return ""
    return reason_of(value) if isinstance(value, str) else "no text"


def _absent(own: Content, files: Collection[str]) -> Iterator[str]:
    """Yield the artifacts that are not in the package although others are in their folders."""
    left_out = own.get("left_out") or {}
    for where, variant in _values({OWN: own}, VARIANTS):
        key, file = variant.get("key"), variant.get("file")
        there = artifact_names(files, key) if file and _made(own, key) else []
        place = f"{key}/{file}"
        if there and not holds(there, place) and not holds(left_out, place):
            yield f"{_text(where)}.file: the package has no {place!r}"


def _made(own: Content, key: str) -> bool:
    # What failed may have left anything.
    provided = key in (own["suite"].get("provided") or ())
    ids = ("source",) if provided else (f"export.{key}", f"convert.{key}")
    steps = own.get("steps") or {}
    return any((steps.get(name) or {}).get("status") == "passed" for name in ids)
