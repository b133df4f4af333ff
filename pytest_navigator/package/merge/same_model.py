"""Whether two packages are of one model: fingerprint, signature, tolerances asked for, samples, recorded outputs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.tolerances import default
from pytest_navigator.core.digests import digest_of
from pytest_navigator.core.facts import facts_of
from pytest_navigator.errors import PackageError
from pytest_navigator.package.query.selection import DATA
from pytest_navigator.samples.npz import MOST_RATIO, SMALL, UNREADABLE, read_npz

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.package.query.results import Results

INPUTS, OUTPUTS = DATA
ASKED = ("atol", "rtol")


class Held(Protocol):
    """The files of a package, or of a suite's folder of a workspace."""

    @property
    def path(self) -> Path:
        """Where it is, for messages."""

    @property
    def results(self) -> Results:
        """What is recorded there."""

    def files(self) -> dict[str, str]:
        """Return name -> SHA-256."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    def size(self, name: str) -> int:
        """Return the size of a file in B."""

    def stored_size(self, name: str) -> int:
        """Return how many B it takes where it is."""


def difference(first: tuple[Held, Results], second: tuple[Held, Results]) -> str:
    """Return why two packages are not of the same model, checked on the same samples; "" if they are.

    Inputs must be equal; recorded outputs are compared by the tolerance that formats had: processors differ in the last
    bits.

    Raises:
        PackageError: a sample is damaged.
    """
    (a, mine), (b, theirs) = first, second
    return _records(mine, theirs) or _inputs(a, b, mine, theirs) or _outputs(a, b, mine)


def other_outputs(first: tuple[Held, Results], second: tuple[Held, Results]) -> list[OutputReport]:
    """Return the outputs that are others on samples that both packages hold: parameters do not tell what is computed.

    They are judged by the rules that the first package's model had, as when packages are merged.

    Raises:
        PackageError: a sample is damaged.
    """
    (a, mine), (b, theirs) = first, second
    if _outputs_of(mine) != _outputs_of(theirs):
        return []  # which the signature says
    ours, other = _samples(a, INPUTS), _samples(b, INPUTS)
    same = [name for name in sorted(ours.keys() & other.keys()) if ours[name] and ours[name] == other[name]]
    return [r for r in _reports(a, b, mine, [OUTPUTS + name.removeprefix(INPUTS) for name in same]) if r.problem]


def other_outputs_of_run(package: Held, folder: Path, samples: Mapping[str, str]) -> list[OutputReport]:
    """Return the same of a package and a run, whose suite's folder holds what it has recorded.

    Args:
        samples: of the run's inputs, name of a file -> its digest.
    """
    known = package.files()
    same = [OUTPUTS + n.removeprefix(INPUTS) for n, digest in samples.items() if digest and known.get(n) == digest]
    names = [n for n in same if n in known and (folder / n).is_file() and digest_of(folder / n) != known[n]]
    rules = _rules(package.results)
    comparison = Comparison(rules)
    for index, name in enumerate(names):
        content = (folder / name).read_bytes()
        both = (_arrays(package, name), read_npz(io.BytesIO(content), len(content)))
        comparison.add(index, name, *({k: v for k, v in arrays.items() if k in rules} for arrays in both))
    return [report for report in comparison.reports() if report.problem] if names else []


def _outputs_of(results: Results) -> list[tuple[str, str]]:
    return [(spec.name, spec.dtype) for spec in results.signature.outputs] if results.signature else []


def _records(mine: Results, theirs: Results) -> str:
    for results in (mine, theirs):
        if results.signature is None or not (results.source and results.source.passed):
            return f"the source step of {results.suite.name} did not pass"
    ours, other = (results.source_facts.fingerprint for results in (mine, theirs))
    if ours != other:
        return f"the model has other parameters (fingerprint {str(ours)[:12]} and {str(other)[:12]})"
    if mine.signature != theirs.signature:
        return f"the signature differs: {_signature_text(mine)} and {_signature_text(theirs)}"
    for name in ASKED:
        if (before := mine.setting(name)) != (now := theirs.setting(name)):
            return f"{name} was {before} and {now}: outcomes were judged differently"
    return ""


def _signature_text(results: Results) -> str:
    assert results.signature is not None
    tensors = (*results.signature.inputs, *results.signature.outputs)
    return ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in tensors)


def _inputs(a: Held, b: Held, mine: Results, theirs: Results) -> str:
    ours, other = _samples(a, INPUTS), _samples(b, INPUTS)
    if not ours or not other:
        observed = mine.source_facts.observed
        if observed and observed == theirs.source_facts.observed:
            return ""
        lacking = a if not ours else b
        return f"{lacking.path} holds no samples (--nav-save-data=none): nothing tells what it was checked on"
    if lacking_name := next(iter(sorted(ours.keys() ^ other.keys())), ""):
        return f"the samples differ: only one of them has {lacking_name}"
    for name in ours:
        # Another numpy writes the same arrays in other bytes.
        if ours[name] != other[name] and not _equal(_arrays(a, name), _arrays(b, name)):
            return f"the samples differ: {name}"
    return ""


def _outputs(a: Held, b: Held, results: Results) -> str:
    problem = failure_line(_reports(a, b, results, sorted(_samples(a, OUTPUTS))))
    return f"the recorded outputs differ: {problem}" if problem else ""


def _reports(a: Held, b: Held, results: Results, names: Sequence[str]) -> list[OutputReport]:
    """Return how files of outputs compare; none where those that both packages have are the same files."""
    ours, other, rules = _samples(a, OUTPUTS), _samples(b, OUTPUTS), _rules(results)
    changed = [name for name in names if name in ours and name in other and ours[name] != other[name]]
    comparison = Comparison(rules)
    for index, name in enumerate(changed):
        found = ({k: v for k, v in _arrays(package, name).items() if k in rules} for package in (a, b))
        comparison.add(index, name, *found)
    return comparison.reports() if changed else []


def _rules(results: Results) -> dict[str, Rule]:
    # A function of the user's is in no package.
    checked = (facts_of(o, CorrectnessFacts).rules for o in results.outcomes if o.step == "correctness")
    rules = next(filter(None, checked), {})
    outputs = results.signature.outputs if results.signature else ()
    found = {spec.name: rules.get(spec.name, default(spec.dtype)) for spec in outputs}
    return {name: rule for name, rule in found.items() if rule.kind != "function"}


def _samples(package: Held, side: str) -> dict[str, str]:
    return {name: digest for name, digest in package.files().items() if name.startswith(f"{side}/")}


def _arrays(package: Held, name: str) -> dict[str, np.ndarray]:
    stored = package.stored_size(name)
    try:
        if package.size(name) > max(SMALL, MOST_RATIO * stored):
            raise ValueError(f"it unpacks to {package.size(name)} B, more than {MOST_RATIO} times its {stored} B")
        return read_npz(io.BytesIO(package.read(name)), stored)
    except UNREADABLE as error:
        raise PackageError(f"{package.path}: {name} is no file of arrays ({error})") from error


def _equal(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(
        array.dtype == second[name].dtype
        and array.tobytes() == second[name].tobytes()
        and array.shape == second[name].shape
        for name, array in first.items()
    )
