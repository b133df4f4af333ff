"""What can go wrong, as types: the message says what, where and what to do."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class NavigatorError(Exception):
    """Base of every error that pytest_navigator raises on purpose."""

    def __init__(self, message: str) -> None:
        from pytest_navigator.text import RECORD, bounded

        super().__init__(bounded(message, RECORD))

    def __str__(self) -> str:
        """Return the message; what files of others say in it does not steer the terminal that it is for."""
        from pytest_navigator.text import printable

        return printable(super().__str__())


class ConfigError(NavigatorError):
    """An option, a field of a configuration or a combination of them is wrong (a usage error of the run)."""


class InputError(ConfigError, ValueError):
    """What a runner is called with is not what the model takes."""


class SourceError(NavigatorError):
    """The user's model or loader does not keep its contract: it is the source step that fails."""


class InferenceError(SourceError):
    """The model raises on a sample, or gives no finite numbers there."""


EAGER = "eager"  # Kind of the failure of a compiled runner that has compiled nothing


class StepFailed(NavigatorError):
    """A step ran and did not reach its goal.

    Args:
        message: one line, enough to understand the failure.
        detail: the fuller text (table of mismatches, tail of a log, traceback).
        kind: the type of the error that the upstream library raised, or what ended the child.
        data: what the step found out all the same, plain data.
    """

    def __init__(self, message: str, detail: str = "", kind: str = "", data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = str(self.args[0])
        self.detail = detail
        self.kind = kind
        self.data = dict(data or {})


class Unavailable(NavigatorError):
    """Something that a step needs is not on this machine: the step is skipped.

    Args:
        requirement: the missing requirement, the same text for every step that misses it.
    """

    def __init__(self, requirement: str) -> None:
        super().__init__(requirement)
        self.requirement = requirement


class NotApplicable(NavigatorError):
    """A step has nothing to do for this model: it is skipped, and nothing is missing."""


class PackageError(NavigatorError):
    """A `.nav` file, or a record in the workspace that it is made of, cannot be written or read."""


class DeploymentError(NavigatorError):
    """A model cannot be deployed: not as it is, or not where it is to go."""


class StrategyError(PackageError):
    """No runner of a package is what the strategies are for."""


MOST_TOLD = 10  # Names that are told; of more, the nearest ones


def unknown(what: str, value: str, valid: Iterable[str], listed: str = "") -> ConfigError:
    """Return the error for a name that does not exist, with the nearest name that does.

    Args:
        listed: where all names are found, for who has a wrong one among many: "docs/formats.md".
    """
    return ConfigError(unknown_text(what, value, valid, listed))


def unknown_text(what: str, value: str, valid: Iterable[str], listed: str = "") -> str:
    """Return what is said of a name that does not exist."""
    names = sorted(valid)
    near = _nearest(value, names)
    hint = f"; did you mean {near!r}?" if near else ""
    told, more = _told(value, near, names), len(names) - MOST_TOLD
    rest = f", and {more} more" + (f": {listed}" if listed else "") if more > 0 else ""
    return f"unknown {what} {value!r}{hint} (valid: {', '.join(told)}{rest})"


def _told(value: str, near: str | None, names: list[str]) -> list[str]:
    if len(names) <= MOST_TOLD:
        return names
    ranked = get_close_matches(near or value, names, n=MOST_TOLD, cutoff=0)
    return sorted(ranked)


# What others call what we have: their letters are nearer to something else ("gpu" to "cpu"), or to nothing.
SYNONYMS = (
    {"gpu", "nvidia", "cuda"},
    {"trt", "tensorrt"},
    {"trt-rtx", "tensorrt-rtx"},
    {"pt", "pytorch", "torch"},
    {"tf", "tensorflow"},
    {"pt2", "exportedprogram", "torch-exportedprogram"},
    {"jit", "torchscript"},
    {"savedmodel", "tf-savedmodel"},
    {"half", "float16", "fp16"},
    {"bfloat16", "bf16"},
    {"single", "float32", "fp32"},
)


def _nearest(value: str, names: list[str]) -> str | None:
    """Return the name that is meant: by another word for it or in other letters, else the most similar one."""
    word = value.casefold()
    same = next((group for group in SYNONYMS if word in group), {word})
    if found := [name for name in names if name.casefold() in same]:
        return found[0]
    return None if len(same) > 1 else next(iter(get_close_matches(value, names, n=1)), None)
