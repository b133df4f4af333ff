"""Which processors the code of AOTInductor is for (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.devices.processors import LEVELS, level, of_level

if TYPE_CHECKING:
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.devices.processors import Processor

MARCH, VECTOR = "cpp.march", "cpp.simdlen"

# What Inductor makes use of beside the levels, where it is there and vectors have 512 bits.
BESIDE = ("avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16")

X86, WIDE, NARROW = "x86-64", LEVELS[2][0], LEVELS[1][0]


def options(given: Parameters, here: Processor) -> dict[str, Any]:
    """Return the options of Inductor: without the user's own, the code is for this processor's level of x86-64.

    Inductor's own default is `-march=native`: code that ends with an illegal instruction on what differs in one of
    hundred sets of instructions.
    """
    if here.architecture != X86 or here.system != "Linux" or not here.features:
        return dict(given)
    most = level(here.features)
    fitting = NARROW if given.get(VECTOR) == 256 and most == WIDE else most
    return {MARCH: fitting, **given}


def needed(given: Parameters, here: Processor) -> Processor:
    """Return what the code needs that is made here with these options."""
    asked = options(given, here)
    march, narrow = str(asked.get(MARCH, "native")), asked.get(VECTOR) == 256
    if march.startswith(X86) and here.architecture == X86:
        beside = () if narrow else [name for name in BESIDE if name in here.features]
        # Whatever the level, Inductor asks for the vectors that it finds.
        vectors = of_level(NARROW if narrow else level(here.features))
        return replace(here, features=tuple(sorted({*of_level(march), *vectors, *beside})))
    return here
