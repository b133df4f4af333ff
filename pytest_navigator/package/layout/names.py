"""Model Navigator's names: of formats, of the commands in status.yaml, of the rows in navigator.log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.core.steps import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import Outcome, SuiteRecord
    from pytest_navigator.core.variants import Variant


@dataclass(frozen=True)
class FormatNames:
    """The names of one format.

    Attributes:
        title: for people, as navigator.log writes it.
        command: the part of a command's name ("ExportTorch2ONNX").
    """

    title: str
    command: str


# Commands whose name does not follow `<Export|Convert><from>2<to>`.
IRREGULAR = {"ExportTorch2ExportedProgram": "ExportExportedProgram"}

# What Model Navigator does in four commands is one step here.
SOURCE_COMMANDS = ("InferInputMetadata", "FetchInputModelData", "InferOutputMetadata", "FetchOutputModelData")


def names_of(format_name: str) -> FormatNames:
    """Return the names of a format; one that has none, or is not known here, is named after itself."""
    form = known().formats.get(format_name)
    own = "".join(part[:1].upper() + part[1:] for part in format_name.split("-"))
    return FormatNames((form and form.title) or format_name, (form and form.command) or own)


def command(suite: SuiteRecord, variant: Variant) -> str:
    """Return the name of the command that makes a variant: "ExportTorch2ONNX", "ConvertONNX2TRT"."""
    parent = {v.key: v.format for v in suite.variants}.get(variant.parent or "")
    verb, origin = ("Convert", parent) if parent else ("Export", suite.framework)
    regular = f"{verb}{names_of(origin).command}2{names_of(variant.format).command}"
    return IRREGULAR.get(regular, regular)


def titles(suite: SuiteRecord, outcomes: Sequence[Outcome]) -> list[str]:
    """Return the title of each outcome's row; what would be equal is told apart in parentheses."""
    variants = {variant.key: variant for variant in suite.variants}
    plain = [_title(suite.framework, variants, outcome) for outcome in outcomes]
    namesakes: dict[str, list[tuple[str, ...]]] = {}
    for title, outcome in zip(plain, outcomes, strict=True):
        namesakes.setdefault(title, []).append(_parts(outcome))
    differing = {title: [len(set(part)) > 1 for part in zip(*each, strict=True)] for title, each in namesakes.items()}
    notes = (_difference(_parts(outcome), differing[title]) for title, outcome in zip(plain, outcomes, strict=True))
    return [f"{title} ({note})" if note else title for title, note in zip(plain, notes, strict=True)]


def _title(framework: str, variants: Mapping[str, Variant], outcome: Outcome) -> str:
    variant = variants.get(outcome.key)
    parent = variants.get(variant.parent or "") if variant else None
    source = names_of(framework).title
    title = KINDS[outcome.step].title.format(
        source=source,
        format=names_of(variant.format if variant else outcome.key).title,
        parent=names_of(parent.format).title if parent else "",
    )
    return title.replace(f"{source} to {source}", source).strip()  # a gate of the model is of no format


def _difference(parts: Sequence[str], differing: Sequence[bool]) -> str:
    # As little as possible: the log is read beside Model Navigator's.
    return ", ".join(part for part, differs in zip(parts, differing, strict=True) if differs and part)


def _parts(outcome: Outcome) -> tuple[str, ...]:
    return outcome.key, outcome.runner, outcome.batch, outcome.notes.nodeid
