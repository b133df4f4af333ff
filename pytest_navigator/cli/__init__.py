"""The command line: `pytest-navigator show out.nav`, and what else can be done with packages.

A command is a module here with `add`, which describes its arguments, and `run`, which returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest_navigator
from pytest_navigator.cli import diff
from pytest_navigator.cli import extract
from pytest_navigator.cli import merge
from pytest_navigator.cli import pack
from pytest_navigator.cli import show
from pytest_navigator.cli import verify
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (show, diff, verify, extract, pack, merge)

ERROR = 2
"""Exit code where a command could not do its work; argparse's own too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: None: those of the process.

    Returns:
        The exit code: 0; 1 for what the command's own help says; 2 where it could not do its work.
    """
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except NavigatorError as error:
        # The lines of an error in YAML, indented: what a package says never starts one.
        print(textwrap.indent(f"pytest-navigator: error: {error}", "    ").lstrip(), file=sys.stderr)
        return ERROR
    except BrokenPipeError:  # `| head` has seen enough; nothing more may be written, at the exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pytest-navigator", description="What can be done with .nav packages.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {pytest_navigator.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add(command)
        command.set_defaults(run=module.run)
    return parser
