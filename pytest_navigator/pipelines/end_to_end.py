"""The whole pipeline, with formats in the place of modules and without: whether it gives the same, and how long."""

from __future__ import annotations

import copy
import time
import traceback
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.builtin import known
from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.tolerances import Rule, resolve
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.engine.cache.code import own_file
from pytest_navigator.errors import SourceError
from pytest_navigator.frameworks.seeding import seeded
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.samples.differences import difference
from pytest_navigator.samples.npz import dtype_name
from pytest_navigator.samples.structure import flatten_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_navigator.comparison.tolerances import Tolerance
    from pytest_navigator.core.plain import Tree
    from pytest_navigator.pipelines.samples import PipelineSample

    Func = Callable[..., Any]
    VerifyFunction = Callable[[list[Any], list[Any]], object]

PIXELS = Rule("close", atol=1.0, note="one level of 8 bits")
"""How bytes are compared, which is what pictures are: rounding moves a value to the next level."""

OWN_FOLDER = Path(__file__).parents[1]
SEED = 0
"""Of the random state that each sample starts with, with formats and without."""


@dataclass(frozen=True)
class Returned:
    """What a pipeline returned for one sample.

    Attributes:
        value: as it was returned; None where nobody asks for it.
        tree, arrays: its structure, and copies of its arrays, numbers and texts by name.
        problem: why it cannot be compared; "" if it can.
    """

    value: Any
    tree: Tree
    arrays: Mapping[str, np.ndarray]
    problem: str = ""


@dataclass(frozen=True)
class PipelineRun:
    """One pass over the samples.

    Attributes:
        returned: for each sample.
        seconds: what each call took.
        raised: of the first sample that raised, with which the pass ended; "" if none did. error: what it raised.
    """

    returned: tuple[Returned, ...]
    seconds: tuple[float, ...]
    raised: str = ""
    error: Exception | None = None


def own_copy(sample: PipelineSample) -> PipelineSample:
    """Return a sample whose arguments the pipeline may change, a random generator in the state that it has now."""
    try:
        return copy.deepcopy(sample)
    except Exception:  # something in it cannot be copied: the pipeline gets it as the user would give it
        return sample


@contextmanager
def same_state(seed: int = SEED) -> Iterator[None]:
    """Give Python, numpy and every framework that is imported the same random state; restore all afterwards."""
    with seeded(seed, known().frameworks.values()):
        yield


def run_pipeline(
    func: Func,
    samples: Sequence[PipelineSample],
    seed: int = SEED,
    *,
    before: Callable[[PipelineSample], object] = lambda sample: None,
    values: bool = True,
) -> PipelineRun:
    """Run a pipeline once on each sample, each from the same random state; ends with the first one that raises.

    Args:
        before: is told of each sample before the pipeline is called with it.
        values: keep what was returned as it is, for a function of the user's, beside the arrays in it.
    """
    returned: list[Returned] = []
    seconds: list[float] = []
    for sample in samples:
        own = own_copy(sample)
        before(sample)
        with same_state(seed):
            started = time.perf_counter()
            try:
                value = own.run(func)
            except Exception as error:
                raised = f"sample {sample.index} raised {error_line(error)}{_place(error)}"
                return PipelineRun(tuple(returned), tuple(seconds), raised, error)
            seconds.append(time.perf_counter() - started)
        found = read(value)
        returned.append(found if values else replace(found, value=None))
    return PipelineRun(tuple(returned), tuple(seconds))


def read(value: Any) -> Returned:
    """Return what a pipeline returned, so that it can be compared: arrays, numbers, texts and pictures in records."""
    try:
        tree, arrays = flatten_output(value, None, _Anything())
    except SourceError as error:
        return Returned(value, {}, {}, str(error))
    return Returned(value, tree, arrays)


def problem_of(
    expected: PipelineRun,
    actual: PipelineRun,
    verify_func: VerifyFunction | None = None,
    *,
    atol: Tolerance = None,
    rtol: Tolerance = None,
    precision: str = "",
    formats: str = "formats",
) -> str:
    """Return why a pass is not as good as the eager one, in one line; "" if it is.

    Args:
        verify_func: of what the pipeline returned and of what the eager one did, for every sample: True if that will
            do. None: by tolerance.
        atol, rtol: numbers; None: the default of what the output is computed in. Those by name are of modules.
        precision: the coarsest that a part of the pipeline computes in ("fp16").
        formats: what ran in the places of modules ("onnx/OnnxCPU").
    """
    if actual.raised:
        return f"with {formats} in place the pipeline raises: {actual.raised}"
    if verify_func is not None:
        return _verified(verify_func, actual, expected)
    pairs = zip(expected.returned, actual.returned, strict=True)
    problem = next(filter(None, (_in_kind(index, pair) for index, pair in enumerate(pairs))), "")
    return problem or _in_values(expected, actual, _number(atol), _number(rtol), precision)


def _verified(function: VerifyFunction, actual: PipelineRun, expected: PipelineRun) -> str:
    try:
        answer = function([each.value for each in actual.returned], [each.value for each in expected.returned])
    except Exception as error:
        return f"verify_func raised {error_line(error)}{_place(error)}"
    scalar = getattr(answer, "shape", None) == () and "bool" in str(getattr(answer, "dtype", ""))
    return "" if answer is True or (scalar and bool(answer)) else f"verify_func returned {answer!r}, not True"


def _place(error: BaseException) -> str:
    """Return the last line of the user's own that an error went through, " (pipeline.py:12)"; "" if there is none."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if own_file(each.filename) is not None]
    own = [each for each in frames if not Path(each.filename).is_relative_to(OWN_FOLDER)]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""


def _in_kind(index: int, pair: tuple[Returned, Returned]) -> str:
    expected, actual = pair
    problem = expected.problem or actual.problem or difference(actual.tree, expected.tree)
    return f"sample {index}: {problem}" if problem else ""


def _in_values(expected: PipelineRun, actual: PipelineRun, atol: Tolerance, rtol: Tolerance, precision: str) -> str:
    """Compare sample by sample: outputs of another sample may have other names, and another number of them."""
    for index, (there, here) in enumerate(zip(expected.returned, actual.returned, strict=True)):
        comparison = Comparison(_rules(there.arrays, atol, rtol, precision))
        comparison.add(index, "batch", there.arrays, here.arrays)
        if problem := failure_line(comparison.reports()):
            return problem
    return ""


def _rules(arrays: Mapping[str, np.ndarray], atol: Tolerance, rtol: Tolerance, precision: str) -> dict[str, Rule]:
    specs = [TensorSpec(name, array.shape, dtype_name(array.dtype)) for name, array in arrays.items()]
    rules = resolve(specs, variant_key="pipeline", format_name="", atol=atol, rtol=rtol, precision=precision)
    bytes_ = [spec.name for spec in specs if spec.dtype == "uint8" and rules[spec.name].kind == "equal"]
    return rules | dict.fromkeys(bytes_, PIXELS)


def _number(tolerance: Tolerance) -> Tolerance:
    return None if isinstance(tolerance, Mapping) else tolerance


class _Anything:
    """Arrays of every library that numpy can read: tensors, and pictures too."""

    name = "torch"

    def __init__(self) -> None:
        self._torch = known().frameworks["torch"]

    def is_array(self, value: object) -> bool:
        return hasattr(value, "__array__") or hasattr(value, "__array_interface__")

    def to_numpy(self, array: object) -> np.ndarray:
        return self._torch.to_numpy(array) if self._torch.is_array(array) else np.array(array)

    def from_numpy(self, array: np.ndarray, device: str = "cpu") -> object:
        return array
