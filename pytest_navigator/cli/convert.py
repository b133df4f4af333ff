"""Convert a model file by the flags of Model Navigator's `convert`, and check what was made.

FILE is an ONNX file, a TorchScript file, an exported program, the folder of a SavedModel, an engine or a package, and
comes before flags that take several values. Exit code: 0: converted; 1: something failed, or nothing was converted.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.configuration.convert_flags import ALL, FLAGS, said_by
from pytest_navigator.configuration.nav_config_file import flag_of
from pytest_navigator.errors import ConfigError, NavigatorError

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.configuration.nav_config_file import FileConfig

INTERRUPTED = 130  # As a shell says it of Ctrl-C

# What texts of the engine call by pytest's flags.
NAMES = {
    "config": "config-path",
    "workspace": "workspace-path",
    "package": "output-package",
    "model-format": "model-format",
    "model": "model-path",
    "inputs": "inputs",
    "outputs": "outputs",
    "formats": "target-formats",
    "atol": "atol",
    "rtol": "rtol",
    "seed": "random-seed",
}
PYTEST = re.compile(r"(?<![\w-])(pytest )?--nav-([a-z-]+)")
IN_FILE = re.compile(r" (of|in|into) --nav-config\b| \(nav_config\)")
# Keys that are no words of a sentence, but where they are those of a YAML file.
KEY = re.compile(rf"(?<![\w./-])(?<!ml: )({'|'.join(flag.key for flag in ALL if '_' in flag.key)})\b(?![./-])")


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.usage = "%(prog)s [FILE] [--config-path FILE] [--FLAG VALUE ...]"  # with all of them, an error is not seen
    parser.add_argument("file", nargs="?", metavar="FILE", help="the model (or --model-path)")
    config = "file that says what no flag says, by the same names; see docs/nav-config.md"
    parser.add_argument("--config-path", type=Path, metavar="FILE", help=config)
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            flag.add_to(group)


def run(arguments: argparse.Namespace) -> int:
    """Convert it."""
    config = _with_model(said_by(arguments, arguments.config_path), arguments.file)
    from pytest_navigator.api.converting import convert

    try:
        done = convert(config, worded)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except NavigatorError as error:
        raise type(error)(worded(str(error))) from error
    print(*(f"converted: {path}" for path in done.models), f"conversions: {done.results}", sep="\n")
    if done.problem:
        print(f"FAILED: {done.problem}")
    return int(bool(done.problem))


def worded(text: str) -> str:
    """Return a text of the engine with the flags of this command in place of pytest's, and of the keys of the file."""
    return PYTEST.sub(_flag, KEY.sub(lambda found: flag_of(found[1]), IN_FILE.sub("", text)))


def _flag(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    return f"--{NAMES[found[2]]}" if found[2] in NAMES else f"pytest {found[0]}"


def _with_model(config: FileConfig, file: str | None) -> FileConfig:
    if file is None and config.model_path is None:
        raise ConfigError(
            "no model is named: write FILE first (pytest-navigator convert model.onnx --target-formats trt)"
        )
    if file is not None and config.model_path not in (None, file):
        raise ConfigError(f"{file} and {config.named('model_path')} {config.model_path} name two models: leave one out")
    return replace(config, model_path=file or config.model_path)
