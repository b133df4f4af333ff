"""A `model.py` for Triton's Python backend: a packaged file in its own library, by the code that runs it in scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from pytest_navigator.backends.torch.arrays import from_numpy, to_numpy
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.triton import python_templates as text
from pytest_navigator.errors import DeploymentError
from pytest_navigator.reproduce.code import NoScript
from pytest_navigator.reproduce.scripts import is_foreign, types
from pytest_navigator.reproduce.sources import sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.core.script_parts import RunnerCode, Subject
    from pytest_navigator.runners.base import Runner

BF16 = "bfloat16"


@dataclass(frozen=True)
class PythonModel:
    """What a `model.py` is made of.

    Attributes:
        kind: the class of the runner whose inference it is. subject: what that runs.
        batching: whether requests are joined along axis 0.
        head: lines that say what it is and where it comes from.
    """

    kind: type[Runner]
    subject: Subject
    batching: bool
    head: tuple[str, ...]

    def text(self) -> str:
        """Return the content of the file.

        Raises:
            DeploymentError: the runner gives no code for it.
        """
        code = self.kind.script(self.subject)
        where = f"{self.subject.variant.key} on {self.kind.name}"
        if code is None:
            raise DeploymentError(f"{where} cannot be served by Triton: it has no backend there, and gives no code")
        try:
            return self._put_together(code)
        except (NoScript, SyntaxError) as error:
            raise DeploymentError(f"{where} cannot be served by Triton: {error}") from error

    @property
    def _tensors(self) -> tuple[TensorSpec, ...]:
        return (*self.subject.signature.inputs, *self.subject.signature.outputs)

    def _put_together(self, code: RunnerCode) -> str:
        used = sources([*self._bits(), *code.functions, *code.output_functions])
        foreign = ["import ml_dtypes"] if any(map(is_foreign, self._tensors)) else []
        imports = _imports([*code.imports, *used.imports, *foreign])
        signature = self.subject.signature
        constants = [types("INPUTS", signature.inputs), types("OUTPUTS", signature.outputs)]
        parts = [
            "\n\n".join([f'"""{_safe(self.head)}\n"""', imports, text.ENCODING.strip(), *constants]),
            *_blocks(used.text, code.helpers, code.output_helpers),
            *self._conversions(),
            text.LOAD.format(load=_indented(_for_a_server(code.load))),
            _inference(code),
            text.READ.format(inputs=self._items(signature.inputs, text.TAKEN)),
            text.WRITE.format(outputs=self._items(signature.outputs, text.GIVEN)),
            text.MODEL.format(file=self.subject.variant.file) + (text.BATCHES if self.batching else text.SINGLE),
        ]
        lines = "\n\n\n".join(part.strip() for part in parts).splitlines()
        whole = "\n".join(line.rstrip() for line in lines) + "\n"
        compile(whole, "model.py", "exec")
        return whole

    def _bits(self) -> tuple[Callable[..., object], ...]:
        """Return what passes on a type that numpy has not."""
        return (from_numpy, to_numpy) if self._has(BF16) else ()

    def _has(self, *dtypes: str) -> bool:
        return any(spec.dtype in dtypes for spec in self._tensors)

    def _conversions(self) -> list[str]:
        kinds = {_kind(spec) for spec in self._tensors}
        return [text.CONVERSIONS[kind] for kind in text.CONVERSIONS if kind in kinds]

    def _items(self, specs: Iterable[TensorSpec], forms: dict[str, tuple[str, str]]) -> str:
        """Return an entry a tensor: as it is, or a number without an axis, which Triton gives one of 1."""
        lines = (forms[_kind(spec)][not spec.shape].format(name=spec.name) for spec in specs)
        return "\n".join(f"        {line}," for line in lines)


def _kind(spec: TensorSpec) -> str:
    if spec.dtype in TEXT_TYPES.values():
        return spec.dtype
    return BF16 if spec.dtype == BF16 else "number"


def _inference(code: RunnerCode) -> str:
    call = f"with {code.context}:\n{indent(code.call, '    ')}" if code.context else code.call
    body = "\n".join(filter(None, (code.prepare, call, f"return {code.outputs}")))
    return text.INFER.format(body=_indented(body))


def _for_a_server(load: str) -> str:
    # What ends a script would end the server's process without a word.
    load = load.replace("args.artifact", "path")
    return re.sub(r"sys\.exit\(", "raise RuntimeError(", load)


def _imports(lines: Iterable[str]) -> str:
    standard = {"import ctypes", "import locale", "import os", "from contextlib import suppress"}
    others = {"import numpy as np", "import triton_python_backend_utils as pb_utils", *lines} - standard
    own = sorted(line for line in others if _package(line) in text.STANDARD)
    return "\n".join([*sorted({*standard, *own}), "", *sorted(others - set(own))])


def _package(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _blocks(*parts: str) -> list[str]:
    return [part for part in parts if part.strip()]


def _indented(part: str) -> str:
    return indent(part, "    ").strip()


def _safe(lines: Iterable[str]) -> str:
    """Return lines of a docstring: names of a package neither end it nor are escapes there."""
    return "\n".join(lines).replace("\\", "/").replace('"', "'")
