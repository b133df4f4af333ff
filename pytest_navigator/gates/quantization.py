"""The verdict on a format with fewer digits: what it loses, and whether it is worth that (pure)."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pytest_navigator.comparison.suggestions import decibels, round_down
from pytest_navigator.gates.facts import FASTER, SLOWER, UNCHANGED, QuantizationFacts
from pytest_navigator.gates.speed import percent, speed_line
from pytest_navigator.profiling.figures import OFF, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import OutputReport

MIB = 2**20
NO_PARTS = "no output has digits to lose"
ALLOW = "quantization=QuantizationConfig({})"


def worst(reports: Sequence[OutputReport]) -> OutputReport | None:
    """Return the output with the most noise; None where none has been measured."""
    measured = [report for report in reports if report.snr is not None]
    return min(measured, key=lambda report: report.snr or 0.0, default=None)


def line(facts: QuantizationFacts) -> str:
    """Return the accuracy lost, speed and size in one line."""
    return "; ".join((accuracy(facts), speed(facts), size(facts)))


def accuracy(facts: QuantizationFacts) -> str:
    """Return "SNR 38.2 dB, cosine 0.9998 (logits)"."""
    if facts.snr is None:
        return NO_PARTS
    cosine = f", cosine {round_down(facts.cosine, 5)}" if facts.cosine is not None else ""
    ratio = f"SNR {decibels(facts.snr)} dB" if isfinite(facts.snr) else "exact"
    return f"{ratio}{cosine} ({facts.output})"


def speed(facts: QuantizationFacts) -> str:
    """Return "2.1x as fast as onnx (0.73 for 1.55 ms)"; why it is not known."""
    found = facts.speed
    if found is None or found.ratio is None or found.old is None or found.new is None:
        return f"speed not measured: {found.reason if found else 'nobody asked'}"
    times = f"{rounded(found.new, OFF)} for {rounded(found.old, OFF)} ms, one thread each"
    words = {
        FASTER: f"{1 / found.ratio:.3g}x as fast as {facts.reference} ({times})",
        SLOWER: f"{found.ratio:.3g}x slower than {facts.reference} ({times})",
        UNCHANGED: f"as fast as {facts.reference} ({times})",
    }
    unknown = f"speed beside {facts.reference} {found.verdict}: {percent(found.ratio)} ({times})"
    return words.get(found.verdict, f"{unknown}; {found.reason}" if found.reason else unknown)


def size(facts: QuantizationFacts) -> str:
    """Return "0.988 MiB for 3.80 MiB (26.0 %)": in one unit, or in bytes where both would look equal."""
    own, other = facts.bytes, facts.reference_bytes
    if own is None or not other:
        return "sizes not known"
    ratio = own / other
    share = f"{rounded(100 * ratio, OFF)} %" if ratio < 2 else f"{rounded(ratio, OFF)}x"
    unit, factor = ("MiB", MIB) if max(own, other) >= MIB else ("KiB", 1024)
    sizes = [f"{rounded(each / factor, OFF)} {unit}" for each in (own, other)]
    if own != other and sizes[0] == sizes[1]:
        sizes = [f"{own} bytes", f"{other} bytes"]
    return f"{' for '.join(sizes)} ({share})"


def failure(facts: QuantizationFacts) -> str:
    """Return why it is not worth what it loses, with what to write; "" where it is, or is allowed not to be."""
    wrong = [name for name in facts.worse if name not in facts.allowed]
    if not wrong:
        return ""
    words = " and ".join(f"{name} than {facts.reference}" for name in wrong)
    allow = ALLOW.format(", ".join(f"allow_{name}=True" for name in wrong))
    return f"{words}: {line(facts)}; leave the format out, or let that pass: {allow}"


def evidence(facts: QuantizationFacts) -> str:
    """Return what the measurement was, in full."""
    return speed_line(facts.speed) if facts.speed else ""
