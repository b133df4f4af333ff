"""Which rule judges which output: the user's tolerances and comparisons, and the defaults where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeAlias

from pytest_navigator.configuration import scopes
from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from pytest_navigator.configuration.scopes import Found
    from pytest_navigator.configuration.scopes import Levels
    from pytest_navigator.records import TensorSpec

Function: TypeAlias = Callable[..., object]
"""A comparison of the user's own: `f(expected, actual) -> bool | str | None`."""

Tolerance: TypeAlias = "float | str | Mapping[str, float | Mapping[str, float]] | None"
"""A tolerance as it is configured: `1e-4`, `"1e-5 logits=1e-4"`, `{"*": 1e-4, "onnx": {"logits": 1e-3}}`."""

Comparisons: TypeAlias = "Mapping[str, Any] | None"
"""Comparisons as they are configured: output -> rule or function, or format -> output -> rule or function."""

DEFAULTS: dict[str, tuple[float, float]] = {
    "fp64": (1e-9, 1e-300),
    "fp32": (1e-4, 1e-37),
    "tf32": (1e-2, 1e-37),
    "fp16": (2e-2, 1.2e-7),
    "bf16": (1.2e-1, 1e-37),
    "int8": (3e-1, 1.2e-7),
    "fp8": (3e-1, 1.2e-7),
}
"""Precision -> (tolerance relative to the output's scale, smallest difference that counts at all).

The first comes from `benchmarks/tolerances.py`; docs/tolerances.md has the figures. The second is where the type's
subnormal numbers have lost their digits; runtimes flush them to zero.
"""

PRECISIONS = {
    "float64": "fp64",
    "complex128": "fp64",
    "float32": "fp32",
    "complex64": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
}
"""Type of an output -> its precision. Floating types that are not here have 8 bits or fewer."""


@dataclass(frozen=True)
class Rule:
    """How one output is judged.

    Attributes:
        kind: "close" (numpy's isclose), "scaled" (relative to the output's scale, the default), "equal", "share" (of
            equal elements), "cosine", "function" (the user's) or "unchecked".
        atol: of "close"; of "scaled" the difference below which nothing counts. rtol: of "close" and "scaled".
        minimum: the smallest share or cosine that passes.
        note: the precision of "scaled", the name of the function, the reason of "unchecked".
    """

    kind: str
    atol: float = 0.0
    rtol: float = 0.0
    minimum: float = 0.0
    note: str = ""

    @property
    def text(self) -> str:
        """The rule for people: "atol 1e-3", "cosine >= 0.99"."""
        return TEXTS[self.kind](self)


def share(minimum: float) -> Rule:
    """Judge an output by its share of equal elements over all comparisons, from 0 to 1 (class ids, tokens)."""
    return Rule("share", minimum=_fraction("share", minimum))


def cosine(minimum: float) -> Rule:
    """Judge an output by the cosine of the flattened source and converted arrays, in each comparison (embeddings)."""
    return Rule("cosine", minimum=_fraction("cosine", minimum))


def unchecked(reason: str) -> Rule:
    """Do not judge an output's values (its shape, type and NaN still are).

    Args:
        reason: why no comparison can; it is shown wherever the result is.
    """
    if not str(reason or "").strip():
        raise ConfigError(f"unchecked({reason!r}): say why, for example unchecked('sampled from a distribution')")
    return Rule("unchecked", note=str(reason).strip())


def number(value: float) -> str:
    """Return a measured figure with two or three digits: 3.1e-3, 0.25, 12, inf."""
    if value == 0 or not math.isfinite(value) or 0.01 <= abs(value) < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def parse(text: str, option: str = "atol") -> dict[str, float]:
    """Return the tolerances of a command line: `1e-5 logits=1e-4`, also `logits:1e-4` and commas; "" is the default.

    Raises:
        ConfigError: a value is no tolerance, or an output comes twice.
    """
    values: dict[str, float] = {}
    for part in text.replace(",", " ").split():
        name, value = _split(part)
        if name in values:
            raise ConfigError(f"{option} {text!r}: {name or 'the default'!r} comes twice; keep one")
        values[name] = tolerance(value, f"{option} {part!r}")
    if not values:
        raise ConfigError(f"{option} {text!r}: empty; write a number, or name=number, or both: '1e-5 logits=1e-4'")
    return values


def default(dtype: str, precision: str = "") -> Rule:
    """Return the rule of an output without a tolerance: the looser of its type's default and its format's.

    Args:
        precision: what the format computes in, a key of `DEFAULTS`; "": what the output's type says.
    """
    if not _is_floating(dtype):
        return Rule("equal")
    name = coarsest(PRECISIONS.get(dtype, "fp8"), precision)
    rtol, atol = DEFAULTS[name]
    return Rule("scaled", atol=atol, rtol=rtol, note=name)


def coarsest(*precisions: str) -> str:
    """Return the precision with the loosest default among those that are not ""; "" if all are.

    Raises:
        ConfigError: one of them is no key of `DEFAULTS`.
    """
    said = [precision for precision in precisions if precision]
    for precision in said:
        if precision not in DEFAULTS:
            raise unknown("precision", precision, DEFAULTS)
    return max(said, key=DEFAULTS.__getitem__, default="")


def resolve(
    outputs: Sequence[TensorSpec],
    *,
    variant_key: str,
    format_name: str,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    comparisons: Comparisons = None,
    precision: str = "",
    formats: Iterable[str] = (),
) -> dict[str, Rule]:
    """Return the rule of every output, for one format.

    What is said for the variant's key goes before what is said for its format's name, and that before what is said for
    all; within one of these an output's name goes before "" and "*". A comparison goes before a tolerance. Where only
    one of `atol` and `rtol` is given for an output, the other one is 0.

    Args:
        formats: every other key and format name that a setting may mention.

    Raises:
        ConfigError: a value, a format or an output that does not exist, or a rule that the output's type cannot have.
    """
    places = (variant_key, format_name, "")
    names = [output.name for output in outputs]
    valid = {*formats, variant_key, format_name}
    atols, rtols = (_levels(value, name, valid, names) for value, name in ((atol, "atol"), (rtol, "rtol")))
    chosen = _comparison_levels(comparisons, valid, names)
    return {
        output.name: _rule(
            output,
            scopes.pick(chosen, output.name, places),
            scopes.pick(atols, output.name, places),
            scopes.pick(rtols, output.name, places),
            precision,
        )
        for output in outputs
    }


def functions(
    comparisons: Comparisons,
    outputs: Sequence[TensorSpec],
    *,
    variant_key: str,
    format_name: str,
    formats: Iterable[str] = (),
) -> dict[str, Function]:
    """Return the user's function of every output whose rule is "function", for one format."""
    names = [output.name for output in outputs]
    levels = _comparison_levels(comparisons, {*formats, variant_key, format_name}, names)
    picked = {name: scopes.pick(levels, name, (variant_key, format_name, "")) for name in names}
    return {name: found.value for name, found in picked.items() if found and not isinstance(found.value, Rule)}


def judged_by_user(comparisons: Comparisons, output: str) -> bool:
    """Whether a user's function judges an output's values in every format, or nothing does."""
    setting = comparisons or {}
    found = next((setting[name] for name in (output, "*", "") if name in setting), None)
    return callable(found) or (isinstance(found, Rule) and found.kind == "unchecked")


def _levels(setting: Tolerance, option: str, formats: set[str], outputs: list[str]) -> Levels[float]:
    if isinstance(setting, str):
        setting = parse(setting, option)
    elif setting is not None and not isinstance(setting, Mapping):
        return {"": {"": tolerance(setting, option)}}
    return scopes.read(setting or {}, option, formats, outputs, tolerance)


def _comparison_levels(setting: Comparisons, formats: set[str], outputs: list[str]) -> Levels[Any]:
    return scopes.read(setting or {}, "comparisons", formats, outputs, comparison_of)


def _rule(
    output: TensorSpec,
    comparison: Found[Any] | None,
    atol: Found[float] | None,
    rtol: Found[float] | None,
    precision: str,
) -> Rule:
    if comparison:
        return _compared(output, comparison.value)
    if not _is_floating(output.dtype):
        # A tolerance for everything is meant for the outputs that can have one.
        atol, rtol = (found if found and found.by_name else None for found in (atol, rtol))
        if (atol or rtol) and not _is_integer(output.dtype):
            raise ConfigError(f"output {output.name!r} is {output.dtype}: it has no tolerance; use nav.share(...)")
    if not atol and not rtol:
        return default(output.dtype, precision)
    return Rule("close", atol=atol.value if atol else 0.0, rtol=rtol.value if rtol else 0.0)


def _compared(output: TensorSpec, comparison: Rule | Function) -> Rule:
    if not isinstance(comparison, Rule):
        return Rule("function", note=getattr(comparison, "__qualname__", type(comparison).__name__))
    if comparison.kind == "cosine" and not (_is_floating(output.dtype) or _is_integer(output.dtype)):
        raise ConfigError(f"output {output.name!r} is {output.dtype}: it has no cosine; use nav.share(...)")
    return comparison


def comparison_of(value: Any, where: str) -> Rule | Function:
    """Return a rule or a function of the user's; ConfigError with `where` if it is neither."""
    if isinstance(value, Rule) or callable(value):
        result: Rule | Function = value
        return result
    raise ConfigError(
        f"{where} = {value!r}: not a comparison; use nav.share(0.99), nav.cosine(0.999), nav.unchecked('reason') "
        "or a function of (expected, actual)"
    )


def tolerance(value: Any, where: str) -> float:
    """Return a tolerance as a number; ConfigError with `where` if it is none."""
    hint = "a tolerance is a number from 0, like 1e-5"
    try:
        result = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: {value!r} is not a number; {hint}") from None
    if not 0 <= result < math.inf:
        raise ConfigError(f"{where}: {value!r} is no tolerance; {hint}")
    return result


def _fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"{name}({value!r}): the smallest {name} that passes is above 0 and at most 1")
    return float(value)


def _split(part: str) -> tuple[str, str]:
    """Split at the last "=", else at the last ":" (names may hold either, as TensorFlow's "logits:0" does)."""
    for separator in "=:":
        name, found, value = part.rpartition(separator)
        if found:
            if not name:
                raise ConfigError(f"tolerance {part!r}: no output before {separator!r}; write name{separator}number")
            return name, value
    return "", part


def _is_floating(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "complex"))


def _is_integer(dtype: str) -> bool:
    return dtype.startswith(("int", "uint"))


def _close_text(rule: Rule) -> str:
    parts = [f"{name} {number(value)}" for name, value in (("atol", rule.atol), ("rtol", rule.rtol)) if value]
    return ", ".join(parts) or "atol 0"


TEXTS: dict[str, Callable[[Rule], str]] = {
    "close": _close_text,
    "scaled": lambda rule: f"{number(rule.rtol)} of (|value| + scale) ({rule.note} default)",
    "equal": lambda rule: "equal",
    "share": lambda rule: f"share of equal elements >= {rule.minimum:g}",
    "cosine": lambda rule: f"cosine >= {rule.minimum:g}",
    "function": lambda rule: f"function {rule.note}",
    "unchecked": lambda rule: f"unchecked: {rule.note}",
}
