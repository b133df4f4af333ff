"""The text of a `nav_expected.toml` -> records; everything that is wrong with it is said with its place."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.expected import FILE, PASS, WORDS, Expected, ExpectedLine
from pytest_navigator.errors import ConfigError, unknown_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

WHEN = "when"  # What the sections of a requirement begin with: no model is called so
KEYS = ("outcome", "atol", "reason")

# What a section can require: a kind of device, or a package that is installed.
REQUIREMENTS = (
    "cuda",
    "jax",
    "onnxruntime",
    "openvino",
    "tensorflow",
    "tensorrt",
    "tensorrt_rtx",
    "torch",
    "torch_tensorrt",
)

CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)  # As git and Mercurial leave them
TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "twice")

Lines = dict[str, ExpectedLine]


@dataclass(frozen=True)
class ExpectedFile:
    """Everything that one file says.

    Attributes:
        models: what holds everywhere: model -> name of a cell -> line.
        when: what holds where a requirement is met: requirement -> model -> name of a cell -> line.
    """

    models: dict[str, Lines] = field(default_factory=dict)
    when: dict[str, dict[str, Lines]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The models that it knows."""
        return list(dict.fromkeys([*self.models, *(name for models in self.when.values() for name in models)]))

    def cells(self, model: str) -> set[str]:
        """Return the names of all lines of a model, whatever they require."""
        return {name for models in (self.models, *self.when.values()) for name in models.get(model, {})}

    def of(self, model: str, met: Callable[[str], bool], file: str = FILE) -> Expected:
        """Return what holds for a model where some requirements are met: a section goes before the table of all.

        Args:
            met: asked for each requirement that a section of the model has.
            file: what the file is called in texts.

        Raises:
            ConfigError: two sections that hold say something of the same cell.
        """
        own = {name: models[model] for name, models in self.when.items() if model in models}
        here = {name: lines for name, lines in own.items() if met(name)}
        _check_once(model, here, file)
        lines = dict(self.models.get(model, {}))
        for section in here.values():
            lines |= section
        return Expected(file, lines, elsewhere={n: len(lines) for n, lines in own.items() if n not in here})


def read(path: Path, name: str = FILE) -> ExpectedFile:
    """Read a file.

    Args:
        name: what it is called in texts.

    Raises:
        ConfigError: it cannot be read, or is wrong.
    """
    try:
        return parsed(path.read_bytes().decode(), name)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name} is no text in UTF-8") from None


def parsed(text: str, name: str = FILE) -> ExpectedFile:
    """Return what a text says.

    Raises:
        ConfigError: with the place: it is no TOML, has a conflict, an unknown outcome or key, an impossible tolerance.
    """
    content = _toml(text, name)
    when = _table(content.pop(WHEN, {}), f"{name}: [{WHEN}]")
    for requirement in when:
        if requirement not in REQUIREMENTS:
            raise ConfigError(
                f"{name}: [{WHEN}.{requirement}]: {unknown_text('requirement', requirement, REQUIREMENTS)}"
            )
    return ExpectedFile(
        {model: _lines(lines, name, model) for model, lines in content.items()},
        {
            requirement: {
                model: _lines(lines, name, f"{WHEN}.{requirement}.{model}", requirement)
                for model, lines in _table(models, f"{name}: [{WHEN}.{requirement}]").items()
            }
            for requirement, models in when.items()
        },
    )


def _toml(text: str, name: str) -> dict[str, Any]:
    if found := CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"{name}, line {line}: a conflict of a merge that nobody has resolved ({found[0].strip()})")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = ": something stands there twice" if any(words in str(error) for words in TWICE) else ""
        raise ConfigError(f"{name} is no TOML{hint}: {error}") from None


def _lines(content: object, name: str, table: str, section: str = "") -> Lines:
    lines = _table(content, f"{name}: [{table}]").items()
    return {cell: _line(line, f"{name}: [{table}] {cell}", section) for cell, line in lines}


def _table(content: object, where: str) -> dict[str, Any]:
    if isinstance(content, dict):
        return content
    raise ConfigError(f"{where}: {content!r} is no table")


def _line(content: object, where: str, section: str) -> ExpectedLine:
    if not isinstance(content, dict):
        raise ConfigError(f'{where} = {content!r}: write {{outcome = "pass"}}')
    for key in content:
        if key not in KEYS:
            raise ConfigError(f"{where}: {unknown_text('key', key, KEYS)}")
    outcomes, reason = tuple(_outcomes(content.get("outcome"), where)), content.get("reason", "")
    if not isinstance(reason, str) or (outcomes != (PASS,) and not reason.strip()):
        raise ConfigError(f'{where}: say why it is not expected to pass: reason = "..."')
    return ExpectedLine(outcomes, _atol(content.get("atol", {}), where), reason.strip(), section)


def _outcomes(value: object, where: str) -> Iterator[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words:
        raise ConfigError(f"{where}: it has no outcome (one of {', '.join(WORDS)}, or a list of them)")
    for word in words:
        if word not in WORDS:
            raise ConfigError(f"{where}: {unknown_text('outcome', str(word), WORDS)}")
        yield word


def _atol(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: atol = {value!r}: write it for each output: atol = {{logits = 1e-5}}")
    return {output: _number(each, f"{where}: atol.{output}") for output, each in value.items()}


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigError(f"{where} = {value!r}: a tolerance is a number from 0, like 1e-5")
    return float(value)


def _check_once(model: str, sections: Mapping[str, Lines], file: str) -> None:
    seen: dict[str, str] = {}
    for requirement, lines in sections.items():
        for cell in lines:
            if cell in seen:
                raise ConfigError(
                    f"{file}: {cell} of {model} stands in [{WHEN}.{seen[cell]}] and [{WHEN}.{requirement}], and both "
                    "hold on this machine: keep one"
                )
            seen[cell] = requirement
