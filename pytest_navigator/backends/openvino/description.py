"""What an IR of OpenVINO says of itself. Runs in the child."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from pytest_navigator.backends.openvino.content import ir_in
from pytest_navigator.backends.openvino.model import FOREIGN, untold
from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

# Versions of the form that every OpenVINO since 2022 reads and writes.
NEWEST = 11

# OpenVINO's names of types -> numpy's, where these are others.
TYPES = {"f16": "float16", "f32": "float32", "f64": "float64", "boolean": "bool", **FOREIGN}
TYPES |= {f"{kind}{bits}": f"{name}{bits}" for kind, name in (("i", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)}

# Where releases write which one they are, the newer ones first.
RELEASE = ("OpenVINO Runtime", "Runtime_version")

WEIGHTS = ("f16", "f32", "f64", "bf16")


def describe(path: Path) -> Description:
    """Read inputs, outputs, and which files belong to it.

    Args:
        path: an IR's file, or a folder with one.

    Raises:
        SourceError: it cannot be read, takes or gives something else than numbers, or has no weights or others'.
    """
    file = ir_in(path) if path.is_dir() else path
    assert file is not None
    version, size = _form(file)
    weights = file.with_suffix(".bin")
    _check_weights(file, weights, size)
    model = _read(file, version)
    if states := model.get_sinks():
        raise SourceError(
            f"{file.name} keeps {len(states)} values from one call to the next: convert the model again without states "
            "(optimum: --disable-stateful), so that a call depends on what it is given alone"
        )
    return Description(
        inputs=tuple(_spec("input", port) for port in model.inputs),
        outputs=tuple(_spec("output", port) for port in model.outputs),
        precision=lowest({TYPES[kind] for kind in WEIGHTS if kind in _constants(model)}),
        files={"model.xml": file.name, **({"model.bin": weights.name} if weights.is_file() else {})},
        data={"ir_version": version, "producer": _producer(model)},
    )


def _form(file: Path) -> tuple[int, int]:
    """Return the version of the form, and how many bytes of weights go with it."""
    version = size = 0
    try:
        for event, element in ElementTree.iterparse(file, ("start", "end")):
            if event == "start" and element.tag == "net":
                version = int(element.get("version", "0"))
            elif event == "end" and element.tag == "layer":
                size = max(size, _end(element))
                element.clear()
    except (ElementTree.ParseError, ValueError) as error:
        raise SourceError(
            f"{file.name} is not a complete IR of OpenVINO: it was cut off, or changed ({error})"
        ) from error
    return version, size


def _end(layer: ElementTree.Element) -> int:
    """Return where the numbers of a layer end in the weights, 0 for a layer that has none, or had them cleared."""
    data = layer.find("data") if layer.get("type") == "Const" else None
    return int(data.get("offset", 0)) + int(data.get("size", 0)) if data is not None else 0


def _check_weights(file: Path, weights: Path, size: int) -> None:
    """Refuse weights of another size: OpenVINO reads what is longer, and what it computes then is anybody's guess."""
    if not weights.is_file():
        if size:
            raise SourceError(f"{file.name} needs its weights {weights.name}, which are not there: copy them beside it")
        return
    found = weights.stat().st_size
    if found != size and (size or found > 1):
        raise SourceError(
            f"{weights.name} has {found} bytes, and {file.name} goes with {size}: it was cut off, or is of another "
            "model; copy both files again"
        )


def _read(file: Path, version: int) -> Any:
    openvino = untold("openvino")
    try:
        return openvino.Core().read_model(file)
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith(("Exception from", "Check "))]
        cause = lines[0] if lines else str(error)
        release = openvino.__version__.partition("-")[0]
        if version > NEWEST or "unsupported opset" in cause:
            known = f"version {version} of the form" if version > NEWEST else cause
            cause = f"{known}; it is of a newer OpenVINO than {release}, which is installed"
        raise SourceError(f"{file.name} cannot be read as an IR of OpenVINO: {cause}") from error


def _spec(kind: str, port: Any) -> TensorSpec:
    name, dtype = str(port.get_any_name()), port.get_element_type().get_type_name()
    if dtype not in TYPES:
        what = "text" if dtype == "string" else f"of the type {dtype}"
        raise SourceError(f"{kind} {name!r} is {what}, which OpenVINO's runtime for Python cannot take or give")
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise SourceError(
            f"the IR does not say how many axes {kind} {name!r} has: convert the model again with a shape "
            "(input=[...] of openvino.convert_model)"
        )
    sizes = tuple(-1 if size.is_dynamic else size.get_length() for size in shape)
    axes = {axis: re.sub(r"\W", "_", f"{name}_{axis}") for axis, size in enumerate(sizes) if size < 0}
    return TensorSpec(name, sizes, TYPES[dtype], axes)


def _constants(model: Any) -> set[str]:
    constants = (each for each in model.get_ops() if each.get_type_name() == "Constant")
    return {each.get_element_type().get_type_name() for each in constants}


def _producer(model: Any) -> str:
    found = next((name for name in RELEASE if model.has_rt_info(name)), "")
    return f"OpenVINO {model.get_rt_info(found).astype(str)}" if found else ""
