"""What an artifact was built with, and whether it runs with what is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from pytest_navigator.core.facts import Facts, facts_of
from pytest_navigator.devices import processors
from pytest_navigator.devices.assignment import own_gpu
from pytest_navigator.devices.present import devices
from pytest_navigator.devices.processors import Processor  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.devices.records import NONE

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome


@dataclass(frozen=True)
class Library:
    """What builds and runs an artifact.

    Attributes:
        name: as people write it, which tells flavours apart ("TensorRT", "TensorRT-RTX").
        version: "10.12.0.36"; "" where it is not installed.
        parts: how many numbers of the version have to be equal; None: all.
        later: whether later versions run it too.
    """

    name: str
    version: str
    parts: int | None = 2
    later: bool = False

    @property
    def title(self) -> str:
        """Name and the part of the version that counts, "TensorRT 10.12"."""
        return f"{self.name} {'.'.join(self.counting)}" if self.version else f"no {self.name}"

    @property
    def counting(self) -> list[str]:
        """The numbers of the version that have to be equal."""
        return self.version.split(".")[: self.parts]


@dataclass(frozen=True)
class BuiltWith:
    """Where an artifact was built, or where it is to run.

    Attributes:
        gpu: name of the first GPU; "" without one, compute_capability too.
        driver, cuda: as in `Devices`.
        library: what built it.
        capabilities: compute capabilities that it is for, as `Format.capabilities` writes them.
        processor: what its code is for, where it is bound to that; where it is to run, the one that is there.
        on_gpu: whether it is bound to a GPU.
    """

    gpu: str
    compute_capability: str
    driver: str
    cuda: str
    library: Library
    capabilities: tuple[str, ...] = ()
    processor: Processor | None = None
    on_gpu: bool = True


@dataclass(frozen=True)
class BoundFacts(Facts):
    """What the step that made or brought artifacts recorded of what they are bound to; None: of none.

    Attributes:
        built_with: of the artifact that it made.
        brought_built_with: key of each artifact that a package brings as the source -> the same.
    """

    steps = ("source", "export", "convert")

    built_with: BuiltWith | None = None
    brought_built_with: dict[str, BuiltWith] | None = None


def of_this_process(
    library: Library,
    capabilities: tuple[str, ...] | None = None,
    processor: Processor | None = None,
    *,
    on_gpu: bool = True,
) -> BuiltWith:
    """Return this process's GPU with a library; for itself unless other capabilities are given.

    Args:
        processor: what the code is for, of an artifact that is bound to one.
        on_gpu: False: it is bound to no GPU, and none is asked for.
    """
    if not on_gpu:
        return BuiltWith("", "", "", "", library, (), processor, on_gpu=False)
    found, gpu = devices(), own_gpu()
    own = gpu.compute_capability if gpu else ""
    if capabilities is None:
        capabilities = (own,) if own else ()
    return BuiltWith(gpu.name if gpu else "", own, found.driver, found.cuda, library, capabilities, processor)


def found_here(built: BuiltWith, library: Library) -> BuiltWith:
    """Return what this process has of what an artifact is bound to.

    Args:
        library: what runs it here.
    """
    return of_this_process(library, None, processors.here() if built.processor else None, on_gpu=built.on_gpu)


def recorded(outcome: Outcome, key: str) -> BuiltWith | None:
    """Return what a variant's artifact was built with, by the outcome of the step that made or brought it.

    None of an artifact that is not bound.
    """
    found = facts_of(outcome, BoundFacts)
    return (found.brought_built_with or {}).get(key) or found.built_with


def mismatch(built: BuiltWith, found: BuiltWith) -> str | None:
    """Return why an artifact cannot run here, "built with ...; found ..."; None if it can (pure).

    Args:
        built: what it was built with.
        found: what is here.
    """
    gpu = not built.on_gpu or runs_on(found.compute_capability, built.capabilities)
    if gpu and _runs_at(built.processor, found.processor) and _runs_with(built.library, found.library):
        return None
    return f"built {_processor(built, found)}{_built(built)}; found {_found(found)}"


def told(built: BuiltWith) -> str:
    """Return what an artifact is bound to, `built for x86-64 with avx512f on Linux with PyTorch 2.13` (pure)."""
    return f"built {_processor(built, built)}{_built(built)}"


def _runs_at(built: Processor | None, found: Processor | None) -> bool:
    return built is None or (found is not None and found.runs(built))


def _runs_with(built: Library, found: Library) -> bool:
    if built.name != found.name or not found.version:
        return False
    if built.later:
        return Version(".".join(found.counting)) >= Version(".".join(built.counting))
    return built.counting == found.counting


def runs_on(capability: str, capabilities: tuple[str, ...]) -> bool:
    """Whether a GPU of one compute capability ("9.0"; "": there is none) is among those that are listed."""
    if not capability:
        return False
    return not capabilities or any(_covers(each, capability) for each in capabilities)


def _covers(listed: str, capability: str) -> bool:
    if listed.endswith("+"):
        return _numbers(listed.removesuffix("+")) <= _numbers(capability)
    return listed == capability


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _processor(built: BuiltWith, found: BuiltWith) -> str:
    """`for x86-64 with avx512_vnni on Linux `: of what it needs, what is not here."""
    if built.processor is None:
        return ""
    lacking = found.processor.lacks(built.processor) if found.processor else []
    return f"for {built.processor.text(lacking)} "


def _built(built: BuiltWith) -> str:
    # The GPUs that it is for are said where these are not its own.
    own = (built.compute_capability,)
    targets = () if built.capabilities == own else tuple(map(_architecture, built.capabilities))
    meant = f"for {', '.join(targets)} " if targets else ""
    later = " (for later versions too)" if built.library.later else ""
    return f"{meant}with {_on(built)}{built.library.title}{later}"


def _found(found: BuiltWith) -> str:
    place = f"{found.processor.text()}, " if found.processor else ""
    if not found.on_gpu:
        return f"{place}{found.library.title}"
    if not found.gpu and found.library.version:
        return f"{place}{NONE}"
    return f"{place}{_on(found) or f'{NONE}, '}{found.library.title}"


def _on(where: BuiltWith) -> str:
    return f"{where.gpu} ({_architecture(where.compute_capability)}), " if where.gpu else ""


def _architecture(capability: str) -> str:
    """Return a compute capability as compilers write it: "sm_90", "sm_80 and newer"."""
    newer = " and newer" if capability.endswith("+") else ""
    return f"sm_{capability.removesuffix('+').replace('.', '')}{newer}"
