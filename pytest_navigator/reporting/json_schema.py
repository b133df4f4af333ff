"""The JSON schema of `--nav-json`, from the classes of the records themselves (pure).

`python -m pytest_navigator.reporting.json_schema > docs/report.schema.json` writes the one of the documentation.
"""

from __future__ import annotations

import json
import re
import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pytest_navigator.core.records import Outcome, SuiteRecord
from pytest_navigator.package.layout.own_schema import Recorded
from pytest_navigator.package.layout.record_schema import FACTS
from pytest_navigator.package.layout.schema import ELSEWHERE
from pytest_navigator.reporting.json_report import SCHEMA
from pytest_navigator.reporting.pipelines import MixReport

if TYPE_CHECKING:
    from pytest_navigator.core.facts import Facts
    from pytest_navigator.core.plain import JSON

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity", "NaN"]}]}
SIMPLE: dict[Any, Any] = {str: {"type": "string"}, bool: {"type": "boolean"}, int: {"type": "integer"}, float: NUMBER}
ATTRIBUTE = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {8,}.+)*)", re.MULTILINE)  # In the docstring of a class


def schema() -> dict[str, JSON]:
    """Return the schema; what is not named in it may be there."""
    known: dict[str, JSON] = {}
    records = _of(Recorded, known)
    model = {
        "name": {"type": "string"},
        "passed": {"type": "boolean", "description": "Nothing failed but what was expected to."},
        "failures": {"type": "array", "items": {"type": "string"}, "description": "Ids of the steps that failed."},
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "What else keeps it from passing."},
        "package": {"type": ["string", "null"], "description": "Path of the package that was written."},
        "records": {**records, "description": "What status.yaml has under `pytest_navigator`."},
    }
    texts = {"type": "array", "items": {"type": "string"}}
    pipeline = {
        "name": {"type": "string"},
        "nodeid": {"type": "string", "description": "Of its place."},
        "passed": {"type": "boolean", "description": "The whole is right with formats in the places of its modules."},
        "reasons": {**texts, "description": "What else keeps it from passing."},
        "package": {"type": ["string", "null"], "description": "Path of the file with all its modules."},
        "modules": {**texts, "description": "Their names; each is among `models` too."},
        "mixes": {"type": "array", "items": _of(MixReport, known), "description": "Those that ran."},
        "notes": texts,
    }
    other = {"nodeid": {"type": "string"}, "message": {"type": "string"}}
    document = {
        "pytest_navigator": {"type": "string", "description": "The version that wrote it."},
        "schema_version": {"const": SCHEMA},
        "passed": {"type": "boolean"},
        "exit_code": {"type": ["integer", "null"], "description": "Of pytest."},
        "ended": {"type": "string", "description": "UTC, ISO 8601."},
        "environment": {"type": "object"},
        "models": {"type": "array", "items": _object(model)},
        "pipelines": {"type": "array", "items": _object(pipeline)},
        "other_failures": {"type": "array", "items": _object(other), "description": "Tests of the user's own."},
    }
    return {"$schema": DIALECT, "title": "pytest --nav-json", **_object(document), "$defs": dict(sorted(known.items()))}


def text() -> str:
    """Return the file in docs/."""
    return json.dumps(schema(), indent=1) + "\n"


def _object(properties: dict[str, Any]) -> dict[str, JSON]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of(kind: Any, known: dict[str, JSON]) -> dict[str, JSON]:
    """Return the schema of a type; classes of records go into `known`."""
    if kind in SIMPLE:
        return dict(SIMPLE[kind])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if is_dataclass(kind) or is_typeddict(kind):
        return _reference(kind, known)
    return _composed(kind, known)


def _composed(kind: Any, known: dict[str, JSON]) -> dict[str, JSON]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return {"type": "number", "minimum": 0} if inner[0] is float else _of(inner[0], known)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(each, known) for each in inner]}
    if kind is type(None):
        return {"type": "null"}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(inner[1], known)}
    if origin is tuple and inner[-1] is not Ellipsis:
        return {"type": "array", "prefixItems": [_of(each, known) for each in inner]}
    if origin in (list, tuple):
        return {"type": "array", "items": _of(inner[0], known)}
    return {}  # plain data of any form


def _reference(kind: Any, known: dict[str, JSON]) -> dict[str, JSON]:
    name = kind.__name__
    if name not in known:
        known[name] = {}  # it may hold itself
        known[name] = _record(kind, known)
    return {"$ref": f"#/$defs/{name}"}


def _record(kind: Any, known: dict[str, JSON]) -> dict[str, JSON]:
    hints = get_type_hints(kind, include_extras=True)
    texts = _attributes(cleandoc(kind.__doc__ or ""))
    elsewhere = ELSEWHERE if kind is SuiteRecord else ()
    names = [name for name in _fields(kind) or hints if name not in elsewhere]
    found = {name: {**_of(hints[name], known), **texts.get(name, {})} for name in names}
    needed = [name for name, needed in _fields(kind).items() if needed and name in names]
    summary = cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    whole: dict[str, JSON] = {"description": " ".join(summary.split()), "type": "object", "properties": found}
    whole |= {"required": needed} if needed else {}
    return whole | ({"allOf": [_facts(each, known) for each in FACTS]} if kind is Outcome else {})


def _fields(kind: Any) -> dict[str, bool]:
    """Return the fields of a dataclass, and whether each must be there; none of another kind of class."""
    own = fields(kind) if is_dataclass(kind) else ()
    return {each.name: each.default is each.default_factory is MISSING for each in own}


def _facts(kind: type[Facts], known: dict[str, JSON]) -> dict[str, JSON]:
    """Say what the data of some steps has."""
    return {
        "if": {"properties": {"step": {"enum": list(kind.steps)}}},
        "then": {"properties": {"data": _reference(kind, known)}},
    }


def _attributes(doc: str) -> dict[str, dict[str, str]]:
    """Return what a docstring says of each field."""
    found = ((names.split(", "), " ".join(said.split())) for names, said in ATTRIBUTE.findall(doc))
    return {name: {"description": said} for names, said in found for name in names}


if __name__ == "__main__":
    print(text(), end="")
