"""Results as plain data: what the steps write and everything else reads.

Every class here survives ``load(save(x)) == x`` as JSON; none holds a live object. What the collection of tests makes
of them stands in modules of its own, which is all that it imports: `variants`, `steps`, and `plain` with the functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, TypedDict

from pytest_navigator.core.expected import Expected  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.plain import JSON, Tree, structured
from pytest_navigator.core.steps import Status, step_id
from pytest_navigator.core.variants import RunnerRecord, Variant  # noqa: TC001  # cattrs reads annotations

# A latency, a throughput, a duration, a size of memory; whoever reads what others wrote checks that it is one.
Measure = Annotated[float, "not negative"]

# How an outcome of an earlier run comes into this one: by `--nav-cache`, by `--nav-resume`.
CACHED, REUSED = "cached", "reused"

TEXT_TYPES = {"U": "str", "S": "bytes"}  # numpy's kind of an array of text -> our name of its type


@dataclass(frozen=True)
class TensorSpec:
    """One input or output tensor.

    Attributes:
        name: the name that ONNX, SavedModel, status.yaml and tolerances use.
        shape: -1 where the axis is dynamic.
        dtype: numpy's name of the type; "bfloat16" and the float8 types by the names of ml_dtypes.
        axes: the symbol of each dynamic axis, `{0: "batch", 1: "input_ids_1"}`; equal symbols have equal sizes.
        batched: whether the axis at the signature's batch_dim is the batch.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    axes: dict[int, str] = field(default_factory=dict)
    batched: bool = False


@dataclass(frozen=True)
class Signature:
    """What goes into the model and what comes out.

    Attributes:
        inputs, outputs: the tensors, in the order in which the structures are flattened.
        input_tree: structure of `(args, kwargs)`; see `pytest_navigator.samples.structure`.
        output_tree: structure of the model's return value.
        batch_dim: the batch axis, None for a model without one.
        array_type: whose arrays the source takes and gives: "torch", "tensorflow", "jax", "numpy".
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    input_tree: Tree
    output_tree: Tree
    batch_dim: int | None
    array_type: str


@dataclass(frozen=True)
class Description:
    """What a child process read in a model file.

    Attributes:
        inputs: in the file's order; -1 and a symbol for every axis that the file leaves open.
        outputs: the same; empty where the file does not say.
        input_tree: the structure of its arguments; None: the inputs by name.
        parts: files beside it that it needs (external data), relative to its folder.
        files: of a model that is a folder here, whose files have fixed names: name -> the file that it is a copy of,
            relative to the folder that was given, or that the file is in; {}: what was given is copied as it is.
        precision: the lowest one of its weights ("fp32", "bf16"); "": none, or not known.
        data: what is worth recording (opset, producer, ...).
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()
    input_tree: Tree | None = None
    parts: tuple[str, ...] = ()
    precision: str = ""
    data: dict[str, JSON] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One comparison: an input that the source has seen, and what it gave.

    Attributes:
        sample: index of the sample in the user's loader.
        kind: "batch" (the sample as the loader gave it) or "row" (its first row, at batch 1).
        input, output: paths of the npz files below the suite's folder.
        batch_size: None without a batch axis.
    """

    sample: int
    kind: str
    input: str
    output: str
    batch_size: int | None


@dataclass(frozen=True)
class LoaderRecord:
    """What a conversion may need to know of the user's loader.

    Attributes:
        profile: smallest, usual and largest shape of every input, `{"x": {"min": [...], "opt": [...], "max": [...]}}`.
        max_batch_size: of the samples; None without a batch axis.
        asked_batch: the largest batch that is to be run, which may be more than the samples have.
        batches: the user's own batches: npz files below the suite's folder.
        asked_batches: of a format with a fixed batch: each size that is to be run.
    """

    profile: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    max_batch_size: int | None = None
    asked_batch: int | None = None
    batches: tuple[str, ...] = ()
    asked_batches: tuple[int, ...] = ()


@dataclass(frozen=True)
class Required:
    """What one name in `--nav-require` asks of a run.

    Attributes:
        name: as the user wrote it: a format, a variant, a cell, a runner or a runtime.
        needs: ids of the steps that lead to what is meant, each of which must have passed.
        checks: ids of its own steps, in groups: of each group one step must have passed.
    """

    name: str
    needs: tuple[str, ...]
    checks: tuple[tuple[str, ...], ...]


class Setting(TypedDict, total=False):
    """One setting of a suite: its value, plain data whose type is the setting's own, and where it came from."""

    value: Any
    origin: str


@dataclass(frozen=True)
class SuiteRecord:
    """The generated tests of one `nav_model` (of one parameter of it), as they were collected.

    Attributes:
        name: of the model, what `{model}` in `--nav-package` becomes.
        nodeid: of the suite, with the model's own parameters in brackets if it has any.
        framework: "torch", ...
        package: path of the package that is to be written; "" for none.
        variants: every format of the suite, the source's own first, parents before what is made from them.
        runners: every runner of those, by name.
        steps: ids of all steps that the suite generated, in order (see `step_id`).
        settings: every setting as it holds for this suite, by name.
        implied: keys of the variants that nobody asked for but that others are made from.
        named: keys of the variants that somebody named (their failure is never an xfail).
        provided: keys of the variants whose artifact comes with the source.
        verify: node ids of the `verify_` tests that were collected -> the key and the runner that they verify.
        required: what must have been checked and have passed.
        run: id of the run that collected it; "" in a package.
        elsewhere: kind of device that the machine does not have -> how many steps were left out for that.
        lacking: format that a group of formats has left out -> what of it is not installed.
        expected: what `nav_expected.toml` said of it; None without such a file.
    """

    name: str
    nodeid: str
    framework: str
    package: str
    variants: tuple[Variant, ...]
    runners: dict[str, RunnerRecord]
    steps: tuple[str, ...]
    settings: dict[str, Setting]
    implied: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    provided: tuple[str, ...] = ()
    verify: dict[str, tuple[str, str]] = field(default_factory=dict)
    required: tuple[Required, ...] = ()
    run: str = ""
    elsewhere: dict[str, int] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    expected: Expected | None = None

    def setting(self, name: str) -> Setting:
        """Return a setting; a package, which may be another version's, need not have all of it."""
        return {"value": None, "origin": "", **self.settings.get(name, {})}


@dataclass(frozen=True)
class OutputReport:
    """How one output compares over all cases.

    Attributes:
        name: of the output.
        atol: largest absolute difference; rtol: largest relative one, by the source's value (0/0 = 0, x/0 = inf).
        sample, index, case: where the largest absolute difference is.
        mismatched, total: elements outside of the tolerance, elements compared.
        used: the rule that judged it, as text ("atol 1e-3", "cosine >= 0.99", "unchecked: sampled").
        largest: largest finite magnitude of the source's values; None: not recorded.
        allowed_atol, allowed_rtol: the tolerance that it passed, with the room that its rule leaves, as numpy's isclose
            takes it; None when it failed.
        suggestion: a tolerance that would pass, as text; "" when it passed.
        problem: why it failed, one line; "" when it passed.
        broken: whether it fails whatever the tolerance is: another shape or type, NaN or infinity, no output at all.
        edge: (magnitude, difference) of the elements that decide about any other tolerance, see `comparison.edge`.
        octaves: (exponent, number) of elements whose difference the power of two is above, and no smaller one.
        snr: ratio of signal to noise over all comparisons, in dB, inf where nothing differs; cosine: the lowest one of
            a comparison. None: not measured, or nothing could be compared; both are of what computes with fewer digits.
    """

    name: str
    atol: float
    rtol: float
    used: str = ""
    mismatched: int = 0
    total: int = 0
    sample: int | None = None
    case: str = ""
    index: tuple[int, ...] = ()
    suggestion: str = ""
    problem: str = ""
    allowed_atol: float | None = None
    allowed_rtol: float | None = None
    largest: float | None = None
    broken: bool = False
    edge: tuple[tuple[float, float], ...] = ()
    octaves: tuple[tuple[int, int], ...] = ()
    snr: float | None = None
    cosine: float | None = None


@dataclass(frozen=True)
class ProfileResult:
    """The figures of one runner at one batch size (latencies in ms, throughput at p50 in infer/s, memory in MiB).

    The first ten fields are Model Navigator's `profiling_results`; the others are ours.

    Attributes:
        stability: "stable", "unstable" (the trials were used up) or "short" (the time was).
        contention: share of the machine's processors that others used while this was measured, 0.0 to 1.0;
            None where it was too short, or the platform does not tell.
        peak_memory: high-water mark of the process while this ran; None: not measured.
        peak_gpu_memory: the most device memory that the process was seen to use; None: not measured.
        copy_latency: what copies from numpy arrays to the device and back would add; None: not measured, or none.
        windows: number of the windows that count, the last ones.
        quartiles: the fastest of them, the first quartile and the third; empty in older packages.
        latencies: every timed inference of those windows, in ms.
        window_means: mean latency of each of those windows, in ms.
        fastest: "p50", "p99", ... -> that latency in the window of 20 ms or more in which it is lowest, in ms.
        quiet: the lowest median of five consecutive calls, and floor: the fastest call, of all that were timed, warm-up
            included, ms; None in older packages.
        waited: share of waiting for a processor in the time that threads of the process ran or waited, 0.0 to 1.0;
            None: nobody tells. threads: how many of them were at work.
        others: name of another process -> its share of the processors; looked at where threads had to wait only.
        spinning: settings that would keep threads of the process from spinning, and that nobody had set.
        tracing: tools that watched the calls and cannot be paused.
    """

    batch_size: int | None
    avg_latency: Measure
    std_latency: Measure
    p50_latency: Measure
    p90_latency: Measure
    p95_latency: Measure
    p99_latency: Measure
    throughput: Measure
    request_count: int
    sample_id: int = 0
    avg_gpu_clock: float | None = None
    stability: str = "stable"
    windows: int = 0
    contention: float | None = None
    peak_memory: Measure | None = None
    peak_gpu_memory: Measure | None = None
    copy_latency: Measure | None = None
    quartiles: tuple[float, ...] = ()
    latencies: tuple[float, ...] = ()
    window_means: tuple[float, ...] = ()
    fastest: dict[str, float] = field(default_factory=dict)
    quiet: Measure | None = None
    floor: Measure | None = None
    waited: Measure | None = None
    threads: int = 0
    others: dict[str, float] = field(default_factory=dict)
    spinning: tuple[str, ...] = ()
    tracing: tuple[str, ...] = ()


@dataclass(frozen=True)
class SizeFigure:
    """One batch size of a search, timed for a short time (latencies in ms, throughputs in infer/s).

    Attributes:
        p50_latency, fastest: the median call, and the fastest one, which others on the machine disturb least.
        calls: how many were timed.
        memory: by how much the process had grown then, in MiB; None: not known.
    """

    batch_size: int
    p50_latency: Measure
    fastest: Measure
    calls: int
    memory: Measure | None = None

    @property
    def throughput(self) -> float:
        """At the median call: what every other throughput is of."""
        return 1000 * self.batch_size / self.p50_latency if self.p50_latency else 0.0

    @property
    def highest(self) -> float:
        """At the fastest call: sizes are compared by it."""
        return 1000 * self.batch_size / self.fastest if self.fastest else 0.0


@dataclass(frozen=True)
class Notes:
    """What is noted on an outcome, beside what its step found out.

    Attributes:
        run: id of the run that recorded it.
        worker: of xdist, in which the step began; asked: the step that its test was about, as plain data.
        script: the command that reproduces the step.
        reported: somebody has told of the failure. What nobody tells of is what the end of the run says.
        cached, reused: when the step ran, in another run, see `Outcome.earlier`.
        artifacts: of a source that brings several: key of the variant -> SHA-256.
        carried: of a verification that a package brought: name of the package.
        machine: in a merged package: name of the machine that it is from.
        nodeid: of a verification: the test.
        interpreter: where another Python has done it: "python" and distributions -> their versions there.
        asked_at: of a step that ran ahead of its item: when that asked for it (UTC, ISO).
    """

    run: str = ""
    worker: str = ""
    asked: JSON = None
    script: str = ""
    reported: bool = False
    cached: str = ""
    reused: str = ""
    artifacts: dict[str, str] = field(default_factory=dict)
    carried: str = ""
    machine: str = ""
    nodeid: str = ""
    interpreter: dict[str, str] = field(default_factory=dict)
    asked_at: str = ""


@dataclass(frozen=True)
class Outcome:
    """How one step of one suite ended.

    Attributes:
        step: "source", "export", "convert", "correctness", "decoding", "throughput", "profile" or "verify".
        key: folder name of the variant; "" for the source step.
        runner: Model Navigator's name of the runner, for steps that have one.
        batch: "batch1", "batchmax", "batch8", "batchbest" or "nobatch", for profile steps; of a budget the limit.
        message: one line for people: the reason of a skip or a failure, a caveat of a pass.
        detail: the fuller text of a failure.
        requirement: what is missing on this machine, if that is why it was skipped.
        cause: id of the step whose failure this skip follows from.
        error: type of the error that was raised or what ended the child ("SIGSEGV", "timeout").
        duration: s.
        started: UTC, ISO 8601.
        identity: digest of all that this outcome depends on; `--nav-resume` compares it.
        digest: SHA-256 of the artifact that the step made or used.
        data: the step's own results, plain data; `core.facts` reads them. The fields of `Notes` are among them.
    """

    step: str
    status: Status
    key: str = ""
    runner: str = ""
    batch: str = ""
    message: str = ""
    detail: str = ""
    requirement: str = ""
    cause: str = ""
    error: str = ""
    duration: Measure = 0.0
    started: str = ""
    identity: str = ""
    digest: str = ""
    data: dict[str, JSON] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of the step, unique in its suite."""
        return step_id(self.step, self.key, self.runner, self.batch)

    @property
    def earlier(self) -> tuple[str, str]:
        """How the outcome of an earlier run came into this one (`CACHED`, `REUSED`), and when the step ran (UTC, ISO).

        Two empty texts, if this run ran the step.
        """
        ways = {CACHED: self.notes.cached, REUSED: self.notes.reused}
        return next(((way, ran) for way, ran in ways.items() if ran), ("", ""))

    @cached_property
    def notes(self) -> Notes:
        """What is noted on it."""
        return structured(self.data, Notes)

    def noted(self, **notes: JSON) -> Outcome:
        """Return the outcome with these fields of `Notes`."""
        return replace(self, data={**self.data, **notes})

    @property
    def spent(self) -> float:
        """What the step took of this run's time, in s: nothing, if an earlier run has done it."""
        return 0.0 if any(self.earlier) else self.duration

    def digest_of(self, key: str) -> str:
        """Return the SHA-256 of one variant's artifact: a source can bring several."""
        return self.notes.artifacts.get(key, self.digest)

    @property
    def passed(self) -> bool:
        """Whether a step that needs this one can run."""
        return self.status is Status.PASSED

    @property
    def failed(self) -> bool:
        """Whether it did not reach its goal, be that expected or not; what was skipped has not tried."""
        return self.status in (Status.FAILED, Status.XFAILED)


def earlier_text(way: str, ran: str) -> str:
    """Return what is said of an outcome of an earlier run: "cached 2026-11-21"; "" of one of this run.

    Args:
        way: how it came into this run, see `Outcome.earlier`.
        ran: when the step ran, ISO 8601.
    """
    return f"{way} {ran[:10]}".strip()
