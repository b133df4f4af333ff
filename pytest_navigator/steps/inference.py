"""The source, called with arrays by name; and whether two calls give the same."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import TypeVar

import numpy as np

from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.correctness import judge
from pytest_navigator.comparison.correctness import one_line
from pytest_navigator.comparison.tolerances import judged_by_user
from pytest_navigator.errors import InferenceError
from pytest_navigator.errors import NavigatorError
from pytest_navigator.errors import SourceError
from pytest_navigator.isolation import messages
from pytest_navigator.samples.structure import difference
from pytest_navigator.samples.structure import flatten_output
from pytest_navigator.samples.structure import unflatten_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from pytest_navigator.comparison.tolerances import Comparisons
    from pytest_navigator.comparison.tolerances import Function
    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import JSON

Arrays = dict[str, np.ndarray]
T = TypeVar("T")

AT_BATCH_1 = " at batch 1"
"""Ends the place of an inference on the first row of a sample."""

ROW_HINT = (
    "; an input that has no batch is to be named: NavConfig(unbatched=[...]); where one has it on another axis than "
    "the others: NavConfig(batch_dim=None)"
)


class SourceModel:
    """The source; its output has one structure for all samples and holds finite numbers only.

    An output that a user's own comparison judges, or that is unchecked, may hold NaN and infinity.

    Args:
        tree: structure of the call.
        names: of the outputs as they are configured; None: from the structure.
        comparisons: as they are configured.
    """

    def __init__(
        self, source: Source, tree: JSON, names: Sequence[str] | None, comparisons: Comparisons = None
    ) -> None:
        self.source = source
        self.input_tree = tree
        self.names = names
        self.comparisons = comparisons
        self.tree: JSON = None

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

    def _run(self, arrays: Mapping[str, np.ndarray], place: str) -> Arrays:
        framework, device = self.source.framework, self.source.device()
        call = unflatten_call(self.input_tree, {n: framework.from_numpy(a, device) for n, a in arrays.items()})
        try:
            raw = self.source.call(call.args, call.kwargs)
        except SourceError as error:
            raise SourceError(f"{place}: {error}") from None
        except Exception as error:
            text = str(error) if isinstance(error, NavigatorError) else messages.one_line(error)
            hint = self._hint(error, len(call.args)) or _row_hint(arrays, place)
            raise InferenceError(f"the model raised on {place}: {text}{hint}") from error
        tree, outputs = flatten_output(raw, self.names, framework, taken=arrays.keys())
        if self.tree is None:
            self.tree = tree
        elif (other := difference(tree, self.tree, "the first sample")) is not None:
            raise SourceError(f"the model's output has another structure on {place}: {other}")
        return outputs

    def _hint(self, error: Exception, given: int) -> str:
        """Say what may be wrong with a sample of more values than the model takes: (x, y) of a training loader."""
        if not isinstance(error, TypeError) or given <= len(self.source.parameter_names()):
            return ""
        return (
            f"; a tuple or list is the positional arguments, {given} here: leave out what the model does not take "
            "(return [x for x, label in loader] leaves out a label), or put it into pytest_navigator.Call(...)"
        )


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

    def add(self, sample: int, first: Arrays, second: Arrays) -> None:
        """Compare two runs on one sample.

        Raises:
            SourceError: they differ by more than the rules allow.
        """
        first, second = self.checked(first), self.checked(second)
        self.comparison.add(sample, "batch", first, second)
        self.bitwise &= all(
            np.array_equal(first[name], array, equal_nan=array.dtype.kind in "fc") for name, array in second.items()
        )
        if problem := one_line(self.comparison.reports()) or self._judged(sample, first, second):
            raise SourceError(
                f"the model's output changes from call to call: {problem}; switch off what is random in it "
                "(dropout, sampling), or declare the output nav.unchecked(reason)"
            )

    def _judged(self, sample: int, first: Arrays, second: Arrays) -> str:
        verdicts = ((name, judge(function, first[name], second[name])) for name, function in self.functions.items())
        return next((f"{name}: {problem} (sample {sample})" for name, problem in verdicts if problem), "")


def _row_hint(arrays: Mapping[str, np.ndarray], place: str) -> str:
    """Say what may be wrong if it is the first row alone that does not work."""
    several = place.endswith(AT_BATCH_1) and len(arrays) > 1
    return ROW_HINT if several else ""


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
