"""The source step: the model and its loader keep their contract; everything later starts from what it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.collection import NO_LOADER
from pytest_navigator.correctness import Comparison
from pytest_navigator.correctness import one_line
from pytest_navigator.errors import ConfigError
from pytest_navigator.errors import SourceError
from pytest_navigator.files.description import configured
from pytest_navigator.files.description import facts
from pytest_navigator.files.description import widened
from pytest_navigator.live import changed
from pytest_navigator.live import digest_of_arrays
from pytest_navigator.live import fingerprint
from pytest_navigator.live import live_section
from pytest_navigator.live import seeded
from pytest_navigator.npz import load_npz
from pytest_navigator.npz import npz_name
from pytest_navigator.npz import save_npz
from pytest_navigator.records import JSON
from pytest_navigator.records import Case
from pytest_navigator.records import Signature
from pytest_navigator.records import plain
from pytest_navigator.records import save
from pytest_navigator.samples import Limits
from pytest_navigator.samples import Samples
from pytest_navigator.samples import batch_size
from pytest_navigator.samples import read_loader
from pytest_navigator.signatures import Run as SourceRun
from pytest_navigator.signatures import check_output_axes
from pytest_navigator.signatures import infer_inputs
from pytest_navigator.signatures import infer_outputs
from pytest_navigator.signatures import row
from pytest_navigator.signatures import trt_profile
from pytest_navigator.steps.context import Context
from pytest_navigator.steps.context import Result
from pytest_navigator.steps.package import provide
from pytest_navigator.structure import difference
from pytest_navigator.structure import flatten_call
from pytest_navigator.structure import flatten_output
from pytest_navigator.structure import unflatten_call
from pytest_navigator.tolerances import default
from pytest_navigator.workspace import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.config import NavConfig
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import Description
    from pytest_navigator.run import Suite
    from pytest_navigator.workspace import SuiteFolder

Arrays = dict[str, np.ndarray]
AT_BATCH_1 = " at batch 1"


def run(context: Context) -> Result:
    """Read the loader once, run the model on what is kept, and write samples, outputs and signature.

    Raises:
        SourceError: the model or the loader does not keep its contract.
    """
    if context.suite.place.package:
        return provide(context, context.suite.place.package)
    source = context.live.source()
    loader = context.live.loader()
    with live_section(context.log, context.limit), source.preserved():
        source.check()
        before = source.digests()
        own = source.describe()
        config = configured(context.suite.settings.config, own)
        samples = _samples(context, source, _random(context, own) if loader is NO_LOADER else loader, config)
        seen = _seen(source, samples, config, own)
        _check_names(context, seen.signature)
        bitwise = _repeatable(seen)
        cases = _write(context.folder.path, seen)
        save(context.folder.path / "signature.json", seen.signature)
    after = source.digests()
    changing = changed(before, after)
    digest = fingerprint(after, changing) or digest_of_arrays(seen.outputs[samples.profiling])
    data = {
        "fingerprint": digest,
        "changing": changing,
        "observed": _observed(seen),
        "bitwise": bitwise,
        "cases": plain(cases),
    }
    data |= _facts(seen, source) | (facts(context.suite.settings.config, own) if own else {})
    artifact = context.artifact()
    return Result(data, _caveat(samples, bitwise, changing), digest_of(artifact) if context.variant.file else "")


@dataclass(frozen=True)
class _Seen:
    """What the model gave for what was kept, by the sample's index in the loader."""

    model: _Model
    samples: Samples
    signature: Signature
    sizes: dict[int, int | None]
    outputs: dict[int, Arrays]
    rows: dict[int, Arrays]
    row_outputs: dict[int, Arrays]


class _Model:
    """The source, called with arrays by name."""

    def __init__(self, source: Source, tree: JSON, names: Sequence[str] | None) -> None:
        self.source = source
        self.input_tree = tree
        self.names = names
        self.tree: JSON = None

    def __call__(self, arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
        """Run the model; its output has one structure for all samples and holds finite numbers only."""
        outputs = self._run(arrays, place)
        for name, array in outputs.items():
            _check_finite(name, array, place)
        return outputs

    def _run(self, arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
        framework, device = self.source.framework, self.source.device()
        call = unflatten_call(self.input_tree, {n: framework.from_numpy(a, device) for n, a in arrays.items()})
        try:
            raw = self.source.call(call.args, call.kwargs)
        except SourceError as error:
            raise SourceError(f"{place}: {error}") from None
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SourceError(f"the model raised on {place}: {text}{_hint(arrays, place)}") from error
        tree, outputs = flatten_output(raw, self.names, framework, taken=arrays.keys())
        if self.tree is None:
            self.tree = tree
        elif (other := difference(tree, self.tree, "the first sample")) is not None:
            raise SourceError(f"the model's output has another structure on {place}: {other}")
        return outputs


def _hint(arrays: Mapping[str, np.ndarray], place: str) -> str:
    """Say what may be wrong if it is the first row alone that does not work."""
    several = place.endswith(AT_BATCH_1) and len(arrays) > 1
    return "; an input that has no batch is to be named: NavConfig(unbatched=[...])" if several else ""


def profiled_outputs(source: Source, suite: Suite) -> Arrays:
    """Return what a live model gives for the sample that the source step took for profiling."""
    signature = suite.folder.signature
    feed = load_npz(suite.folder.path / profiling_batch(suite.folder), signature.inputs)
    with source.preserved():
        return _Model(source, signature.input_tree, [o.name for o in signature.outputs])(feed, "the profiling sample")


def profiling_batch(folder: SuiteFolder) -> str:
    """Return the file of the user's own batch that exports and profiles start from, below the suite's folder."""
    source = folder.record("source")
    assert source is not None
    name: str = source.data["profiling_batch"]
    return name


def _random(context: Context, own: Description | None) -> list[Arrays]:
    """Return random data that fits a model which says what it takes.

    Raises:
        SourceError: it does not, or a size is not known.
    """
    if own is None:
        raise SourceError("there is no nav_dataloader beside nav_model; write a fixture that returns a list of samples")
    from pytest_navigator.files.random_data import samples

    try:
        return samples(own.inputs, context.run.file_config, context.suite.settings.seed)
    except ConfigError as error:
        raise SourceError(str(error)) from None


def _samples(context: Context, source: Source, loader: object, config: NavConfig) -> Samples:
    settings, framework = context.suite.settings, source.framework
    names = source.parameter_names()

    def flatten(sample: object) -> tuple[JSON, Arrays]:
        call = source.call_of(sample)
        return flatten_call(call, names, config.input_names or source.input_names(call), framework)

    limits = Limits(settings.sample_count, settings.max_sample_bytes)
    with seeded(settings.seed, [framework]):
        return read_loader(loader, flatten, limits, settings.seed, config.batch_dim, config.unbatched)


def _seen(source: Source, samples: Samples, config: NavConfig, own: Description | None) -> _Seen:
    """Run the model on every kept sample as it is, and on its first row at batch 1."""
    inputs = infer_inputs(samples, config.batch_dim, config.dynamic_axes, config.unbatched)
    model = _Model(source, samples.tree, config.output_names)
    sizes = {i: batch_size(arrays, config.batch_dim, config.unbatched) for i, arrays in samples.kept.items()}
    rows = {i: row(samples.kept[i], inputs, config.batch_dim) for i, size in sizes.items() if size is not None}
    outputs = {i: model(arrays, f"sample {i}") for i, arrays in samples.kept.items()}
    row_outputs = {i: outputs[i] if sizes[i] == 1 else model(rows[i], f"sample {i}{AT_BATCH_1}") for i in rows}
    runs = [SourceRun(f"sample {i}", sizes[i], samples.kept[i], outputs[i]) for i in outputs]
    runs += [SourceRun(f"sample {i}{AT_BATCH_1}", 1, rows[i], row_outputs[i]) for i in rows if sizes[i] != 1]
    specs = infer_outputs(runs, inputs, config.batch_dim)
    check_output_axes(config.dynamic_axes, inputs, specs)
    arrays = source.framework.array_type or source.framework.name
    signature = Signature(inputs, widened(specs, own), samples.tree, model.tree, config.batch_dim, arrays)
    return _Seen(model, samples, signature, sizes, outputs, rows, row_outputs)


def _repeatable(seen: _Seen) -> bool:
    """Compare a second run with the first, on the extreme samples; returns whether the bits are equal too."""
    comparison = Comparison({o.name: default(o.dtype) for o in seen.signature.outputs})
    equal = True
    for i in dict.fromkeys((*seen.samples.conversion, seen.samples.profiling)):
        again = seen.model(seen.samples.kept[i], f"sample {i}, second run")
        comparison.add(i, "batch", seen.outputs[i], again)
        equal &= all(np.array_equal(seen.outputs[i][n], a, equal_nan=a.dtype.kind in "fc") for n, a in again.items())
    reports = comparison.reports()
    if any(r.problem for r in reports):
        raise SourceError(
            f"the model's output changes from call to call: {one_line(reports)}; switch off what is random in it "
            "(dropout, sampling), or declare the output nav.unchecked(reason)"
        )
    return equal


def _observed(seen: _Seen) -> str:
    """Return the digest of what went in and came out: parameters stay the same where the code or the data changes."""
    places = {f"{i} in": seen.samples.kept[i] for i in seen.outputs} | {f"{i} out": a for i, a in seen.outputs.items()}
    return digest_of_arrays({f"{place} {name}": array for place, of in places.items() for name, array in of.items()})


def _check_finite(name: str, array: np.ndarray, place: str) -> None:
    if array.dtype.kind not in "fcV":
        return
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of a signalling NaN
        finite = np.isfinite(array.astype(np.float32) if array.dtype.kind == "V" else array)
    if not finite.all():
        index = [int(i) for i in np.argwhere(~finite)[0]]
        raise SourceError(f"output {name} of the model is {array[tuple(index)]} on {place} at {index}")


def _check_names(context: Context, signature: Signature) -> None:
    """Find a tolerance for an output that does not exist now, not after every export."""
    from pytest_navigator.steps.correctness import rules_of

    for key, _ in context.suite.matrix.cells:
        rules_of(context, context.suite.matrix.variants[key], signature)


def _write(root: Path, seen: _Seen) -> list[Case]:
    """Write the user's batches, and rows in Model Navigator's layout; return the comparisons to make."""
    samples, signature, count = seen.samples, seen.signature, max(seen.samples.kept) + 1
    cases = []
    for i in samples.kept:
        files = _pair(root, "batches", npz_name(i, count), seen.samples.kept[i], seen.outputs[i])
        cases.append(Case(i, "batch", *files, seen.sizes[i]))
    chosen = {"correctness": samples.correctness, "conversion": samples.conversion, "profiling": (samples.profiling,)}
    written: dict[int, Case] = {}
    for folder, indices in chosen.items():
        for n, i in enumerate(indices):
            inputs, outputs = seen.rows.get(i, samples.kept[i]), seen.row_outputs.get(i, seen.outputs[i])
            files = _pair(root, folder, npz_name(n, len(indices)), inputs, outputs, signature)
            written.setdefault(i, Case(i, "row", *files, 1))
    return [*cases, *(case for i, case in written.items() if seen.sizes[i] not in (None, 1))]


def _pair(
    root: Path, folder: str, name: str, inputs: Arrays, outputs: Arrays, signature: Signature | None = None
) -> tuple[str, str]:
    """Write an input file and its output file; with a signature, without the batch axis."""
    paths = f"model_input/{folder}/{name}", f"model_output/{folder}/{name}"
    dim = signature.batch_dim if signature else None
    save_npz(root / paths[0], inputs, signature.inputs if signature else (), dim)
    save_npz(root / paths[1], outputs, signature.outputs if signature else (), dim)
    return paths


def _facts(seen: _Seen, source: Source) -> dict[str, JSON]:
    samples = seen.samples
    return {
        "model": source.title(),
        "device": source.device(),
        "precision": source.precision(),
        "samples": {
            "read": samples.read,
            "kept": len(samples.kept),
            "left_out": samples.left_out,
            "complete": samples.complete,
            "bytes": sum(a.nbytes for arrays in samples.kept.values() for a in arrays.values()),
        },
        "selection": {
            "correctness": list(samples.correctness),
            "conversion": list(samples.conversion),
            "profiling": samples.profiling,
        },
        "profiling_batch": f"model_input/batches/{npz_name(samples.profiling, max(samples.kept) + 1)}",
        "max_batch_size": max((s for s in seen.sizes.values() if s is not None), default=None),
        "profile": trt_profile(samples, seen.signature.inputs, seen.signature.batch_dim),
    }


def _caveat(samples: Samples, bitwise: bool, changing: list[str]) -> str:
    notes = [] if bitwise else ["two runs differ in their last bits"]
    if changing:
        names = ", ".join(changing[:3]) + (f" and {len(changing) - 3} more" if len(changing) > 3 else "")
        notes.append(f"{names} changed when the model was called: not part of its fingerprint")
    if len(samples.kept) < samples.read:
        notes.append(f"{len(samples.kept)} of {samples.read} samples are checked")
    if samples.left_out:
        notes.append(f"{samples.left_out} more would not fit into --nav-max-sample-bytes")
    if not samples.complete:
        notes.append(f"the loader goes on after sample {samples.read - 1}, where reading stopped")
    return "; ".join(notes)
