"""Which rule judges which output: the user's tolerances and comparisons, and the defaults where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_navigator.comparison.precisions import DEFAULTS, NOISY, PRECISIONS, SIGNAL, coarsest
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.comparison.computed import Computed
    from pytest_navigator.comparison.scopes import Found, Levels
    from pytest_navigator.core.records import TensorSpec

# A comparison of the user's own: `f(expected, actual) -> bool | str | None`.
Function: TypeAlias = Callable[..., object]

# A tolerance as it is configured: `1e-4`, `"1e-5 logits=1e-4"`, `{"*": 1e-4, "onnx": {"logits": 1e-3}}`.
Tolerance: TypeAlias = "float | str | Mapping[str, float | Mapping[str, float]] | None"

# Comparisons as they are configured: output -> rule or function, or format -> output -> rule or function.
Comparisons: TypeAlias = "Mapping[str, Any] | None"

# Precision -> what a result may change by, relative to its scale, when it is converted to it: one digit.
ROUNDED: dict[str, float] = {
    "fp32": 1e-4,
    "tf32": 1e-2,
    "fp16": 2**-10,
    "bf16": 2**-7,
    "int8": 3e-1,
    "int4": 3e-1,
    "fp8": 2**-2,
}

# Type of an output -> types with fewer digits.
FEWER: dict[str, tuple[str, ...]] = {"float64": ("float32",), "float32": ("float16", "bfloat16")}

# A tolerance is suggested up to this many times the default: rounding explains no more, however long the sums are.
EXPLAINED = 20

ASKED = "asked for"  # Note of a rule "scaled" whose tolerance is the user's
LARGEST_EXPLAINED = 0.01  # Part of the output's scale from which on nothing above the default is suggested


@dataclass(frozen=True)
class Rule:
    """How one output is judged.

    Attributes:
        kind: "close" (numpy's isclose), "scaled" (relative to the output's scale, the default), "equal", "share" (of
            equal elements), "cosine", "snr" (ratio of signal to noise), "function" (the user's) or "unchecked".
        atol: of "close"; of "scaled" the difference below which nothing counts. rtol: of "close" and "scaled".
        minimum: the smallest share, cosine or ratio (dB) that passes.
        note: the precision of "scaled", and of "snr" where it is a default; the name of the function, the reason of
            "unchecked".
        axis: of "scaled": the axes along which each slice has a scale of its own.
        explained: the largest error, relative to value and scale, that rounding explains; 0: of this output, none.
        digits: of "scaled": types that have fewer digits than the output is computed in; its values may not be those
            of one of them where the source's are not.
        cosine: of "snr": the smallest cosine that passes; 0: any.
        signal: whether the ratio of signal to noise, and the cosine, are recorded.
        vouching: of "unchecked": whether `verify_` tests judge in the place of a default that it did not pass.
    """

    kind: str
    atol: float = 0.0
    rtol: float = 0.0
    minimum: float = 0.0
    note: str = ""
    axis: tuple[int, ...] = ()
    explained: float = field(default=0.0, compare=False)
    digits: tuple[str, ...] = field(default=(), compare=False)
    cosine: float = 0.0
    signal: bool = field(default=False, compare=False)
    vouching: bool = field(default=False, compare=False)

    @property
    def is_default(self) -> bool:
        """Whether nobody has asked for this rule of a quantized output."""
        return self.kind == "snr" and bool(self.note)

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


def snr(decibels: float, *, cosine: float = 0.0) -> Rule:
    """Judge an output by its ratio of signal to noise over all comparisons: what is quantized has noise everywhere.

    Args:
        decibels: the smallest 10 log10(sum of expected squared / sum of differences squared) that passes; 20 is noise
            of a tenth of the signal, 40 of a hundredth.
        cosine: the smallest cosine that passes, in each comparison, from 0 to 1; 0: it is not judged.

    Raises:
        ConfigError: one of them is no such number.
    """
    if not _within(decibels, 0, math.inf) or decibels in (0, math.inf):
        raise ConfigError(f"snr({decibels!r}): the smallest ratio that passes is a number of decibels above 0, like 20")
    if not _within(cosine, 0, 1):
        raise ConfigError(f"snr(cosine={cosine!r}): the smallest cosine that passes is from 0 to 1, like 0.99")
    return Rule("snr", minimum=float(decibels), cosine=float(cosine), signal=True)


def scaled(axis: int | Sequence[int] = (), *, tolerance: float | None = None) -> Rule:
    """Judge a floating output relative to its scale, as the default does, with a scale for each slice.

    Args:
        axis: along this axis, or these, every slice has a scale of its own: with -1 each column, where one holds pixels
            and another probabilities. Negative ones count from the end; none: one scale for all.
        tolerance: each difference may be this much of (|value| + scale); None: the default.
    """
    given = (axis,) if isinstance(axis, int) else axis
    valid = isinstance(given, list | tuple) and all(isinstance(a, int) and not isinstance(a, bool) for a in given)
    if not valid:
        raise ConfigError(f"scaled(axis={axis!r}): an axis is a whole number, like -1, or several: (0, -1)")
    said = tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float))
    if said or (tolerance is not None and not 0 < tolerance < 1):
        raise ConfigError(f"scaled(tolerance={tolerance!r}): a part of the scale is above 0 and below 1, like 1e-3")
    return Rule("scaled", rtol=float(tolerance or 0.0), axis=tuple(given))


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


def default(dtype: str, precision: str = "", computed: Computed | None = None) -> Rule:
    """Return the rule of an output without a tolerance: by what it is computed in, and by its own type.

    Args:
        precision: what the format computes in, a key of `DEFAULTS`; "": what the source does.
        computed: what the source computes it in; None: not known, its type decides.
    """
    if not _is_floating(dtype):
        return Rule("equal")
    if precision in SIGNAL:
        least, cosine = SIGNAL[precision]
        explained = _scaled(precision).explained
        return Rule("snr", minimum=least, cosine=cosine, note=precision, explained=explained, signal=True)
    own = PRECISIONS.get(dtype, "fp8")
    if computed is None:
        return _scaled(coarsest(own, precision))
    # Nothing has rounded what is only moved; its own type is what others could have computed it in.
    base = coarsest(computed.precision or min(own, "fp32", key=DEFAULTS.__getitem__), precision)
    rounded = coarsest(computed.rounded, own)
    if coarsest(base, rounded) == base or rounded == "fp32":
        base, rounded = coarsest(base, rounded), ""
    return replace(_scaled(base, rounded), digits=_digits(dtype, base, rounded, precision))


def _digits(dtype: str, base: str, rounded: str, precision: str) -> tuple[str, ...]:
    """Return the types that an output may not have been rounded to: a float64 has more digits, whatever came before."""
    kept = dtype == "float64" or base == "fp32"
    return FEWER.get(dtype, ()) if kept and not rounded and not precision else ()


def _scaled(base: str, rounded: str = "") -> Rule:
    """Return the default of a precision; of one whose results are converted to a coarser type at the end."""
    rtol, atol = DEFAULTS[base]
    if rounded:
        rtol, atol = rtol + ROUNDED[rounded], max(atol, DEFAULTS[rounded][1])
    explained = max(rtol, min(EXPLAINED * rtol, LARGEST_EXPLAINED))
    note = f"{base} rounded to {rounded}" if rounded else base
    return Rule("scaled", atol=atol, rtol=rtol, note=note, explained=explained)


def resolve(
    outputs: Sequence[TensorSpec],
    *,
    variant_key: str,
    format_name: str,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    comparisons: Comparisons = None,
    precision: str = "",
    computed: Mapping[str, Computed] | None = None,
    formats: Iterable[str] = (),
    cell: str = "",
) -> dict[str, Rule]:
    """Return the rule of every output, for one format.

    What is said for the cell goes before what is said for the variant's key, that before what is said for its format's
    name, and that before what is said for all; within one of these an output's name goes before "" and "*". A
    comparison goes before a tolerance. Where only one of `atol` and `rtol` is given for an output, the other one is 0.

    Args:
        precision: what the format computes in, whatever the source does.
        computed: what the source computes each output in, as far as that is known.
        formats: every other key, format name and cell that a setting may mention.
        cell: of the format and the runtime that are compared ("onnx-cpu"); "": of none.

    Raises:
        ConfigError: a value, a format or an output that does not exist, or a rule that the output's type cannot have.
    """

    from pytest_navigator.comparison import scopes

    places = (*([cell] if cell else []), variant_key, format_name, "")
    names = [output.name for output in outputs]
    valid = {*formats, *places} - {""}
    atols, rtols = (_levels(value, name, valid, names) for value, name in ((atol, "atol"), (rtol, "rtol")))
    chosen = _comparison_levels(comparisons, valid, names)
    found = {
        output.name: _rule(
            output,
            scopes.pick(chosen, output.name, places),
            scopes.pick(atols, output.name, places),
            scopes.pick(rtols, output.name, places),
            default(output.dtype, precision, (computed or {}).get(output.name)),
            precision,
        )
        for output in outputs
    }
    noisy = {output.name for output in outputs if precision in NOISY and _is_floating(output.dtype)}
    return {name: replace(rule, signal=True) if name in noisy else rule for name, rule in found.items()}


def functions(
    comparisons: Comparisons,
    outputs: Sequence[TensorSpec],
    *,
    variant_key: str,
    format_name: str,
    formats: Iterable[str] = (),
) -> dict[str, Function]:
    """Return the user's function of every output whose rule is "function", for one format."""

    from pytest_navigator.comparison import scopes

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
    from pytest_navigator.comparison import scopes

    if isinstance(setting, str):
        setting = parse(setting, option)
    elif setting is not None and not isinstance(setting, Mapping):
        return {"": {"": tolerance(setting, option)}}
    return scopes.read(setting or {}, option, formats, outputs, tolerance)


def _comparison_levels(setting: Comparisons, formats: set[str], outputs: list[str]) -> Levels[Any]:
    from pytest_navigator.comparison import scopes

    return scopes.read(setting or {}, "comparisons", formats, outputs, comparison_of)


def _rule(
    output: TensorSpec,
    comparison: Found[Any] | None,
    atol: Found[float] | None,
    rtol: Found[float] | None,
    default: Rule,
    precision: str = "",
) -> Rule:
    if comparison:
        return _compared(output, comparison.value, default, precision)
    if not _is_floating(output.dtype):
        # A tolerance for everything is meant for the outputs that can have one.
        atol, rtol = (found if found and found.by_name else None for found in (atol, rtol))
        if (atol or rtol) and not _is_integer(output.dtype):
            raise ConfigError(f"output {output.name!r} is {output.dtype}: it has no tolerance; use nav.share(...)")
    if not atol and not rtol:
        return default
    atol_said, rtol_said = (found.value if found else 0.0 for found in (atol, rtol))
    return Rule("close", atol=atol_said, rtol=rtol_said, explained=default.explained)


def _compared(output: TensorSpec, comparison: Rule | Function, default: Rule, precision: str) -> Rule:
    if not isinstance(comparison, Rule):
        return Rule("function", note=getattr(comparison, "__qualname__", type(comparison).__name__))
    if comparison.kind in WORDS and not (_is_floating(output.dtype) or _is_integer(output.dtype)):
        raise ConfigError(
            f"output {output.name!r} is {output.dtype}: it has no {WORDS[comparison.kind]}; use nav.share(...)"
        )
    if comparison.kind == "scaled":
        return _of_slices(output, comparison, _scaled(precision) if default.kind == "snr" else default)
    return replace(comparison, explained=default.explained)


def _of_slices(output: TensorSpec, comparison: Rule, default: Rule) -> Rule:
    """Return the default of an output with the axes, and the tolerance, that were asked for."""
    rank = len(output.shape)
    if default.kind != "scaled":
        raise ConfigError(f"output {output.name!r} is {output.dtype}: it has no scale; use nav.share(...)")
    for axis in comparison.axis:
        if not -rank <= axis < rank:
            valid = f"it has {rank} axes, {-rank} to {rank - 1}" if rank else "it has no axes"
            raise ConfigError(f"output {output.name!r} has no axis {axis} (nav.scaled(axis=...)): {valid}")
    axes = tuple(sorted({axis % rank for axis in comparison.axis}))
    if len(axes) < len(comparison.axis):
        raise ConfigError(f"output {output.name!r}: nav.scaled(axis={comparison.axis}) names an axis twice")
    note, digits = (ASKED, ()) if comparison.rtol else (default.note, default.digits)
    return replace(default, rtol=comparison.rtol or default.rtol, axis=axes, note=note, digits=digits)


def comparison_of(value: Any, where: str) -> Rule | Function:
    """Return a rule or a function of the user's; ConfigError with `where` if it is neither."""
    if isinstance(value, Rule) or callable(value):
        result: Rule | Function = value
        return result
    raise ConfigError(
        f"{where} = {value!r}: not a comparison; use nav.share(0.99), nav.cosine(0.999), nav.snr(20), "
        "nav.scaled(axis=-1), nav.unchecked('reason') or a function of (expected, actual)"
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


def _within(value: Any, least: float, most: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and least <= value <= most


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


def scaled_text(rule: Rule, scale: str) -> str:
    """Return the rule "scaled" for people, with its scale as a number or a word."""
    whose = ASKED if rule.note == ASKED else f"{rule.note} default"
    return f"{number(rule.rtol)} of (|value| + {scale}{along(rule.axis)}) ({whose})"


def scaled_call(axis: Sequence[int], tolerance: float) -> str:
    """Return a rule "scaled" as it is written: "scaled(axis=-1, tolerance=2e-3)"."""
    axes = f"axis={axis[0] if len(axis) == 1 else tuple(axis)}, " if axis else ""
    return f"scaled({axes}tolerance={number(tolerance)})"


def along(axis: Sequence[int]) -> str:
    """Return " of its slice along axis 2"; "" for no axis."""
    return f" of its slice along {axes_text(axis)}" if axis else ""


def axes_text(axis: Sequence[int]) -> str:
    """Return "axis 2", "axes 0, 2"."""
    return f"ax{'i' if len(axis) == 1 else 'e'}s {', '.join(map(str, axis))}"


def _close_text(rule: Rule) -> str:
    parts = [f"{name} {number(value)}" for name, value in (("atol", rule.atol), ("rtol", rule.rtol)) if value]
    return ", ".join(parts) or "atol 0"


def snr_text(rule: Rule) -> str:
    """Return the rule "snr" for people: "SNR >= 20 dB, cosine >= 0.99 (int8 default)"."""
    cosine = f", cosine >= {rule.cosine:g}" if rule.cosine else ""
    return f"SNR >= {rule.minimum:g} dB{cosine}{f' ({rule.note} default)' if rule.is_default else ''}"


WORDS = {"cosine": "cosine", "snr": "ratio of signal to noise"}
"""Rules of numbers alone, and what they are about."""

TEXTS: dict[str, Callable[[Rule], str]] = {
    "close": _close_text,
    "scaled": lambda rule: scaled_text(rule, "scale"),
    "equal": lambda rule: "equal",
    "share": lambda rule: f"share of equal elements >= {rule.minimum:g}",
    "cosine": lambda rule: f"cosine >= {rule.minimum:g}",
    "snr": snr_text,
    "function": lambda rule: f"function {rule.note}",
    "unchecked": lambda rule: f"unchecked: {rule.note}",
}
