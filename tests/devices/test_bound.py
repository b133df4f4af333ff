"""Whether an engine runs where it is: of everything that can differ, what matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.devices.built_with import BuiltWith, Library, mismatch, recorded, runs_on

GPUS = {"9.0": "NVIDIA H200", "8.0": "NVIDIA A100", "8.6": "NVIDIA A10", "": ""}


def on(
    capability: str,
    version: str = "10.12.0.36",
    capabilities: tuple[str, ...] | None = None,
    name: str = "TensorRT",
    **more: str,
) -> BuiltWith:
    library = Library(name, version, 2 if name == "TensorRT" else None)
    own = (capability,) if capability else ()
    targets = own if capabilities is None else capabilities
    return BuiltWith(GPUS[capability], capability, more.get("driver", "570.1"), "12.8", library, targets)


def rtx(capability: str, version: str = "1.7.1.116", capabilities: tuple[str, ...] = ()) -> BuiltWith:
    return on(capability, version, capabilities, "TensorRT-RTX")


def lasting(version: str) -> BuiltWith:
    return replace(on("9.0"), library=Library("TensorRT", version, later=True))


H200_WITH = "NVIDIA H200 (sm_90), TensorRT"
H200 = f"with {H200_WITH} 10.12"
FITTING = {
    "the same": (on("9.0"), on("9.0")),
    "another build of the version": (on("9.0"), on("9.0", "10.12.1.2")),
    "another driver": (on("9.0"), on("9.0", driver="580.1")),
    "a later version": (lasting("10.12.0"), lasting("10.13.3")),
    "a later major version": (lasting("9.3.0"), on("9.0", "10.12.0")),
    "hardware-compatible": (on("8.0", capabilities=("8.0+",)), on("9.0")),
    "for several": (rtx("", capabilities=("8.0", "8.6")), rtx("8.6")),
    "for all": (rtx(""), rtx("8.6")),
    "built without a GPU for this one": (rtx("", capabilities=("8.6",)), rtx("8.6", capabilities=("8.6",))),
}
OTHER = {
    "no GPU": (on("9.0"), on(""), f"built {H200}; found no CUDA device"),
    "neither GPU nor library": (on("9.0"), on("", ""), f"built {H200}; found no CUDA device, no TensorRT"),
    "no library": (on("9.0"), on("9.0", ""), f"built {H200}; found NVIDIA H200 (sm_90), no TensorRT"),
    "another GPU": (on("9.0"), on("8.0"), f"built {H200}; found NVIDIA A100 (sm_80), TensorRT 10.12"),
    "another minor version": (
        on("9.0"),
        on("9.0", "10.13.3"),
        f"built {H200}; found {H200_WITH} 10.13",
    ),
    "another major version": (
        on("9.0"),
        on("9.0", "11.12"),
        f"built {H200}; found {H200_WITH} 11.12",
    ),
    "an earlier version": (
        lasting("10.12.0"),
        lasting("10.9.0"),
        f"built {H200} (for later versions too); found {H200_WITH} 10.9",
    ),
    "no library for one of all versions": (
        lasting("10.12.0"),
        lasting(""),
        f"built {H200} (for later versions too); found NVIDIA H200 (sm_90), no TensorRT",
    ),
    "an older GPU": (
        on("9.0", capabilities=("9.0+",)),
        on("8.6"),
        "built for sm_90 and newer with NVIDIA H200 (sm_90), TensorRT 10.12; found NVIDIA A10 (sm_86), TensorRT 10.12",
    ),
    "another flavour": (
        rtx("8.6", capabilities=("8.6",)),
        on("8.6"),
        "built with NVIDIA A10 (sm_86), TensorRT-RTX 1.7.1.116; found NVIDIA A10 (sm_86), TensorRT 10.12",
    ),
    "another build of TensorRT-RTX": (
        rtx("8.6"),
        rtx("8.6", "1.7.2.9"),
        "built with NVIDIA A10 (sm_86), TensorRT-RTX 1.7.1.116; found NVIDIA A10 (sm_86), TensorRT-RTX 1.7.2.9",
    ),
    "a GPU that it is not for": (
        rtx("", capabilities=("8.0", "8.6")),
        rtx("9.0"),
        "built for sm_80, sm_86 with TensorRT-RTX 1.7.1.116; found NVIDIA H200 (sm_90), TensorRT-RTX 1.7.1.116",
    ),
    "built and run without a GPU": (
        rtx("", capabilities=("8.6",)),
        rtx("", capabilities=("8.6",)),
        "built for sm_86 with TensorRT-RTX 1.7.1.116; found no CUDA device",
    ),
}


@pytest.mark.parametrize("name", FITTING)
def test_an_engine_runs_where_what_matters_is_the_same(name: str) -> None:
    assert mismatch(*FITTING[name]) is None


@pytest.mark.parametrize("name", OTHER)
def test_an_engine_of_elsewhere_says_what_it_was_built_with_and_what_is_here(name: str) -> None:
    built, found, text = OTHER[name]

    assert mismatch(built, found) == text


@pytest.mark.parametrize(
    ("capability", "listed", "expected"),
    [
        ("10.0", ("8.0+",), True),  # by number, not by letter
        ("9.0", ("10.0+",), False),
        ("8.9", ("8.6", "8.9"), True),
        ("8.9", (), True),
        ("", (), False),
    ],
)
def test_capabilities_are_compared_as_numbers(capability: str, listed: tuple[str, ...], expected: bool) -> None:
    assert runs_on(capability, listed) is expected


def test_the_record_is_that_of_the_step_that_made_or_brought_the_artifact() -> None:
    built = on("9.0")
    made = Outcome("convert", Status.PASSED, "trt-fp16", data={"built_with": plain(built)})
    source = Outcome("source", Status.PASSED, data={"brought_built_with": {"trt-fp16": plain(built)}})

    assert recorded(made, "trt-fp16") == recorded(source, "trt-fp16") == built
    assert recorded(source, "onnx") is None
