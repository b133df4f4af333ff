"""The source, called with arrays by name; and whether two calls give the same."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from pytest_navigator.comparison.computed import Computed, is_written, precision_of, read
from pytest_navigator.comparison.correctness import Comparison, failure_line, judge
from pytest_navigator.comparison.precisions import coarsest
from pytest_navigator.comparison.tolerances import judged_by_user
from pytest_navigator.errors import InferenceError, NavigatorError, SourceError
from pytest_navigator.isolation import causes
from pytest_navigator.samples.differences import difference
from pytest_navigator.samples.structure import flatten_output, unflatten_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_navigator.comparison.tolerances import Comparisons, Function, Rule
    from pytest_navigator.core.plain import Tree
    from pytest_navigator.frameworks.base import Framework, Source
    from pytest_navigator.samples.structure import Call

Arrays = dict[str, np.ndarray]
T = TypeVar("T")

AT_BATCH_1 = " at batch 1"  # Ends the place of an inference on the first row of a sample

TOO_MANY = (
    "; a tuple or list is the positional arguments, {} here: leave out what the model does not take "
    "(return [x for x, label in loader] leaves out a label), or put it into pytest_navigator.Call(...)"
)

DRAWS = "switch off what is random in it (dropout, sampling), "
KEEPS = "it draws no random numbers: it keeps something from one call to the next, which forward has to start anew, "
# What a model may do whose output changes from call to call.
UNKNOWN = "switch off what is random in it, or what it keeps from one call to the next, "


class SourceModel:
    """The source; its output has one structure for all samples and holds finite numbers only.

    An output that a user's own comparison judges, or that is unchecked, may hold NaN and infinity.

    Args:
        tree: structure of the call.
        names: of the outputs as they are configured; None: from the structure.
        comparisons: as they are configured.
        row_hint: what to say where the first row alone does not work; "": nothing.
    """

    def __init__(
        self,
        source: Source,
        tree: Tree,
        names: Sequence[str] | None,
        comparisons: Comparisons = None,
        row_hint: str = "",
    ) -> None:
        self.row_hint = row_hint
        self.source = source
        self.input_tree = tree
        self.names = names
        self.comparisons = comparisons
        self.tree: Tree | None = None

    def __call__(self, arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
        """Run one inference; `place` tells people on what ("sample 3").

        Raises:
            SourceError: the model raised, its output has another structure than before, or NaN or infinity in it.
        """
        outputs = self._run(arrays, place)
        for name, array in outputs.items():
            if not judged_by_user(self.comparisons, name):
                _check_finite(name, array, place)
        return outputs

    def watched(self, arrays: Mapping[str, np.ndarray], outputs: Arrays) -> dict[str, Computed]:
        """Return what each output is computed in, by another inference on the same arrays.

        Where nothing tells (a framework without graphs, an operation that cannot be followed): the coarser of the
        lowest precision in the model and the output's own type.
        """
        lowest = self.source.precision()
        known = {name: Computed(coarsest(lowest, precision_of(str(a.dtype)))) for name, a in outputs.items()}
        with suppress(Exception):  # of whatever is followed: the model itself has just run
            known |= {name: found for name, found in self._followed(arrays).items() if name in known}
        return known

    def _followed(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Computed]:
        call = self._call(arrays)
        if (watched := self.source.watched(call.args, call.kwargs)) is None:
            return {}
        value, tell = watched
        _, texts = flatten_output(
            value, self.names, cast("Framework", Told(self.source.framework, tell)), taken=arrays.keys()
        )
        return {name: read(text) for name, text in ((n, str(found)) for n, found in texts.items()) if is_written(text)}

    def _call(self, arrays: Mapping[str, np.ndarray]) -> Call:
        framework, device = self.source.framework, self.source.device()
        return unflatten_call(self.input_tree, {n: framework.from_numpy(a, device) for n, a in arrays.items()})

    def _run(self, arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
        framework, call = self.source.framework, self._call(arrays)
        try:
            raw = self.source.call(call.args, call.kwargs)
        except SourceError as error:
            raise SourceError(f"{place}: {error}") from None
        except Exception as error:
            text = str(error) if isinstance(error, NavigatorError) else causes.error_line(error)
            hint = self._hint(error, call, text) or (self.row_hint if place.endswith(AT_BATCH_1) else "")
            raise InferenceError(f"the model raised on {place}: {text}{hint}") from error
        tree, outputs = flatten_output(raw, self.names, framework, taken=arrays.keys())
        if self.tree is None:
            self.tree = tree
        elif (other := difference(tree, self.tree, "the first sample")) is not None:
            raise SourceError(f"the model's output has another structure on {place}: {other}")
        return outputs

    def _hint(self, error: Exception, call: Call, text: str) -> str:
        """Say what may be wrong with a sample that is called in another way than the model takes it."""
        names = self.source.parameter_names()
        if hint := _keyword_hint(text, call, names):
            return hint
        return TOO_MANY.format(len(call.args)) if isinstance(error, TypeError) and len(call.args) > len(names) else ""


def _keyword_hint(text: str, call: Call, names: Sequence[str]) -> str:
    """Say what a dict in a sample stands for, where the model has no parameter of a key."""
    refused = re.search(r"keyword argument '?(\w+)", text)
    if not refused or refused[1] not in call.kwargs or refused[1] in names:
        return ""
    unknown = ", ".join(repr(key) for key in call.kwargs if key not in names)
    taken = f"those of the model ({', '.join(names)})" if names else "those that the model has"
    own = "sample" if not call.args else f"{'..., ' * len(call.args)}the_dict"
    return (
        f"; a dict in a sample is keyword arguments, and no parameter is called {unknown}: use {taken} as keys, or, "
        f"where the model takes the dict itself, let the loader give pytest_navigator.Call({own})"
    )


class Told:
    """Takes what arrays were computed in, as text, for the arrays.

    Args:
        framework: tells its arrays from other values.
        tell: what an array, or what stands in its place, was computed in.
    """

    def __init__(self, framework: Framework, tell: Callable[[Any], Computed]) -> None:
        self._framework = framework
        self._tell = tell

    def is_array(self, value: object) -> bool:
        """Whether a leaf is an array, or stands in the place of one."""
        return isinstance(value, Computed) or self._framework.is_array(value)

    def to_numpy(self, array: object) -> np.ndarray:
        """Return the text."""
        return np.array(self._tell(array).text)


@dataclass
class Repetition:
    """Second runs, compared with the first ones by the suite's own rules; unchecked outputs are left out.

    Attributes:
        rules: of every output.
        functions: of the outputs whose rule is the user's own function.
        bitwise: whether all bits were equal so far.
    """

    rules: Mapping[str, Rule]
    functions: Mapping[str, Function]
    bitwise: bool = True
    comparison: Comparison = field(init=False)

    def __post_init__(self) -> None:
        self.comparison = Comparison(self.checked(self.rules))

    @property
    def unchecked(self) -> list[str]:
        """The outputs that may differ from call to call."""
        return [name for name, rule in self.rules.items() if rule.kind == "unchecked"]

    def checked(self, outputs: Mapping[str, T]) -> dict[str, T]:
        """Return what must not differ from call to call."""
        return {name: value for name, value in outputs.items() if name not in self.unchecked}

    def add(self, sample: int, first: Arrays, second: Arrays, why: Callable[[], str] = lambda: UNKNOWN) -> None:
        """Compare two runs on one sample.

        Args:
            why: what a model does whose outputs differ: DRAWS, KEEPS or UNKNOWN.

        Raises:
            SourceError: they differ by more than the rules allow.
        """
        if problem := self.problem(sample, first, second):
            raise SourceError(
                f"the model's output changes from call to call: {problem}; {why()}or declare the output "
                "nav.unchecked(reason)"
            )

    def problem(self, sample: int, first: Arrays, second: Arrays) -> str:
        """Return how two runs on one sample differ by more than the rules allow; "" if they do not."""
        first, second = self.checked(first), self.checked(second)
        self.comparison.add(sample, "batch", first, second)
        self.bitwise &= all(
            np.array_equal(first[name], array, equal_nan=array.dtype.kind in "fc") for name, array in second.items()
        )
        return failure_line(self.comparison.reports()) or self._judged(sample, first, second)

    def _judged(self, sample: int, first: Arrays, second: Arrays) -> str:
        verdicts = ((name, judge(function, first[name], second[name])) for name, function in self.functions.items())
        return next((f"{name}: {problem} (sample {sample})" for name, problem in verdicts if problem), "")


def _check_finite(name: str, array: np.ndarray, place: str) -> None:
    if array.dtype.kind not in "fcV":
        return
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of a signalling NaN
        finite = np.isfinite(array.astype(np.float32) if array.dtype.kind == "V" else array)
    if not finite.all():
        index = [int(i) for i in np.argwhere(~finite)[0]]
        raise InferenceError(
            f"output {name} of the model is {array[tuple(index)]} on {place} at {index}; where that is right, compare "
            f"it by a function of your own: NavConfig(comparisons={{{name!r}: function}})"
        )
