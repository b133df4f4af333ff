"""What steps find out, as records.

An outcome has its data plain: formats add to it what they like, and so do later versions. What anybody goes by is a
field of a class here, of `CorrectnessFacts` beside the rules of a comparison, or of `BoundFacts` beside GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from pytest_navigator.core.execution import Compilation  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.plain import JSON, fields_of, structured
from pytest_navigator.core.records import (  # noqa: TC001  # cattrs reads annotations
    Case,
    OutputReport,
    ProfileResult,
    SizeFigure,
)

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome

MOST_NAMED = 3  # Layers that a line names


@dataclass(frozen=True)
class Facts:
    """What steps of some kinds find out, the same for each of these."""

    steps: ClassVar[tuple[str, ...]]


F = TypeVar("F", bound=Facts)


@dataclass(frozen=True)
class Selection:
    """Indices of the samples of the loader that are compared, that conversions may see, and that is timed."""

    correctness: tuple[int, ...] = ()
    conversion: tuple[int, ...] = ()
    profiling: int = 0


@dataclass(frozen=True)
class SourceFacts(Facts):
    """What the source step found out, as far as the other steps go by it.

    Attributes:
        cases: what is compared.
        profiling_batch, timed_batch: npz files below the suite's folder: the user's own batch that exports and profiles
            start from; what is timed instead, if that is another one.
        device: of the live model; model: what it is called in texts.
        selection: which samples of the loader are for what.
        computed_in: output -> what the source computes it in, as text.
        bitwise: whether two calls gave the same bits.
        fingerprint: of the parameters; changing: names of those that change when the model is called.
        observed: SHA-256 of all that went in and came out.
        max_batch_size: of the samples; None without a batch axis; fixed_batch: the only one that a model file takes.
        profile: as in `LoaderRecord`.
        rows_repeat: whether two equal rows gave twice what one gives; None: the loader has larger batches, or unknown.
        said_shapes: "min", "opt", "max" -> input -> the shape that a configuration file says, of random data or of what
            engines are tuned for; said_ranges: of random data by such a file, None of other data.
    """

    steps = ("source",)

    cases: tuple[Case, ...] = ()
    profiling_batch: str = ""
    device: str = ""
    model: str = ""
    selection: Selection = Selection()
    computed_in: dict[str, str] = field(default_factory=dict)
    bitwise: bool = False
    fingerprint: str | None = None
    changing: tuple[str, ...] = ()
    observed: str | None = None
    max_batch_size: int | None = None
    fixed_batch: int | None = None
    profile: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    timed_batch: str | None = None
    rows_repeat: bool | None = None
    said_shapes: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    said_ranges: dict[str, list[float]] | None = None


@dataclass(frozen=True)
class LeftOut:
    """A layer that a search for accuracy left in floating point.

    Attributes:
        layer: path of its module, or name of its node. operator: what it computes.
        snr: of its own outputs from right inputs when it was quantized (dB).
        alone: of the model's worst output with this one alone quantized (dB); None: not known.
    """

    layer: str
    operator: str = ""
    snr: float = 0.0
    alone: float | None = None


@dataclass(frozen=True)
class AccuracySearch:
    """What a search for accuracy came to.

    Attributes:
        passed: whether the outputs of the artifact pass on the batches that conversions may see.
        before, after: signal to noise ratio of the worst output with all layers quantized, and as it was written (dB).
        left_out: the layers, the worst first. exclude: what leaves them out: as in `QuantizationConfig`.
        layers: how many could have been left out.
        trials: how many artifacts were judged; seconds: what all took.
        problem: what is wrong still, "" if it passes; ended: why the search went no further then.
    """

    passed: bool
    before: float
    after: float
    left_out: tuple[LeftOut, ...] = ()
    exclude: tuple[str, ...] = ()
    layers: int = 0
    trials: int = 0
    seconds: float = 0.0
    problem: str = ""
    ended: str = ""

    @property
    def text(self) -> str:
        """It in one line: "left 2 of 90 layers in floating point (up, head): 11.7 -> 30.3 dB in 1.2 s"."""
        if self.passed and not self.left_out:
            return f"no layer had to be left in floating point: {self.after:.1f} dB"
        names = ", ".join(each.layer for each in self.left_out[:MOST_NAMED])
        more = f", and {len(self.left_out) - MOST_NAMED} more" if len(self.left_out) > MOST_NAMED else ""
        named = f" ({names}{more})" if names else ""
        figures = f"{self.before:.1f} -> {self.after:.1f} dB in {self.seconds:.1f} s"
        short = "" if self.passed else f"; search ended: {self.ended}; {self.problem}"
        return f"left {len(self.left_out)} of {self.layers} layers in floating point{named}: {figures}{short}"


@dataclass(frozen=True)
class QuantizedNodes:
    """What of a model was quantized.

    Attributes:
        quantized, total: how many of how many nodes (layers, where the library tells those) that can be quantized.
        excluded: what the configuration leaves out, as it is written there; left_out: what a search left out.
        scheme: what was chosen, in the words of the library: "QInt8 weights, QInt8 activations, MinMax".
        samples: how many were calibrated on; None: it needs none.
        search: how `left_out` was found; None: it was not searched for.
    """

    quantized: int
    total: int
    excluded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    scheme: str = ""
    samples: int | None = None
    search: AccuracySearch | None = None


@dataclass(frozen=True)
class DelegatedNodes:
    """What of a model a backend computes, and what is left to kernels that run everywhere, and slowly.

    Attributes:
        backend: "xnnpack"; "": none was asked for.
        delegated, total: how many of how many nodes that compute; subgraphs: in how many parts.
        left: operator -> how many of its nodes are not delegated; places: the module path of the first of these.
    """

    backend: str = ""
    delegated: int = 0
    total: int = 0
    subgraphs: int = 0
    left: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The delegated part, 0 to 1; 1 where nothing is computed."""
        return self.delegated / self.total if self.total else 1.0

    @property
    def text(self) -> str:
        """It in one line: "3 of 5 nodes are delegated to xnnpack, not cumsum (head), mean"."""
        named = [f"{name} ({self.places[name]})" if self.places.get(name) else name for name in self.left]
        more = f", and {len(named) - MOST_NAMED} more operators" if len(named) > MOST_NAMED else ""
        others = f", not {', '.join(named[:MOST_NAMED])}{more}" if named else ""
        return f"{self.delegated} of {self.total} nodes are delegated to {self.backend or 'no backend'}{others}"


@dataclass(frozen=True)
class MakingFacts(Facts):
    """What an export or a conversion found out, and a source that brings its artifact; None: it does not say.

    Attributes:
        bytes: of the artifact.
        loaded: name of the runner that has loaded it; settings: that this one had.
        engine: what made it; declined: why those before it did not, by their names.
        opset: of an ONNX file.
        interface: of a TorchScript program: "flat", where it takes arrays by position and gives a tuple of them.
        warnings: lines that the exporter wrote.
        quantized: what of a quantized model is. delegated: what of the model its backend computes.
        note: what people should know of the artifact, in a line.
        batch_sizes: the only ones that the artifact takes; max_batch_size: the largest one. None: as the model does.
    """

    steps = ("source", "export", "convert")

    bytes: int | None = None
    loaded: str | None = None
    settings: dict[str, JSON] | None = None
    engine: str | None = None
    declined: dict[str, str] | None = None
    opset: int | None = None
    interface: str | None = None
    warnings: tuple[str, ...] | None = None
    quantized: QuantizedNodes | None = None
    note: str | None = None
    batch_sizes: tuple[int, ...] | None = None
    max_batch_size: int | None = None
    delegated: DelegatedNodes | None = None


@dataclass(frozen=True)
class ProfileFacts(Facts):
    """What a profile step found out; None: it does not say.

    Attributes:
        result: the figures.
        settings: that the runner had.
        source_device: where the live model was.
        compilation: what was compiled before it was timed; None: it is no compiler.
    """

    steps = ("profile",)

    result: ProfileResult | None = None
    settings: dict[str, JSON] | None = None
    source_device: str | None = None
    compilation: Compilation | None = None


@dataclass(frozen=True)
class ThroughputFacts(Facts):
    """What a search of batch sizes found out.

    Attributes:
        sizes: all that were timed, in order.
        knee, best: the size with the highest throughput, and the smallest one that has nearly as much; None: the
            inputs cannot be cut into rows.
        ended: why no larger size was tried, a word of `profiling.search`; reason: the same for people, with figures.
        compared: sizes at which the outputs were compared; outputs: how.
        settings: that the runner had.
    """

    steps = ("throughput",)

    sizes: tuple[SizeFigure, ...] = ()
    knee: int | None = None
    best: int | None = None
    ended: str = ""
    reason: str = ""
    compared: tuple[int, ...] = ()
    outputs: tuple[OutputReport, ...] = ()
    settings: dict[str, JSON] | None = None


def facts_of(outcome: Outcome | None, kind: type[F]) -> F:
    """Return what a step found out.

    What it does not say, and all of a step of another kind or of one that has not run, has its default.
    """
    return structured(outcome.data if outcome and outcome.step in kind.steps else {}, kind)


def as_data(facts: Facts) -> dict[str, JSON]:
    """Return facts as the data of an outcome, without those that are not known."""
    return {name: value for name, value in fields_of(facts).items() if value is not None}


def profile_result(outcome: Outcome) -> ProfileResult:
    """Return the figures of a profile step that passed."""
    result = facts_of(outcome, ProfileFacts).result
    assert result is not None, f"{outcome.id} {outcome.status}"
    return result
