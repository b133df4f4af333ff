"""Packages of AOTInductor: what is in them, what they say of themselves, and where Inductor's own files are."""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.devices.processors import ARCHITECTURES, here
from pytest_navigator.errors import NavigatorError, SourceError, StepFailed
from pytest_navigator.formats.given_signature import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Signature
    from pytest_navigator.formats.content import Content

CODE = "data/aotinductor/"  # Below the archive's top folder
PROGRAM = "models/model.json"

LARGEST = 1 << 20  # Bytes of metadata that are read

CACHE = "TORCHINDUCTOR_CACHE_DIR"

SIGNATURE = "nav_signature"  # Our own entry in the metadata

# Of what a processor has, by what Inductor calls it.
SETS = {"AVX2": "avx2", "AVX512": "avx512f", "AVX512_VNNI": "avx512_vnni", "AMX_TILE": "amx_tile"}


def device_in(content: Content) -> str:
    """Return what the code in an archive is for, "cpu" or "cuda"; "" if there is none, or a program beside it."""
    if PROGRAM in content.inner or not any(name.startswith(CODE) for name in content.inner):
        return ""
    device = str(_metadata(content.path).get("AOTI_DEVICE_KEY", ""))
    return "cuda" if device.startswith("cuda") else "cpu"


def describe(path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Description:
    """Return what a package says, if it was made here and the user says nothing; else what the user says.

    Raises:
        SourceError: it is for another processor or system, or nobody says what its inputs are.
    """
    found = _metadata(path)
    if text := _elsewhere(found):
        raise SourceError(f"{path.name} was {text}")
    data = {name: value for name, value in found.items() if name.startswith("AOTI_")}
    own = None if inputs else _own(found)
    given = own or signature_of(path, inputs, outputs)
    call = {"args": [{"leaf": spec.name} for spec in given[0]], "kwargs": []}
    return Description(*given, call, data=data)


def why_elsewhere(path: Path) -> str:
    """Return `built for ...; found ...` of a package whose code this machine does not run; "" of what it may run."""
    return _elsewhere(_metadata(path))


def metadata_of(signature: Signature) -> dict[str, str]:
    """Return what a package is to say of itself: what it takes and gives."""
    outputs = [{**_told(spec), "name": f"output__{index}"} for index, spec in enumerate(signature.outputs)]
    return {SIGNATURE: json.dumps({"inputs": [*map(_told, signature.inputs)], "outputs": outputs})}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse an option that Inductor does not have.

    Raises:
        StepFailed: with the nearest one.
    """
    from torch._inductor import config

    known = config.get_config_copy()
    for name in options:
        if name.replace("-", "_") not in known:
            near = next(iter(get_close_matches(name, known, n=1)), "")
            raise StepFailed(f"Inductor has no option {name!r}{f'; did you mean {near!r}?' if near else ''}")


@contextmanager
def caching(workspace: Path) -> Iterator[None]:
    """Keep Inductor's own files in a workspace, unless the user has said where they are."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    said = os.environ.get(CACHE)
    # PyTorch sets the variable itself, and a child of a process that has compiled inherits it.
    if said and said != default_cache_dir():
        yield
        return
    os.environ[CACHE] = str(workspace.absolute() / ".inductor")
    try:
        yield
    finally:
        os.environ.pop(CACHE)
        if said:
            os.environ[CACHE] = said


def _told(spec: TensorSpec) -> dict[str, Any]:
    return cast("dict[str, Any]", plain(spec))


def _own(metadata: Mapping[str, Any]) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]] | None:
    """Return the inputs and outputs that we have written; None of what others made."""
    try:
        found = json.loads(metadata[SIGNATURE])
        return structured(found["inputs"], tuple[TensorSpec, ...]), structured(found["outputs"], tuple[TensorSpec, ...])
    except (KeyError, TypeError, ValueError, NavigatorError):
        return None


def _metadata(path: Path) -> dict[str, Any]:
    """Return what the code says of itself: what it is for, and what its maker adds; {} where it says nothing."""
    with zipfile.ZipFile(path) as archive:
        names = (info for info in archive.infolist() if info.filename.endswith("wrapper_metadata.json"))
        info = next((info for info in names if info.file_size <= LARGEST), None)
        try:
            found = json.loads(archive.read(info)) if info else {}
        except (ValueError, zipfile.BadZipFile):
            found = {}
    return found if isinstance(found, dict) else {}


def _elsewhere(metadata: Mapping[str, Any]) -> str:
    """Return `built for ...; found ...` of code that this machine does not run; "" of what it may run."""
    own, machine = here(), str(metadata.get("AOTI_MACHINE", ""))
    system, sets = str(metadata.get("AOTI_PLATFORM", "")), str(metadata.get("AOTI_CPU_ISA", "")).split()
    lacking = [SETS[name] for name in sets if name in SETS and own.features and SETS[name] not in own.features]
    architecture = ARCHITECTURES.get(machine.lower(), machine) or own.architecture
    same = architecture == own.architecture and system in ("", {"macOS": "darwin"}.get(own.system, own.system.lower()))
    if same and not lacking:
        return ""
    having = f" with {', '.join(lacking)}" if lacking and same else ""
    return f"built for {architecture}{having} on {system}; found {own.text()}"
