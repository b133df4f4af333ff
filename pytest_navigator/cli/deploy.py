"""Deploy what passed in a package to where it is served.

Exit code: 0: deployed; 2: it was not, and nothing of it is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.cli.targets import triton

if TYPE_CHECKING:
    import argparse

TARGETS = (triton,)


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the targets, each with its arguments."""
    targets = parser.add_subparsers(title="targets", metavar="TARGET", required=True)
    for module in TARGETS:
        summary = (module.__doc__ or "").partition("\n")[0]
        target = targets.add_parser(module.__name__.rpartition(".")[2], help=summary, description=module.__doc__)
        module.add(target)
        target.set_defaults(deploy=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Deploy it."""
    code: int = arguments.deploy(arguments)
    return code
