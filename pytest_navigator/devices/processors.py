"""The processor and operating system of this machine, and what compiled code needs of them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ARCHITECTURES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "ARM64", "arm64": "ARM64"}
SYSTEMS = {"Darwin": "macOS"}

# What each level of the x86-64 psABI adds that compilers make use of, as Linux calls it.
LEVELS = (
    ("x86-64-v2", ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")),
    ("x86-64-v3", ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "abm")),
    ("x86-64-v4", ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
)

# The best of these says what a processor is.
LADDER = ("amx_tile", "avx512_vnni", "avx512f", "avx2", "avx", "sse4_2", "sve", "asimd")

SAID = 3  # Of the features that a processor lacks


@dataclass(frozen=True)
class Processor:
    """A kind of processor, with its operating system.

    Attributes:
        system: "Linux", "macOS", "Windows".
        architecture: "x86-64", "ARM64".
        features: sets of instructions, as Linux calls them, sorted; where it is what code needs, only these.
    """

    system: str
    architecture: str
    features: tuple[str, ...] = ()

    def runs(self, needed: Processor) -> bool:
        """Whether code for another one runs on this one; where no feature is known, that is left to the code (pure)."""
        same = (self.system, self.architecture) == (needed.system, needed.architecture)
        return same and not self.lacks(needed)

    def lacks(self, needed: Processor) -> list[str]:
        """Return the features that are needed and not here, the most telling ones first (pure)."""
        if not self.features or self.architecture != needed.architecture:
            return []
        lacking = set(needed.features).difference(self.features)
        return [*(name for name in LADDER if name in lacking), *sorted(lacking.difference(LADDER))]

    def text(self, features: list[str] | None = None) -> str:
        """`x86-64 with avx512_vnni on Linux`; without features, the best one that it has (pure)."""
        shown = features or [name for name in LADDER if name in self.features][:1]
        more = f" and {len(shown) - SAID} more" if len(shown) > SAID else ""
        having = f" with {', '.join(shown[:SAID])}{more}" if shown else ""
        return f"{self.architecture}{having} on {self.system}"


@cache
def here() -> Processor:
    """Return this machine's."""
    machine, system = platform.machine(), platform.system()
    architecture = ARCHITECTURES.get(machine.lower(), machine)
    return Processor(SYSTEMS.get(system, system), architecture, tuple(sorted(_features())))


def level(features: tuple[str, ...]) -> str:
    """Return the highest level of x86-64 whose instructions are all there (pure)."""
    reached = "x86-64"
    for name, added in LEVELS:
        if not set(added) <= set(features):
            break
        reached = name
    return reached


def of_level(name: str) -> tuple[str, ...]:
    """Return what a level of x86-64 consists of, with all below it; () for "x86-64" itself (pure)."""
    names = [known for known, _ in LEVELS]
    below = LEVELS[: names.index(name) + 1] if name in names else ()
    return tuple(feature for _, added in below for feature in added)


def _features() -> set[str]:
    """Return the instructions that the kernel tells of; nothing where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    # The kernel calls them "flags" on x86, "Features" on ARM.
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return set(found.partition(":")[2].split())
