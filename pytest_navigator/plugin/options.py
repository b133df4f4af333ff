"""The flags and the ini options, as pytest gets them, and whether they ask for anything: all that every run needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.options import OPTIONS, PROFILE, names, one_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import pytest

UNCHECKED = "no model is checked without --nav, --nav-package=PATH or --nav-model=SPEC"

# Options that say something of the model of `--nav-model`.
NEEDS_MODEL = ("nav_model_format", "nav_framework", "nav_dataloader", "nav_config")

MARKERS = {
    "nav": "a test that pytest-navigator generated",
    "nav_source": "checks the model and its loader",
    "nav_export": "exports the model to a format",
    "nav_convert": "converts one format to another",
    "nav_correctness": "compares a format's outputs with the source's",
    "nav_decoding": "generates with a runner, step after step, and compares with the source",
    "nav_throughput": "searches the batch sizes that are worth measuring",
    "nav_profile": "measures latency and throughput",
    "nav_quantization": "measures a quantized format beside its float one",
    "nav_regression": "compares with the baseline",
    "nav_budget": "holds a cell to a limit",
    "nav_pipeline": "checks a whole pipeline with formats in it",
    "nav_verify": "a user's verify_ test of a format",
}


# Flag, what argparse does with it, how its value is called, help.
MODEL_OPTIONS = (
    ("--nav-model", "append", "SPEC", "Model to check: a file, or module:function that returns it; repeatable"),
    ("--nav-model-format", "store", "NAME", "Format of the model file, where neither content nor suffix tells it"),
    ("--nav-framework", "store", "NAME", "Framework of what module:function returns"),
    ("--nav-dataloader", "store", "SPEC", "Samples for the model: module:function that returns them"),
    ("--nav-inputs", "append", "SPECS", "Inputs of a model file without a signature: 'x:-1,3:float32 y:-1:int64'"),
    ("--nav-outputs", "append", "SPECS", "Its outputs, in the same form"),
    ("--nav-config", "store", "FILE", "YAML file with the configuration of the model file and its random data"),
)


def _cached_steps(text: str) -> tuple[str, ...]:
    """Parse `convert,correctness`."""
    return steps(names(text))


def steps(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the steps that can be cached, as they are."""
    from pytest_navigator.core.steps import PLANNED

    return tuple(map(one_of(*(kind.name for kind in PLANNED if kind.cached is not False)), found))


# Flag, how its value is called, what parses it, help; each is an ini option too.
CACHE_OPTIONS: tuple[tuple[str, str, Callable[[str], Any], str], ...] = (
    ("--nav-cache", "DIR", str, "Folder or URL with conversions and checks of earlier runs, to use and to add to"),
    (
        "--nav-cache-steps",
        "STEPS",
        _cached_steps,
        "Of convert,correctness,throughput,profile (default: convert,correctness)",
    ),
)

# Flag of a report, how its value is called, help.
REPORT_OPTIONS = (
    ("--nav-report", "PATH", "Write what became of the models into this HTML file, with plots"),
    ("--nav-json", "PATH", "Write the records of all models into this JSON file"),
    ("--nav-gitlab", "PATH", "Write links to reports and packages, as GitLab's report of annotations"),
)


def _expected(text: str) -> str:
    """Parse what is done with `nav_expected.toml`."""
    from argparse import ArgumentTypeError

    loosened = text.removeprefix("loosen:")
    if text in ("check", "update", "off") or (loosened != text and names(loosened)):
        return text
    raise ArgumentTypeError(f"{text!r} is not one of check, update, loosen:NAME, off")


def _trace(text: str) -> str:
    """Parse the file of a timeline; what follows the flag without `=` may be a place of tests."""
    from argparse import ArgumentTypeError

    if text.endswith(".json"):
        return text
    raise ArgumentTypeError(f"{text!r} does not end with .json; write --nav-timeline=FILE.json, or the flag last")


def on_or_off(text: str) -> bool:
    """Parse `0` or `1`."""
    return one_of("0", "1")(text) == "1"


def add_options(parser: pytest.Parser) -> None:
    """Add every flag and ini option of the plugin.

    Help texts start with a capital and end without a period; a flag's default is None so that "not given" is visible.
    """
    group = parser.getgroup("navigator", "model export, correctness and performance")
    add = group.addoption
    add("--nav", action="store_true", dest="nav", help="Run the model checks, write no package")
    add(
        "--nav-package",
        metavar="PATH",
        dest="nav_package",
        help="Run the model checks and write this .nav package, a path or URL",
    )
    baseline = "Package of an earlier run, a path or URL: what is worse than in it fails"
    add("--nav-baseline", metavar="PATH", dest="nav_baseline", default=None, help=baseline)
    parser.addini("nav_baseline", baseline)
    for flag, action, metavar, text in MODEL_OPTIONS:
        add(flag, action=action, metavar=metavar, dest=flag[2:].replace("-", "_"), default=None, help=text)
    add("--nav-workspace", metavar="DIR", dest="nav_workspace", help="Folder of the run (default: navigator_workspace)")
    add("--nav-resume", action="store_true", dest="nav_resume", help="Reuse what an unchanged earlier run recorded")
    for flag, metavar, parse, text in CACHE_OPTIONS:
        add(flag, metavar=metavar, type=parse, dest=flag[2:].replace("-", "_"), default=None, help=text)
        parser.addini(flag[2:].replace("-", "_"), text, default=None)
    for flag, metavar, text in REPORT_OPTIONS:
        add(flag, metavar=metavar, dest=flag[2:].replace("-", "_"), default=None, help=text)
    ahead = "0: run no step before the item that reports it; default: 1"
    add("--nav-ahead", metavar="0|1", type=on_or_off, dest="nav_ahead", default=None, help=ahead)
    parser.addini("nav_ahead", ahead, default=None)
    timeline = "Print at the end what ran where and when; =FILE.json: and write it as events that Perfetto opens"
    add("--nav-timeline", nargs="?", const=True, type=_trace, metavar="FILE", dest="nav_timeline", help=timeline)
    add(
        "--nav-in-process",
        action="store_true",
        dest="nav_in_process",
        help="Run everything in pytest's process (--pdb)",
    )
    add(
        "--nav-no-diagnosis",
        action="store_true",
        dest="nav_no_diagnosis",
        help="Do not look for the first value that differs when a comparison fails",
    )
    what = "With nav_expected.toml: check, update, loosen:NAME, off (default: check in CI, elsewhere tighten it)"
    add("--nav-expected", metavar="WHAT", type=_expected, dest="nav_expected", default=None, help=what)
    reason = "Reason that loosen:NAME writes, and update for what is new and fails"
    add("--nav-expected-reason", metavar="TEXT", dest="nav_expected_reason", default=None, help=reason)
    add("--nav-no-git", action="store_true", dest="nav_no_git", help="Record no git commit in the package")
    add(
        "--nav-show-config",
        action="store_true",
        dest="nav_show_config",
        help="Print each setting with its origin; alone: and run nothing",
    )
    add("--nav-no-profile", action="store_false", default=None, dest="nav_profile", help="Generate no profile items")
    for option in OPTIONS:
        action = "append" if option.one else "store"
        known = {"type": option.parse, "metavar": option.metavar, "dest": option.dest, "help": option.help}
        add(option.flag, action=action, default=None, **known)
    for option in (*OPTIONS, PROFILE):
        parser.addini(option.dest, option.help, default=None)
    redact = "Regular expression of what no package may have; repeatable"
    add("--nav-redact", action="append", metavar="PATTERN", dest="nav_redact", default=None, help=redact)
    parser.addini("nav_redact", "Regular expressions of what no package may have, one a line", type="linelist")
    parser.addini("nav_workspace", "Folder of the run")


def check_needless(config: pytest.Config) -> None:
    """Refuse a flag on the command line that means nothing, because no model is checked: a green run would lie.

    Flags that a project has in `addopts` say what holds if models are checked.

    Raises:
        pytest.UsageError: with what to add.
    """
    import pytest

    given = (str(word) for word in config.invocation_params.args)
    if needless := next((word for word in given if word.startswith("--nav-")), None):
        raise pytest.UsageError(f"{needless}: {UNCHECKED}")


def active(config: pytest.Config) -> bool:
    """Whether this run collects models at all."""
    return checking(config) or bool(config.getoption("nav_show_config"))


def checking(config: pytest.Config) -> bool:
    """Whether this run checks models; with `--nav-show-config` alone it tells how it would."""
    return checks(config.option)


def checks(option: argparse.Namespace) -> bool:
    """Whether a run with these options does."""
    return bool(option.nav or option.nav_package is not None or option.nav_model or option.nav_config)
