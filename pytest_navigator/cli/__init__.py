"""The command line: `pytest-navigator show out.nav`, and what else can be done with packages.

A command is a module here with `add`, which describes its arguments, and `run`, which returns the exit code.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest_navigator
from pytest_navigator.cli import (
    convert,
    deploy,
    diagnose,
    diff,
    extract,
    fetched,
    judge,
    merge,
    pack,
    serve,
    show,
    verify,
)
from pytest_navigator.errors import NavigatorError
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

COMMANDS = (show, diff, judge, diagnose, verify, extract, pack, merge, serve, deploy, convert)

LONGEST = 500  # Characters of an error that is none of ours
ERROR = 2  # Exit code where a command could not do its work; argparse's own too


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: None: those of the process.

    Returns:
        The exit code: 0; 1 for what the command's own help says; 2 where it could not do its work.
    """
    for stream in (sys.stdout, sys.stderr):  # what a terminal's encoding lacks is an escape, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with fetched.fetching():
        return _run(_parser().parse_args(arguments))


def _run(parsed: argparse.Namespace) -> int:
    """Run a command whose arguments are known; returns its exit code."""
    if sys.stdout is None:
        _say("its output is closed, so that it has nowhere to write to")
        return ERROR
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        _hush(sys.stdout)
        return ERROR
    except Exception as error:  # 1 says something of packages, and a traceback would end with it
        if isinstance(error, OSError):
            _hush(sys.stdout)
        _say(fetched.shown(_problem(error)))
        return ERROR
    return code


def _problem(error: Exception) -> str:
    """Return an error for people; of one that nobody expected, with its type."""
    if isinstance(error, NavigatorError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return f"this should not have happened: {type(error).__name__}: {one_line(str(error)[:LONGEST])}"


def _say(problem: str) -> None:
    # What a package says never starts a line: its further ones are indented.
    if sys.stderr is None:
        return
    try:
        print(textwrap.indent(f"pytest-navigator: error: {problem}", "    ").lstrip(), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # there is nobody to say it to
        _hush(sys.stderr)


def _hush(stream: TextIO) -> None:
    # Python flushes what is left at its exit, and would fail once more, with a traceback.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-navigator", description="What can be done with .nav packages and model files."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {pytest_navigator.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0]
        # Half a flag would mean another one as soon as there are two that begin so.
        command = commands.add_parser(name, help=summary, description=module.__doc__, allow_abbrev=False)
        module.add(command)
        command.set_defaults(run=module.run)
    return parser
