"""Write the scripts that repeat a step, before it runs: a step that crashes this process has one too."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.core.script_parts import CommandLine, Subject
from pytest_navigator.engine.loader import loader_record
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.engine.versions import noted
from pytest_navigator.errors import NavigatorError
from pytest_navigator.isolation.numerics import current_settings
from pytest_navigator.reproduce.code import NoScript
from pytest_navigator.reproduce.names import script_name
from pytest_navigator.reproduce.scripts import (
    command_scripts,
    convert_script,
    correctness_script,
    export_script,
    profiling_script,
    shell,
)
from pytest_navigator.runners.spec import runner_class
from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Case
    from pytest_navigator.engine.context import Context

    Texts = dict[str, str]


def write_making(context: Context, data: dict[str, JSON] | None = None) -> None:
    """Write the script of an export or a conversion.

    Args:
        data: what it has recorded; None before it has run.
    """
    form = context.host.registry.format(context.variant.format)
    exports = context.step.step == "export"

    def texts(name: str) -> Texts:
        subject = replace(_subject(context, data or {}), loader=loader_record(context))
        code = form.export_script(subject) if exports else form.convert_script(subject)
        if isinstance(code, CommandLine):
            return command_scripts(subject, code, name)
        write = export_script if exports else convert_script
        return _with_shell(name, write(subject, code, name) if code else "")

    _write(context, texts)


def write_correctness(context: Context, cases: Sequence[Case], rules: dict[str, Rule]) -> None:
    """Write the script of a comparison."""
    runner = runner_class(context.runner)

    def texts(name: str) -> Texts:
        subject = _subject(context, _made(context))
        code = runner.script(subject)
        return _with_shell(name, correctness_script(subject, code, name, cases, rules, runner.live) if code else "")

    _write(context, texts)


def write_profiling(context: Context) -> None:
    """Write the script that times a runner."""
    runner = runner_class(context.runner)

    def texts(name: str) -> Texts:
        subject = _subject(context, _made(context), timed_batch(context.folder))
        code, seconds = runner.script(subject), context.suite.settings.profile_seconds
        return _with_shell(name, profiling_script(subject, code, name, seconds, runner.live) if code else "")

    _write(context, texts)


def _with_shell(name: str, text: str) -> Texts:
    """Return a script and the shell script that runs it, by suffix."""
    return {".py": text, ".sh": shell(name)} if text else {}


def _write(context: Context, texts: Callable[[str], Texts]) -> None:
    """Write the scripts of a step, of one that runs ahead when its item asks for it."""
    if context.host.later is None:
        _write_now(context, texts)
    else:
        context.host.later(partial(_write_now, context, texts))


def _write_now(context: Context, texts: Callable[[str], Texts]) -> None:
    """Write the scripts of a step; one that cannot be made is no failure of the step."""
    name = script_name(context.step.step, context.variant.key, context.step.runner)
    try:
        found = texts(name)
    except (NoScript, NavigatorError) as error:
        with context.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"no script reproduces {context.step.id}: {error}\n")
        return
    for suffix, text in found.items():
        write_atomically(context.folder.path / f"{name}{suffix}", text.encode(errors="backslashreplace"))


def _subject(context: Context, data: dict[str, JSON], sample: str = "") -> Subject:
    """Return what a script is about; `sample` is the file that it starts from, by default that of the exports."""
    source, signature = context.folder.source, context.folder.signature
    batch = sample or source.profiling_batch
    arrays = load_npz(context.folder.path / batch, signature.inputs)
    return Subject(
        variant=context.variant,
        parent=context.suite.matrix.variants.get(context.variant.parent or ""),
        signature=signature,
        model=source.model,
        device=source.device,
        batch=batch,
        shapes={name: array.shape for name, array in arrays.items()},
        runner=context.step.runner,
        seed=context.host.seed,
        settings=current_settings(),
        data=data,
        installed=noted(context).get("interpreter", {}),
    )


def _made(context: Context) -> dict[str, JSON]:
    """Return what the export or conversion of the variant has recorded."""
    making = context.suite.matrix.making(context.variant.key)
    record = context.folder.record(making.id)
    return record.data if record and making.key else {}
