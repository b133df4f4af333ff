"""Measure how much noise quantization makes in models, and what is wrong: where the defaults of `nav.snr` come from.

    python benchmarks/quantization.py                          # every model that is at hand; minutes on two cores
    python benchmarks/quantization.py cnn minilm --files=DIR   # DIR: as for benchmarks/edge.py

Prints Markdown: per model and way of quantizing the ratio of signal to noise over all samples (dB), and the lowest
cosine of a sample, of the worst output. Formats are made as a run makes them, calibrated on 15 of the 16 samples of
`benchmarks/edge.py`; "every operator" is what ONNX Runtime's quantizer makes when it is left
alone. The last rows of a model are defects that have to fail.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edge
import numpy as np
import onnx
import onnxruntime
from costs import table

from pytest_navigator.comparison.precisions import SIGNAL
from pytest_navigator.comparison.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Feed = dict[str, np.ndarray]
Outputs = list[np.ndarray]
Rows = list[tuple[str, ...]]


def made(kind: str, source: Path, target: Path, feeds: list[Feed]) -> None:
    """Write a format as a run does."""
    from pytest_navigator.backends.onnx.quantization.making import make
    from pytest_navigator.configuration.onnx_quantized_config import OnnxQuantizedConfig
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import LoaderData

    how = OnnxQuantizedConfig(precision=kind).said_of(kind).parameters()
    variant = Variant(kind, "onnx", None, target.name, {"kind": kind, "quantization": how, "custom_args": {}})
    make(source, LoaderData(feeds[0], feeds), variant, target)


def everything(source: Path, target: Path, feeds: list[Feed]) -> None:
    """Quantize all that ONNX Runtime's quantizer can, with its own defaults."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self._feeds, None)

    ready = target.with_suffix(".ready.onnx")
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    quantize_static(str(ready), str(target), Reader(), quant_format=QuantFormat.QDQ)


WAYS: dict[str, Callable[[Path, Path, list[Feed]], None]] = {
    "onnx-int8": partial(made, "int8"),
    "onnx-int8-dynamic": partial(made, "int8-dynamic"),
    "onnx-int4": partial(made, "int4"),
    "every operator int8": everything,
}


def exported(model: Any, samples: list[Any], folder: Path) -> tuple[Path, list[Feed]]:
    """Return a float ONNX file and the samples by its inputs' names."""
    if isinstance(model, Path):
        return model, samples
    import torch

    path = folder / "model.onnx"
    named = isinstance(samples[0], dict)
    names = [*samples[0]] if named else ["x"]
    axes: Any = {name: {0: torch.export.Dim.DYNAMIC} for name in names}
    arguments = ((), samples[-1]) if named else ((samples[-1],), None)
    shapes = axes if named else (axes["x"],)
    torch.onnx.export(
        model, *arguments[:1], path, kwargs=arguments[1], input_names=names, dynamic_shapes=shapes, dynamo=True,
        external_data=False, verbose=False,
    )  # fmt: skip
    content = onnx.load(path)
    del content.graph.value_info[:]  # the quantizer would stumble over what the exporter wrote before it transposed
    onnx.save(content, path)
    inputs = [each.name for each in content.graph.input]
    arrays = [[each[n] for n in names] if named else [each] for each in samples]
    return path, [{n: x.numpy() for n, x in zip(inputs, each, strict=True)} for each in arrays]


def outputs(path: Path, feeds: list[Feed]) -> list[Outputs]:
    """Run a file on every sample."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [session.run(None, feed) for feed in feeds]


def measured(expected: list[Outputs], actual: list[Outputs]) -> tuple[float, float]:
    """Return the lowest ratio (dB) and cosine of an output."""
    found = [Signal() for _ in expected[0]]
    for right, got in zip(expected, actual, strict=True):
        for signal, x, y in zip(found, right, got, strict=True):
            signal.add(x, y)
    return min(each.snr() for each in found), min(each.cosine() for each in found)


def defects(expected: list[Outputs]) -> Iterator[tuple[str, list[Outputs]]]:
    """Yield what the defaults have to catch."""
    first = [expected[-1]]
    yield "(x 8)", [[8 * x for x in each] for each in expected]
    yield "(rows reversed in the batch)", [*expected[:-1], [x[::-1] for x in expected[-1]]]
    yield "(another sample's)", [*expected[1:-1], expected[0], *first]
    yield "(one of 16 zero)", [[np.zeros_like(x) for x in expected[0]], *expected[1:]]


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Measure one model."""
    model, samples = edge.seeded(edge.MODELS[name][1] if name in edge.MODELS else MORE[name])
    with tempfile.TemporaryDirectory() as folder:
        source, feeds = exported(model, samples, Path(folder))
        expected = outputs(source, feeds)
        for label, make in WAYS.items():
            target = Path(folder) / f"{label}.onnx"
            try:
                make(source, target, feeds[:-1])
                yield name, label, *figures(*measured(expected, outputs(target, feeds)))
            except Exception as error:
                yield name, label, f"{type(error).__name__}: {error}"[:60].replace("\n", " "), ""
        for label, actual in defects(expected):
            yield name, label, *figures(*measured(expected, actual))


def figures(snr: float, cosine: float) -> tuple[str, str]:
    """Return both as text."""
    return f"{snr:.1f}", f"{cosine:.4f}"


def detection() -> tuple[Any, list[Any]]:
    """Return the file of PP-OCRv4 that finds lines, and drawn lines."""
    file, samples = edge.ocr()
    return next(file.parent.glob("ch_PP-OCRv4_det*.onnx")), _as_images(samples, 64)


def direction() -> tuple[Any, list[Any]]:
    """Return the file of PP-OCR that tells which side of a line is up, and drawn lines."""
    file, samples = edge.ocr()
    return next(file.parent.glob("*cls*.onnx")), [{"x": each["x"][:, :, :, :192]} for each in samples]


def _as_images(samples: list[Any], height: int) -> list[Any]:
    low = [((0, 0), (0, 0), (0, height - each["x"].shape[2]), (0, 0)) for each in samples]
    return [{"x": np.pad(each["x"], pad, constant_values=1)} for each, pad in zip(samples, low, strict=True)]


def bert() -> tuple[Any, list[Any]]:
    """Return the untrained BERT of benchmarks/tolerances.py."""
    import tolerances
    import torch

    return tolerances.Bert(2, 128).eval(), [torch.randint(0, 1000, (rows, 64)) for rows in [1] * 15 + [4]]


def mlp() -> tuple[Any, list[Any]]:
    """Return the deep network without normalisation of benchmarks/tolerances.py."""
    import tolerances
    import torch

    return tolerances.mlp().eval(), [torch.randn(rows, 128) for rows in [1] * 15 + [4]]


MORE = {"ocr-detection": detection, "ocr-direction": direction, "bert-tiny": bert, "mlp": mlp}
EVERY = ("linear", "cnn", "transformer", "ocr", *MORE, "minilm")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=EVERY)
    parser.add_argument("--files", type=Path, help="folder with packages that have the files of models")
    arguments = parser.parse_args()
    if arguments.files:
        sys.path.append(str(arguments.files.resolve()))
    warnings.simplefilter("ignore")
    print("defaults:", ", ".join(f"{name} {snr:g} dB, cosine {cosine}" for name, (snr, cosine) in SIGNAL.items()), "\n")
    print(table(("model", "quantized", "SNR dB", "lowest cosine"), []), flush=True)
    for name in arguments.models:
        try:
            for row in rows(name):
                print(f"| {' | '.join(row)} |", flush=True)
        except edge.Missing as missing:
            print(f"| {name} | | {missing} | |", flush=True)


if __name__ == "__main__":
    main()
