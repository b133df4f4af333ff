"""Every option once: its flag, its ini name, its field of `NavConfig`, its default; and what reads its text."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_navigator.configuration.rules import COUNT, FROM_ZERO, NOT_NEGATIVE, POSITIVE
from pytest_navigator.core.kinds import ALL, AUTO, KINDS
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.configuration.rules import Rule

T = TypeVar("T")
MEBIBYTE = 2**20
SLOWDOWN = 0.08  # By which a call may be slower than in a baseline
LEAST_SLOWDOWN = 0.02  # Sessions of one file differ by 1 %


def names(text: str) -> tuple[str, ...]:
    """Parse `onnx,torchscript-trace`; nothing at all asks for the default, whatever else says something."""
    if not text:
        return ()
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise ArgumentTypeError(f"{text!r} names nothing; separate several with commas: onnx,torchscript-trace")
    return found


def counts(text: str) -> tuple[int, ...]:
    """Parse `1,8,32`."""
    return tuple(count(part) for part in names(text))


def sizes(text: Any) -> tuple[int, ...] | str:
    """Parse `1,8,32`, or what is searched: `auto`, `auto:64`; take a list of numbers."""
    if isinstance(text, str) and "auto" not in text:
        return counts(text)
    if isinstance(text, str) or "auto" in [str(each).partition(":")[0] for each in text]:
        from pytest_navigator.configuration.batch_search import parse_auto

        return parse_auto(text if isinstance(text, str) else ",".join(map(str, text)))
    return tuple(map(count, text))


def count(text: str | int) -> int:
    """Parse a positive whole number."""
    return _number(int, text, COUNT, "a positive whole number")


def whole(text: str | int) -> int:
    """Parse a whole number that is not negative."""
    return _number(int, text, FROM_ZERO, "a whole number of 0 or more")


def share(text: str | float) -> float:
    """Parse a share: `0.1`, `10%`; 10 alone could mean both."""
    percent = isinstance(text, str) and text.strip().endswith("%")
    try:
        value = _number(float, text.strip().rstrip("%").strip() if isinstance(text, str) else text, NOT_NEGATIVE, "")
    except ArgumentTypeError:
        value = inf
    if value > (1000 if percent else 1):
        raise ArgumentTypeError(f"{text!r} is no share: write 0.1 or 10%")
    return value / 100 if percent else value


def slowdown(text: str | float) -> float:
    """Parse a share that a measurement can tell from nothing."""
    if (found := share(text)) < LEAST_SLOWDOWN:
        raise ArgumentTypeError(f"{text!r}: less than {LEAST_SLOWDOWN:.0%} is what a measurement is off by")
    return found


def seconds(text: str | float) -> float:
    """Parse a positive number of seconds."""
    return _number(float, text, POSITIVE, "a positive number of seconds")


def milliseconds(text: str | float) -> float:
    """Parse a positive number of milliseconds."""
    return _number(float, text, POSITIVE, "a positive number of ms")


def _number(kind: Callable[[Any], T], text: Any, rule: Rule, what: str) -> T:
    """Parse a number, or take one; what would have to be rounded is none."""
    if not (isinstance(text, bool) or (kind is int and isinstance(text, float))):
        with suppress(TypeError, ValueError):
            if rule.fits(number := kind(text)):
                return number
    raise ArgumentTypeError(f"{text!r} is not {what}")


def one_of(*valid: str) -> Callable[[str], str]:
    """Return a parser of one of the words."""

    def parse(text: str) -> str:
        if text not in valid:
            raise ArgumentTypeError(f"{text!r} is not one of {', '.join(valid)}")
        return text

    return parse


def _tolerance(option: str, text: str) -> Mapping[str, float]:
    from pytest_navigator.comparison.tolerances import parse

    try:
        return parse(text, option)
    except ConfigError as error:
        raise ArgumentTypeError(str(error)) from None


# `1e-5 logits=1e-4`: a default and overrides together.
atol, rtol = partial(_tolerance, "atol"), partial(_tolerance, "rtol")


def yes(text: str | bool) -> bool:
    """Parse an ini file's boolean."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if str(text).lower() not in words:
        raise ArgumentTypeError(f"{text!r} is not a boolean (true, false)")
    return words[str(text).lower()]


class Option(NamedTuple):
    """One setting: `name` is the field of NavConfig, `--nav-<name>` the flag, `nav_<name>` the ini name.

    Attributes:
        parse: what reads the text of the flag, and of the ini file.
        check: what holds a value of nav_config to the same rules; None: `parse`.
        one: of an option whose flag is repeatable, and that has one a line in the ini file: what one of them is called.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    metavar: str
    help: str
    check: Callable[[Any], Any] | None = None
    one: str = ""

    @property
    def flag(self) -> str:
        """The flag as users write it."""
        return "--nav-" + (self.one or self.name).replace("_", "-")

    @property
    def dest(self) -> str:
        """The name in pytest's option namespace, and in the ini file."""
        return "nav_" + (self.one or self.name)

    def given(self, value: Any) -> Any:
        """Return the value of a flag; None where it was not given."""
        return value if value is None or not self.one else tuple(part for each in value for part in each)


def _is_checked(value: Any) -> Any:
    return value


def budgets(text: str) -> tuple[str, ...]:
    """Parse `onnx-cpu p50<5ms size<50MiB`, one a line."""
    from pytest_navigator.configuration.budget_text import parse

    return parse(text)


def _budget_lines(value: Any) -> tuple[str, ...]:
    from pytest_navigator.configuration.budgets import lines_of

    return lines_of(value)


def interpreters(text: str) -> tuple[str, ...]:
    """Parse `tf-trt=/venvs/tf215/bin/python`, one a line."""
    from pytest_navigator.configuration.interpreters import parse

    return parse(text)


def _interpreter_lines(value: Any) -> tuple[str, ...]:
    from pytest_navigator.configuration.interpreters import lines_of

    return lines_of(value)


OPTIONS = (
    Option(
        "formats",
        names,
        None,
        "NAMES",
        "Formats to make, separated by commas (onnx,torchscript-trace), or groups of them: edge, cpu, all",
        _is_checked,
    ),
    Option("runtimes", names, None, "NAMES", "Runtimes or runners to check (cpu,cuda or OnnxCPU)", _is_checked),
    Option("precisions", names, None, "NAMES", "Precisions of formats that have several (fp32,fp16)", _is_checked),
    Option(
        "batch_sizes",
        sizes,
        None,
        "SIZES",
        "Batch sizes to profile (1,8), or auto[:MAX] to search them; default: 1 and the loader's largest",
    ),
    Option("latency_budget", milliseconds, None, "MS", "What a call may take in a search of batch sizes (ms)"),
    Option("profile_seconds", seconds, 10.0, "S", "Time limit of one profile item (default: 10)"),
    Option("atol", atol, None, "TOL", "Absolute tolerance: 1e-5, or with overrides '1e-5 logits=1e-4'", _is_checked),
    Option("rtol", rtol, None, "TOL", "Relative tolerance: 1e-5, or with overrides '1e-5 logits=1e-4'", _is_checked),
    Option("sample_count", count, 100, "N", "Samples to check correctness on, at most (default: 100)"),
    Option("max_sample_bytes", count, 512 * MEBIBYTE, "BYTES", "Samples and outputs to keep (default: 512 MiB)"),
    Option("seed", whole, 0, "N", "Seed of nav_model, nav_dataloader and the choice of samples (default: 0)"),
    Option(
        "device",
        one_of(AUTO, ALL, *KINDS),
        AUTO,
        "DEVICE",
        "Runners on which devices: auto (those that are here, and what is named), all, cpu, cuda (default: auto)",
    ),
    Option("require", names, (), "NAMES", "What must be checked and pass (onnx,onnx-cpu,OnnxCPU,cpu)", _is_checked),
    Option(
        "max_slowdown",
        slowdown,
        SLOWDOWN,
        "SHARE",
        "By how much slower than in a baseline a call may be (default: 0.08)",
    ),
    Option("max_growth", share, None, "SHARE", "Growth of artifacts and peak memory that a baseline allows (0.1)"),
    Option(
        "budgets",
        budgets,
        (),
        "BUDGET",
        "What a cell may take: 'onnx-cpu p50<5ms size<50MiB'; repeatable",
        _budget_lines,
        one="budget",
    ),
    Option(
        "keep", one_of("all", "best", "required", "none"), "all", "WHAT", "Models to package: all, best, required, none"
    ),
    Option("save_data", one_of("all", "none"), "all", "WHAT", "Samples to package: all or none"),
    Option(
        "child_imports",
        names,
        (),
        "MODULES",
        "Modules to import where model files run: they register operators",
        _is_checked,
    ),
    Option(
        "interpreters",
        interpreters,
        (),
        "FORMAT=PYTHON",
        "Python that converts and runs a format's files, 'tf-trt=/venvs/tf215/bin/python'; repeatable",
        _interpreter_lines,
        one="interpreter",
    ),
    Option("timeout", seconds, 600.0, "S", "Time limit of one step (default: 600)"),
)
PROFILE = Option("profile", yes, True, "BOOL", "Whether to profile")
