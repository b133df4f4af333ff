"""Whether compiled code runs on a processor: of all that differs, what it was compiled for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.backends.torch.aotinductor_target import needed, options
from pytest_navigator.devices import processors
from pytest_navigator.devices.built_with import BuiltWith, Library, mismatch
from pytest_navigator.devices.processors import Processor, level, of_level

V3, V4 = of_level("x86-64-v3"), of_level("x86-64-v4")
NARROW = Processor("Linux", "x86-64", tuple(sorted(V3)))
WIDE = Processor("Linux", "x86-64", tuple(sorted({*V4, "avx512_vnni", "avx512_bf16", "gfni", "hypervisor"})))


def on(processor: Processor, version: str = "2.13.0") -> BuiltWith:
    return BuiltWith("", "", "", "", Library("PyTorch", version), (), processor, on_gpu=False)


FITTING = {
    "the same": (on(WIDE), on(WIDE)),
    "a processor that has more": (on(NARROW), on(WIDE)),
    "a patch release": (on(NARROW), on(NARROW, "2.13.1")),
    "where nobody tells what the processor has": (on(WIDE), on(replace(WIDE, features=()))),
}
LACKING = "for x86-64 with avx512_vnni, avx512f, avx512_bf16 and 6 more on Linux"
OTHER = {
    "an older processor": (
        on(WIDE),
        on(NARROW),
        f"built {LACKING} with PyTorch 2.13; found x86-64 with avx2 on Linux, PyTorch 2.13",
    ),
    "another architecture": (
        on(NARROW),
        on(Processor("Linux", "ARM64", ("asimd",))),
        "built for x86-64 with avx2 on Linux with PyTorch 2.13; found ARM64 with asimd on Linux, PyTorch 2.13",
    ),
    "another system": (
        on(NARROW),
        on(replace(NARROW, system="Windows", features=())),
        "built for x86-64 with avx2 on Linux with PyTorch 2.13; found x86-64 on Windows, PyTorch 2.13",
    ),
    "another minor version": (
        on(NARROW),
        on(NARROW, "2.14.0"),
        "built for x86-64 with avx2 on Linux with PyTorch 2.13; found x86-64 with avx2 on Linux, PyTorch 2.14",
    ),
    "no library": (
        on(NARROW),
        on(NARROW, ""),
        "built for x86-64 with avx2 on Linux with PyTorch 2.13; found x86-64 with avx2 on Linux, no PyTorch",
    ),
}


@pytest.mark.parametrize("name", FITTING)
def test_compiled_code_runs_where_all_that_it_needs_is_there(name: str) -> None:
    assert mismatch(*FITTING[name]) is None


@pytest.mark.parametrize("name", OTHER)
def test_compiled_code_of_elsewhere_says_what_it_was_built_for_and_what_is_here(name: str) -> None:
    built, found, text = OTHER[name]

    assert mismatch(built, found) == text


def test_code_for_a_gpu_needs_both_the_gpu_and_the_processor() -> None:
    gpu = replace(on(WIDE), gpu="NVIDIA H200", compute_capability="9.0", capabilities=("9.0",), on_gpu=True)

    assert mismatch(gpu, gpu) is None
    assert mismatch(gpu, replace(gpu, processor=NARROW)) == (
        f"built {LACKING} with NVIDIA H200 (sm_90), PyTorch 2.13; found x86-64 with avx2 on Linux, "
        "NVIDIA H200 (sm_90), PyTorch 2.13"
    )
    nowhere = replace(gpu, gpu="", compute_capability="", capabilities=())
    assert str(mismatch(gpu, nowhere)).endswith("found x86-64 with avx512_vnni on Linux, no CUDA device")


@pytest.mark.parametrize(
    ("features", "expected"),
    [((), "x86-64"), (V3, "x86-64-v3"), (V4, "x86-64-v4"), (of_level("x86-64-v2"), "x86-64-v2"), (("avx2",), "x86-64")],
)
def test_the_level_of_a_processor_is_the_highest_that_it_has_all_of(features: tuple[str, ...], expected: str) -> None:
    assert level(features) == expected


@pytest.mark.parametrize(
    ("given", "here", "march", "lacks"),
    [
        ({}, WIDE, "x86-64-v4", {"gfni", "hypervisor"}),
        ({"cpp.simdlen": 256}, WIDE, "x86-64-v3", set(WIDE.features) - set(V3)),
        ({"cpp.march": "native"}, WIDE, "native", set()),
        ({}, NARROW, "x86-64-v3", set()),
    ],
)
def test_code_is_for_a_level_of_x86_64_unless_somebody_asks_for_this_very_processor(
    given: dict[str, object], here: Processor, march: str, lacks: set[str]
) -> None:
    found = needed(given, here)

    assert options(given, here)["cpp.march"] == march
    assert set(here.features) - set(found.features) == lacks


def test_this_machine_tells_what_it_is() -> None:
    found = processors.here()

    assert found.runs(found)
    assert found.system
    assert found.architecture
