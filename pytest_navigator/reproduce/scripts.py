"""A format's or a runner's part, and what is known of the model -> a whole script (pure)."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from shlex import quote
from textwrap import dedent, indent
from typing import TYPE_CHECKING

from pytest_navigator.reproduce.code import NoScript, literal
from pytest_navigator.reproduce.sources import sources
from pytest_navigator.reproduce.templates import (
    COMPARE,
    INFER,
    LIVE,
    LOAD_MODEL,
    MAKE,
    PROFILE,
    READ,
    READ_ROW,
    READING,
    READING_ROWS,
    RESIZE,
    TIMING,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import Case, Signature, TensorSpec
    from pytest_navigator.core.script_parts import CommandLine, MakingCode, RunnerCode, Subject

NUMPY_ONLY = ("float", "int", "uint", "complex", "bool", "str", "bytes")

# Kind of a rule -> the object of `comparison` that judges like it.
RULES: dict[str, Callable[[Rule], str]] = {
    "scaled": lambda rule: f"Scaled(rtol={rule.rtol!r}, atol={rule.atol!r}{_further(rule)})",
    "close": lambda rule: f"Close(atol={rule.atol!r}, rtol={rule.rtol!r})",
    "equal": lambda rule: "Share(1.0)",
    "share": lambda rule: f"Share({rule.minimum!r})",
    "cosine": lambda rule: f"Cosine({rule.minimum!r})",
    "snr": lambda rule: f"SNR({rule.minimum!r}, cosine={rule.cosine!r})",
    "function": lambda rule: "Unchecked()",
    "unchecked": lambda rule: "Unchecked()",
}


def export_script(subject: Subject, code: MakingCode, name: str) -> str:
    """Return the script that repeats an export."""
    title = f"Export the live model to {subject.artifact} again, with its errors."
    return _make(subject, code, title, name, live=True)


def convert_script(subject: Subject, code: MakingCode, name: str) -> str:
    """Return the script that repeats a conversion."""
    assert subject.parent is not None
    title = f"Convert {subject.parent.key}/{subject.parent.file} to {subject.artifact} again, with its errors."
    return _make(subject, code, title, name, live=False)


def command_scripts(subject: Subject, code: CommandLine, name: str) -> dict[str, str]:
    """Return the shell script of a conversion by a program, and the script of what comes before it, by suffix."""
    first, lines = {}, ["#!/bin/sh", "# Run it from the root of the package."]
    lines += [f"export {key}={quote(value)}" for key, value in code.environment.items()]
    lines.append(f'{code.arguments[0]}() {{ "${{PYTHON:-python3}}" -c "{code.main}" "$@"; }}')
    if code.before:
        file, making = code.before
        first = {".py": convert_script(replace(subject, variant=replace(subject.variant, file=file)), making, name)}
        lines.append(f'"${{PYTHON:-python3}}" {name}.py || exit')
    lines.append(" ".join([*map(quote, code.arguments), '"$@"']))
    return {**first, ".sh": "\n".join(lines) + "\n"}


def correctness_script(
    subject: Subject, code: RunnerCode, name: str, cases: Sequence[Case], rules: Mapping[str, Rule], live: bool
) -> str:
    """Return the script that repeats a comparison."""
    rows = [case.input.removeprefix("model_input/") for case in cases if case.kind == "row"]
    batches = [case.input.removeprefix("model_input/") for case in cases if case.kind != "row"]
    judged = "\n".join(f"        {output!r}: {RULES[rule.kind](rule)}," for output, rule in rules.items())
    main = _filled(
        COMPARE,
        load=_indented(_load(code, live)),
        rules=f"{{\n{judged}\n    }}",
        all="BATCHES + ROWS" if rows else "BATCHES",
        reading=_indented(READING_ROWS if rows else READING, 8),
    )
    call = _indented(_in_context(code.call, code.context))
    infer = _filled(INFER, prepare=_indented(code.prepare), call=call, outputs=_indented(code.outputs))
    return _script(
        subject,
        code,
        name,
        f"Compare what {subject.runner} gives for {_what(subject, live)} with what the source model gave.",
        [*([READ_ROW] if rows else []), infer, main],
        live=live,
        notes="Exits with 0 if every output is within its tolerance, else with 1." + _own(rules),
        constants=_files(batches, rows, subject.signature),
        imports=["import sys"],
        helpers=code.output_helpers,
        functions=[*_judges(rules), *code.output_functions],
    )


def _files(batches: list[str], rows: list[str], signature: Signature) -> list[str]:
    where = "# Below model_input and model_output: the user's batches as they came."
    whole = [types("OUTPUTS", signature.outputs), f"{where}\n{literal(batches, 'BATCHES')}"]
    if not rows:
        return whole
    batched = sorted({spec.name for spec in (*signature.inputs, *signature.outputs) if spec.batched})
    axis = [literal(batched, "BATCHED"), literal(signature.batch_dim, "BATCH_DIM")]
    return [*whole, f"# Single rows of them.\n{literal(rows, 'ROWS')}", *axis]


def profiling_script(subject: Subject, code: RunnerCode, name: str, seconds: float, live: bool) -> str:
    """Return the script that times the bare call."""
    signature, options = subject.signature, {"seconds": f"type=float, default={seconds!r}"}
    resize = ""
    if signature.batch_dim is not None:
        options["batch-size"] = 'type=int, help="rows of the sample, used again from the first on; default: all"'
        batched = [spec.name for spec in signature.inputs if spec.batched]
        resize = RESIZE.format(dim=signature.batch_dim, batched=literal(batched))
    timing = _in_context(f"{code.call}  # It may compile.\n{TIMING.format(call=_indented(code.call))}", code.context)
    main = _filled(
        PROFILE,
        load=_indented(_load(code, live)),
        batch=subject.batch,
        resize=_indented(resize),
        prepare=_indented(code.prepare),
        timing=_indented(timing),
    )
    what = _what(subject, live)
    title = f"Time {subject.runner} on {what}: the bare call, on inputs that are where it wants them."
    return _script(subject, code, name, title, [main], live=live, options=options, imports=["import time"])


def types(name: str, specs: Sequence[TensorSpec]) -> str:
    """Return the assignment of a dict of types by tensor name; those that numpy lacks are ml_dtypes'."""
    items = (f"    {s.name!r}: {f'ml_dtypes.{s.dtype}' if is_foreign(s) else repr(s.dtype)}," for s in specs)
    return "\n".join([f"{name} = {{", *items, "}"])


def is_foreign(spec: TensorSpec) -> bool:
    """Whether numpy has the type only through ml_dtypes."""
    return not spec.dtype.startswith(NUMPY_ONLY) or re.match(r"float[468]_|u?int[124]$", spec.dtype) is not None


def shell(name: str) -> str:
    """Return the shell script that runs a script."""
    return f'#!/bin/sh\n# Run it from the root of the package.\nexec "${{PYTHON:-python3}}" {name}.py "$@"\n'


def _make(subject: Subject, code: MakingCode, title: str, name: str, *, live: bool) -> str:
    suffix = f".{subject.variant.file.partition('.')[2]}" if "." in subject.variant.file else ""
    options = {"output": f'default="{subject.variant.key}/reproduced{suffix}"'}
    load = "model = load_model(args.model)" if live else ""
    main = _filled(MAKE, title=title, batch=subject.batch, load=_indented(load), body=_indented(code.body))
    return _script(subject, code, name, title, [main], live=live, options=options)


def _script(
    subject: Subject,
    code: MakingCode | RunnerCode,
    name: str,
    title: str,
    body: Sequence[str],
    *,
    live: bool,
    options: Mapping[str, str] | None = None,
    notes: str = "",
    constants: Sequence[str] = (),
    imports: Sequence[str] = (),
    helpers: str = "",
    functions: Sequence[Callable[..., object]] = (),
) -> str:
    """Put the parts together: what every script has, and what is the kind's own."""
    signature = subject.signature
    used = sources([*functions, *code.functions])
    foreign = ["import ml_dtypes"] if any(map(is_foreign, (*signature.inputs, *signature.outputs))) else []
    alive = ["import importlib", "import random"] if live else []
    imports = [*imports, *alive, *code.imports, *used.imports, *foreign]
    load = [_filled(LOAD_MODEL, seed=subject.seed, seeding=_indented(code.seeding))] if live else []
    whole = [used.text, code.helpers, helpers, READ, *load, _arguments(subject, live, options or {}), *body]
    head = f'"""{_head(name, title, notes, live, _versions(imports, subject.installed))}\n"""'
    blocks = ["\n\n".join([head, _imports(imports), types("INPUTS", signature.inputs), *constants])]
    blocks += [block.strip() for block in whole if block.strip()]
    return _checked(name, "\n\n\n".join([*blocks, 'if __name__ == "__main__":\n    main()\n']))


def _head(name: str, title: str, notes: str, live: bool, versions: Sequence[str]) -> str:
    usage = f"Run it from the root of the package (the unpacked .nav): bash {name}.sh"
    model = LIVE.format(name=name).strip() if live else ""
    made = f"Made with {', '.join(versions)}."
    return "\n\n".join(part for part in (title, f"{usage}\n{notes}".strip(), model, made) if part)


def _checked(name: str, text: str) -> str:
    # What a format or a runner gives may be anything: a script that is no Python is of no use to anybody.
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    try:
        compile(text, f"{name}.py", "exec")
    except SyntaxError as error:
        raise NoScript(f"{name}.py would not be Python: {error}") from error
    return text


def _what(subject: Subject, live: bool) -> str:
    return "the live model" if live else subject.artifact


def _imports(lines: Sequence[str]) -> str:
    """Return the imports of a script, the standard library's first."""
    found = sorted({"import argparse", "import os", "import numpy as np", *lines})
    standard = [line for line in found if _package(line) in sys.stdlib_module_names]
    return "\n".join([*standard, "", *(line for line in found if line not in standard)])


def _package(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _versions(imports: Sequence[str], installed: Mapping[str, str]) -> list[str]:
    packages = dict.fromkeys(["numpy", *map(_package, imports)])
    if installed:
        return [f"Python {installed['python']}", *(f"{p} {installed[p]}" for p in packages if p in installed)]
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _judges(rules: Mapping[str, Rule]) -> list[Callable[..., object]]:
    from pytest_navigator.reproduce import comparison

    return [getattr(comparison, RULES[rule.kind](rule).partition("(")[0]) for rule in rules.values()]


def _further(rule: Rule) -> str:
    return "".join(f", {name}={value!r}" for name in ("axis", "digits") if (value := getattr(rule, name)))


def _own(rules: Mapping[str, Rule]) -> str:
    own = [f"{output!r} by {rule.note}" for output, rule in rules.items() if rule.kind == "function"]
    return f"\nNot judged here: {', '.join(own)} (a function of the test suite)." if own else ""


def _load(code: RunnerCode, live: bool) -> str:
    return f"model = load_model(args.model)\n{code.load}" if live else code.load


def _arguments(subject: Subject, live: bool, options: Mapping[str, str]) -> str:
    """Return the function that reads the command line, and refuses another folder than the package's root."""
    given = dict(options)
    if live:
        given = {"model": 'required=True, metavar="MODULE:FUNCTION", help="returns the live model"', **given}
    elif subject.parent or "output" not in options:
        of = subject.parent if "output" in options and subject.parent else subject.variant
        given = {"artifact": f'default="{of.key}/{of.file}"', **given}
    lines = "\n".join(f'parser.add_argument("--{name}", {text})' for name, text in given.items())
    return dedent(
        '''
        def arguments() -> argparse.Namespace:
            """Return the options of the command line."""
            parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
            {lines}
            args = parser.parse_args()
            if not os.path.isfile({batch!r}):
                parser.error({problem!r})
            return args
        '''
    ).format(
        lines=_indented(lines),
        batch=subject.batch,
        problem=f"no {subject.batch}: run this from the root of a package that has its samples",
    )


def _filled(template: str, **parts: object) -> str:
    """Return a template with its parts, without the lines of those that are empty."""
    return re.sub(r"\n +\n", "\n", template.format(**parts))


def _in_context(text: str, context: str) -> str:
    return f"with {context}:\n{indent(text, '    ')}" if context else text


def _indented(text: str, spaces: int = 4) -> str:
    """Return a text whose first line is already indented where it is put."""
    return indent(text, " " * spaces).strip()
