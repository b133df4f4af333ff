"""Making ONNX files with fewer bits: what is left as it is, what is chosen, and what came of it. Runs in the child."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.onnx.quantization import counting, schemes
from pytest_navigator.backends.onnx.quantization.preparing import named
from pytest_navigator.backends.onnx.quantization.searching import searched
from pytest_navigator.backends.onnx.quantization.writing import write_dynamic, write_half, write_int4, write_static
from pytest_navigator.configuration.foreign_options import SESSION_OPTIONS
from pytest_navigator.core.facts import MakingFacts, QuantizedNodes, as_data
from pytest_navigator.core.plain import plain
from pytest_navigator.errors import Unavailable
from pytest_navigator.formats.exclusions import excluded
from pytest_navigator.formats.exporting import exporter
from pytest_navigator.samples.calibration import calibration_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pytest_navigator.core.facts import AccuracySearch
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData

HALF = {"fp16": "FLOAT16", "bf16": "BFLOAT16"}


def make(parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path) -> dict[str, JSON]:
    """Write the artifact; returns what is worth recording.

    Raises:
        StepFailed: it cannot be made.
        Unavailable: nothing here computes in it, or writes it.
    """
    import onnx

    kind, quantization = variant.parameters["kind"], variant.parameters["quantization"]
    before, exclude = named(str(parent)), quantization["exclude"]
    counting.check_float(before, f"onnx-{kind}")
    if kind == "int4":
        _check_writes()
    kept = excluded(exclude, counting.places(before))
    chosen = chosen_options(variant.parameters, reduced=schemes.saturates(), are_signed=schemes.signed())
    samples = calibration_batches(data, quantization) if kind == "int8" else ()
    write = _Writing(parent, path, kind, kept, partial(writing, kind, chosen=chosen, samples=samples))
    with exporter("ONNX Runtime's quantizer" if kind not in HALF else "ONNX Runtime's converter") as lines, _logged():
        search = searched(parent, data, signature, variant.parameters, path, write) if quantization["search"] else None
        if search is None:
            write(())
    after = onnx.load(path, load_external_data=False)
    found: dict[str, JSON] = {"kept": write.kept, "chosen": plain(chosen), "warnings": lines}
    if kind in HALF:
        found["warnings"] = [*lines, *_half(kind, before, after)]
        quantized = _of_search(search, exclude) if search else None
    else:
        counted = counting.counted(before, after, kind, exclude, write.kept)
        quantized = replace(counted, scheme=schemes.described(kind, chosen["options"]), samples=len(samples) or None)
    if quantized and search:
        quantized = replace(quantized, left_out=search.exclude, search=search)
    return {**found, **as_data(MakingFacts(quantized=quantized))}


def _of_search(search: AccuracySearch, exclude: Sequence[str]) -> QuantizedNodes:
    """Return how many layers a search went through, of a file whose nodes nobody counts."""
    return QuantizedNodes(search.layers - len(search.left_out), search.layers, tuple(exclude))


class _Writing:
    """Writes an artifact again and again, each time with other nodes as they are; `kept`: all of these.

    Args:
        always: names of the nodes that stay as they are.
        work: returns what writes the file, from the names of the nodes that do.
    """

    def __init__(
        self, parent: Path, path: Path, kind: str, always: Sequence[str], work: Callable[..., partial[None]]
    ) -> None:
        self._parent, self._path, self._kind, self._always, self._work = parent, path, kind, always, work
        self.kept = list(always)

    def __call__(self, left_out: Sequence[str]) -> None:
        """Write it. `left_out`: names of further nodes that stay as they are."""
        for each in self._path.parent.glob(f"{self._path.name}*"):  # the weights may be in a file of their own
            each.unlink()
        self.kept = list(dict.fromkeys([*self._always, *left_out]))
        self._work(kept=self.kept)(str(self._parent), str(self._path))
        if self._kind == "bf16":
            _check_loads(self._path)


def chosen_options(parameters: Parameters, *, reduced: bool, are_signed: bool) -> dict[str, Any]:
    """Return the options of the function that writes a variant, by the names of its arguments (pure).

    Args:
        reduced: whether weights have 7 bits; are_signed: whether activations have a sign.
    """
    kind, quantization = parameters["kind"], parameters["quantization"]
    own = {name: value for name, value in parameters["custom_args"].items() if name != SESSION_OPTIONS}
    more = own.pop("extra_options", {})
    if kind in HALF:
        return {"wide": kind == "bf16", "operators": own.get("op_block_list")}
    if kind == "int4":
        return {"options": {"accuracy_level": schemes.COMPUTED_IN_INT8, **own}}
    if kind == "int8-dynamic":
        return {"options": {**schemes.dynamic_options(quantization, reduced=reduced), **own}, "extra": more}
    options, extra = schemes.static_options(quantization, reduced=reduced, are_signed=are_signed)
    return {"options": {**options, **own}, "extra": {**extra, **more}}


def writing(kind: str, kept: Sequence[str], chosen: dict[str, Any], samples: Any) -> partial[None]:
    """Return the function that writes a file of a kind, of the paths of the float one and its own."""
    if kind in HALF:
        return partial(write_half, kept=list(kept), **chosen)
    if kind == "int4":
        return partial(write_int4, kept=list(kept), **chosen)
    if kind == "int8-dynamic":
        return partial(write_dynamic, kept=list(kept), **chosen)
    return partial(write_static, samples=samples, kept=list(kept), **chosen)


def _half(kind: str, before: Any, after: Any) -> list[str]:
    """Look at a file in half the bits; returns what a user should know of it."""
    counting.check_half(before, after, HALF[kind])
    return list(counting.too_large(before)) if kind == "fp16" else []


def _check_writes() -> None:
    """Skip 4 bits where ONNX Runtime is too old to write them: 1.21 has another class for it.

    Raises:
        Unavailable: with its version.
    """
    import onnxruntime

    if find_spec("onnxruntime.quantization.matmul_nbits_quantizer") is None:
        raise Unavailable(
            f"ONNX Runtime {onnxruntime.__version__} has no MatMulNBitsQuantizer, which writes onnx-int4: install a "
            "newer one"
        )


def _check_loads(path: Path) -> None:
    """Skip a file in bfloat16 where nothing runs it: ONNX Runtime's CPU provider has no arithmetic of that type.

    Raises:
        Unavailable: with what ONNX Runtime says.
    """
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        print(f"{path.name} does not load: {error}")
        raise Unavailable(
            f"ONNX Runtime {onnxruntime.__version__} has no arithmetic in bfloat16 for processors, it does not load "
            "such a file; use onnx-fp16, or openvino-bf16"
        ) from None


@contextmanager
def _logged() -> Iterator[None]:
    """Let what the quantizer says go to the format's log, and leave no handler behind: it logs by the root logger."""
    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    # It asks for what `prepared` has done.
    handler.addFilter(lambda record: "pre-processing" not in record.getMessage())
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
