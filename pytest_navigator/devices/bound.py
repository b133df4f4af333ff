"""What an artifact was built with, and whether it runs with what is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.devices.found import devices
from pytest_navigator.devices.records import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.devices.records import Devices
    from pytest_navigator.formats.base import Format
    from pytest_navigator.records import JSON

BUILT_WITH = "built_with"
"""In the data of an outcome that made a bound artifact: `BuiltWith` as plain data."""


@dataclass(frozen=True)
class Library:
    """What builds and runs an artifact.

    Attributes:
        name: as people write it, which tells flavours apart ("TensorRT", "TensorRT-RTX").
        version: "10.12.0.36"; "" where it is not installed.
        parts: how many numbers of the version have to be equal; None: all.
    """

    name: str
    version: str
    parts: int | None = 2

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
    """

    gpu: str
    compute_capability: str
    driver: str
    cuda: str
    library: Library
    capabilities: tuple[str, ...] = ()


def here(form: Format, parameters: Mapping[str, JSON]) -> BuiltWith:
    """Return what an artifact of a bound format would be built with by this process."""
    return _built_with(devices(), form.built_by(parameters), form.capabilities(parameters))


def _built_with(found: Devices, library: Library, capabilities: tuple[str, ...] | None) -> BuiltWith:
    gpu = found.gpus[0] if found.gpus else None
    own = gpu.compute_capability if gpu else ""
    if capabilities is None:
        capabilities = (own,) if own else ()
    return BuiltWith(gpu.name if gpu else "", own, found.driver, found.cuda, library, capabilities)


def mismatch(built: BuiltWith, found: BuiltWith) -> str | None:
    """Return why an artifact cannot run here, "built with ...; found ..."; None if it can (pure).

    Args:
        built: what it was built with.
        found: what is here.
    """
    other = _same_library(built.library, found.library)
    if runs_on(found.compute_capability, built.capabilities) and other:
        return None
    return f"built with {_built(built)}; found {_found(found)}"


def _same_library(first: Library, second: Library) -> bool:
    return first.name == second.name and first.counting == second.counting


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


def _built(built: BuiltWith) -> str:
    """Return what counts of where it was built: the GPUs that it is for where these are not its own."""
    own = (built.compute_capability,)
    targets = "" if built.capabilities in (own, ()) else f"for {', '.join(map(_architecture, built.capabilities))}"
    where = f"{built.gpu} ({_architecture(built.compute_capability)})" if built.gpu else ""
    return ", ".join(filter(None, (" ".join(filter(None, (where, targets))), built.library.title)))


def _found(found: BuiltWith) -> str:
    if not found.gpu:
        return NONE if found.library.version else f"{NONE} and {found.library.title}"
    return f"{found.gpu} ({_architecture(found.compute_capability)}), {found.library.title}"


def _architecture(capability: str) -> str:
    return f"sm_{capability.replace('.', '')}"
