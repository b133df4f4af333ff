"""How OpenVINO's files are made. Runs in the child."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.openvino.layer_ranking import Names
from pytest_navigator.backends.openvino.model import model_of, untold, write_model
from pytest_navigator.backends.openvino.quantizing import attends, quantizable, quantize_model
from pytest_navigator.backends.openvino.searching import OpenVINOQuantizer
from pytest_navigator.core.facts import QuantizedNodes
from pytest_navigator.core.plain import plain
from pytest_navigator.devices.requirements import missing
from pytest_navigator.errors import StepFailed, Unavailable
from pytest_navigator.formats.accuracy_search import search as searched
from pytest_navigator.formats.exclusions import excluded
from pytest_navigator.formats.quantized_already import quantized_already
from pytest_navigator.samples.calibration import calibration_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData

# What the reader of ONNX files puts behind the name of a node that becomes several.
SPLIT = "/WithoutBiases"

# Operations that compute nothing.
PLAIN = ("Constant", "Convert", "Parameter", "Result")


def writing(variant: Variant) -> partial[None]:
    """Return what writes a float variant."""
    options, half = variant.parameters["custom_args"], variant.parameters["precision"] == "fp16"
    return partial(write_model, options=options, half=half)


def quantizing(variant: Variant, data: Mapping[str, JSON]) -> partial[Any]:
    """Return what writes a quantized variant.

    Args:
        data: what the conversion has recorded; empty before it.
    """
    parameters = variant.parameters
    asked = {name: parameters["quantization"][name] for name in ("symmetric", "per_channel", "calibration_method")}
    asked |= {"percentile": parameters["quantization"]["percentile"], "transformer": parameters["transformer"]}
    told = {name: value for name, value in asked.items() if value is not None}
    if names := data.get("left_out"):
        told["left_out"] = names
    return partial(quantize_model, options=parameters["custom_args"], **told)


def quantize(parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    """Quantize an ONNX file or an IR; returns what is worth recording.

    Raises:
        StepFailed: there is nothing to quantize or to calibrate on, or what stays in floating point is not there.
        Unavailable: nncf is not installed.
    """
    if lacking := missing(("nncf",)):
        raise Unavailable(lacking)
    parameters, asked = variant.parameters, variant.parameters["quantization"]
    samples = calibration_batches(data, asked)
    floating = partial(model_of, str(parent), parameters["custom_args"])
    if parent.is_file():  # what is quantized dynamically there has no FakeQuantize here
        _check_onnx(parent)
    model = floating()
    check_float(model)
    own = left_out(asked["exclude"], model, parent)
    kept: list[str] = []

    def write(names: Sequence[str]) -> None:
        kept[:] = dict.fromkeys([*own, *names])
        quantizing(variant, {"left_out": kept})(str(parent), str(path), samples)

    search = None
    if asked["search"]:
        quantizer = OpenVINOQuantizer(floating, names_of(model, parent), path, write, signature)
        search = searched(quantizer, data.batches, data.rules, asked["search_seconds"])
    else:
        write(())
    facts = counted(model_of(str(path), {}), asked, transformer=_as_transformer(model, parameters))
    facts = replace(facts, samples=len(samples))
    if search:
        facts = replace(facts, left_out=search.exclude, search=search)
    return {"quantized": plain(facts), "nncf": str(untold("nncf").__version__), "left_out": kept}


def _check_onnx(parent: Path) -> None:
    """Refuse an ONNX file that is quantized.

    Raises:
        StepFailed: it is one.
    """
    import onnx

    from pytest_navigator.backends.onnx.quantization.counting import check_float as check_float_onnx

    check_float_onnx(onnx.load(parent, load_external_data=False), "openvino-int8")


def check_float(model: Any) -> None:
    """Refuse a model with nothing to quantize, or that is quantized.

    Raises:
        StepFailed: it is one.
    """
    operations = quantizable(model)
    if not operations:
        raise StepFailed("there is nothing to quantize: the model has no convolution and no product of matrices")
    if done := [name for name, is_rounded in operations.items() if is_rounded]:
        raise quantized_already(f"{len(done)} of {len(operations)} operations, as {done[0]!r}", "openvino-int8")


def counted(model: Any, asked: Mapping[str, Any], *, transformer: bool) -> QuantizedNodes:
    """Return what of a model was quantized.

    Raises:
        StepFailed: nothing was.
    """
    nodes = quantizable(model)
    done = sum(nodes.values())
    if not done:
        raise StepFailed(f"nncf quantized none of the {len(nodes)} operations{_why(asked['exclude'])}")
    scheme = ", ".join(_scheme(asked, transformer=transformer))
    return QuantizedNodes(done, len(nodes), tuple(asked["exclude"]), scheme=scheme)


def _as_transformer(model: Any, parameters: Mapping[str, Any]) -> bool:
    asked = parameters["transformer"]
    return attends(model) if asked is None else bool(asked)


def left_out(patterns: Sequence[str], model: Any, parent: Path) -> list[str]:
    """Return the names of the operations that stay in floating point.

    Raises:
        StepFailed: a pattern means none.
    """
    if not patterns:
        return []
    names = names_of(model, parent)
    meant = excluded(patterns, [(node, names.paths[name]) for name, node in names.nodes.items()])
    return [name for name, node in names.nodes.items() if node in meant]


def names_of(model: Any, parent: Path) -> Names:
    """Return what the operations of a float model are called by; an IR has no paths of modules."""
    found = [each.get_friendly_name() for each in model.get_ordered_ops() if each.get_type_name() not in PLAIN]
    nodes = {name: name.removesuffix(SPLIT) for name in found}
    paths = _paths(parent)
    return Names(nodes, {name: paths.get(node, "") for name, node in nodes.items()})


def _paths(parent: Path) -> dict[str, str]:
    """Return the paths of modules in an ONNX file, by the names of nodes; an IR has none."""
    from pytest_navigator.backends.onnx.node_places import place

    if parent.is_dir():
        return {}
    import onnx

    return {node.name: place(node)[0] for node in onnx.load(parent, load_external_data=False).graph.node}


def _why(patterns: Sequence[str]) -> str:
    return f": exclude={list(patterns)} leaves all of them out" if patterns else ""


def _scheme(asked: Mapping[str, Any], *, transformer: bool) -> list[str]:
    """Return what was chosen, in nncf's words."""
    symmetric = not transformer if asked["symmetric"] is None else asked["symmetric"]
    method = asked["calibration_method"]
    share = f" {99.999 if asked['percentile'] is None else asked['percentile']}" if method == "percentile" else ""
    return [
        f"preset {'performance' if symmetric else 'mixed'}",
        *(["model type transformer"] if transformer else []),
        *([f"ranges {method}{share}"] if method else []),
        *(["one scale a weight"] if asked["per_channel"] is False else []),
    ]
